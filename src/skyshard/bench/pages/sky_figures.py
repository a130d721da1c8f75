"""The report's sky maps: the whole sky in Mollweide's projection, and the occupied part enlarged. No I/O."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm, Normalize, to_hex
from matplotlib.figure import Figure
from numpy.typing import NDArray

from skyshard.basics.readable import seconds, short_count
from skyshard.bench.record.chunk_map import SkyMap
from skyshard.pages.picture import WIDE, Picture, picture
from skyshard.pages.sky_boxes import centre_of, centred_boxes
from skyshard.pages.sky_maps import COLOURS, RASTER_FROM, OccupiedPart, colour_scale, scaled_figure, whole_sky_figure
from skyshard.pages.svg import FIXED_SERIES, INK, RULE, SERIES, new_figure

WIDEST_PART_DEG = 100.0
"""Largest extent in right ascension for which the occupied part is enlarged."""


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
        to_hex(COLOURS(norm(value))) if is_known else RULE
        for value, is_known in zip(seconds_by_chunk, known, strict=True)
    ]
    return scaled_figure(sky, fill, width, norm, label, seconds)


def _whole_figure(sky: SkyMap, width: int, *, by_node: bool) -> Figure:
    if by_node:
        return whole_sky_figure(sky, _node_colours(sky), width, foot=4)
    figure = whole_sky_figure(sky, _row_colours(sky), width, foot=52)
    colour_scale(figure, _norm(sky), "rows in a chunk", short_count)
    return figure


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
    return [to_hex(COLOURS(norm(rows))) if rows else RULE for rows in sky.rows]


def _zoom_figure(sky: SkyMap, width: int) -> Figure:
    part = OccupiedPart(sky)
    panels = 2 if width == WIDE else 1
    panel = (width - 46 * panels) / panels
    tall = part.height(panel, 1.3)
    height = (tall + 66) * (2 // panels)
    figure = new_figure(width, height)
    colours = (_row_colours(sky), _node_colours(sky))
    for number, (title, fill) in enumerate(zip(("Rows per chunk", "Node of each chunk"), colours, strict=True)):
        column, line = number % panels, number // panels
        x0 = (42 + column * (panel + 46)) / width
        y0 = 1 - ((line + 1) * (tall + 66) - 38) / height
        axes = figure.add_axes((x0, y0, panel / width, tall / height))
        part.draw(axes, fill)
        axes.set_title(title, loc="left", fontsize=11, color=INK)
    return figure


def _node_colours(sky: SkyMap) -> list[str]:
    """The categorical colour of each chunk's first replica."""
    names = sorted({name for replicas in sky.nodes for name in replicas})
    series = FIXED_SERIES if len(sky) > RASTER_FROM else SERIES
    colour = {name: series[number % len(series)] for number, name in enumerate(names)}
    return [colour[replicas[0]] if len(replicas) else RULE for replicas in sky.nodes]
