"""Compares trials of visits, several a side: levels with a full history, and slopes before and after it. No I/O.

A level is the median real time of a visit with a full history, compared as a ratio; where no trial came so far, the
median of all visits. A slope is told as the share of the old side's level that it adds in a year, and compared as a
difference of such shares. The trial is the unit: p is that of the exact test over trials, corrected for all tests of
the comparison; intervals are Student's over trials. One trial a side says nothing about other trials: then the interval
is that of the lines within both trials, and the verdict inconclusive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import hypot
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import stdtrit

from skyshard.basics.errors import UserError
from skyshard.bench.compare.class_change import LatencyChange
from skyshard.bench.compare.comparability import Difference, Weight, differences
from skyshard.bench.compare.machine_noise import MachineShift, largest_shift, machine_cautions, machine_shifts
from skyshard.bench.compare.permutation import ALPHA, joint_p
from skyshard.bench.compare.side_facts import shared_label
from skyshard.bench.compare.trials_advice import can_tell
from skyshard.bench.compare.visit_losses import Key, Side, VisitLoss, not_compared, visit_losses, work_of
from skyshard.bench.record.visit_summary import FittedLine, PhaseNumbers, SeriesNumbers
from skyshard.bench.record.visit_trial import VisitTrial
from skyshard.catalog.strict_files import Strict

MARGIN = 0.05
"""Levels within 1 ± this, and slopes that differ by less of the level in a year, are the same."""
THRESHOLD = 1.10
SEED = 20260719
Floats = NDArray[np.float64]


class VisitChange(Strict):
    """One number of one kind of work, on both sides."""

    phase: str
    work: str
    """``visit``, ``select``, ``DiaSource select`` ..."""
    what: Literal["level", "slope while filling", "slope when full"]
    new: float
    """Seconds for a level; seconds more in a thousand visits for a slope. Means over trials, of levels geometric."""
    old: float
    value: float
    """New over old for a level; for a slope the difference, as a share of the old level in a year."""
    low: float | None
    """95 %; None where nothing bounds it."""
    high: float | None
    p: float
    """Corrected, never 0; 1 with fewer than two trials a side."""
    change: LatencyChange
    is_regression: bool

    @property
    def is_level(self) -> bool:
        return self.what == "level"


class VisitComparison(Strict):
    """``comparison.json`` of trials of visits."""

    version: Literal[1] = 1
    kind: Literal["visits"] = "visits"
    new: list[str]
    old: list[str]
    workload: str
    differences: list[Difference]
    changes: list[VisitChange]
    losses: list[VisitLoss]
    cautions: list[str]
    margin: float
    threshold: float
    machine: list[MachineShift] = Field(default_factory=list)
    not_compared: list[str] = Field(default_factory=list)
    """Work that some trials did and others not, as sentences."""
    new_label: str = ""
    """What a side is called; empty where neither the command nor all its trials name it."""
    old_label: str = ""

    @property
    def is_comparable(self) -> bool:
        return not any(one.weight is Weight.BREAKS for one in self.differences)

    @property
    def can_tell(self) -> bool:
        return can_tell(len(self.new), len(self.old))

    @property
    def regressions(self) -> list[str]:
        """As sentences."""
        lost = [one.sentence for one in self.losses]
        slow = [f"{one.work} ({one.phase}), {one.what}" for one in self.changes if one.is_regression]
        return [*lost, *slow]


def compare_visits(
    new: Side,
    old: Side,
    *,
    threshold: float = THRESHOLD,
    margin: float = MARGIN,
    anyway: bool = False,
    labels: tuple[str, str] = ("", ""),
) -> VisitComparison:
    """Compare the trials of two sides, given as (name, trial); ``labels`` name the new and the old side.

    Raises:
        UserError: the trials ran different workloads and ``anyway`` is False, or have no phase in common.
    """
    _check_workloads(new, old, anyway=anyway)
    manifests = [[trial.manifest for _, trial in side] for side in (new, old)]
    machine = machine_shifts(manifests[0], manifests[1])
    keys, losses = _common(new, old), visit_losses(new, old)
    if not keys and not losses:
        raise UserError("the trials have no phase of visits in common", remedy="compare trials of one workload")
    measured = [one for key in keys for one in _measure(key, new, old)]
    found = [_judged(one, p, margin, threshold, largest_shift(machine)) for one, p in _with_p(measured, len(new))]
    return VisitComparison(
        new=[name for name, _ in new], old=[name for name, _ in old], workload=new[0][1].manifest.workload.name,
        differences=differences(manifests[0], manifests[1]), changes=found, losses=losses,
        cautions=[*_cautions(new, old), *machine_cautions(machine)], margin=margin, threshold=threshold,
        machine=machine, not_compared=not_compared(new, old),
        new_label=labels[0] or shared_label(manifests[0]), old_label=labels[1] or shared_label(manifests[1]),
    )  # fmt: skip


def _check_workloads(new: Side, old: Side, *, anyway: bool) -> None:
    first_name, first = new[0]
    for name, trial in [*new, *old]:
        if trial.manifest.workload_digest != first.manifest.workload_digest and not anyway:
            raise UserError(
                f"'{name}/manifest.json', key 'workload_digest': it ran workload '{trial.manifest.workload.name}', "
                f"'{first_name}' ran '{first.manifest.workload.name}' with other settings",
                remedy="compare trials of one workload, or give --anyway",
            )


def _common(new: Side, old: Side) -> list[Key]:
    """What every trial of both sides did, in the order of the first trial."""
    sets = [set(work_of(trial)) for _, trial in [*new, *old]]
    return [key for key in work_of(new[0][1]) if all(key in one for one in sets)]


@dataclass(frozen=True, slots=True)
class _Measured:
    """One number, trial by trial, before it is judged."""

    key: Key
    what: Literal["level", "slope while filling", "slope when full"]
    new: Floats
    old: Floats
    """Logarithms of seconds for a level, shares of the level in a year for a slope."""
    shown: tuple[float, float]
    within: float | None
    """Half an interval from the lines of single trials; None where there are several."""


def _measure(key: Key, new: Side, old: Side) -> list[_Measured]:
    sides = [[_series(trial, key) for _, trial in side] for side in (new, old)]
    is_full = all(one.level_s is not None for side in sides for one in side)
    levels = [np.array([one.level_s if is_full else one.median_s for one in side], float) for side in sides]
    logs = [np.log(np.maximum(side, 1e-9)) for side in levels]
    middle = [float(np.exp(side.mean())) for side in logs]
    found = [_Measured(key, "level", logs[0], logs[1], (middle[0], middle[1]), None)]
    phase = next(one for one in old[0][1].summary.phases if one.phase == key[0])
    for what, line_of in _LINES:
        lines = [[line_of(one) for one in side] for side in sides]
        known = [[line for line in side if line is not None] for side in lines]
        if middle[1] > 0 and all(len(side) == len(all_of) for side, all_of in zip(known, lines, strict=True)):
            found.append(_slopes(key, what, known, middle[1], phase))
    return found


_LINES: tuple[
    tuple[Literal["slope while filling", "slope when full"], Callable[[SeriesNumbers], FittedLine | None]], ...
] = (
    ("slope while filling", lambda one: one.before),
    ("slope when full", lambda one: one.after),
)


def _slopes(
    key: Key,
    what: Literal["slope while filling", "slope when full"],
    lines: Sequence[Sequence[FittedLine]],
    level: float,
    phase: PhaseNumbers,
) -> _Measured:
    yearly = 12 * phase.facts.visits_per_month / 1000 / level
    shares = [np.array([line.slope for line in side]) * yearly for side in lines]
    within = None
    if all(len(side) == 1 for side in lines):
        within = yearly * hypot(*(0.5 * (side[0].high - side[0].low) for side in lines))
    means = [float(np.mean([line.slope for line in side])) for side in lines]
    return _Measured(key, what, shares[0], shares[1], (means[0], means[1]), within)


def _series(trial: VisitTrial, key: Key) -> SeriesNumbers:
    phase = next(one for one in trial.summary.phases if one.phase == key[0])
    return next(one for one in phase.series if (one.table, one.kind) == key[1:])


def _with_p(measured: Sequence[_Measured], new_count: int) -> list[tuple[_Measured, float]]:
    if not measured:
        return []
    values = np.stack([np.concatenate([one.new, one.old]) for one in measured])
    found = joint_p(values, new_count, np.random.default_rng(SEED))
    return list(zip(measured, map(float, found), strict=True))


def _judged(one: _Measured, p: float, margin: float, threshold: float, shift: float) -> VisitChange:
    effect = float(one.new.mean() - one.old.mean())
    half = one.within if one.within is not None else _half(one.new, one.old)
    is_level = one.what == "level"
    if is_level:
        half = None if half is None else half + float(np.log(shift))
        value, low, high = np.exp(effect), *_ends(effect, half, np.exp)
        edges = (1 / (1 + margin), 1.0, 1 + margin)
    else:
        value, low, high = effect, *_ends(effect, half, float)
        edges = (-margin, 0.0, margin)
    change = _change(float(value), low, high, p, edges, can=min(len(one.new), len(one.old)) > 1)
    is_worse = change is LatencyChange.WORSE
    phase, table, kind = one.key
    return VisitChange(
        phase=phase, work=f"{table} {kind}".strip(), what=one.what, new=one.shown[0], old=one.shown[1],
        value=float(value), low=low, high=high, p=p, change=change,
        is_regression=is_worse and (value > threshold if is_level else one.what == "slope when full"),
    )  # fmt: skip


def _half(new: Floats, old: Floats) -> float | None:
    """Half of Student's 95 % interval of the difference of means; None with a single trial a side."""
    freedom = len(new) + len(old) - 2
    if freedom < 1 or min(len(new), len(old)) < 2:
        return None
    squares = float(np.square(new - new.mean()).sum() + np.square(old - old.mean()).sum())
    return float(stdtrit(freedom, 0.975) * np.sqrt(squares / freedom * (1 / len(new) + 1 / len(old))))


def _ends(effect: float, half: float | None, of: Callable[[float], float]) -> tuple[float | None, float | None]:
    return (None, None) if half is None else (float(of(effect - half)), float(of(effect + half)))


def _change(
    value: float, low: float | None, high: float | None, p: float, edges: tuple[float, float, float], *, can: bool
) -> LatencyChange:
    """Worse and better where test and interval agree and the value is outside the margin; same within it."""
    if not can or low is None or high is None:
        return LatencyChange.INCONCLUSIVE
    least, none, most = edges
    if p < ALPHA and low > none and value > most:
        return LatencyChange.WORSE
    if p < ALPHA and high < none and value < least:
        return LatencyChange.BETTER
    return LatencyChange.SAME if least <= low and high <= most else LatencyChange.INCONCLUSIVE


def _cautions(new: Side, old: Side) -> list[str]:
    found = []
    if both := [name for name, _ in new if name in {other for other, _ in old}]:
        found.append(f"{', '.join(both)}: on both sides, so that the sides are more alike than two releases.")
    if not can_tell(len(new), len(old)):
        found.append("Too few trials to call anything better or worse: run four a side.")
    for name, trial in dict([*new, *old]).items():
        if trial.summary.is_partial:
            found.append(f"{name}: stopped early.")
        elif not trial.summary.is_trustworthy:
            found.append(f"{name}: the driver's own work clouds whole visits.")
    return found
