"""Writes a comparison as HTML, Markdown and JSON into one folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from urllib.parse import quote

from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from skyshard.basics.readable import seconds
from skyshard.bench.compare.class_change import ClassChange, Interval, LatencyChange
from skyshard.bench.compare.comparability import Weight
from skyshard.bench.compare.comparison import Comparison
from skyshard.bench.compare.losses import LOSS_HEADERS
from skyshard.pages.page_template import markdown_table, plain_markdown, probability, render
from skyshard.pages.picture import Picture, picture
from skyshard.pages.svg import INK, MUTED, RULE, SERIES, new_figure

NAMED = 3
"""Trials of a side that are named at the top of the page."""
REPORT = "report.html"
JSON, HTML, MARKDOWN = "comparison.json", "comparison.html", "comparison.md"
_SIGNS = {LatencyChange.BETTER: "▼", LatencyChange.WORSE: "▲", LatencyChange.SAME: "=", LatencyChange.INCONCLUSIVE: "?"}


def write_comparison(comparison: Comparison, out: Path, folders: Mapping[str, Path] = MappingProxyType({})) -> Path:
    """Write the three files into a folder, and return the path of the page.

    Args:
        folders: the trials' folders by name; the page links those that have a report, by relative paths.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / JSON).write_text(comparison.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (out / MARKDOWN).write_text(markdown(comparison), encoding="utf-8")
    (out / HTML).write_text(html(comparison, report_links(folders, out)), encoding="utf-8")
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
    found = "No regression" if comparison.is_judged else "Inconclusive, no regression shown"
    return f"{found} beyond {comparison.threshold:g} ×: {', '.join(counts) or 'no class to judge'}.{known}"


def status(comparison: Comparison) -> str:
    """``failed`` with a regression, ``passed`` where the trials are comparable and tell of most classes."""
    if comparison.regressions:
        return "failed"
    return "passed" if comparison.is_comparable and comparison.is_judged else "partial"


def html(comparison: Comparison, links: Mapping[str, str] = MappingProxyType({})) -> str:
    """The page as text; ``links`` are the addresses of the trials' reports, by name."""
    new, old = comparison.new_side, comparison.old_side
    return render(
        "skyshard.bench",
        "compare.html.j2",
        {
            "c": comparison,
            "status": status(comparison),
            "verdict": verdict(comparison),
            "advice": _more_advice(comparison),
            "names": {"new": _name(comparison.new, new.label), "old": _name(comparison.old, old.label)},
            "links": links,
            "facts": _side_by_side(new.facts, old.facts),
            "settings": _side_by_side(new.settings, old.settings),
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
    named = [_name(comparison.new, comparison.new_side.label), _name(comparison.old, comparison.old_side.label)]
    heading = f"{comparison.workload}: {named[0]} against {named[1]}"
    parts = [f"# {plain_markdown(heading)}", f"**{plain_markdown(verdict(comparison))}**"]
    if comparison.headline is not None:
        parts.append(f"Geometric mean of the medians, damped by 10 ms: {comparison.headline:.3f} times.")
    parts += [markdown_table(headers, rows)] if rows else []
    parts += map(plain_markdown, [*comparison.cautions, *comparison.notes, *_more_advice(comparison)])
    parts += _details(comparison)
    if comparison.losses:
        parts += ["## Not answered", markdown_table(LOSS_HEADERS, [one.row for one in comparison.losses])]
    if comparison.differences:
        listed = [[d.what, d.weight.value, "; ".join(d.new), "; ".join(d.old)] for d in comparison.differences]
        parts += ["## What differs", markdown_table(["what", "weight", "new", "old"], listed)]
    for name, queries in (("new", comparison.only_new), ("old", comparison.only_old)):
        if queries:
            parts.append(f"Only on the {name} side: {plain_markdown(', '.join(queries))}.")
    return "\n\n".join(parts) + "\n"


def _details(comparison: Comparison) -> list[str]:
    """Templates, statements and sides, as sections of the Markdown."""
    parts = []
    if comparison.templates:
        rows = [
            [
                one.template,
                one.phase,
                f"{seconds(one.old_median_s)} → {seconds(one.new_median_s)}",
                interval(one.median),
            ]
            for one in comparison.templates
        ]
        parts += ["## Queries", markdown_table(["template", "phase", "median", "ratio (95 %)"], rows)]
    if comparison.most_changed:
        changed = [
            [one.sql, f"{seconds(one.old_s)} → {seconds(one.new_s)}", f"{one.ratio:.3g}"]
            for one in comparison.most_changed
        ]
        parts += ["## Statements that changed most", markdown_table(["statement", "median", "ratio"], changed)]
    sides = _side_by_side(comparison.new_side.facts, comparison.old_side.facts)
    if sides:
        listed = [[name, "; ".join(new), "; ".join(old)] for name, new, old in sides]
        parts += ["## The two sides", markdown_table(["what", "new", "old"], listed)]
    return parts


def report_links(folders: Mapping[str, Path], out: Path) -> dict[str, str]:
    """Addresses of the trials' reports as seen from a folder, by name; of those that have one."""
    reports = {name: folder / REPORT for name, folder in folders.items()}
    return {
        name: quote(os.path.relpath(path.resolve(), out.resolve())) for name, path in reports.items() if path.exists()
    }


def _name(trials: Sequence[str], label: str) -> str:
    """What a side is called: its label, the names of its trials, or how many there are."""
    return label or (", ".join(trials) if len(trials) <= NAMED else f"{len(trials)} trials")


def _side_by_side(new: Mapping[str, list[str]], old: Mapping[str, list[str]]) -> list[tuple[str, list[str], list[str]]]:
    return [(name, new.get(name, []), old.get(name, [])) for name in {**new, **old}]


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
    axes.xaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_locator(NullLocator())
    axes.spines[["left", "right", "top"]].set_visible(False)
    axes.tick_params(axis="x", length=0)
    axes.set_xlabel("times as long as before" + ("; the band is the margin of same" if width > 600 else ""), loc="left")
    return figure
