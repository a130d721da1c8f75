"""An experiment as HTML, Markdown and JSON: one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from skyshard.basics.readable import binary_bytes, seconds
from skyshard.bench.experiment.cells import level_text, levels_text
from skyshard.bench.experiment.conclusions import ratio_text
from skyshard.bench.experiment.experiment_result import CellResult, ClassResult, Effect, ExperimentResult
from skyshard.bench.pages.experiment_figures import cells_figure, effects_figure
from skyshard.bench.pages.visit_cells_section import HEADERS, held_table, visit_pictures, visit_rows
from skyshard.bench.pages.work_table import SHORT, size_text
from skyshard.pages.page_template import count, markdown_table, plain_markdown, render
from skyshard.pages.picture import Picture

JSON, HTML, MARKDOWN = "experiment.json", "experiment.html", "experiment.md"
EFFECT_HEADERS = ("class", "factor", "level", "against", "times as long", "interval", "p", "shown")


def write_experiment(result: ExperimentResult, out: Path) -> Path:
    """Write the three files into a folder, and return the path of the page."""
    out.mkdir(parents=True, exist_ok=True)
    (out / JSON).write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")
    (out / MARKDOWN).write_text(markdown(result), encoding="utf-8")
    (out / HTML).write_text(html(result), encoding="utf-8")
    return out / HTML


def verdict(result: ExperimentResult) -> str:
    """One sentence: how much ran, and how much was shown."""
    shown = sum(one.is_shown and not one.is_pair for one in result.effects)
    pairs = sum(one.is_shown and one.is_pair for one in result.effects)
    mains = sum(not one.is_pair for one in result.effects)
    known = f"{shown} of {mains} effects of factors {'is' if shown == 1 else 'are'} shown"
    more = f", and {pairs} of pairs" if pairs else ""
    missing = result.trials_planned - result.trials_done
    ran = (
        f"{result.trials_done} of {result.trials_planned} trials ran"
        if missing
        else f"All {result.trials_done} trials ran"
    )
    return f"{ran}; {known}{more}."


def html(result: ExperimentResult) -> str:
    """The page as text."""
    mains = [one for one in result.effects if not one.is_pair]
    content = {
        "r": result,
        "status": "passed" if result.trials_done == result.trials_planned else "partial",
        "verdict": verdict(result),
        "figures": _figures(result, mains),
        "cells": cells_figure(result.cells, result.classes) if result.classes else None,
        "has_faults": "scenario" in result.factors or any(cell.errors or cell.wrong for cell in result.cells),
        "mains": mains,
        "servers": server_rows(result),
        "visit_pictures": visit_pictures(result),
        "visit_headers": HEADERS,
        "visit_rows": visit_rows(result.visits),
        "held": held_table(result.visits),
        "cost_headers": cost_headers(result),
        "cost_rows": cost_rows(result),
        "pairs": [one for one in result.effects if one.is_pair],
        "level": level_text,
        "p": p_text,
        "interval": interval_text,
        "ratio": ratio_text,
        "median": median_of,
    }
    return render("skyshard.bench", "experiment.html.j2", content)


def server_rows(result: ExperimentResult) -> list[list[str]]:
    """What each class cost each server in each cell, as text."""
    labels = {cell.number: cell.label for cell in result.cells}
    return [
        [
            labels.get(one.cell, str(one.cell)), f"{one.class_name or 'all classes'} ({one.phase})", one.node,
            seconds(one.cpu_s), *(size_text(value) for value in (one.disk_bytes, one.cached_bytes)),
            *(count(value) for value in (one.rows_by_index, one.rows_by_scan, one.tmp_tables)),
            ", ".join(f"{SHORT[cache]} {count(missed)}" for cache, missed in one.cache_misses.items()) or "–",
        ]
        for one in result.servers
    ]  # fmt: skip


def _figures(result: ExperimentResult, mains: Sequence[Effect]) -> list[tuple[str, Picture]]:
    """For each factor: its levels against the first."""
    found = []
    for factor, levels in result.factors.items():
        mine = [one for one in mains if one.factor == factor and one.against == levels[0]]
        if mine:
            found.append((factor, effects_figure(factor, mine)))
    return found


def p_text(p: float) -> str:
    """A p that is never printed as 0.

    >>> p_text(0.0), p_text(0.0312), p_text(1.0)
    ('< 0.001', '0.031', '1')
    """
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def interval_text(one: Effect) -> str:
    """The interval for people; ends that say nothing are cut off.

    >>> made = dict(phase="a", class_name="LV", factor="engine", level="Aria", against="MyISAM", ratio=1.5, p=0.01)
    >>> interval_text(Effect(**made, low=1.3, high=1.7, is_shown=True))
    '1.30 to 1.70'
    >>> interval_text(Effect(**made, low=0.0003, high=4e7, is_shown=False))
    'below 0.01 to above 100'
    """
    if one.low is None or one.high is None:
        return "–"
    low = "below 0.01" if one.low < 0.01 else ratio_text(one.low)
    return f"{low} to {'above 100' if one.high > 100 else ratio_text(one.high)}"


def median_of(cell: CellResult, one: ClassResult) -> tuple[str, bool]:
    """A cell's median of a class for people, and whether it is among the best."""
    for found in cell.classes:
        if (found.phase, found.class_name) == (one.phase, one.class_name):
            return seconds(found.median_s), found.is_best
    return "–", False


def cell_text(result: ExperimentResult, cell: CellResult) -> str:
    """A cell's number and label; one that has a name also says what it is."""
    what = levels_text(cell.levels) if result.design == "named" else ""
    return f"{cell.number}: {cell.label}{f' ({what})' if what else ''}"


def cost_headers(result: ExperimentResult) -> list[str]:
    """What it took to bring a cell's rows, by ingest or by the stores of visits, and what they take on disk."""
    how = ("rows stored", "stores") if result.visits else ("rows", "ingest")
    return ["cell", "trials", *how, "rows/s", "on disk"]


def cost_rows(result: ExperimentResult) -> list[list[str]]:
    """A row for each cell."""
    return [
        [
            cell_text(result, cell), str(cell.trials), count(cell.rows), seconds(cell.ingest_s),
            count(cell.ingest_rows_per_s), binary_bytes(cell.bytes),
        ]
        for cell in result.cells
    ]  # fmt: skip


def cell_headers(result: ExperimentResult) -> list[str]:
    """Of a cell's cost and its medians."""
    return [*cost_headers(result), *(one.name for one in result.classes)]


def cell_rows(result: ExperimentResult) -> list[list[str]]:
    """A row for each cell, its cost and its medians; ``*`` marks the best."""
    marked = [
        [f"{text}{' *' if is_best else ''}" for text, is_best in (median_of(cell, one) for one in result.classes)]
        for cell in result.cells
    ]
    return [[*cost, *medians] for cost, medians in zip(cost_rows(result), marked, strict=True)]


FAULT_HEADERS = ["cell", "failed queries", "wrong answers", "fail-over", "answers lost"]


def fault_rows(result: ExperimentResult) -> list[list[str]]:
    """A row for each cell: what failed in its trials."""
    return [
        [
            f"{cell.number}: {cell.label}", f"{cell.errors:,}", f"{cell.wrong:,}", seconds(cell.failed_over_s),
            "–" if cell.answers_lost is None else f"{cell.answers_lost:.0%}".replace("%", " %"),
        ]
        for cell in result.cells
    ]  # fmt: skip


def effect_rows(result: ExperimentResult, *, pairs: bool = False) -> list[list[str]]:
    """A row for each effect of a factor, or of a pair."""
    rows = []
    for one in result.effects:
        if one.is_pair == pairs:
            level, against = level_text(one.factor, one.level), level_text(one.factor, one.against)
            factor = one.factor
            if one.is_pair:
                factor = f"{one.factor} with {one.other}"
                level, against = f"{level} with {level_text(one.other, one.other_level)}", "each alone"
            shown = "yes" if one.is_shown else "no"
            name = f"{one.class_name} ({one.phase})"
            rows.append(
                [name, factor, level, against, f"{ratio_text(one.ratio)} ×", interval_text(one), p_text(one.p), shown]
            )
    return rows


def markdown(result: ExperimentResult) -> str:
    """The experiment for an issue or a terminal."""
    parts = [
        f"# {plain_markdown(f'Experiment {result.name}')}",
        f"**{plain_markdown(verdict(result))}**",
        plain_markdown(result.conclusion),
        *map(plain_markdown, [*result.cautions, *result.confounded]),
        "## Cells",
        markdown_table(cell_headers(result), cell_rows(result)),
        r"\*: the fastest cell of a class, or not shown to be slower than it.",
        "## Effects of factors",
        markdown_table(EFFECT_HEADERS, effect_rows(result)),
    ]
    if any(cell.errors or cell.wrong or cell.failed_over_s for cell in result.cells):
        parts += ["## What failed", markdown_table(FAULT_HEADERS, fault_rows(result))]
    if pairs := effect_rows(result, pairs=True):
        parts += ["## Effects of pairs, beyond each alone", markdown_table(EFFECT_HEADERS, pairs)]
    if result.visits:
        parts += ["## Visits", markdown_table(HEADERS, visit_rows(result.visits))]
        parts += [markdown_table(*found)] if (found := held_table(result.visits)) else []
    parts += [
        "## Classes",
        markdown_table(["class", "what moves it"], [[one.name, one.sentence] for one in result.classes]),
    ]
    parts += ["## Held", "\n".join(f"- {plain_markdown(sentence)}" for sentence in result.held_sentences)]
    if result.failures:
        parts += ["## Failed", "\n".join(f"- {plain_markdown(reason)}" for reason in result.failures)]
    return "\n\n".join(parts) + "\n"
