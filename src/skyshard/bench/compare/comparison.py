"""Compares two releases, several trials a side, class by class, with a verdict that scripts can use. No I/O.

A class is *worse* or *better* when the rank test, corrected for all tests of the comparison, and the interval of the
ratio of medians agree and the ratio is outside the margin. It is the *same* when the interval is within the margin,
else *inconclusive*. What the new side no longer answers has no ratio and is a regression (``losses``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from skyshard.basics.errors import UserError
from skyshard.bench.compare.comparability import Difference, Weight, differences
from skyshard.bench.compare.losses import AskedQueries, Loss, PhaseClass, Side, grown, losses
from skyshard.bench.compare.significance import (
    ALPHA,
    LatencyGroup,
    Ratio,
    blocks,
    group_of,
    holm,
    quantile_test,
    rank_test,
    ratio_of_quantiles,
)
from skyshard.bench.record.trial_folder import Trial
from skyshard.catalog.strict_files import Strict

MARGIN = 1.05
"""Ratios of medians between 1/margin and margin count as the same."""
THRESHOLD = 1.10
"""Ratio from which a class that is worse makes the comparison fail."""
TAIL_NEEDS = 20
"""Samples that a trial needs for a 95th percentile."""
SEED = 20260707


class LatencyChange(StrEnum):
    """The verdict on a class."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"


class Interval(Strict):
    """A ratio, new over old, with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, ratio: Ratio) -> Interval:
        return cls(value=ratio.value, low=ratio.low, high=ratio.high)


class SideNumbers(Strict):
    """One side of one class, all trials together."""

    trials: int
    n: int
    median_s: float
    p95_s: float | None
    asked: int = 0
    """Queries, including failed ones."""
    errors: int
    wrong: int


class ClassChange(Strict):
    """One class in one phase, on both sides."""

    phase: str
    class_name: str
    new: SideNumbers
    old: SideNumbers
    median: Interval
    """Ratio of medians."""
    p95: Interval | None
    """Ratio of 95th percentiles; None where a trial has too few samples."""
    p_median: float
    """p of the rank test, with Holm's correction over all tests of the comparison."""
    p_tail: float | None
    change: LatencyChange
    tail: LatencyChange | None
    is_regression: bool
    reason: str
    """Why it is a regression; empty when it is not."""

    @property
    def name(self) -> str:
        return self.class_name


class Comparison(Strict):
    """A comparison, as ``comparison.json`` holds it."""

    version: Literal[1] = 1
    new: list[str]
    """Names of the trials."""
    old: list[str]
    workload: str
    differences: list[Difference]
    classes: list[ClassChange]
    only_new: list[str]
    """Queries (phase, class/template) that only the new side answered."""
    only_old: list[str]
    margin: float
    threshold: float
    headline: float | None
    """Geometric mean over classes of (median + 10 ms) new over old, ClickBench's damping; None without a class."""
    cautions: list[str]
    losses: list[Loss] = Field(default_factory=list)
    """Classes and queries that one side did not answer, or neither."""

    @property
    def is_comparable(self) -> bool:
        return not any(one.weight is Weight.BREAKS for one in self.differences)

    @property
    def regressions(self) -> list[ClassChange | Loss]:
        """The regressions: each has a name, a phase and a reason."""
        everything: list[ClassChange | Loss] = [*self.losses, *self.classes]
        return [one for one in everything if one.is_regression]


@dataclass(frozen=True, slots=True)
class _Tested:
    """A class before the correction for multiple tests."""

    key: tuple[str, str]
    sides: tuple[SideNumbers, SideNumbers]
    median: Ratio
    p95: Ratio | None
    p_median: float
    p_tail: float | None


def compare_trials(
    new: Sequence[tuple[str, Trial]],
    old: Sequence[tuple[str, Trial]],
    *,
    threshold: float = THRESHOLD,
    margin: float = MARGIN,
    anyway: bool = False,
) -> Comparison:
    """Compare the trials of two sides, given as (name, trial).

    Raises:
        UserError: the trials ran different workloads and ``anyway`` is False, or they have no query in common.
    """
    _check_workloads(new, old, anyway=anyway)
    sides = [_answered([trial for _, trial in side]) for side in (new, old)]
    keys = [set().union(*(_queries(samples) for samples in side)) for side in sides]
    common = keys[0] & keys[1]
    counted = [Side.of([trial for _, trial in side]) for side in (new, old)]
    lost = losses(counted[0], counted[1], _class_order(new, [*counted[0].queries, *counted[1].queries]))
    if not common and not lost:
        raise UserError("the trials have no query in common", remedy="compare trials of one workload")
    order = _class_order(new, [(phase, template.partition("/")[0], template) for phase, template in common])
    tested = [_test(key, sides[0], sides[1], counted, common) for key in order]
    classes = _judged(tested, threshold, margin)
    return Comparison(
        new=[name for name, _ in new],
        old=[name for name, _ in old],
        workload=new[0][1].manifest.workload.name,
        differences=differences([t.manifest for _, t in new], [t.manifest for _, t in old]),
        classes=classes,
        only_new=[" ".join(key) for key in sorted(keys[0] - keys[1])],
        only_old=[" ".join(key) for key in sorted(keys[1] - keys[0])],
        margin=margin,
        threshold=threshold,
        headline=_headline(classes),
        cautions=_cautions(new, old),
        losses=lost,
    )


def _check_workloads(new: Sequence[tuple[str, Trial]], old: Sequence[tuple[str, Trial]], *, anyway: bool) -> None:
    first_name, first = new[0][0], new[0][1].manifest
    for name, trial in [*new[1:], *old]:
        other = trial.manifest
        if other.workload_digest != first.workload_digest and not anyway:
            ran = f"workload '{other.workload.name}' ({other.workload_digest[:8]})"
            wanted = f"'{first.workload.name}' ({first.workload_digest[:8]})"
            raise UserError(
                f"'{name}/manifest.json', key 'workload_digest': it ran {ran}, '{first_name}' ran {wanted}",
                remedy="compare trials of one workload, or give --anyway to compare the queries in common",
            )


def _answered(trials: Sequence[Trial]) -> list[pa.Table]:
    """Each trial's measured and answered samples in order of sending."""
    found = []
    for trial in trials:
        samples = trial.samples
        found.append(samples.filter(pc.and_(pc.invert(samples["is_warm_up"]), pc.is_null(samples["error"]))))
    return found


def _queries(samples: pa.Table) -> set[tuple[str, str]]:
    pairs = samples.group_by(["phase", "template"]).aggregate([])
    return set(zip(pairs["phase"].to_pylist(), pairs["template"].to_pylist(), strict=True))


def _class_order(new: Sequence[tuple[str, Trial]], queries: Iterable[tuple[str, str, str]]) -> list[PhaseClass]:
    """(phase, class) of queries given as (phase, class, template), in the workload's order."""
    have = {(phase, class_name) for phase, class_name, _ in queries}
    phases = new[0][1].manifest.workload.phases
    order = [(phase.name, load.class_name) for phase in phases for load in phase.classes]
    return [key for key in order if key in have] + sorted(have - set(order))


def _groups(sides: Sequence[pa.Table], key: tuple[str, str], common: set[tuple[str, str]]) -> list[LatencyGroup]:
    """One group for each trial; of a single trial its consecutive blocks."""
    wanted = [template for phase, template in common if phase == key[0] and template.startswith(f"{key[1]}/")]
    parts = []
    for samples in sides:
        mask = pc.and_(pc.equal(samples["phase"], key[0]), pc.is_in(samples["template"], pa.array(wanted, pa.string())))
        part = samples.filter(mask)
        if part.num_rows:
            templates = part["template"].to_numpy().astype(object)
            parts.append((templates, part["latency_s"].to_numpy()))
    return blocks(*parts[0]) if len(parts) == 1 else [group_of(*part) for part in parts]


def _test(
    key: PhaseClass,
    new: Sequence[pa.Table],
    old: Sequence[pa.Table],
    counted: Sequence[Side],
    common: set[tuple[str, str]],
) -> _Tested:
    ours, theirs = _groups(new, key, common), _groups(old, key, common)
    random = np.random.default_rng([SEED, *(ord(c) for c in "".join(key))])
    has_tail = min(sum(len(u.values) for u in side) / len(side) for side in (ours, theirs)) >= TAIL_NEEDS
    return _Tested(
        key,
        (_numbers(ours, key, counted[0]), _numbers(theirs, key, counted[1])),
        ratio_of_quantiles(ours, theirs, 0.5, random),
        ratio_of_quantiles(ours, theirs, 0.95, random) if has_tail else None,
        rank_test(ours, theirs),
        quantile_test(ours, theirs, 0.95) if has_tail else None,
    )


def _numbers(groups: Sequence[LatencyGroup], key: PhaseClass, side: Side) -> SideNumbers:
    values, asked = np.concatenate([group.values for group in groups]), side.asked(key)
    return SideNumbers(
        trials=side.trials,
        n=len(values),
        median_s=float(np.median(values)),
        p95_s=float(np.quantile(values, 0.95)) if len(values) >= TAIL_NEEDS else None,
        asked=asked.n,
        errors=asked.errors,
        wrong=asked.wrong,
    )


def _judged(tested: Sequence[_Tested], threshold: float, margin: float) -> list[ClassChange]:
    """The verdicts, after Holm's correction over all tests."""
    raw = [one.p_median for one in tested] + [one.p_tail for one in tested if one.p_tail is not None]
    corrected = holm(raw)
    tails = iter(corrected[len(tested) :])
    judged = []
    for one, p_median in zip(tested, corrected, strict=False):
        p_tail = None if one.p_tail is None else next(tails)
        change = _change(one.median, p_median, margin)
        tail = None if one.p95 is None or p_tail is None else _change(one.p95, p_tail, margin)
        reason = _regression(one, change, tail, threshold)
        judged.append(
            ClassChange(
                phase=one.key[0],
                class_name=one.key[1],
                new=one.sides[0],
                old=one.sides[1],
                median=Interval.of(one.median),
                p95=None if one.p95 is None else Interval.of(one.p95),
                p_median=p_median,
                p_tail=p_tail,
                change=change,
                tail=tail,
                is_regression=bool(reason),
                reason=reason,
            )
        )
    return judged


def _change(ratio: Ratio, p: float, margin: float) -> LatencyChange:
    if p < ALPHA and ratio.low > 1 and ratio.value > margin:
        return LatencyChange.WORSE
    if p < ALPHA and ratio.high < 1 and ratio.value < 1 / margin:
        return LatencyChange.BETTER
    if 1 / margin <= ratio.low and ratio.high <= margin:
        return LatencyChange.SAME
    return LatencyChange.INCONCLUSIVE


def _regression(one: _Tested, change: LatencyChange, tail: LatencyChange | None, threshold: float) -> str:
    """Why a class is a regression; empty when it is not."""
    if reason := grown(*(AskedQueries(n=side.asked, errors=side.errors, wrong=side.wrong) for side in one.sides)):
        return reason
    if change is LatencyChange.WORSE and one.median.value > threshold:
        return f"median {one.median.value:.2f} times as long"
    if tail is LatencyChange.WORSE and one.p95 is not None and one.p95.value > threshold:
        return f"95th percentile {one.p95.value:.2f} times as long"
    return ""


def _headline(classes: Sequence[ClassChange]) -> float | None:
    if not classes:
        return None
    ratios = [(one.new.median_s + 0.01) / (one.old.median_s + 0.01) for one in classes]
    return float(np.exp(np.mean(np.log(ratios))))


def _cautions(new: Sequence[tuple[str, Trial]], old: Sequence[tuple[str, Trial]]) -> list[str]:
    found = []
    if min(len(new), len(old)) == 1:
        found.append("A side has one trial: how runs differ from each other is not seen; run at least three a side.")
    if both := [name for name, _ in new if name in {other for other, _ in old}]:
        found.append(f"{', '.join(both)}: on both sides, so that the sides are more alike than two releases.")
    for name, trial in dict([*new, *old]).items():
        if not trial.summary.is_trustworthy:
            classes = ", ".join(f"{one.class_name} ({one.phase})" for one in trial.summary.distrusted) or "all classes"
            found.append(f"{name}: the driver itself was more than 5 % of the latency of {classes}.")
        if trial.summary.is_partial:
            found.append(f"{name}: stopped early.")
    return found
