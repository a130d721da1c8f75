"""The report's figures of latency: by class, and over the run. Numbers in, SVG out; no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator
from numpy.typing import NDArray

from skyshard.basics.readable import seconds
from skyshard.pages.picture import WIDE, Picture, picture
from skyshard.pages.svg import FIXED_SERIES, INK, MAY_GO, MUTED, PAPER, RULE, SERIES, legend_name, new_figure

RASTER_FROM = 4_000
"""Number of points from which they are drawn as an image inside the SVG."""


@dataclass(frozen=True, slots=True)
class LatencySeries:
    """One class in one phase."""

    label: str
    due_s: NDArray[np.float64]
    latency_s: NDArray[np.float64]
    target_s: float | None = None


def latency_by_class(series: Sequence[LatencySeries]) -> Picture:
    """Each class's cumulative distribution, samples as dots, median and mean, on one logarithmic axis."""
    shown = [one for one in series if len(one.latency_s)]
    description = "Latency of each class on a logarithmic axis: cumulative share, samples, median and mean"
    return picture("latency", description, lambda width: _latency_figure(shown, width))


def _latency_figure(series: Sequence[LatencySeries], width: int) -> Figure:
    band = 66
    height = band * len(series) + 40
    figure = new_figure(width, height)
    axes = figure.add_axes((2 / width, 32 / height, (width - 26) / width, (height - 38) / height))
    for row, one in enumerate(reversed(series)):
        _latency_band(axes, row, one, SERIES[(len(series) - 1 - row) % len(SERIES)], width < WIDE)
    values = np.concatenate([one.latency_s for one in series]) if series else np.array([1e-3])
    _time_axis(axes, values, width)
    axes.set_ylim(-0.08, max(1, len(series)) + 0.02)
    axes.yaxis.set_major_locator(NullLocator())
    axes.spines[["left", "right", "top"]].set_visible(False)
    return figure


def _latency_band(axes: Axes, row: int, one: LatencySeries, colour: str, is_narrow: bool) -> None:
    x = np.sort(np.maximum(one.latency_s, 1e-6))
    floor, top = row + 0.2, row + 0.7
    share = floor + (top - floor) * np.arange(1, len(x) + 1) / len(x)
    steps = np.concatenate([[x[0]], x]), np.concatenate([[floor], share])
    axes.fill_between(*steps, floor, step="post", color=colour, alpha=0.16, linewidth=0)
    axes.step(*steps, where="post", color=colour, linewidth=1.4)
    jitter = np.random.default_rng(row).uniform(0.06, 0.14, len(x))
    is_many = len(x) > RASTER_FROM
    cloud = _cloud_colour(SERIES.index(colour), is_many)
    axes.plot(x, row + jitter, ".", color=cloud, markersize=5.5, alpha=0.6, rasterized=is_many, markeredgewidth=0)
    axes.plot([np.median(x)] * 2, [floor, top], color=INK, linewidth=1.3, solid_capstyle="butt")
    axes.plot([x.mean()], [floor], marker="D", color=INK, markersize=4.2, markeredgecolor=PAPER, markeredgewidth=0.8)
    if one.target_s is not None and one.target_s <= x[-1] * 3:
        axes.plot([one.target_s] * 2, [row + 0.02, top], color=INK, linewidth=1.0, linestyle=(0, (2, 2)))
    axes.axhline(row, color=RULE, linewidth=0.8, zorder=0)
    edge, y = axes.get_yaxis_transform(), row + 0.93
    axes.text(0.0, y, one.label, ha="left", va="top", fontweight="bold", transform=edge)
    text = f"{'' if is_narrow else 'median '}{seconds(float(np.median(x)))}, n = {len(x):,}"
    axes.text(1.0, y, text, ha="right", va="top", color=MUTED, transform=edge)


def latency_over_run(series: Sequence[LatencySeries], phases: Sequence[tuple[str, float]]) -> Picture:
    """Latency of every sample against its due time; ``phases`` are names with their first due time, and events."""
    shown = [one for one in series if len(one.latency_s)]
    description = "Latency of every sample against its due time, by class"
    return picture("run", description, lambda width: _run_figure(shown, phases, width))


def _run_figure(series: Sequence[LatencySeries], phases: Sequence[tuple[str, float]], width: int) -> Figure:
    per_line = 6 if width == WIDE else 2
    lines = -(-len(series) // per_line)
    above = 24 if width == WIDE else 36
    height = 210 + above + 18 * lines
    figure = new_figure(width, height)
    left, bottom = 52, 36
    box = (width - left - 12, height - bottom - above - 18 * lines)
    axes = figure.add_axes((left / width, bottom / height, box[0] / width, box[1] / height))
    is_many = sum(len(one.due_s) for one in series) > RASTER_FROM
    for number, one in enumerate(series):
        colour = _cloud_colour(number, is_many)
        y = np.maximum(one.latency_s, 1e-6)
        points = axes.plot(one.due_s, y, "o", color=colour, label=legend_name(one.label), markersize=4, alpha=0.75)
        points[0].set(markeredgewidth=0, rasterized=is_many)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=20))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(axis="y", linewidth=0.6)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.tick_params(axis="both", which="both", length=0)
    axes.set_xlabel("due, seconds since the trial began", loc="left")
    for number, (name, start_s) in enumerate(phases):
        rise = 12 * (number % 2) if width < WIDE else 0
        axes.axvline(start_s, color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
        axes.annotate(
            name, (start_s, 1.0), (2, rise), ("data", "axes fraction"), "offset points", va="bottom", color=MUTED,
            label=MAY_GO,
        )  # fmt: skip
    if series:
        spacing = {"handletextpad": 0.1, "columnspacing": 1.0}
        figure.legend(loc="upper left", ncols=per_line, frameon=False, **spacing)
    return figure


def _cloud_colour(number: int, is_image: bool) -> str:
    """A class's colour. Images inside the SVG cannot follow the page's theme, so they have a colour that suits any."""
    return (FIXED_SERIES if is_image else SERIES)[number % len(SERIES)]


def _time_axis(axes: Axes, values: NDArray[np.float64], width: int) -> None:
    low, high = max(float(values.min()), 1e-6), max(float(values.max()), 1e-6)
    axes.set_xscale("log")
    axes.set_xlim(low / 1.3, max(high * 1.4, low * 10))
    subs = (1.0, 3.0) if width == WIDE else (1.0,)
    axes.xaxis.set_major_locator(LogLocator(subs=subs, numticks=20))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value)))
    axes.grid(axis="x", linewidth=0.6)
    axes.tick_params(axis="x", which="both", length=0)
