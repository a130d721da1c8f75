"""The report's sky maps: the whole sky in Mollweide's projection, and the occupied part enlarged. No I/O."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm, Normalize, to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from skyshard.basics.readable import seconds, short_count
from skyshard.bench.pages.latency_figures import WIDE, Picture, picture
from skyshard.bench.pages.svg import FIXED_SERIES, INK, MUTED, PAPER, RULE, SERIES, new_figure
from skyshard.bench.record.chunk_map import SkyMap, centre_of, centred_boxes, mollweide, mollweide_outlines

RASTER_FROM = 3_000
"""Number of chunks from which the outlines are drawn as an image inside the SVG."""
WIDEST_PART_DEG = 100.0
"""Largest extent in right ascension for which the occupied part is enlarged."""

_ROWS_MAP: Colormap = LinearSegmentedColormap.from_list(
    "rows", ["#2b2f6b", "#2f5f9e", "#2f93a8", "#5fc29a", "#c8e58c", "#fbf3b0"]
)


def whole_sky(sky: SkyMap) -> Picture:
    """Rows of each chunk on the whole sky."""
    description = f"The whole sky in Mollweide projection with the {len(sky):,} chunks of the catalog coloured by rows"
    return picture("sky", description, lambda width: _whole_figure(sky, width, by_node=False))


def occupied_part(sky: SkyMap) -> Picture:
    """The occupied part enlarged, by rows and by node; the whole sky by node when the catalog spans much of it."""
    low, high = centred_boxes(sky, centre_of(sky))
    if float(high.max() - low.min()) > WIDEST_PART_DEG:
        description = "The whole sky in Mollweide projection, each chunk in the colour of the node that holds it first"
        return picture("zoom", description, lambda width: _whole_figure(sky, width, by_node=True))
    description = (
        "The occupied part of the sky: rows of each chunk in the same colours (grey: overlap only), and the node that "
        "holds it first"
    )
    return picture("zoom", description, lambda width: _zoom_figure(sky, width))


def times_on_sky(sky: SkyMap, seconds_by_chunk: NDArray[np.float64], name: str, label: str) -> Picture:
    """A time of each chunk, enlarged; chunks without one stay grey (NaN). ``label`` says which."""
    description = f"The occupied part of the sky: {label}"
    return picture(name, description, lambda width: _time_figure(sky, seconds_by_chunk, width, label))


def _time_figure(sky: SkyMap, seconds_by_chunk: NDArray[np.float64], width: int, label: str) -> Figure:
    known = np.isfinite(seconds_by_chunk)
    low, high = float(seconds_by_chunk[known].min()), float(seconds_by_chunk[known].max())
    norm: Normalize = LogNorm(low, max(high, low * 1.01)) if high > 10 * low else Normalize(0, high)
    fill: list[str] = [
        to_hex(_ROWS_MAP(norm(value))) if is_known else RULE
        for value, is_known in zip(seconds_by_chunk, known, strict=True)
    ]
    centre = 5.0 * round(centre_of(sky) / 5) % 360
    west, east = centred_boxes(sky, centre)
    panel = min(width - 60, 520)
    shrink = max(np.cos(np.radians(float(np.abs(sky.dec_min + sky.dec_max).mean()) / 2)), 0.2)
    spans = float(east.max() - west.min()) * shrink, float(sky.dec_max.max() - sky.dec_min.min())
    tall = float(np.clip(panel * spans[1] / spans[0], panel * 0.35, panel * 1.1))
    height = tall + 100
    figure = new_figure(width, height)
    left = (width - panel) / 2 + (6 if width < WIDE else 0)
    axes = figure.add_axes((left / width, 88 / height, panel / width, tall / height))
    _zoom_panel(axes, sky, west, east, centre, shrink, fill)
    _colour_scale(figure, norm, width, height, label, seconds)
    return figure


def _whole_figure(sky: SkyMap, width: int, *, by_node: bool) -> Figure:
    map_width = min(width - 60, 640)
    foot = 4 if by_node else 52
    height = map_width / 2 + foot + 10
    figure = new_figure(width, height)
    axes = figure.add_axes(((width - map_width) / 2 / width, foot / height, map_width / width, map_width / 2 / height))
    axes.set_xlim(-2.02, 2.02)
    axes.set_ylim(-1.01, 1.01)
    axes.set_axis_off()
    _graticule(axes)
    norm = _norm(sky)
    outlines, row = mollweide_outlines(sky)
    fill = np.array(_node_colours(sky))[row].tolist() if by_node else np.array(_row_colours(sky))[row].tolist()
    axes.add_collection(_polygons(outlines, fill, len(sky)))
    _graticule_labels(axes)
    if not by_node:
        _colour_scale(figure, norm, width, height, "rows in a chunk", short_count)
    return figure


def _graticule_labels(axes: Axes) -> None:
    for hours in (20, 16, 8, 4):
        x, y = mollweide(np.array([(hours * 15 + 180) % 360 - 180.0]), np.array([0.0]))
        axes.text(float(x[0]), float(y[0]) - 0.02, f"{hours}h", color=MUTED, fontsize=10, ha="center", va="top")
    for degrees in (-60, -30, 30, 60):
        x, y = mollweide(np.array([180.0]), np.array([float(degrees)]))
        axes.text(float(x[0]) - 0.02, float(y[0]), f"{degrees:+d}°", color=MUTED, fontsize=10, ha="right", va="center")


def _graticule(axes: Axes) -> None:
    lat = np.linspace(-90, 90, 91)
    lines = [np.stack(mollweide(np.full(91, float(lon)), lat), axis=-1) for lon in range(-180, 181, 60)]
    lon = np.linspace(-180, 180, 2)
    lines += [np.stack(mollweide(lon, np.full(2, float(dec))), axis=-1) for dec in (-60, -30, 0, 30, 60)]
    for line in lines:
        axes.plot(line[:, 0], line[:, 1], color=RULE, linewidth=0.8, zorder=0)


def _norm(sky: SkyMap) -> Normalize:
    """Logarithmic when chunks differ much, else linear from zero."""
    filled = sky.rows[sky.rows > 0]
    low, high = int(filled.min(initial=_most(sky))), _most(sky)
    return LogNorm(low, high) if high / low > 30 else Normalize(0, high)


def _most(sky: SkyMap) -> int:
    """Most rows of a chunk, at least 2."""
    return max(2, int(sky.rows.max()))


def _row_colours(sky: SkyMap) -> list[str]:
    """The colour of each chunk by its rows; grey where it has only overlap rows."""
    norm = _norm(sky)
    return [to_hex(_ROWS_MAP(norm(rows))) if rows else RULE for rows in sky.rows]


def _polygons(outlines: NDArray[np.float64], colours: NDArray[np.float64] | list[str], count: int) -> PolyCollection:
    edge, linewidth = (PAPER, 0.6) if count < 500 else ("face", 0.2)
    is_image = count > RASTER_FROM
    return PolyCollection(
        list(outlines), facecolors=colours, edgecolors=edge, linewidths=linewidth, rasterized=is_image
    )


def _colour_scale(
    figure: Figure, norm: Normalize, width: int, height: float, label: str, shown: Callable[[float], str]
) -> None:
    bar = min(240, width - 60)
    axes = figure.add_axes(((width - bar) / 2 / width, 32 / height, bar / width, 9 / height))
    scale = figure.colorbar(mpl.cm.ScalarMappable(norm, _ROWS_MAP), cax=axes, orientation="horizontal")
    scale.outline.set_visible(False)
    scale.set_ticks(_scale_ticks(norm))
    scale.minorticks_off()
    scale.formatter = FuncFormatter(lambda value, _: shown(value))
    scale.update_ticks()
    axes.tick_params(length=0, labelsize=10, which="both")
    axes.set_xlabel(label, fontsize=10, labelpad=1)


def _scale_ticks(norm: Normalize) -> list[float]:
    """At most six round numbers within the scale, evenly spaced."""
    low, high = float(norm.vmin or 0), float(norm.vmax or 1)
    if not isinstance(norm, LogNorm):
        return [float(tick) for tick in MaxNLocator(4).tick_values(low, high) if low <= tick <= high]
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        ticks = [float(tick) for power in powers for tick in power * np.array(factors) if low <= tick <= high]
        if len(ticks) <= 6:
            return ticks
    return ticks[:: -(-len(ticks) // 6)]


def _zoom_figure(sky: SkyMap, width: int) -> Figure:
    centre = 5.0 * round(centre_of(sky) / 5) % 360
    low, high = centred_boxes(sky, centre)
    panels = 2 if width == WIDE else 1
    panel = (width - 46 * panels) / panels
    shrink = max(np.cos(np.radians(float(np.abs(sky.dec_min + sky.dec_max).mean()) / 2)), 0.2)
    spans = (float(high.max() - low.min()) * shrink, float(sky.dec_max.max() - sky.dec_min.min()))
    tall = float(np.clip(panel * spans[1] / spans[0], panel * 0.35, panel * 1.3))
    rows = 2 // panels
    height = (tall + 66) * rows
    figure = new_figure(width, height)
    colours = (_row_colours(sky), _node_colours(sky))
    for number, (title, fill) in enumerate(zip(("Rows per chunk", "Node of each chunk"), colours, strict=True)):
        column, line = number % panels, number // panels
        x0 = (42 + column * (panel + 46)) / width
        y0 = 1 - ((line + 1) * (tall + 66) - 38) / height
        axes = figure.add_axes((x0, y0, panel / width, tall / height))
        _zoom_panel(axes, sky, low, high, centre, shrink, fill)
        axes.set_title(title, loc="left", fontsize=11, color=INK)
    return figure


def _zoom_panel(
    axes: Axes,
    sky: SkyMap,
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    centre: float,
    shrink: float,
    fill: NDArray[np.float64] | list[str],
) -> None:
    corners = [(low, sky.dec_min), (high, sky.dec_min), (high, sky.dec_max), (low, sky.dec_max)]
    outlines = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)
    count = len(sky)
    axes.add_collection(
        PolyCollection(
            list(outlines), facecolors=fill, edgecolors=PAPER, linewidths=0.8, rasterized=count > RASTER_FROM
        )
    )
    margin = 0.02 * float(high.max() - low.min())
    axes.set_xlim(float(high.max()) + margin, float(low.min()) - margin)
    axes.set_ylim(float(sky.dec_min.min()) - margin, float(sky.dec_max.max()) + margin)
    axes.set_aspect(1 / shrink)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{(value + centre) % 360:.4g}°"))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+.4g}°" if value else "0°"))
    axes.tick_params(length=0, labelsize=10)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("right ascension", fontsize=10, loc="left", labelpad=1)


def _node_colours(sky: SkyMap) -> list[str]:
    """The categorical colour of each chunk's first replica."""
    names = sorted({name for replicas in sky.nodes for name in replicas})
    series = FIXED_SERIES if len(sky) > RASTER_FROM else SERIES
    colour = {name: series[number % len(series)] for number, name in enumerate(names)}
    return [colour[replicas[0]] if len(replicas) else RULE for replicas in sky.nodes]
