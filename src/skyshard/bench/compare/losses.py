"""Finds what a release lost: classes and queries that it answers, or answers correctly, less often than before.

Latencies exist only for queries that were answered; the others are counted here, from the samples. No I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.bench.record.trial_folder import Trial
from skyshard.catalog.strict_files import Strict

ERRORS_ALLOWED = 0.01
"""Tolerated increase in the share of failed queries: single failures say nothing about a release."""
PhaseClass = tuple[str, str]
"""Phase and class."""


class AskedQueries(Strict):
    """Counts of one side's queries of a class, or of one template, over all trials, without warm-up."""

    trials: int = 0
    """Trials that sent it."""
    n: int = 0
    """Queries, including failed ones."""
    errors: int = 0
    wrong: int = 0

    @property
    def answered(self) -> int:
        return self.n - self.errors

    def __add__(self, other: AskedQueries) -> AskedQueries:
        """The sum over queries of the same trials."""
        return AskedQueries(
            trials=max(self.trials, other.trials),
            n=self.n + other.n,
            errors=self.errors + other.errors,
            wrong=self.wrong + other.wrong,
        )


LOSS_HEADERS = ["class or query", "phase", "verdict", "answered, old", "answered, new", "what"]


class Loss(Strict):
    """A class, or one template of it, for which a side has no latency, or not from every trial."""

    phase: str
    class_name: str
    query: str
    """The template; empty for the class as a whole."""
    new: AskedQueries
    old: AskedQueries
    reason: str
    is_regression: bool
    """False where the old side did not answer it either."""

    @property
    def name(self) -> str:
        """For people: ``FTSSrc`` or ``LV/cone``."""
        return self.query or self.class_name

    @property
    def row(self) -> list[str]:
        """For people: the columns of ``LOSS_HEADERS``."""
        shares = [f"{side.answered} of {side.n}" for side in (self.old, self.new)]
        return [self.name, self.phase, "regression" if self.is_regression else "not judged", *shares, self.reason]


@dataclass(frozen=True, slots=True)
class Side:
    """The counts of one side's trials."""

    trials: int
    queries: Mapping[tuple[str, str, str], AskedQueries]
    """By phase, class, template."""
    wanted: frozenset[PhaseClass]
    """The classes that every trial's workload has and its target can answer."""
    ran_in: Mapping[PhaseClass, int] = field(default_factory=dict)
    """In how many trials a class was sent."""

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> Side:
        queries: dict[tuple[str, str, str], AskedQueries] = {}
        ran_in: Counter[PhaseClass] = Counter()
        for trial in trials:
            counted = dict(_counted(trial.samples))
            ran_in.update({(phase, name) for phase, name, _ in counted})
            for key, asked in counted.items():
                before = queries.get(key, AskedQueries())
                queries[key] = (before + asked).model_copy(update={"trials": before.trials + 1})
        wanted = frozenset.intersection(*(_wanted(trial) for trial in trials))
        return cls(len(trials), queries, wanted, ran_in)

    def asked(self, key: PhaseClass) -> AskedQueries:
        """The counts of a class."""
        found = sum((one for (*of, _), one in self.queries.items() if tuple(of) == key), AskedQueries())
        return found.model_copy(update={"trials": self.ran_in.get(key, 0)})

    def of_class(self, key: PhaseClass) -> dict[str, AskedQueries]:
        return {template: one for (*of, template), one in self.queries.items() if tuple(of) == key}


def _counted(samples: pa.Table) -> Iterator[tuple[tuple[str, str, str], AskedQueries]]:
    """Measured samples by phase, class and template."""
    measured = samples.filter(pc.invert(samples["is_warm_up"]))
    table = measured.select(["phase", "class", "template"])
    table = table.append_column("failed", pc.cast(pc.is_valid(measured["error"]), pa.int64()))
    is_wrong = pc.fill_null(pc.invert(measured["answer_ok"]), False)
    table = table.append_column("wrong", pc.cast(is_wrong, pa.int64()))
    groups = table.group_by(["phase", "class", "template"]).aggregate(
        [("failed", "count"), ("failed", "sum"), ("wrong", "sum")]
    )
    for row in groups.to_pylist():
        asked = AskedQueries(trials=1, n=row["failed_count"], errors=row["failed_sum"], wrong=row["wrong_sum"])
        yield (row["phase"], row["class"], row["template"]), asked


def _wanted(trial: Trial) -> frozenset[PhaseClass]:
    cannot = {one.template for one in trial.summary.not_answered}
    return frozenset(
        (phase.name, load.class_name)
        for phase in trial.manifest.workload.phases
        for load in phase.classes
        if any(f"{load.class_name}/{name}" not in cannot for name in load.templates)
    )


def losses(new: Side, old: Side, order: Sequence[PhaseClass]) -> list[Loss]:
    """The classes without latencies to compare, in order, and the templates that lost some."""
    found = []
    for key in order:
        ours, theirs = new.asked(key), old.asked(key)
        if not ours.answered or not theirs.answered:
            reason, is_regression = _whole(key, ours, theirs, new)
            found += [_loss(key, "", ours, theirs, reason, is_regression)] if reason else []
        elif theirs.trials == old.trials and ours.trials < new.trials and key in new.wanted:
            reason = f"not run in {new.trials - ours.trials} of {new.trials} trials"
            found.append(_loss(key, "", ours, theirs, reason, True))
        else:
            before = old.of_class(key)
            found += [
                _loss(key, template, one, before[template], _all_failed(one, before[template]), True)
                for template, one in new.of_class(key).items()
                if not one.answered and template in before and before[template].answered
            ]
    return found


def _whole(key: PhaseClass, ours: AskedQueries, theirs: AskedQueries, new: Side) -> tuple[str, bool]:
    """Why a class cannot be compared, and whether that is a regression; empty where it was not expected."""
    if theirs.answered and ours.n:
        return _all_failed(ours, theirs), True
    if theirs.answered:
        reason = f"not run, {theirs.answered} of {theirs.n} queries answered before"
        return (reason, True) if key in new.wanted else ("", False)
    if ours.answered:
        return (f"answered, where all {theirs.n} queries failed before", False) if theirs.n else ("", False)
    return (_all_failed(ours, theirs), False) if ours.n and theirs.n else ("", False)


def _all_failed(ours: AskedQueries, theirs: AskedQueries) -> str:
    return f"all {ours.n} queries failed, {theirs.errors} of {theirs.n} before"


def _loss(
    key: PhaseClass, query: str, ours: AskedQueries, theirs: AskedQueries, reason: str, is_regression: bool
) -> Loss:
    return Loss(
        phase=key[0], class_name=key[1], query=query, new=ours, old=theirs, reason=reason, is_regression=is_regression
    )


def setbacks(new: Side, old: Side, order: Sequence[PhaseClass]) -> list[Loss]:
    """``losses``, and the classes that are answered, but with more errors or wrong answers."""
    found = losses(new, old, order)
    lost = {(one.phase, one.class_name) for one in found}
    for key in order:
        ours, theirs = new.asked(key), old.asked(key)
        if key not in lost and theirs.n and (reason := grown(ours, theirs)):
            found.append(_loss(key, "", ours, theirs, reason, True))
    return found


def grown(new: AskedQueries, old: AskedQueries) -> str:
    """Why the shares of errors or wrong answers of a class are a regression; empty when they are not."""
    if new.wrong * old.n > old.wrong * new.n:
        return f"{new.wrong} wrong answers, {old.wrong} before"
    if new.errors / max(1, new.n) > old.errors / max(1, old.n) + ERRORS_ALLOWED:
        return f"{new.errors} failed queries, {old.errors} before"
    return ""
