"""A trend as HTML, Markdown and JSON: one folder."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from skyshard.basics.readable import seconds
from skyshard.bench.compare.losses import LOSS_HEADERS
from skyshard.bench.compare.trend import LEAST_PART, Trend, TrendSeries, TrendStep
from skyshard.pages.page_template import markdown_table, plain_markdown, render
from skyshard.pages.picture import Picture, picture
from skyshard.pages.svg import INK, MUTED, RULE, SERIES, new_figure

NAMED = 5
"""Trials that are not comparable which the warning names."""


def write_trend(trend: Trend, out: Path) -> Path:
    """Write ``trend.html``, ``.md`` and ``.json``; returns the path of the page."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "trend.json").write_text(trend.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (out / "trend.md").write_text(markdown(trend), encoding="utf-8")
    pictures = [(one, trend_figure(one, trend.statistic, number)) for number, one in enumerate(trend.series)]
    content = {
        "t": trend, "pictures": pictures, "verdict": verdict(trend), "status": status(trend),
        "warning": not_comparable(trend), "losses": trend.losses, "loss_headers": LOSS_HEADERS,
    }  # fmt: skip
    (out / "trend.html").write_text(render("skyshard.bench", "trend.html.j2", content), encoding="utf-8")
    return out / "trend.html"


def status(trend: Trend) -> str:
    """``partial`` when a class became slower, ``failed`` when one is no longer answered or less correctly."""
    if trend.regressions:
        return "failed"
    return "partial" if any(step.is_slower for one in trend.series for step in one.steps) else "passed"


def verdict(trend: Trend) -> str:
    """The verdict as a sentence."""
    lost = "; ".join(f"{one.name} ({one.phase}): {one.reason}" for one in trend.regressions)
    return " ".join([*([f"The newest release fails: {lost}."] if lost else []), _steps(trend)])


def _steps(trend: Trend) -> str:
    found = [f"{one.class_name} ({one.phase}) {sentence(step)}" for one in trend.series for step in one.steps]
    if not found:
        trials = max((len(one.points) for one in trend.series), default=0)
        few = f" Fewer than {2 * LEAST_PART} cannot show one." if trials < 2 * LEAST_PART else ""
        return f"No step in {len(trend.series)} classes over {trials} trials.{few}"
    return f"{len(found)} {'step' if len(found) == 1 else 'steps'}: {'; '.join(found)}."


def sentence(step: TrendStep) -> str:
    """For people: ``1.2 times as slow at new3 (10 ms to 12 ms)``."""
    ratio = step.after / step.before
    word = "slow" if step.is_slower else "fast"
    machine = f"; the machine itself took {step.machine:.3g} times as long" if step.machine != 1 else ""
    times = f"{seconds(step.before)} to {seconds(step.after)}"
    return f"{max(ratio, 1 / ratio):.3g} times as {word} at {step.trial} ({times}{machine})"


def not_comparable(trend: Trend) -> str:
    """Which trials are not comparable with the first, and why, as a sentence; empty when all are."""
    if not trend.breaks:
        return ""
    named = [f"{name} ({', '.join(trend.why_not.get(name, ['workload, data or hardware']))})" for name in trend.breaks]
    more = f" and {len(named) - NAMED} more" if len(named) > NAMED else ""
    which = f"{', '.join(named[:NAMED])}{more}"
    return f"Not comparable with the first trial, so that a step may not be the release's: {which}."


def markdown(trend: Trend) -> str:
    rows = [
        [one.class_name, one.phase, len(one.points), seconds(one.points[0].value), seconds(one.points[-1].value),
         "; ".join(sentence(step) for step in one.steps) or "none"]
        for one in trend.series
    ]  # fmt: skip
    table = markdown_table(["class", "phase", "trials", f"first {trend.statistic}", "last", "steps"], rows)
    parts = ["# Trend", f"**{plain_markdown(verdict(trend))}**", table]
    if trend.losses:
        parts += ["## Not answered", markdown_table(LOSS_HEADERS, [one.row for one in trend.losses])]
    parts += [plain_markdown(one) for one in (not_comparable(trend), *trend.notes) if one]
    return "\n\n".join(parts) + "\n"


def trend_figure(one: TrendSeries, statistic: str, number: int) -> Picture:
    """The statistic of each trial in order, with levels as horizontal and steps as vertical lines."""
    description = f"{statistic} of {one.class_name}, {one.phase}, over {len(one.points)} trials"
    return picture(f"trend{number}", description, lambda width: _figure(one, number, width))


def _figure(one: TrendSeries, number: int, width: int) -> Figure:
    height = 180
    figure = new_figure(width, height)
    axes = figure.add_axes((62 / width, 36 / height, (width - 76) / width, (height - 50) / height))
    values = np.array([point.value for point in one.points])
    axes.plot(np.arange(len(values)), values, "o-", color=SERIES[number % len(SERIES)], linewidth=1, markersize=4)
    names = [point.trial for point in one.points]
    places = [0, *(names.index(step.trial) for step in one.steps), len(values)]
    for first, last in pairwise(places):
        axes.plot([first - 0.3, last - 0.7], [np.median(values[first:last])] * 2, color=INK, linewidth=1.4)
    for place in places[1:-1]:
        axes.axvline(place - 0.5, color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)))
    axes.set_ylim(0, float(values.max()) * 1.15)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value) if value > 0 else "0"))
    _release_ticks(axes, [point.release for point in one.points])
    axes.grid(axis="y", linewidth=0.6)
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.tick_params(axis="both", which="both", length=0)
    return figure


def _release_ticks(axes: Axes, releases: Sequence[str]) -> None:
    """The name of each release below the middle of its trials, a light line where the next one begins."""
    runs = [(name, len(list(group))) for name, group in groupby(releases)]
    ends = np.cumsum([count for _, count in runs])
    axes.set_xticks([float(end - (count + 1) / 2) for end, (_, count) in zip(ends, runs, strict=True)])
    axes.set_xticklabels([name for name, _ in runs])
    for end in ends[:-1]:
        axes.axvline(end - 0.5, color=RULE, linewidth=0.6, zorder=0)
    axes.set_xlim(-0.7, len(releases) - 0.3)
    axes.set_xlabel(f"releases, in order of the start of their {len(releases)} trials", loc="left")
