"""Judges each class of a comparison: ratios, an exact test over trials for all classes together, a verdict. No I/O.

A class is *worse* or *better* when the test and the interval agree and the ratio is outside the margin. It is the
*same* when the interval is within the margin, else *inconclusive*. One trial a side says nothing about other trials:
such a class is always inconclusive, and its times are never a regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.bench.compare.losses import AskedQueries, PhaseClass, Side, grown
from skyshard.bench.compare.permutation import ALPHA, Values, joint_p, spread_of, trials_needed
from skyshard.bench.compare.pooled_medians import PooledMedians, scaled_ratio
from skyshard.bench.compare.significance import (
    LatencyGroup,
    Ratio,
    at_equal_templates,
    blocks,
    group_of,
    log_quantiles,
    ratio_of_quantiles,
)
from skyshard.catalog.strict_files import Strict

MARGIN = 1.05
"""Ratios of medians between 1/margin and margin count as the same."""
THRESHOLD = 1.10
"""Ratio from which a class that is worse makes the comparison fail."""
TAIL_NEEDS = 20
"""Samples that a trial needs for a 95th percentile."""
SEED = 20260707
SHARES = (0.5, 0.95)
"""The quantiles that are compared: median and tail."""


class LatencyChange(StrEnum):
    """The verdict on a class."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "same"
    INCONCLUSIVE = "inconclusive"


class Interval(Strict):
    """A ratio, new over old, with its 95 % interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, ratio: Ratio, shift: float = 1.0) -> Interval:
        """The interval, wider at both ends by the factor that the machine itself may have changed by."""
        return cls(value=ratio.value, low=ratio.low / shift, high=ratio.high * shift)


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
    """p of the exact test over trials, corrected for all tests of the comparison; never 0."""
    p_tail: float | None
    change: LatencyChange
    tail: LatencyChange | None
    is_regression: bool
    reason: str
    """Why it is a regression; empty when it is not."""
    ratio_of_pools: float | None = None
    """Ratio of the medians over all queries, each in units of its template's usual time; None in earlier releases."""
    spread: float | None = None
    """Standard deviation of the logarithm of a trial's median within a side; None with one trial a side."""
    trials_needed: int | None = None
    """Trials a side from which a change as large as the threshold would be found in four of five comparisons."""

    @property
    def name(self) -> str:
        return self.class_name

    @property
    def pooled(self) -> PooledMedians:
        """Its medians beside the ratio of its verdict."""
        scaled = self.median.value if self.ratio_of_pools is None else self.ratio_of_pools
        name = f"{self.class_name} ({self.phase})"
        return PooledMedians(name, self.new.median_s, self.old.median_s, scaled, self.median.value)


@dataclass(frozen=True, slots=True)
class Bar:
    """What a change has to exceed."""

    threshold: float = THRESHOLD
    margin: float = MARGIN
    shift: float = 1.0
    """Factor by which the machine itself differed between the sides, at least 1."""


@dataclass(frozen=True, slots=True)
class AnsweredSide:
    """One side: the answered samples of each trial in order of sending, and what was asked."""

    samples: Sequence[pa.Table]
    counted: Side


@dataclass(frozen=True, slots=True)
class _Measured:
    """A class before it is judged."""

    key: PhaseClass
    numbers: tuple[SideNumbers, SideNumbers]
    ratios: tuple[Ratio, Ratio | None]
    """Of medians, and of tails."""
    logs: tuple[Values, Values]
    """Logarithms of medians and of tails by trial, the new side's first; NaN where a trial has none."""
    ratio_of_pools: float
    spread: float | None


def judge_classes(
    new: AnsweredSide, old: AnsweredSide, order: Sequence[PhaseClass], common: set[tuple[str, str]], bar: Bar
) -> list[ClassChange]:
    """The classes in order, over the queries (phase, template) that both sides answered."""
    measured = [_measure(key, new, old, common) for key in order]
    tests = [(one, place) for place in (0, 1) for one in measured if one.ratios[place] is not None]
    if not tests:
        return []
    logs = np.stack([one.logs[place] for one, place in tests])
    found = joint_p(logs, len(new.samples), np.random.default_rng(SEED))
    p_of = {(one.key, place): float(p) for (one, place), p in zip(tests, found, strict=True)}
    return [_judge(one, p_of[one.key, 0], p_of.get((one.key, 1)), len(tests), bar) for one in measured]


def _measure(key: PhaseClass, new: AnsweredSide, old: AnsweredSide, common: set[tuple[str, str]]) -> _Measured:
    wanted = [template for phase, template in common if phase == key[0] and template.startswith(f"{key[1]}/")]
    ours, theirs = _parts(new.samples, key, wanted), _parts(old.samples, key, wanted)
    scaled = at_equal_templates(_trials(ours), _trials(theirs))
    has_tail = all(sum(len(part) for _, part in side) >= TAIL_NEEDS * _count(side) for side in (ours, theirs))
    random = np.random.default_rng([SEED, *(ord(c) for c in "".join(key))])
    groups = _groups(ours), _groups(theirs)
    ratio = ratio_of_quantiles(*groups, SHARES[0], random)
    tail = ratio_of_quantiles(*groups, SHARES[1], random) if has_tail else None
    by_share = [[log_quantiles(side, share) for side in scaled] for share in SHARES]
    return _Measured(
        key,
        (_numbers(ours, key, new.counted), _numbers(theirs, key, old.counted)),
        (ratio, tail),
        (np.concatenate(by_share[0]), np.concatenate(by_share[1])),
        scaled_ratio(*scaled),
        spread_of((by_share[0][0], by_share[0][1])),
    )


Part = tuple[np.ndarray, np.ndarray]
"""Templates and latencies of one trial's samples of a class."""


def _parts(samples: Sequence[pa.Table], key: PhaseClass, wanted: Sequence[str]) -> list[Part]:
    """One part for each trial; empty where it has no sample of the class."""
    parts = []
    for table in samples:
        mask = pc.and_(pc.equal(table["phase"], key[0]), pc.is_in(table["template"], pa.array(wanted, pa.string())))
        part = table.filter(mask)
        parts.append((part["template"].to_numpy().astype(object), part["latency_s"].to_numpy()))
    return parts


def _count(parts: Sequence[Part]) -> int:
    return sum(bool(len(values)) for _, values in parts)


def _trials(parts: Sequence[Part]) -> list[LatencyGroup]:
    """One group for each trial, empty where it has nothing."""
    return [group_of(*part) for part in parts]


def _groups(parts: Sequence[Part]) -> list[LatencyGroup]:
    """The groups that an interval is taken over: trials that have the class; of a single one its blocks."""
    have = [part for part in parts if len(part[1])]
    return blocks(*have[0]) if len(have) == 1 else _trials(have)


def _numbers(parts: Sequence[Part], key: PhaseClass, side: Side) -> SideNumbers:
    values, asked = np.concatenate([values for _, values in parts]), side.asked(key)
    return SideNumbers(
        trials=_count(parts),
        n=len(values),
        median_s=float(np.median(values)),
        p95_s=float(np.quantile(values, SHARES[1])) if len(values) >= TAIL_NEEDS else None,
        asked=asked.n,
        errors=asked.errors,
        wrong=asked.wrong,
    )


def _judge(one: _Measured, p_median: float, p_tail: float | None, tests: int, bar: Bar) -> ClassChange:
    ratio, tail_ratio = one.ratios
    median = Interval.of(ratio, bar.shift)
    p95 = None if tail_ratio is None else Interval.of(tail_ratio, bar.shift)
    is_seen = min(side.trials for side in one.numbers) > 1
    change = _change(median, p_median, bar) if is_seen else LatencyChange.INCONCLUSIVE
    tail = None if p95 is None or p_tail is None else LatencyChange.INCONCLUSIVE
    if p95 is not None and p_tail is not None and is_seen:
        tail = _change(p95, p_tail, bar)
    reason = _grown(one) or _slower("median", change, median, bar) or _slower("95th percentile", tail, p95, bar)
    return ClassChange(
        phase=one.key[0],
        class_name=one.key[1],
        new=one.numbers[0],
        old=one.numbers[1],
        median=median,
        p95=p95,
        p_median=p_median,
        p_tail=p_tail,
        change=change,
        tail=tail,
        is_regression=bool(reason),
        reason=reason,
        ratio_of_pools=one.ratio_of_pools,
        spread=one.spread,
        trials_needed=None if one.spread is None else trials_needed(one.spread, bar.threshold, tests),
    )


def _change(ratio: Interval, p: float, bar: Bar) -> LatencyChange:
    beyond = bar.margin * bar.shift
    if p < ALPHA and ratio.low > 1 and ratio.value > beyond:
        return LatencyChange.WORSE
    if p < ALPHA and ratio.high < 1 and ratio.value < 1 / beyond:
        return LatencyChange.BETTER
    if 1 / bar.margin <= ratio.low and ratio.high <= bar.margin:
        return LatencyChange.SAME
    return LatencyChange.INCONCLUSIVE


def _grown(one: _Measured) -> str:
    """Why more wrong or failed queries are a regression; these are facts, which one trial shows, too."""
    return grown(*(AskedQueries(n=side.asked, errors=side.errors, wrong=side.wrong) for side in one.numbers))


def _slower(what: str, change: LatencyChange | None, ratio: Interval | None, bar: Bar) -> str:
    """Why a class that became slower is a regression; empty when it is not."""
    if change is LatencyChange.WORSE and ratio is not None and ratio.value > bar.threshold:
        return f"{what} {ratio.value:.2f} times as long"
    return ""
