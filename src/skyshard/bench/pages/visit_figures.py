"""The figures of visits: boxes with fits, all visits, tables, rows, the share above limits. Numbers in, SVG out; no
I/O."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from skyshard.basics.readable import seconds, short_count
from skyshard.bench.record.visit_summary import FittedLine
from skyshard.bench.record.visit_times import VisitSeries, VisitTimes
from skyshard.pages.picture import WIDE, Picture, picture
from skyshard.pages.svg import FIXED_SERIES, INK, MAY_GO, MUTED, RULE, SERIES, legend_name, new_figure

RASTER_FROM = 4_000
"""Number of points from which they are drawn as an image inside the SVG."""
BOXES = {True: 24, False: 10}
"""By whether the figure is wide."""
LINE_POINTS = 60
LEAST_IN_PART = 5
LEFT, BOTTOM, RIGHT, TOP = 56, 38, 12, 18
PER_LINE = {True: 5, False: 2}

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FittedSeries:
    """Values of visits, and the lines through them before and after the window's end."""

    visit: NDArray[np.int64]
    values: Floats
    lines: Sequence[FittedLine]
    window_end: int
    """The first visit whose history is as long as it will ever be."""


def boxes_figure(name: str, one: FittedSeries) -> Picture:
    """Real time of a visit against its number: quartiles as boxes, whiskers over all, and the lines."""
    description = "Real time of a visit against visit number: boxes of quartiles, whiskers from least to longest, lines"
    return picture(name, description, lambda width: _boxes(one, width))


def _boxes(one: FittedSeries, width: int) -> Figure:
    figure, axes = _axes(width, 300)
    parts = _parts(len(one.values), BOXES[width == WIDE])
    for first, last in parts:
        _box(axes, one.visit[first:last], one.values[first:last])
    for line in one.lines:
        axes.plot(
            [line.first_visit, line.last_visit], [line.at_first, line.at_last], color=SERIES[1], linewidth=2.0, zorder=5
        )
    _marked_window(axes, one)
    _time_axis(axes)
    return figure


def _box(axes: Axes, visit: NDArray[np.int64], values: Floats) -> None:
    low, lower, middle, upper, high = np.quantile(values, (0, 0.25, 0.5, 0.75, 1))
    left, right = float(visit[0]), float(visit[-1]) + 1
    gap = 0.18 * (right - left)
    at, span = (left + gap, right - gap), 0.5 * (left + right)
    axes.plot([span, span], [low, lower], color=MUTED, linewidth=1)
    axes.plot([span, span], [upper, high], color=MUTED, linewidth=1)
    axes.fill_between(at, lower, upper, color=SERIES[0], alpha=0.35, linewidth=0)
    axes.plot(at, [middle, middle], color=INK, linewidth=1.4, solid_capstyle="butt")


def scatter_figure(name: str, one: FittedSeries, limit_s: float | None = None) -> Picture:
    """Every visit as a dot, with the lines."""
    return picture(name, "Real time of every visit against visit number", lambda width: _scatter(one, limit_s, width))


def _scatter(one: FittedSeries, limit_s: float | None, width: int) -> Figure:
    figure, axes = _axes(width, 260)
    is_many = len(one.values) > RASTER_FROM
    colour = (FIXED_SERIES if is_many else SERIES)[0]
    axes.plot(one.visit, one.values, "o", color=colour, markersize=3, alpha=0.6, rasterized=is_many, markeredgewidth=0)
    if limit_s is not None and limit_s <= 1.5 * float(one.values.max()):
        axes.axhline(limit_s, color=INK, linewidth=1, linestyle=(0, (2, 2)))
    for line in one.lines:
        axes.plot([line.first_visit, line.last_visit], [line.at_first, line.at_last], color=SERIES[1], linewidth=2.0)
    _marked_window(axes, one)
    _time_axis(axes)
    return figure


def tables_figure(name: str, series: Sequence[VisitSeries], window_end: int, what: str) -> Picture:
    """One line for each kind of work: the median real time over stretches of visits."""
    shown = [(one.name, one.visit, one.real_s) for one in series if len(one.visit)]
    description = f"Median real time of {what} against visit number, a line for each table"
    return picture(name, description, lambda width: _lines(shown, window_end, width, is_time=True))


def rows_figure(name: str, series: Sequence[VisitSeries], window_end: int) -> Picture:
    """One line for each table: rows that a visit reads."""
    shown = [(one.name, one.visit, one.rows.astype(np.float64)) for one in series if len(one.visit)]
    description = "Rows that a visit reads against visit number, a line for each table"
    return picture(name, description, lambda width: _lines(shown, window_end, width, is_time=False))


def above_figure(name: str, one: FittedSeries, limits_s: Sequence[float]) -> Picture:
    """The share of visits above each limit over stretches of visits."""
    description = "Share of visits above a limit against visit number"
    return picture(name, description, lambda width: _above(one, limits_s, width))


def _above(one: FittedSeries, limits_s: Sequence[float], width: int) -> Figure:
    shown = [(f"above {seconds(limit)}", one.visit, (one.values > limit).astype(np.float64)) for limit in limits_s]
    figure = _lines(shown, one.window_end, width, is_time=False, is_mean=True)
    axes = figure.axes[0]
    axes.set_ylim(-0.03, 1.03)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
    return figure


def _lines(
    series: Sequence[tuple[str, NDArray[np.int64], Floats]], window_end: int, width: int, *, is_time: bool,
    is_mean: bool = False,
) -> Figure:  # fmt: skip
    per_line = PER_LINE[width == WIDE]
    legend = 18 * -(-len(series) // per_line)
    figure, axes = _axes(width, 250 + legend, above=TOP + legend)
    for number, (label, visit, values) in enumerate(series):
        parts = _parts(len(values), LINE_POINTS if width == WIDE else LINE_POINTS // 2)
        x = [float(visit[first:last].mean()) for first, last in parts]
        y = [float(np.mean(part) if is_mean else np.median(part)) for part in (values[a:b] for a, b in parts)]
        axes.plot(x, y, color=SERIES[number % len(SERIES)], linewidth=1.7, label=label)
    highest = max((float(np.max(values)) for _, _, values in series if len(values)), default=1.0)
    if series:
        _mark_end(axes, window_end, int(max(visit[-1] for _, visit, _ in series)))
    axes.set_ylim(bottom=0, top=None if highest else 1.0)
    if is_time:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value) if value else "0"))
    else:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
    figure.legend(loc="upper left", ncols=per_line, frameon=False, handletextpad=0.4, columnspacing=1.2)
    return figure


def runs_figure(name: str, sides: Sequence[tuple[str, Sequence[VisitTimes]]]) -> Picture:
    """The median real time along the run, a line for each trial, one colour for each side."""
    description = "Median real time of a visit against visit number, a line for each trial"
    return picture(name, description, lambda width: _runs(sides, width))


def _runs(sides: Sequence[tuple[str, Sequence[VisitTimes]]], width: int) -> Figure:
    figure, axes = _axes(width, 290, above=TOP + 18)
    for number, (label, trials) in enumerate(sides):
        for place, times in enumerate(trials):
            whole = times.whole
            parts = _parts(len(whole.visit), LINE_POINTS if width == WIDE else LINE_POINTS // 2)
            x = [float(whole.visit[first:last].mean()) for first, last in parts]
            y = [float(np.median(whole.real_s[first:last])) for first, last in parts]
            shown = label if place == 0 else MAY_GO
            axes.plot(x, y, color=SERIES[number % len(SERIES)], linewidth=1.4, alpha=0.8, label=shown)
    _time_axis(axes)
    figure.legend(loc="upper left", ncols=PER_LINE[width == WIDE], frameon=False, handletextpad=0.4, columnspacing=1.2)
    return figure


def courses_figure(name: str, courses: Sequence[tuple[str, Sequence[int], Sequence[float]]]) -> Picture:
    """Median real time of a visit along the run, a line for each cell of an experiment."""
    description = "Median real time of a visit against visit number, a line for each cell"
    return picture(name, description, lambda width: _courses(courses, width))


def _courses(courses: Sequence[tuple[str, Sequence[int], Sequence[float]]], width: int) -> Figure:
    per_line = 3 if width == WIDE else 1
    legend = 18 * -(-len(courses) // per_line)
    figure, axes = _axes(width, 300 + legend, above=TOP + legend)
    for number, (label, visits, took) in enumerate(courses):
        dashes = "-" if number < len(SERIES) else (0, (4, 2))
        axes.plot(
            visits, took, color=SERIES[number % len(SERIES)], linewidth=1.7, linestyle=dashes, label=legend_name(label)
        )
    _time_axis(axes)
    figure.legend(loc="upper left", ncols=per_line, frameon=False, handletextpad=0.4, columnspacing=1.2)
    return figure


@dataclass(frozen=True, slots=True)
class NodePoint:
    """Reads of one backend at one number of nodes."""

    label: str
    nodes: int
    select_s: float


def nodes_figure(points: Sequence[NodePoint]) -> Picture:
    """Time of the reads of a visit against the number of nodes, with what 1/N would give from the fewest."""
    description = "Reads of a visit against the number of nodes; broken lines: in inverse proportion to them"
    return picture("visit-nodes", description, lambda width: _nodes(points, width))


def _nodes(points: Sequence[NodePoint], width: int) -> Figure:
    labels = list(dict.fromkeys(one.label for one in points))
    per_line = PER_LINE[width == WIDE]
    legend = 18 * -(-len(labels) // per_line)
    figure, axes = _axes(width, 250 + legend, above=TOP + legend)
    most = max(one.nodes for one in points)
    for number, label in enumerate(labels):
        colour = SERIES[number % len(SERIES)]
        mine = sorted((one.nodes, one.select_s) for one in points if one.label == label)
        axes.plot(*zip(*mine, strict=True), "o-", color=colour, linewidth=1.6, markersize=5, label=legend_name(label))
        fewest, took = mine[0]
        if len(mine) > 1:
            ideal = np.linspace(fewest, most, 60)
            axes.plot(ideal, took * fewest / ideal, color=colour, linewidth=1, linestyle=(0, (3, 3)))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("nodes", loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value) if value else "0"))
    figure.legend(loc="upper left", ncols=per_line, frameon=False, handletextpad=0.4, columnspacing=1.2)
    return figure


def _parts(count: int, most: int) -> list[tuple[int, int]]:
    """Consecutive parts of visits, first and end."""
    parts = max(1, min(most, count // LEAST_IN_PART))
    edges = np.linspace(0, count, parts + 1).astype(int)
    return [(int(a), int(b)) for a, b in itertools.pairwise(edges) if b > a]


def _axes(width: int, height: int, above: int = TOP) -> tuple[Figure, Axes]:
    figure = new_figure(width, height)
    box = (width - LEFT - RIGHT, height - BOTTOM - above)
    axes = figure.add_axes((LEFT / width, BOTTOM / height, box[0] / width, box[1] / height))
    axes.grid(axis="y", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.tick_params(axis="both", which="both", length=0)
    axes.set_xlabel("visit", loc="left")
    axes.xaxis.set_major_locator(MaxNLocator(8 if width == WIDE else 4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
    return figure, axes


def _time_axis(axes: Axes) -> None:
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value) if value else "0"))


def _marked_window(axes: Axes, one: FittedSeries) -> None:
    if len(one.visit):
        _mark_end(axes, one.window_end, int(one.visit[-1]))


def _mark_end(axes: Axes, window_end: int, last: int) -> None:
    """Where the history is full, if visits came so far."""
    if window_end > last:
        return
    axes.axvline(window_end, color=RULE, linewidth=1.2, zorder=0)
    axes.annotate(
        "history full", (window_end, 1.0), (3, 2), ("data", "axes fraction"), "offset points", va="bottom", color=MUTED,
        label=MAY_GO,
    )  # fmt: skip
