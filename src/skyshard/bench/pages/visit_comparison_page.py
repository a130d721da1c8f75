"""A comparison of trials of visits as HTML, Markdown and JSON: one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skyshard.basics.readable import seconds
from skyshard.bench.compare.visit_comparison import VisitChange, VisitComparison
from skyshard.bench.compare.visit_losses import Side
from skyshard.bench.pages.visit_figures import runs_figure
from skyshard.bench.pages.visit_texts import signed
from skyshard.bench.record.visit_times import VisitTimes, visit_times
from skyshard.pages.page_template import markdown_table, plain_markdown, probability, render
from skyshard.pages.picture import Picture

HEADERS = ["work", "phase", "what", "verdict", "old", "new", "change", "95 % interval", "p"]


def write_visit_comparison(found: VisitComparison, out: Path, new: Side, old: Side) -> Path:
    """Write ``comparison.html``, ``.md`` and ``.json``; returns the path of the page."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "comparison.json").write_text(found.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (out / "comparison.md").write_text(markdown(found), encoding="utf-8")
    page = out / "comparison.html"
    page.write_text(html(found, new, old), encoding="utf-8")
    return page


def html(found: VisitComparison, new: Side, old: Side) -> str:
    """The page as text."""
    content = {
        "c": found,
        "verdict": verdict(found),
        "status": status(found),
        "headers": HEADERS,
        "rows": rows(found),
        "names": names(found),
        "pictures": _pictures(found, new, old),
    }
    return render("skyshard.bench", "visit_comparison.html.j2", content)


def _pictures(found: VisitComparison, new: Side, old: Side) -> list[tuple[str, Picture]]:
    """For each phase: medians along the run, a line for each trial."""
    phases = list(dict.fromkeys(one.phase for one in found.changes))
    drawn = []
    for phase in phases:
        sides = [[(name, visit_times(trial.samples, phase)) for name, trial in side] for side in (new, old)]
        prefix = "".join(one if one.isalnum() else "-" for one in phase)
        whole = [_whole(label, side) for label, side in zip(("new", "old"), sides, strict=True)]
        drawn.append((phase, runs_figure(f"runs-{prefix}", whole)))
    return drawn


def _whole(label: str, side: Sequence[tuple[str, VisitTimes]]) -> tuple[str, list[VisitTimes]]:
    return label, [times for _, times in side]


def status(found: VisitComparison) -> str:
    if found.regressions:
        return "failed"
    return "passed" if found.is_comparable and found.can_tell else "partial"


def names(found: VisitComparison) -> tuple[str, str]:
    """What the new and the old side are called: a label, or their trials."""
    return found.new_label or ", ".join(found.new), found.old_label or ", ".join(found.old)


def verdict(found: VisitComparison) -> str:
    """The verdict as a sentence."""
    if found.regressions:
        return f"Regression: {'; '.join(found.regressions)}."
    clean = "" if found.is_comparable else " The sides differ in more than the release."
    if not found.can_tell:
        return f"No verdict: {len(found.new)} against {len(found.old)} trials are too few.{clean}"
    judged = {word: sum(one.change.value == word for one in found.changes) for word in ("better", "worse", "same")}
    told = ", ".join(f"{count} {word}" for word, count in judged.items() if count) or "nothing shown"
    return f"No regression: of {len(found.changes)} levels and slopes {told}.{clean}"


def rows(found: VisitComparison) -> list[list[str]]:
    """A row for each level and slope."""
    return [
        [one.work, one.phase, one.what, one.change.value, *_values(one), probability(one.p)] for one in found.changes
    ]


def _values(one: VisitChange) -> list[str]:
    if one.is_level:
        ends = "–" if one.low is None or one.high is None else f"{one.low:.3g} to {one.high:.3g}"
        return [seconds(one.old), seconds(one.new), f"{one.value:.3g} ×", ends]
    ends = "–" if one.low is None or one.high is None else f"{_percent(one.low)} to {_percent(one.high)}"
    return [f"{signed(one.old)}/1,000", f"{signed(one.new)}/1,000", f"{_percent(one.value)} a year", ends]


def _percent(value: float) -> str:
    return f"{100 * value:+.3g} %".replace("-", "\N{MINUS SIGN}")


def markdown(found: VisitComparison) -> str:
    """The comparison for an issue or a terminal."""
    parts = [
        f"# {plain_markdown(f'{found.workload}: {names(found)[0]} against {names(found)[1]}')}",
        f"**{plain_markdown(verdict(found))}**",
        *map(plain_markdown, found.cautions),
    ]
    parts += [markdown_table(HEADERS, rows(found))] if found.changes else []
    parts += map(plain_markdown, found.not_compared)
    if found.differences:
        listed = [[one.what, one.weight.value, "; ".join(one.new), "; ".join(one.old)] for one in found.differences]
        parts += ["## What differs", markdown_table(["what", "weight", "new", "old"], listed)]
    return "\n\n".join(parts) + "\n"
