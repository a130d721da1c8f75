"""What a side of trials of visits lost: facts, which a single trial shows; and what only some trials did. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from skyshard.bench.record.visit_summary import PhaseNumbers
from skyshard.bench.record.visit_trial import VisitTrial
from skyshard.catalog.strict_files import Strict

Side = Sequence[tuple[str, VisitTrial]]
Key = tuple[str, str, str]
"""Phase, table, kind."""


class VisitLoss(Strict):
    """What the new side lost: facts, that a single trial shows."""

    phase: str
    what: str
    new: float
    """A share."""
    old: float

    @property
    def sentence(self) -> str:
        return f"{self.what} in phase {self.phase}: {_percent(self.new)}, {_percent(self.old)} before"


def _percent(share: float) -> str:
    """A share that is 0 only where nothing was lost.

    >>> _percent(0.0), _percent(0.00001), _percent(0.123456)
    ('0 %', '0.001 %', '12.3 %')
    """
    return f"{100 * share:.3g} %"


def work_of(trial: VisitTrial) -> list[Key]:
    """All kinds of work that a trial did, in order."""
    return [(phase.phase, one.table, one.kind) for phase in trial.summary.phases for one in phase.series]


def not_compared(new: Side, old: Side) -> list[str]:
    """The kinds of work that some trials did and others not, as sentences: they have no ratio."""
    sides = [[set(work_of(trial)) for _, trial in side] for side in (new, old)]
    found = []
    for key in dict.fromkeys(key for _, trial in [*old, *new] for key in work_of(trial)):
        counts = [sum(key in one for one in side) for side in sides]
        if counts != [len(new), len(old)]:
            where = f"{counts[0]} of {len(new)} new and {counts[1]} of {len(old)} old trials"
            found.append(f"{f'{key[1]} {key[2]}'.strip()} ({key[0]}): in {where} only, so it is not compared.")
    return found


def visit_losses(new: Side, old: Side) -> list[VisitLoss]:
    """More wrong answers, lost visits, or trials in which a phase had no whole visit than before, as shares.

    Trials of workloads without the phase, which may be compared all the same, have lost nothing of it.
    """
    found = []
    for phase in dict.fromkeys(one.phase for _, trial in old for one in trial.summary.phases):
        sides = [[_phase(trial, phase) for _, trial in side if is_wanted(trial, phase)] for side in (new, old)]
        if not all(sides):
            continue
        for what, share in _SHARES:
            ours, before = (share(side) for side in sides)
            if ours > before:
                found.append(VisitLoss(phase=phase, what=what, new=ours, old=before))
    return found


def is_wanted(trial: VisitTrial, phase: str) -> bool:
    """Whether the workload of a trial has a phase."""
    return any(one.name == phase for one in trial.manifest.workload.phases)


def _phase(trial: VisitTrial, name: str) -> PhaseNumbers | None:
    return next((one for one in trial.summary.phases if one.phase == name), None)


Phases = Sequence[PhaseNumbers | None]


def _wrong(side: Phases) -> float:
    there = [one for one in side if one is not None]
    return sum(one.wrong for one in there) / max(1, sum(one.compared for one in there))


def _lost(side: Phases) -> float:
    there = [one for one in side if one is not None]
    return sum(one.lost for one in there) / max(1, sum(one.lost + one.visits for one in there))


def _without(side: Phases) -> float:
    return sum(one is None or not one.visits for one in side) / len(side)


_SHARES: tuple[tuple[str, Callable[[Phases], float]], ...] = (
    ("tiles answered wrongly", _wrong),
    ("visits lost", _lost),
    ("trials without a whole visit", _without),
)
