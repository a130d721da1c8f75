"""A sweep as HTML, Markdown and JSON: one folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from skyshard.basics.readable import seconds
from skyshard.bench.compare.sweep import Forecast, Scaling, Sweep
from skyshard.pages.page_template import markdown_table, plain_markdown, render
from skyshard.pages.picture import WIDE, Picture, picture
from skyshard.pages.svg import SERIES, legend_name, new_figure

YES_NO = {True: "yes", False: "no", None: "–"}


def write_sweep(sweep: Sweep, out: Path) -> Path:
    """Write ``sweep.html``, ``.md`` and ``.json``; returns the path of the page."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "sweep.json").write_text(sweep.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (out / "sweep.md").write_text(markdown(sweep), encoding="utf-8")
    held = [one.held_out for one in sweep.scalings if one.held_out is not None and one.held_out.holds is not None]
    content = {
        "s": sweep,
        "verdict": verdict(sweep),
        "status": "failed" if sweep.faults else "passed" if held and all(one.holds for one in held) else "partial",
        "picture": scaling_figure(sweep) if sweep.scalings else None,
        "exponent": exponent,
        "yes_no": YES_NO,
        "band": band,
        "whole": whole,
    }
    (out / "sweep.html").write_text(render("skyshard.bench", "sweep.html.j2", content), encoding="utf-8")
    return out / "sweep.html"


def verdict(sweep: Sweep) -> str:
    """The verdict as a sentence: was everything answered, and did the held-out predictions hold?"""
    return " ".join([*([f"Failed: {'; '.join(sweep.faults)}."] if sweep.faults else []), _held(sweep)])


def _held(sweep: Sweep) -> str:
    held = [one.held_out for one in sweep.scalings if one.held_out is not None]
    made = [one for one in held if one.measured_s is not None]
    judged = [one for one in made if one.holds is not None]
    if not made:
        return f"{len(sweep.scalings)} series measured, too few sizes to hold one out: name four fractions or more."
    good = sum(bool(one.holds) for one in judged)
    unknown = len(made) - len(judged)
    vague = f" {unknown} could not be predicted from the smaller sizes." if unknown else ""
    largest = f"the held-out fraction {made[0].fraction:.3g}"
    if not judged:
        return f"None of {unknown} series could be predicted from the smaller sizes at {largest}."
    return f"{good} of {len(judged)} predictions of {largest} hold in their band.{vague}"


def exponent(one: Scaling) -> str:
    """For people: ``0.82 (0.61 to 1.03)``."""
    if one.exponent is None:
        return "–"
    if one.exponent_low is None or one.exponent_high is None:
        return f"{one.exponent:.2f}"
    return f"{one.exponent:.2f} ({one.exponent_low:.2f} to {one.exponent_high:.2f})"


def band(one: Forecast) -> str:
    """For people: ``5.1 min (4.2 min to 6.3 min)``."""
    if not one.is_useful:
        return "unknown"
    return f"{seconds(one.predicted_s)} ({seconds(one.low_s)} to {seconds(one.high_s)})"


def whole(one: Scaling) -> str:
    """What all of DR1 takes on one node beyond the overhead, where time was seen to grow with size."""
    return seconds(one.per_share_s) if one.per_share_s > 0 else "no growth seen"


def markdown(sweep: Sweep) -> str:
    rows = []
    for one in sweep.scalings:
        held = one.held_out
        shown = [band(held), seconds(held.measured_s), YES_NO[held.holds]] if held else ["–", "–", "–"]
        rows.append([one.name, exponent(one), seconds(one.overhead_s), *shown])
    projections: list[list[object]] = [
        [one.name, f"{forecast.fraction:.0%}", forecast.nodes, band(forecast)]
        for one in sweep.scalings
        for forecast in one.projections
    ]
    checks = [
        [c.name, f"{c.fraction:.0%}", seconds(c.predicted_s), seconds(c.measured_s), f"{c.ratio:.2f}",
         "holds" if c.holds else "fails"]
        for c in sweep.published
    ]  # fmt: skip
    parts = [
        f"# {plain_markdown(f'Sweep of {sweep.workload} over {sweep.recipe}')}",
        f"**{plain_markdown(verdict(sweep))}**",
        markdown_table(["series", "exponent (95 %)", "overhead", "held out: predicted", "measured", "holds"], rows),
        *([sweep.node_note] if sweep.node_note else []),
        "## Projection",
        *_projection(sweep, projections),
        "## The model against published results, calibrated on their 10 % column",
        markdown_table(["query", "column", "predicted", "measured", "ratio", "model"], checks),
    ]
    return "\n\n".join(parts) + "\n"


def _projection(sweep: Sweep, rows: list[list[object]]) -> list[str]:
    if sweep.projection_note:
        return [plain_markdown(sweep.projection_note)]
    table = markdown_table(["series", "of DR1", "nodes", "median"], rows)
    return [table, "\n".join(f"- {sentence}" for sentence in sweep.assumptions)]


def scaling_figure(sweep: Sweep) -> Picture:
    """Median against fraction on two logarithmic axes, every series with its fit; the held-out point open."""
    description = "Median time of each series against the fraction of DR1, both axes logarithmic, with the fit"
    return picture("scaling", description, lambda width: _figure(sweep, width))


def _figure(sweep: Sweep, width: int) -> Figure:
    per_line = 5 if width == WIDE else 2
    lines = -(-len(sweep.scalings) // per_line)
    height = 340 + 18 * lines
    figure = new_figure(width, height)
    axes = figure.add_axes((58 / width, 40 / height, (width - 76) / width, (height - 56 - 18 * lines) / height))
    for number, one in enumerate(sweep.scalings):
        colour = SERIES[number % len(SERIES)]
        fractions, medians = np.array(one.fractions), np.array(one.median_s)
        for place, count in enumerate(dict.fromkeys(one.nodes)):
            is_it, label = np.array(one.nodes) == count, legend_name(one.name) if place == 0 else None
            axes.plot(fractions[is_it], medians[is_it], "o^sDv"[place % 5], color=colour, markersize=5, label=label)
        along = np.geomspace(fractions.min(), fractions.max(), 60)
        fit = one.overhead_s + one.per_share_s * along / one.nodes[0]
        axes.plot(along, np.maximum(fit, 1e-6), "-", color=colour, linewidth=1.2)
        if (held := one.held_out) is not None and held.is_useful:
            errors = [[held.predicted_s - held.low_s], [held.high_s - held.predicted_s]]
            shifted = held.fraction * (1.06 + 0.02 * number)
            axes.errorbar(
                [shifted], [held.predicted_s], yerr=errors, fmt="s", color=colour, markersize=4, markerfacecolor="none"
            )
    everything = [t for one in sweep.scalings for t in one.median_s]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(min(everything) / 3, max(everything) * 3)
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=20))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds(value)))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=20))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}".replace("e-0", "e-")))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(linewidth=0.6)
    axes.spines[:].set_visible(False)
    axes.tick_params(axis="both", which="both", length=0)
    axes.set_xlabel("fraction of DR1, by objects", loc="left")
    figure.legend(loc="upper left", ncols=per_line, frameon=False, handletextpad=0.1, columnspacing=1.0)
    return figure
