"""The report's figures of load: latency against queries in flight, and counters of every server. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from skyshard.basics.readable import binary_bytes, seconds
from skyshard.bench.record.telemetry import node_names, rates
from skyshard.pages.picture import WIDE, Picture, picture
from skyshard.pages.svg import SERIES, legend_name, new_figure

FEWEST = 3
"""Fewest samples at a level of load for it to be drawn."""


@dataclass(frozen=True, slots=True)
class UnderLoad:
    """One class: for each query, how many of all classes were in flight when it was sent, and its latency."""

    label: str
    in_flight: NDArray[np.int64]
    latency_s: NDArray[np.float64]


def in_flight(sent_s: NDArray[np.float64], last_row_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """For each query how many were running when it was sent, including itself."""
    begun = np.searchsorted(np.sort(sent_s), sent_s, side="right")
    over = np.searchsorted(np.sort(last_row_s), sent_s, side="right")
    together: NDArray[np.int64] = np.maximum(begun - over, 1)
    return together


def latency_under_load(series: Sequence[UnderLoad]) -> Picture | None:
    """Median latency of each class by queries in flight, with its middle half; None when load never varied."""
    shown = [one for one in series if len(_levels(one))]
    if len({int(level) for one in shown for level in _levels(one)}) < 2:
        return None
    description = "Median latency of each class against the queries in flight, with the band of the middle half"
    return picture("load", description, lambda width: _load_figure(shown, width))


def _levels(one: UnderLoad) -> NDArray[np.int64]:
    """Numbers of queries in flight for which a class has enough samples."""
    levels, counts = np.unique(one.in_flight, return_counts=True)
    found: NDArray[np.int64] = levels[counts >= FEWEST]
    return found


def _load_figure(series: Sequence[UnderLoad], width: int) -> Figure:
    per_line = 6 if width == WIDE else 2
    lines = -(-len(series) // per_line)
    height = 230 + 18 * lines
    figure = new_figure(width, height)
    axes = figure.add_axes((52 / width, 36 / height, (width - 66) / width, (height - 50 - 18 * lines) / height))
    for number, one in enumerate(series):
        levels = _levels(one)
        parts = [np.quantile(one.latency_s[one.in_flight == level], [0.25, 0.5, 0.75]) for level in levels]
        low, middle, high = np.maximum(np.array(parts).T, 1e-6)
        colour = SERIES[number % len(SERIES)]
        axes.fill_between(levels, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(levels, middle, "o-", color=colour, linewidth=1.4, markersize=4, label=legend_name(one.label))
    axes.set_yscale("log")
    _time_ticks(axes)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    together = ", all classes together" if width == WIDE else ""
    axes.set_xlabel(f"queries in flight as one is sent{together}", loc="left")
    _plain(axes)
    figure.legend(loc="upper left", ncols=per_line, frameon=False, handletextpad=0.3, columnspacing=1.0)
    return figure


def telemetry_figure(telemetry: pa.Table) -> Picture | None:
    """Processor, disk, memory and cache misses of every server over the run; None without two readings."""
    names = [name for name in node_names(telemetry) if len(rates(telemetry, name, "cpu_s")[0])]
    if not names:
        return None
    description = "Every server over the run: cores used, bytes from and to the disk, rows scanned, cache misses"
    return picture("telemetry", description, lambda width: _telemetry(telemetry, names, width))


PANELS = (
    ("cores used", ("cpu_s",), lambda value: f"{value:g}"),
    ("disk, bytes per second", ("read_bytes", "written_bytes"), binary_bytes),
    (
        "rows scanned per second",
        ("rows_scanned",),
        lambda value: f"{value / 1e6:g}M" if value >= 1e6 else f"{value:,.0f}",
    ),
    ("key cache and buffer pool misses per second", ("key_reads", "buffer_reads"), lambda value: f"{value:,.0f}"),
)


def _telemetry(telemetry: pa.Table, names: Sequence[str], width: int) -> Figure:
    columns = 2 if width == WIDE else 1
    lines = len(PANELS) // columns
    legend = 18 * (1 if width == WIDE else -(-len(names) // 3)) + 6
    height = 150 * lines + legend
    figure = new_figure(width, height)
    panel = (width - 66 * columns) / columns
    for number, (title, counters, shown) in enumerate(PANELS):
        left = 56 + (number % columns) * (panel + 66)
        bottom = height - legend - 150 * (number // columns + 1) + 30
        axes = figure.add_axes((left / width, bottom / height, panel / width, 92 / height))
        for place, name in enumerate(names):
            moments, together = _together(telemetry, name, counters)
            if len(moments):
                label = legend_name(name) if number == 0 else None
                axes.plot(moments, together, color=SERIES[place % len(SERIES)], linewidth=1.3, label=label)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_locator(MaxNLocator(3))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _, shown=shown: shown(value)))
        axes.set_title(title, loc="left", fontsize=10.5)
        _plain(axes)
    figure.legend(
        loc="upper left", ncols=8 if width == WIDE else 3, frameon=False, handletextpad=0.4, columnspacing=1.0
    )
    return figure


def _together(
    telemetry: pa.Table, name: str, counters: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The sum of several counters' rates."""
    series = [rates(telemetry, name, counter) for counter in counters]
    series = [one for one in series if len(one[0])]
    if not series:
        return np.empty(0), np.empty(0)
    return series[0][0], np.sum([one[1] for one in series], axis=0)


def _plain(axes: Axes) -> None:
    axes.grid(axis="y", linewidth=0.6)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.tick_params(axis="both", which="both", length=0)


def _time_ticks(axes: Axes) -> None:
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=20))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
