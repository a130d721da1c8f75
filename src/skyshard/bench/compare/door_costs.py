"""What each front door adds to the czar: for each query template, and for each query and row. No I/O.

Rules: only trials of one run, side by side, are compared with each other; over runs the median counts, and the range of
the runs is shown. A statement counts where both sides answered it. Cost for each query and row is a line through all
statements by medians of slopes (Theil and Sen), which single slow answers do not tilt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.errors import UserError
from skyshard.bench.record.trial_folder import Trial
from skyshard.catalog.strict_files import Strict

AGAINST = "czar"
LEAST_STATEMENTS = 8
"""With fewer, of different numbers of rows, no line is drawn."""


class QueryCost(Strict):
    """One template through one door: medians over runs."""

    phase: str
    template: str
    door: str
    runs: int
    n: int
    """Answers of the door."""
    rows: float
    """The median of an answer."""
    czar_s: float
    door_s: float
    ratio: float
    """Door to czar, of medians of a run; the median over runs."""
    lowest: float
    highest: float
    """The same ratio in the runs where it was least and most."""

    @property
    def added_s(self) -> float:
        return self.door_s - self.czar_s


class DoorCost(Strict):
    """What a door adds to an answer; None where there were too few statements to tell."""

    door: str
    runs: int
    statements: int
    ratio: float
    """The median over templates."""
    per_query_s: float | None = None
    per_row_s: float | None = None
    per_row_low_s: float | None = None
    per_row_high_s: float | None = None
    """The interval of 95 % of the cost of a row, as far as statements can tell."""


class StatementCost(Strict):
    """One statement through one door in one run."""

    door: str
    rows: float
    added_s: float


class DoorCosts(Strict):
    """All of it."""

    runs: list[str]
    doors: list[DoorCost]
    queries: list[QueryCost]
    statements: list[StatementCost]
    not_answered: list[str]


@dataclass(frozen=True, slots=True)
class _Seen:
    """A template's answers in one run: by side its number and median."""

    n: int
    rows: float
    czar_s: float
    door_s: float


def door_costs(runs: Mapping[str, Mapping[str, Trial]]) -> DoorCosts:
    """Compare the trials of each run, given by target, with the czar's of the same run.

    Raises:
        UserError: a run has no trial of the czar, or none beside it.
    """
    seen: dict[tuple[str, str, str], list[_Seen]] = {}
    statements: list[StatementCost] = []
    for name, trials in runs.items():
        if AGAINST not in trials or len(trials) < 2:
            what = f"run '{name}' has no trial of the {AGAINST} with others beside it"
            raise UserError(what, remedy="run the workload with --target czar --target mysql://... and further ones")
        for door, trial in trials.items():
            if door != AGAINST:
                for key, found in _templates(trials[AGAINST], trial):
                    seen.setdefault((key[0], key[1], door), []).append(found)
                statements += _statements(door, trials[AGAINST], trial)
    queries = [_query_cost(key, found) for key, found in seen.items()]
    doors = dict.fromkeys(door for trials in runs.values() for door in trials if door != AGAINST)
    missed = {
        f"{door}: {one.template}: {one.reason}": None
        for trials in runs.values() for door, trial in trials.items() for one in trial.summary.not_answered
    }  # fmt: skip
    return DoorCosts(
        runs=[*runs], queries=queries, statements=statements, not_answered=[*missed],
        doors=[_door_cost(door, queries, statements, _count(runs, door)) for door in doors],
    )  # fmt: skip


def _count(runs: Mapping[str, Mapping[str, Trial]], door: str) -> int:
    return sum(door in trials for trials in runs.values())


def _answered(trial: Trial) -> pa.Table:
    good = pc.and_(pc.is_null(trial.samples["error"]), pc.invert(trial.samples["is_warm_up"]))
    table = trial.samples.filter(good)
    sql = pa.array(trial.statements, pa.string()).take(table["statement"].combine_chunks())
    return table.append_column("sql", sql)


def _medians(table: pa.Table, keys: Sequence[str]) -> dict[tuple[str, ...], tuple[int, float, float]]:
    """By key: number, median rows, median seconds from sending to the last row."""
    grouped = table.group_by([*keys]).aggregate([("service_s", "list"), ("rows", "list")])
    found = {}
    for row in grouped.to_pylist():
        times = row["service_s_list"]
        found[tuple(row[key] for key in keys)] = (len(times), float(median(row["rows_list"])), float(median(times)))
    return found


def _pairs(czar: Trial, door: Trial, keys: Sequence[str]) -> Iterator[tuple[tuple[str, ...], _Seen]]:
    ours, theirs = _medians(_answered(door), keys), _medians(_answered(czar), keys)
    for key, (n, rows, door_s) in ours.items():
        if key in theirs:
            yield key, _Seen(n, rows, theirs[key][2], door_s)


def _templates(czar: Trial, door: Trial) -> Iterator[tuple[tuple[str, ...], _Seen]]:
    return _pairs(czar, door, ("phase", "template"))


def _statements(door: str, czar: Trial, trial: Trial) -> list[StatementCost]:
    found = _pairs(czar, trial, ("phase", "template", "sql"))
    return [StatementCost(door=door, rows=one.rows, added_s=one.door_s - one.czar_s) for _, one in found]


def _query_cost(key: tuple[str, ...], found: Sequence[_Seen]) -> QueryCost:
    ratios = [one.door_s / max(one.czar_s, 1e-9) for one in found]
    return QueryCost(
        phase=key[0], template=key[1], door=key[2], runs=len(found), n=sum(one.n for one in found),
        rows=median(one.rows for one in found), czar_s=median(one.czar_s for one in found),
        door_s=median(one.door_s for one in found), ratio=median(ratios), lowest=min(ratios), highest=max(ratios),
    )  # fmt: skip


def _door_cost(door: str, queries: Sequence[QueryCost], statements: Sequence[StatementCost], runs: int) -> DoorCost:
    mine = [one for one in statements if one.door == door]
    ratios = [one.ratio for one in queries if one.door == door]
    if not ratios:
        raise UserError(f"{door} answered nothing that the {AGAINST} answered", remedy="see the trials' reports")
    cost = DoorCost(door=door, runs=runs, statements=len(mine), ratio=median(ratios))
    rows, added = [one.rows for one in mine], [one.added_s for one in mine]
    if len(mine) < LEAST_STATEMENTS or len(set(rows)) < 2:
        return cost
    from scipy.stats import theilslopes  # it takes half a second to read

    line = theilslopes(added, rows, 0.95)
    return cost.model_copy(
        update={
            "per_query_s": float(line[1]), "per_row_s": float(line[0]),
            "per_row_low_s": float(line[2]), "per_row_high_s": float(line[3]),
        }
    )  # fmt: skip
