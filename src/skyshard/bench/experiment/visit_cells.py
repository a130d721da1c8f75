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

_WRITING = ("insert", "upsert")
"""Kinds of work whose rows are stored."""
COURSE = 40
"""Points of a cell's course."""


class HeldTable(Strict):
    """One table of a store at a trial's end: medians over the trials of a cell."""

    name: str
    rows: int
    bytes: int
    """Data and indexes on disk."""


TIMES = {"visit_s": "visit", "select_s": READ, "store_s": STORE}
"""The times of a visit, by the class that they are of."""


class CellVisits(Strict):
    """One cell of an experiment of visits: medians over its trials; times are those of the cell's classes."""

    cell: int
    label: str
    phase: str
    nodes: int
    """1 for a store that is no cluster."""
    store: str
    """As the store names itself."""
    visit_s: float | None
    """Real time of a visit with a full history; of all visits where none came so far. So too the next two. None where
    no visit did it."""
    select_s: float | None
    store_s: float | None
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
    """On disk, in all tables with their indexes; logs, and what belongs to no table, are not counted."""
    tables: list[HeldTable] = Field(default_factory=list)
    stored_rows: int | None = None
    """That the visits of the phase stored; months that were dropped since are not held. None in earlier releases."""
    stored_s: float | None = None
    """Real time of all stores of the phase: of each visit that of its slowest tile."""
    wrong: int
    tries: int
    visits: list[int] = Field(default_factory=list)
    """The course of a visit: numbers, and the median real time around each, over all trials."""
    course_s: list[float] = Field(default_factory=list)
    clients: str = ""
    """What the tiles were: ``threads``, or ``2 processes``; empty in earlier releases."""


def visit_numbers(trial: VisitTrial, block: int, cell: int, elapsed_s: float) -> TrialNumbers:
    """The numbers of a trial, each kind of work as a class whose median is its level.

    Visits that were lost, and tiles that were answered wrongly, are those of the class of whole visits.
    """
    classes = [
        ClassNumbers(
            phase=phase.phase, class_name=one.name, n=one.visits, median_s=_level(one),
            errors=phase.lost if one is phase.whole else 0, wrong=phase.wrong if one is phase.whole else 0,
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
    sizes = [_sizes(trial) for trial in trials]
    held = _held(sizes)
    written = [pair for numbers in mine if (pair := _written(numbers)) is not None]
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
        rows=_middle([sum(rows for rows, _ in one.values()) for one in sizes]),
        bytes=_middle([sum(size for _, size in one.values()) for one in sizes]), tables=held,
        stored_rows=_middle([rows for rows, _ in written]) if written else None,
        stored_s=_median([took for _, took in written]),
        wrong=sum(one.wrong for one in mine), tries=sum(one.tries for one in mine), visits=visits, course_s=course,
        clients=" or ".join(sorted(set(map(_clients, trials)))),
    )  # fmt: skip


def _clients(trial: VisitTrial) -> str:
    driver = trial.manifest.driver
    runtime = str(driver.get("runtime", ""))
    return f"{driver.get('processes')} {runtime}" if runtime == "processes" else runtime


def other_clients(visits: Sequence[CellVisits]) -> str:
    """A sentence where tiles were threads in some cells and processes in others; else empty."""
    cells: dict[str, list[int]] = {}
    for one in visits:
        cells.setdefault(one.clients, []).append(one.cell)
    if len(cells.keys() - {""}) < 2:
        return ""
    where = "; ".join(
        f"{clients or 'unknown'} in {', '.join(map(str, dict.fromkeys(of)))}" for clients, of in cells.items()
    )
    return f"Tiles of visits were not the same in all cells ({where}): their times differ by that, too."


def _level(one: SeriesNumbers) -> float:
    return one.median_s if one.level_s is None else one.level_s


def _levels(phases: Sequence[PhaseNumbers], kind: str) -> float | None:
    return _median([_level(one) for numbers in phases if (one := numbers.of("", kind)) is not None])


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


def _middle(values: Sequence[int]) -> int:
    return int(np.median(values))


def _sizes(trial: VisitTrial) -> dict[str, tuple[int, int]]:
    """Rows and bytes that each table of the store held at the end."""
    sizes = trial.manifest.catalog.get("sizes")
    held = sizes.items() if isinstance(sizes, dict) else ()
    return {str(name): (int(one["rows"]), int(one["bytes"])) for name, one in held if isinstance(one, dict)}


def _held(sizes: Sequence[dict[str, tuple[int, int]]]) -> list[HeldTable]:
    """Each table's medians over the trials that have it."""
    names = dict.fromkeys(name for one in sizes for name in one)
    found = [(name, [one[name] for one in sizes if name in one]) for name in names]
    return [
        HeldTable(name=name, rows=_middle([rows for rows, _ in ones]), bytes=_middle([size for _, size in ones]))
        for name, ones in found
    ]


def _written(numbers: PhaseNumbers) -> tuple[int, float] | None:
    """Rows that a phase stored, and the time of its stores; None where it only read.

    Rows that were deleted to be replaced are not stored: they would be more for one way to replace than for another.
    """
    store = numbers.of("", STORE)
    rows = sum(one.rows for one in numbers.series if one.kind in _WRITING)
    return None if store is None else (rows, store.mean_s * store.visits)


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
