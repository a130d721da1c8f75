"""From the numbers of all trials to the result of the experiment. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median

import numpy as np

from skyshard.bench.experiment.block_order import PlannedTrial
from skyshard.bench.experiment.cell_fit import CellFit, fit_cells
from skyshard.bench.experiment.cells import CELL, DEFAULTS, Cell, Design
from skyshard.bench.experiment.conclusions import class_sentence, conclusion, listed, widest_end
from skyshard.bench.experiment.contrasts import Contrast, contrasts_of
from skyshard.bench.experiment.deals import deal_trials
from skyshard.bench.experiment.effects import (
    EXACT_ALPHA,
    MOST_BLOCKS,
    Estimate,
    PhaseClass,
    best_cells,
    blocks_needed,
    by_median,
    estimate_all,
    orders,
)
from skyshard.bench.experiment.experiment_file import ExperimentFile
from skyshard.bench.experiment.experiment_result import (
    CellMedian,
    CellResult,
    ClassResult,
    Effect,
    ExactTest,
    ExperimentResult,
    class_text,
)
from skyshard.bench.experiment.factors import DEFAULT_ENGINE
from skyshard.bench.experiment.server_numbers import servers_of_cells
from skyshard.bench.experiment.trial_numbers import Build, ClassNumbers, TrialNumbers
from skyshard.bench.experiment.visit_cells import TIMES, CellVisits, other_clients
from skyshard.bench.record.environment import Environment


@dataclass(frozen=True, slots=True)
class Collected:
    """All that an experiment has to show, before it is analysed."""

    file: ExperimentFile
    file_digest: str
    design: Design
    order: Sequence[PlannedTrial]
    trials: Sequence[TrialNumbers]
    builds: Mapping[int, Sequence[Build]]
    """By cell."""
    machine: Environment
    is_cold: bool = False
    failures: Mapping[int, Sequence[str]] = field(default_factory=dict)
    """By cell: why trials or builds failed."""
    elapsed_s: float = 0.0
    visits: Sequence[CellVisits] = ()
    """Of an experiment of visits: what each cell's trials say of slopes and levels."""


def analyse(found: Collected) -> ExperimentResult:
    """The result: effects, cells, classes, sentences."""
    fits = _fits(found.trials)
    deals = deal_trials(sorted({trial for fit in fits.values() for trial in fit.trials}))
    estimates = estimate_all(fits, {key: _contrasts(found.design, fit) for key, fit in fits.items()}, deals)
    effects = [_effect(one) for one in estimates]
    pairs = sum(len(fit.cells) * (len(fit.cells) - 1) // 2 for fit in fits.values())
    moved = {one.key for one in effects if one.is_shown}
    if len(found.design.factors) == 1:
        best = {key: _unbeaten(key, fit, found.design, effects) for key, fit in fits.items()}
    else:
        best = {key: best_cells(fit, pairs) if key in moved else by_median(fit) for key, fit in fits.items()}
    classes = [_class(key, fit, best[key], estimates, effects) for key, fit in fits.items()]
    cells = [_cell(cell, found, fits, best) for cell in found.design.cells]
    servers = {build.server for builds in found.builds.values() for build in builds}
    return ExperimentResult(
        name=found.file.name, description=found.file.description, file_digest=found.file_digest,
        made=datetime.now(UTC), machine=found.machine, server=listed(sorted(servers)), design=found.design.kind,
        confounded=list(found.design.sentences), factors={n: list(v) for n, v in found.design.factors.items()},
        held=dict(found.design.cells[0].held), held_sentences=_held(found), is_cold=found.is_cold,
        seed=found.file.seed, order=_blocks(found.order), trials_planned=len(found.order),
        trials_done=len(found.trials), elapsed_s=found.elapsed_s, cells=cells, classes=classes, effects=effects,
        servers=servers_of_cells((trial.cell, trial.servers) for trial in found.trials),
        conclusion=conclusion(found.design.factors, cells, classes, effects),
        cautions=[*_cautions(found, effects), *_left_out(found.trials, fits)],
        visits=[_with_levels(one, cells) for one in found.visits],
        exact_test=ExactTest(deals=len(deals.dealt), possible=deals.possible_text, smallest_p=deals.smallest_p),
    )  # fmt: skip


def _with_levels(one: CellVisits, cells: Sequence[CellResult]) -> CellVisits:
    """A visit's times in a cell are those of the table of cells: a page has no two levels of one thing."""
    [cell] = [found for found in cells if found.number == one.cell]
    levels = {found.class_name: found.median_s for found in cell.classes if found.phase == one.phase}
    return one.model_copy(update={field: levels[name] for field, name in TIMES.items() if name in levels})


def _fits(trials: Sequence[TrialNumbers]) -> dict[PhaseClass, CellFit]:
    """A fit for each class that two cells answered, in the order of the workload."""
    points: dict[PhaseClass, list[tuple[int, int, float]]] = {}
    for trial in trials:
        for one in trial.classes:
            if one.median_s:
                at = points.setdefault((one.phase, one.class_name), [])
                at.append((trial.block, trial.cell, float(np.log(one.median_s))))
    fits = {key: fit_cells(*zip(*sorted(values), strict=True)) for key, values in points.items()}
    return {key: fit for key, fit in fits.items() if fit is not None and len(fit.cells) > 1}


def _contrasts(design: Design, fit: CellFit) -> list[Contrast]:
    by_number = {cell.number: cell for cell in design.cells}
    cells = [by_number[number] for number in fit.cells]
    levels = [{CELL: cell.name} if design.kind == "named" else cell.levels for cell in cells]
    return contrasts_of(design.factors, levels, has_pairs=design.kind == "full")


def _effect(one: Estimate) -> Effect:
    contrast, is_finite = one.contrast, np.isfinite(one.high)
    return Effect(
        phase=one.key[0], class_name=one.key[1], factor=contrast.factor, level=contrast.level,
        against=contrast.against, other=contrast.other, other_level=contrast.other_level,
        other_against=contrast.other_against, ratio=one.ratio, low=one.low if is_finite else None,
        high=one.high if is_finite else None, p=one.p, is_shown=one.is_shown,
    )  # fmt: skip


def _unbeaten(key: PhaseClass, fit: CellFit, design: Design, effects: Sequence[Effect]) -> list[int]:
    """The best cells of a single factor, of which each effect compares two cells: none that an effect shows slower."""
    level = {cell.number: cell.name or next(iter(cell.levels.values())) for cell in design.cells}
    first, *others = by_median(fit)
    shown = [{one.level, one.against} for one in effects if one.key == key and one.is_shown]
    return [first, *(cell for cell in others if {level[first], level[cell]} not in shown)]


def _class(
    key: PhaseClass, fit: CellFit, best: Sequence[int], estimates: Sequence[Estimate], effects: Sequence[Effect]
) -> ClassResult:
    mine = [one for one in effects if one.key == key and not one.is_pair]
    mains = [one.contrast for one in estimates if one.key == key and not one.contrast.other]
    needed = [blocks_needed(fit, contrast, len(estimates)) for contrast in mains]
    return ClassResult(
        phase=key[0], class_name=key[1], spread=fit.spread if fit.freedom else None, freedom=fit.freedom,
        best=list(best), moved_by=list(dict.fromkeys(one.factor for one in mine if one.is_shown)),
        missed_below=widest_end(mine) if fit.freedom else None,
        trials_needed=None if None in needed else max((one for one in needed if one), default=None),
        sentence=class_sentence(mine, fit.freedom),
    )  # fmt: skip


def _cell(
    cell: Cell, found: Collected, fits: Mapping[PhaseClass, CellFit], best: Mapping[PhaseClass, Sequence[int]]
) -> CellResult:
    trials = [trial for trial in found.trials if trial.cell == cell.number]
    builds = found.builds.get(cell.number, ())
    cost = _cost_of_visits(cell.number, found.visits) if found.visits else _cost_of_builds(builds)
    classes = []
    for key, fit in fits.items():
        if cell.number in fit.cells:
            asked = _asked(trials, key)
            middle = float(np.exp(fit.means[fit.cells.index(cell.number)]))
            classes.append(
                CellMedian(
                    phase=key[0], class_name=key[1], median_s=middle, trials=sum(bool(one.median_s) for one in asked),
                    errors=sum(one.errors for one in asked), wrong=sum(one.wrong for one in asked),
                    is_best=cell.number in best[key],
                )
            )  # fmt: skip
    return CellResult(
        number=cell.number, label=cell.label, levels=dict(cell.levels), trials=len(trials),
        failures=list(found.failures.get(cell.number, ())), ingest_s=cost.took_s, rows=cost.rows,
        ingest_rows_per_s=cost.rows / cost.took_s if cost.rows is not None and cost.took_s else None,
        builds=len(builds), bytes=cost.bytes, classes=classes,
        errors=sum(one.errors for trial in trials for one in trial.classes),
        wrong=sum(one.wrong for trial in trials for one in trial.classes),
        failed_over_s=_median(trial.failed_over_s for trial in trials),
        answers_lost=_median(trial.answers_lost for trial in trials),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Cost:
    """What it took to bring a cell's rows, and what they take; None where that is not known."""

    rows: int | None = None
    took_s: float | None = None
    bytes: int | None = None


def _cost_of_builds(builds: Sequence[Build]) -> _Cost:
    return _Cost(builds[-1].rows, median(one.ingest_s for one in builds), builds[-1].bytes) if builds else _Cost()


def _cost_of_visits(cell: int, visits: Sequence[CellVisits]) -> _Cost:
    """Of all phases of a cell's trials; a store is as large as at their end."""
    mine = [one for one in visits if one.cell == cell]
    rows = [one.stored_rows for one in mine if one.stored_rows is not None]
    took = [one.stored_s for one in mine if one.stored_s is not None]
    return _Cost(sum(rows) if rows else None, sum(took) if took else None, mine[-1].bytes if mine else None)


def _median(values: Iterable[float | None]) -> float | None:
    known = [one for one in values if one is not None]
    return median(known) if known else None


def _asked(trials: Sequence[TrialNumbers], key: PhaseClass) -> list[ClassNumbers]:
    return [one for trial in trials for one in trial.classes if (one.phase, one.class_name) == key]


def _blocks(order: Sequence[PlannedTrial]) -> list[list[int]]:
    blocks: dict[int, list[int]] = {}
    for trial in order:
        blocks.setdefault(trial.block, []).append(trial.cell)
    return list(blocks.values())


def _held(found: Collected) -> list[str]:
    """What was the same for all cells."""
    cells = found.design.cells
    if found.visits:
        return _held_of_visits(found)
    same = {
        name: value
        for name, value in {**DEFAULTS, **cells[0].held}.items()
        if all(cell.all.get(name) == value for cell in cells)
    }
    if same.get("fraction") == 1:
        same.pop("shrink", None)  # of a whole sky nothing is left out
    sentences = [f"{name}: {value}" for name, value in same.items()]
    has_layout = any("layout" in cell.all for cell in cells)
    own = {"layout": "the recipe's own", "engine": DEFAULT_ENGINE, "replicas": "1"}
    sentences += [
        f"{name}: {'as the layout has it' if has_layout else value}"
        for name, value in own.items()
        if not any(name in cell.all for cell in cells)
    ]
    digests = {build.data_digest for builds in found.builds.values() for build in builds}
    if len(digests) == 1:
        sentences.append("the rows: all catalogs have one digest")
    asked = {(trial.block, trial.statements) for trial in found.trials}
    if len(asked) == len({block for block, _ in asked}):
        sentences.append("the queries: in each block all cells were asked the same statements")
    sentences.append("server settings that are no factor: those of the testbed")
    if len({cell.all["nodes"] for cell in cells}) > 1:
        sentences.append("caches that are no factor: all nodes of a cell together have the same share of the memory")
    state = "emptied of the data files" if found.is_cold else "filled with the data files"
    sentences.append(f"the state before each trial: servers just started, the system's page cache {state}")
    return sentences


def _held_of_visits(found: Collected) -> list[str]:
    cells = found.design.cells
    sentences = [f"{name}: {value}" for name, value in cells[0].held.items()]
    rows = {(trial.block, trial.answers) for trial in found.trials}
    if len(rows) == len({block for block, _ in rows}):
        sentences.append("the rows: in each block all cells stored the same visits and read as many rows")
    sentences.append("the state before each trial: a store that was just made, empty")
    return sentences


def _cautions(found: Collected, effects: Sequence[Effect]) -> list[str]:
    cautions = []
    judged = {one.factor for one in effects if not one.is_pair}
    unjudged = [name for name in found.design.factors if name not in judged]
    if judged and unjudged:
        cautions.append(f"No class was answered at two levels of {listed(unjudged)}: nothing is said of it.")
    if said := _few_deals(found):
        cautions.append(said)
    if said := other_clients(found.visits):
        cautions.append(said)
    missing = len(found.order) - len(found.trials)
    if missing:
        cautions.append(f"{missing} of {len(found.order)} trials are missing.")
    if len({trial.block for trial in found.order}) == 1:
        cautions.append("One block: how trials of one cell differ is not seen. Run three trials or more.")
    faults = _faults([one for trial in found.trials for one in trial.classes])
    if not faults and not found.visits and _have_other_rows(found):  # rows of visits leave by cells, all are compared
        return [*cautions, "Cells gave different numbers of rows for the same statements."]
    return [*cautions, *faults]


def _faults(classes: Sequence[ClassNumbers]) -> list[str]:
    """Which classes had queries that failed, and which wrong answers."""
    failed = sorted({class_text(one.phase, one.class_name) for one in classes if one.errors})
    wrong = sorted({class_text(one.phase, one.class_name) for one in classes if one.wrong})
    return [
        *([f"Queries failed in {listed(failed)}: medians are of those that were answered."] if failed else []),
        *([f"Queries were answered wrongly in {listed(wrong)}."] if wrong else []),
    ]


def _left_out(trials: Sequence[TrialNumbers], fits: Mapping[PhaseClass, CellFit]) -> list[str]:
    """Classes that were answered, and have no figures on the page."""
    cells: dict[PhaseClass, set[int]] = {}
    for trial in trials:
        for one in trial.classes:
            if one.median_s:
                cells.setdefault((one.phase, one.class_name), set()).add(trial.cell)
    missing = {key: mine for key, mine in cells.items() if key not in fits}
    alone = [class_text(*key) for key, mine in missing.items() if len(mine) == 1]
    apart = [class_text(*key) for key, mine in missing.items() if len(mine) > 1]
    return [
        *([f"Only one cell answered {listed(alone)}: nothing is said of it."] if alone else []),
        *([f"No block joins the cells that answered {listed(apart)}: nothing is said of it."] if apart else []),
    ]


def _few_deals(found: Collected) -> str:
    """Why so few trials cannot show anything, whatever they are; empty where they can."""
    cells, blocks = len(found.design.cells), len({trial.block for trial in found.order})
    if min(cells, blocks) < 2 or orders(cells, blocks) > 1 / EXACT_ALPHA:
        return ""
    enough = next(count for count in range(blocks, MOST_BLOCKS) if orders(cells, count) > 1 / EXACT_ALPHA)
    return (
        f"{cells} cells in {blocks} blocks: equal ones come in one order in all blocks once in {orders(cells, blocks)} "
        f"experiments, so nothing can be shown. Run {enough} trials or more."
    )


def _have_other_rows(found: Collected) -> bool:
    """Whether equal statements gave other numbers of rows; those about chunks are compared within a layout."""
    layouts = {cell.number: str(cell.all.get("layout", "")) for cell in found.design.cells}
    answers: dict[tuple[int, str, str], set[str]] = {}
    for trial in found.trials:
        asked = (trial.block, trial.statements)
        if trial.answers_of_sky:  # trials of earlier releases have none
            answers.setdefault((*asked, ""), set()).add(trial.answers_of_sky)
        answers.setdefault((*asked, f"layout {layouts[trial.cell]}"), set()).add(trial.answers)
    return any(len(one) > 1 for one in answers.values())
