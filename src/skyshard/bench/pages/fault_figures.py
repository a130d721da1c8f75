"""The report's figure of faults: good answers and failed queries over time, with what happened. Numbers in, SVG out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from skyshard.bench.record.fault_record import FaultRecord
from skyshard.pages.picture import WIDE, Picture, picture
from skyshard.pages.svg import ACCENT, INK, MUTED, PAPER, SERIES, new_figure

BINS = {True: 80, False: 40}
"""Of a wide figure, and of a narrow one."""
LEAST_BIN_S = 0.1
ROW = 16
"""Height of one event's line of text."""


@dataclass(frozen=True, slots=True)
class AnswersOverTime:
    """When good answers came, queries failed and wrong answers came; and to which second queries were asked."""

    good_s: NDArray[np.float64]
    failed_s: NDArray[np.float64]
    wrong_s: NDArray[np.float64]
    begun_s: float
    ended_s: float


def faults_over_time(answers: AnswersOverTime, events: Sequence[FaultRecord]) -> Picture | None:
    """Good answers a second with bands where faults were on; None where none came."""
    came = [one for one in events if one.begun_s is not None]
    if not came or answers.ended_s <= answers.begun_s:
        return None
    description = "Good answers, failed queries and wrong answers a second over the trial, with the scenario's events"
    return picture("faults", description, lambda width: _figure(answers, came, width))


def _figure(answers: AnswersOverTime, events: Sequence[FaultRecord], width: int) -> Figure:
    above, below, plot = 32 + ROW * len(events), 40, 170
    height = plot + above + below
    figure = new_figure(width, height)
    axes = figure.add_axes((52 / width, below / height, (width - 66) / width, plot / height))
    edges = _edges(answers, width == WIDE)
    _bars(axes, edges, answers)
    axes.set_xlim(edges[0], edges[-1])
    axes.set_ylim(bottom=0)
    for number, one in enumerate(events):
        _event(axes, one, answers.ended_s, 1 + (8 + ROW * (len(events) - 1 - number)) / plot, number)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.grid(axis="y", linewidth=0.6)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.tick_params(axis="both", which="both", length=0)
    axes.set_xlabel("seconds since the trial began", loc="left")
    figure.legend(loc="upper left", ncols=4, frameon=False, handletextpad=0.4, columnspacing=1.0)
    return figure


def _edges(answers: AnswersOverTime, is_wide: bool) -> NDArray[np.float64]:
    span = answers.ended_s - answers.begun_s
    count = max(1, min(BINS[is_wide], int(span / LEAST_BIN_S)))
    return np.linspace(answers.begun_s, answers.ended_s, count + 1)


def _bars(axes: Axes, edges: NDArray[np.float64], answers: AnswersOverTime) -> None:
    """Counts as rates; failed and wrong ones stand on the good ones."""
    step = edges[1] - edges[0]
    floor = np.zeros(len(edges) - 1)
    shown = (("good answers", answers.good_s, SERIES[0]), ("failed queries", answers.failed_s, SERIES[1]))
    for label, moments, colour in (*shown, ("wrong answers", answers.wrong_s, INK)):
        rate = np.histogram(moments, edges)[0] / step
        if label == "good answers" or rate.any():
            axes.bar(
                edges[:-1], rate, step * 0.86, floor, align="edge", color=colour, linewidth=0, label=f"{label} a second"
            )
        floor = floor + rate


def _event(axes: Axes, one: FaultRecord, last_s: float, y: float, number: int) -> None:
    """A band while a fault was on, or a line where something happened; its name above the plot."""
    begun = one.begun_s or 0.0
    end = last_s if one.ended_s is None else min(one.ended_s, max(last_s, begun))
    colour = ACCENT if one.is_fault else MUTED
    if end > begun:
        axes.axvspan(begun, end, color=colour, alpha=0.10, linewidth=0, zorder=0)
    for moment in (begun, *([one.ended_s] if one.ended_s is not None and one.ended_s <= last_s else [])):
        axes.axvline(moment, color=colour, linewidth=1.0, linestyle=(0, (2, 2)))
    place = axes.get_xaxis_transform()
    is_right = begun > sum(axes.get_xlim()) / 2
    gap = (-3 if is_right else 3, 0)
    axes.plot([begun, end], [y - 0.02] * 2, color=colour, linewidth=2.0, transform=place, clip_on=False)
    axes.annotate(
        f"{number + 1}  {one.label}", (end if is_right and end < last_s else begun, y), gap, place, "offset points",
        ha="right" if is_right else "left", va="bottom", color=INK, fontsize=10, annotation_clip=False,
    )  # fmt: skip
    if one.noticed_s is not None:
        axes.plot(
            [begun + one.noticed_s], [y - 0.02], "o", color=colour, markersize=4.5, markeredgecolor=PAPER,
            transform=place, clip_on=False,
        )  # fmt: skip
