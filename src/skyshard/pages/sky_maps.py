"""Maps of boxes on the sky: the whole sky in Mollweide's projection, the occupied part enlarged, a scale of colours.
No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from skyshard.pages.picture import WIDE
from skyshard.pages.sky_boxes import SkyBoxes, centre_of, centred_boxes, mollweide, mollweide_outlines
from skyshard.pages.svg import MUTED, PAPER, RULE, new_figure

RASTER_FROM = 3_000
"""Number of boxes from which the outlines are drawn as an image inside the SVG."""

COLOURS: Colormap = LinearSegmentedColormap.from_list(
    "rows", ["#2b2f6b", "#2f5f9e", "#2f93a8", "#5fc29a", "#c8e58c", "#fbf3b0"]
)


def whole_sky_figure(boxes: SkyBoxes, fill: Sequence[str], width: int, *, foot: int) -> Figure:
    """All boxes on the whole sky, with ``foot`` units below for a scale."""
    map_width = min(width - 60, 640)
    height = map_width / 2 + foot + 10
    figure = new_figure(width, height)
    axes = figure.add_axes(((width - map_width) / 2 / width, foot / height, map_width / width, map_width / 2 / height))
    axes.set_xlim(-2.02, 2.02)
    axes.set_ylim(-1.01, 1.01)
    axes.set_axis_off()
    _graticule(axes)
    outlines, row = mollweide_outlines(boxes)
    axes.add_collection(_polygons(outlines, np.array(fill)[row].tolist(), len(boxes.ra_min)))
    _graticule_labels(axes)
    return figure


def scaled_figure(
    boxes: SkyBoxes, fill: Sequence[str], width: int, norm: Normalize, label: str, shown: Callable[[float], str]
) -> Figure:
    """The occupied part enlarged, over a scale of its colours; ``shown`` makes a number a text."""
    part = OccupiedPart(boxes)
    panel = min(width - 60, 520)
    tall = part.height(panel, 1.1)
    height = tall + 100
    figure = new_figure(width, height)
    left = (width - panel) / 2 + (6 if width < WIDE else 0)
    part.draw(figure.add_axes((left / width, 88 / height, panel / width, tall / height)), fill)
    colour_scale(figure, norm, label, shown)
    return figure


class OccupiedPart:
    """The part of the sky that has boxes, around its own centre, as one panel."""

    def __init__(self, boxes: SkyBoxes) -> None:
        self.boxes = boxes
        self.centre = 5.0 * round(centre_of(boxes) / 5) % 360
        self.low, self.high = centred_boxes(boxes, self.centre)
        self.shrink = max(np.cos(np.radians(float(np.abs(boxes.dec_min + boxes.dec_max).mean()) / 2)), 0.2)

    def height(self, panel: float, most: float) -> float:
        """Height of a panel of this width at equal scales, from 0.35 to ``most`` times its width."""
        across = float(self.high.max() - self.low.min()) * self.shrink
        up = float(self.boxes.dec_max.max() - self.boxes.dec_min.min())
        return float(np.clip(panel * up / across, panel * 0.35, panel * most))

    def draw(self, axes: Axes, fill: Sequence[str]) -> None:
        """Every box in its colour, with degrees along both edges."""
        low, high, boxes = self.low, self.high, self.boxes
        corners = [(low, boxes.dec_min), (high, boxes.dec_min), (high, boxes.dec_max), (low, boxes.dec_max)]
        outlines = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1)
        is_image = len(low) > RASTER_FROM
        drawn = PolyCollection(list(outlines), facecolors=fill, edgecolors=PAPER, linewidths=0.8, rasterized=is_image)
        axes.add_collection(drawn)
        margin = 0.02 * float(high.max() - low.min())
        axes.set_xlim(float(high.max()) + margin, float(low.min()) - margin)
        axes.set_ylim(float(boxes.dec_min.min()) - margin, float(boxes.dec_max.max()) + margin)
        axes.set_aspect(1 / self.shrink)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{(value + self.centre) % 360:.4g}°"))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+.4g}°" if value else "0°"))
        axes.tick_params(length=0, labelsize=10)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("right ascension", fontsize=10, loc="left", labelpad=1)


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


def _polygons(outlines: NDArray[np.float64], colours: list[str], count: int) -> PolyCollection:
    edge, linewidth = (PAPER, 0.6) if count < 500 else ("face", 0.2)
    is_image = count > RASTER_FROM
    return PolyCollection(
        list(outlines), facecolors=colours, edgecolors=edge, linewidths=linewidth, rasterized=is_image
    )


def colour_scale(figure: Figure, norm: Normalize, label: str, shown: Callable[[float], str]) -> None:
    """A bar of the colours at the foot of a figure."""
    width, height = figure.get_figwidth() * 72, figure.get_figheight() * 72
    bar = min(240, width - 60)
    axes = figure.add_axes(((width - bar) / 2 / width, 32 / height, bar / width, 9 / height))
    scale = figure.colorbar(mpl.cm.ScalarMappable(norm, COLOURS), cax=axes, orientation="horizontal")
    scale.outline.set_visible(False)
    scale.set_ticks(scale_ticks(norm))
    scale.minorticks_off()
    scale.formatter = FuncFormatter(lambda value, _: shown(value))
    scale.update_ticks()
    axes.tick_params(length=0, labelsize=10, which="both")
    axes.set_xlabel(label, fontsize=10, labelpad=1)


def scale_ticks(norm: Normalize) -> list[float]:
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
