"""Writes a comparison as HTML, Markdown and JSON into one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from skyshard.basics.readable import seconds
from skyshard.bench.compare.class_change import ClassChange, Interval, LatencyChange
from skyshard.bench.compare.comparability import Weight
from skyshard.bench.compare.comparison import Comparison
from skyshard.bench.compare.losses import LOSS_HEADERS
from skyshard.bench.pages.latency_figures import Picture, picture
from skyshard.bench.pages.page_template import markdown_table, plain_markdown, probability, render
from skyshard.bench.pages.svg import INK, MUTED, RULE, SERIES, new_figure

JSON, HTML, MARKDOWN = "comparison.json", "comparison.html", "comparison.md"
_SIGNS = {LatencyChange.BETTER: "▼", LatencyChange.WORSE: "▲", LatencyChange.SAME: "=", LatencyChange.INCONCLUSIVE: "?"}


def write_comparison(comparison: Comparison, out: Path) -> Path:
    """Write the three files into a folder, and return the path of the page."""
    out.mkdir(parents=True, exist_ok=True)
    (out / JSON).write_text(comparison.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (out / MARKDOWN).write_text(markdown(comparison), encoding="utf-8")
    (out / HTML).write_text(html(comparison), encoding="utf-8")
    return out / HTML


def verdict(comparison: Comparison) -> str:
    """The verdict as a sentence, for the top of the page and the end of the command."""
    changes = [one.change for one in comparison.classes]
    counts = [f"{changes.count(change)} {change.value}" for change in LatencyChange if change in changes]
    known = " ".join(["", *comparison.advice[: not comparison.can_tell]])
    known += "" if comparison.is_comparable else " The trials differ in more than the release."
    if comparison.regressions:
        names = ", ".join(f"{one.name} ({one.phase}): {one.reason}" for one in comparison.regressions)
        return f"Regression beyond {comparison.threshold:g} ×: {names}.{known}"
    found = "No regression" if comparison.can_tell or not changes else "Inconclusive, no regression shown"
    return f"{found} beyond {comparison.threshold:g} ×: {', '.join(counts) or 'no class to judge'}.{known}"


def status(comparison: Comparison) -> str:
    """``failed`` with a regression, ``passed`` where the trials are comparable and could have shown one."""
    if comparison.regressions:
        return "failed"
    return "passed" if comparison.is_comparable and comparison.can_tell else "partial"


def html(comparison: Comparison) -> str:
    """The page as text."""
    return render(
        "compare.html.j2",
        {
            "c": comparison,
            "status": status(comparison),
            "verdict": verdict(comparison),
            "advice": _more_advice(comparison),
            "picture": ratios_figure(comparison.classes, comparison.margin) if comparison.classes else None,
            "losses": comparison.losses,
            "loss_headers": LOSS_HEADERS,
            "sign": {change.value: sign for change, sign in _SIGNS.items()},
            "breaks": [one for one in comparison.differences if one.weight is Weight.BREAKS],
            "changed": [one for one in comparison.differences if one.weight is Weight.CHANGED],
        },
    )


def markdown(comparison: Comparison) -> str:
    """The comparison for an issue or a terminal."""
    headers = ["class", "phase", "verdict", "median", "ratio (95 %)", "p95 ratio (95 %)", "p", "n", "errors", "wrong"]
    rows = [_row(one) for one in comparison.classes]
    heading = f"{comparison.workload}: {', '.join(comparison.new)} against {', '.join(comparison.old)}"
    parts = [f"# {plain_markdown(heading)}", f"**{plain_markdown(verdict(comparison))}**"]
    if comparison.headline is not None:
        parts.append(f"Geometric mean of the medians, damped by 10 ms: {comparison.headline:.3f} times.")
    parts += [markdown_table(headers, rows)] if rows else []
    parts += map(plain_markdown, [*comparison.cautions, *_more_advice(comparison)])
    if comparison.losses:
        parts += ["## Not answered", markdown_table(LOSS_HEADERS, [one.row for one in comparison.losses])]
    if comparison.differences:
        listed = [[d.what, d.weight.value, "; ".join(d.new), "; ".join(d.old)] for d in comparison.differences]
        parts += ["## What differs", markdown_table(["what", "weight", "new", "old"], listed)]
    for name, queries in (("new", comparison.only_new), ("old", comparison.only_old)):
        if queries:
            parts.append(f"Only on the {name} side: {plain_markdown(', '.join(queries))}.")
    return "\n\n".join(parts) + "\n"


def _more_advice(comparison: Comparison) -> list[str]:
    """The advice that the verdict does not give."""
    return comparison.advice[not comparison.can_tell :]


def _row(one: ClassChange) -> list[str]:
    return [
        one.class_name,
        one.phase,
        f"{_SIGNS[one.change]} {one.change.value}",
        f"{seconds(one.old.median_s)} → {seconds(one.new.median_s)}",
        interval(one.median),
        interval(one.p95) if one.p95 else "–",
        probability(one.p_median),
        f"{one.old.n} → {one.new.n}",
        f"{one.old.errors} → {one.new.errors}",
        f"{one.old.wrong} → {one.new.wrong}",
    ]


def interval(ratio: Interval) -> str:
    """For people: ``1.21 (1.15 to 1.28)``."""
    return f"{ratio.value:.3g} ({ratio.low:.3g} to {ratio.high:.3g})"


def ratios_figure(classes: Sequence[ClassChange], margin: float) -> Picture:
    """Ratios of medians and of p95 with their intervals, one line a class, on a logarithmic axis."""
    description = "Ratio of medians (filled) and of 95th percentiles (open) of each class, new over old, with intervals"
    return picture("ratios", description, lambda width: _ratios(classes, margin, width))


def _ratios(classes: Sequence[ClassChange], margin: float, width: int) -> Figure:
    height = 44 * len(classes) + 44
    figure = new_figure(width, height)
    left = 190 if width > 600 else 120
    axes = figure.add_axes((left / width, 36 / height, (width - left - 14) / width, (height - 42) / height))
    bounds = [b for one in classes for r in (one.median, one.p95) if r is not None for b in (r.low, r.high)]
    limit = max(1.25, *(max(b, 1 / b) for b in bounds)) * 1.08
    axes.set_xscale("log")
    axes.set_xlim(1 / limit, limit)
    axes.set_ylim(-0.6, len(classes) - 0.4)
    axes.axvspan(1 / margin, margin, color=RULE, alpha=0.6, linewidth=0)
    axes.axvline(1, color=MUTED, linewidth=1)
    for row, one in enumerate(reversed(classes)):
        colour = {LatencyChange.WORSE: SERIES[5], LatencyChange.BETTER: SERIES[2]}.get(one.change, INK)
        for ratio, shift, face in ((one.median, 0.12, colour), (one.p95, -0.2, "none")):
            if ratio is not None:
                axes.plot([ratio.low, ratio.high], [row + shift] * 2, color=colour, linewidth=1.6)
                axes.plot(ratio.value, row + shift, "o", markersize=6, markerfacecolor=face, markeredgecolor=colour)
        axes.text(-8 / (width - left), row, f"{one.class_name}, {one.phase}", transform=axes.get_yaxis_transform(),
                  ha="right", va="center", color=INK, fontsize=10 if width > 600 else 8)  # fmt: skip
    ticks = [t for t in (0.1, 0.2, 0.33, 0.5, 0.67, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 5, 10) if 1 / limit < t < limit]
    ticks = ticks if width > 600 else [t for t in ticks if t in (0.1, 0.33, 0.5, 0.8, 1, 1.25, 2, 3, 10)]
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_locator(NullLocator())
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("times as long as before; the band is the margin of same", loc="left")
    return figure
