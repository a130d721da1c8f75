"""What an experiment keeps of trials of visits: their numbers, and each cell's slopes and course. No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from pydantic import Field

from skyshard.bench.experiment.trial_numbers import ClassNumbers, TrialNumbers
from skyshard.bench.record.visit_summary import PhaseNumbers, RatioInterval, SeriesNumbers
from skyshard.bench.record.visit_times import READ, STORE, visit_times
from skyshard.bench.record.visit_trial import VisitTrial
from skyshard.catalog.strict_files import Strict

COURSE = 40
"""Points of a cell's course."""


class CellVisits(Strict):
    """One cell of an experiment of visits: medians over its trials."""

    cell: int
    label: str
    phase: str
    nodes: int
    """1 for a store that is no cluster."""
    store: str
    """As the store names itself."""
    visit_s: float
    """Real time of a visit with a full history; of all visits where none came so far. So too the next two."""
    select_s: float
    store_s: float
    before: float | None
    """Seconds more in a thousand visits while the history fills, of reads."""
    after: float | None
    plateau: RatioInterval | None
    """Of a single trial, else its value alone."""
    change_a_year: float | None
    above: float
    """Share of visits above the target, or above ten seconds without one."""
    driver_share: float
    server_share: float
    rows: int
    """Held at the end, in all tables."""
    bytes: int
    wrong: int
    tries: int
    visits: list[int] = Field(default_factory=list)
    """The course of a visit: numbers, and the median real time around each, over all trials."""
    course_s: list[float] = Field(default_factory=list)


def visit_numbers(trial: VisitTrial, block: int, cell: int, elapsed_s: float) -> TrialNumbers:
    """The numbers of a trial, each kind of work as a class whose median is its level."""
    classes = [
        ClassNumbers(
            phase=phase.phase, class_name=one.name, n=one.visits, errors=phase.lost, wrong=phase.wrong,
            median_s=_level(one),
        )
        for phase in trial.summary.phases
        for one in phase.series
    ]  # fmt: skip
    asked = f"{trial.manifest.workload_digest} {trial.manifest.seed}"
    rows = [f"{p.phase} {one.name} {one.rows}" for p in trial.summary.phases for one in p.series if one.kind == READ]
    return TrialNumbers(
        version=1, block=block, cell=cell, elapsed_s=elapsed_s, classes=classes, statements=_digest([asked]),
        answers=_digest(rows),
    )  # fmt: skip


def cell_visits(number: int, label: str, nodes: int, trials: Sequence[VisitTrial]) -> list[CellVisits]:
    """What the trials of a cell say together, phase by phase; empty without a trial."""
    if not trials:
        return []
    phases = [one.phase for one in trials[0].summary.phases]
    return [_of_phase(number, label, nodes, phase, trials) for phase in phases]


def _of_phase(number: int, label: str, nodes: int, phase: str, trials: Sequence[VisitTrial]) -> CellVisits:
    mine = [one for trial in trials for one in trial.summary.phases if one.phase == phase]
    reads = [one for numbers in mine if (one := numbers.of("", READ)) is not None]
    sizes = [_size(trial) for trial in trials]
    plateaus = [one.plateau for one in reads if one.plateau is not None]
    visits, course = _course(phase, trials)
    return CellVisits(
        cell=number, label=label, phase=phase, nodes=nodes, store=trials[0].manifest.target,
        visit_s=_levels(mine, "visit"), select_s=_levels(mine, READ), store_s=_levels(mine, STORE),
        before=_median([one.before.slope for one in reads if one.before]),
        after=_median([one.after.slope for one in reads if one.after]), plateau=_plateau(plateaus),
        change_a_year=_median([one.change_a_year.value for one in reads if one.change_a_year]),
        above=float(np.median([_above(one) for one in mine])),
        driver_share=float(np.median([one.driver_share for one in mine])),
        server_share=float(np.median([one.server_share for one in mine])),
        rows=int(np.median([rows for rows, _ in sizes])), bytes=int(np.median([size for _, size in sizes])),
        wrong=sum(one.wrong for one in mine), tries=sum(one.tries for one in mine), visits=visits, course_s=course,
    )  # fmt: skip


def _level(one: SeriesNumbers) -> float:
    return one.median_s if one.level_s is None else one.level_s


def _levels(phases: Sequence[PhaseNumbers], kind: str) -> float:
    found = [_level(one) for numbers in phases if (one := numbers.of("", kind)) is not None]
    return float(np.median(found)) if found else 0.0


def _above(one: PhaseNumbers) -> float:
    """Above the target where there is one."""
    limit = one.facts.target_s
    return next((found.share for found in one.above if found.limit_s == limit), one.above[-1].share)


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def _plateau(found: Sequence[RatioInterval]) -> RatioInterval | None:
    if len(found) == 1:
        return found[0]
    value = _median([one.value for one in found])
    return None if value is None else RatioInterval(value=value, low=None, high=None)


def _size(trial: VisitTrial) -> tuple[int, int]:
    """Rows and bytes that the store held at the end."""
    sizes = trial.manifest.catalog.get("sizes")
    held = [one for one in sizes.values() if isinstance(one, dict)] if isinstance(sizes, dict) else []
    return sum(int(one["rows"]) for one in held), sum(int(one["bytes"]) for one in held)


def _course(phase: str, trials: Sequence[VisitTrial]) -> tuple[list[int], list[float]]:
    """Medians along the run, over all trials."""
    whole = [visit_times(trial.samples, phase).whole for trial in trials]
    visit = np.concatenate([one.visit for one in whole])
    order = np.argsort(visit, kind="stable")
    took = np.concatenate([one.real_s for one in whole])[order]
    parts = min(COURSE, max(1, len(order) // 5))
    at = [int(part.mean()) for part in np.array_split(visit[order], parts) if len(part)]
    return at, [float(np.median(part)) for part in np.array_split(took, parts) if len(part)]


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
