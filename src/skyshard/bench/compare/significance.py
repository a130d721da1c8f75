"""Tests whether one side is slower: rank test, bootstrap intervals, correction for multiple tests. No I/O.

A side is several trials, or the consecutive blocks of a single trial. Queries of one trial share the state of the
machine at that time, so trials, not queries, are the independent groups. Both methods respect that:

- the rank test is Mann and Whitney's, within each template, its variance taken between the groups (Obuchowski 1997,
  Biometrics 53, 567), compared with Student's t;
- the ratio is that of the geometric means of the groups' quantiles, each query divided by its template's median over
  both sides, since the median of a class of fast and slow templates would be meaningless. Its interval comes from a
  bootstrap over groups, widened by Student's t for so few of them. Where a side is one group, its queries are
  resampled: the quantile of a resample of n values is the value of rank ceil(n B), B from a beta distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtr, stdtrit

ALPHA = 0.05
"""Probability of any false alarm over all tests of a comparison."""
RESAMPLES = 2_000
BLOCKS = 5
"""Consecutive blocks that a single trial is divided into."""
SMALLEST_BLOCK = 4

LatencyValues = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LatencyGroup:
    """One trial's (or block's) latencies of one class by template: an independent group."""

    by_template: dict[str, LatencyValues]

    @property
    def values(self) -> LatencyValues:
        return np.concatenate(list(self.by_template.values())) if self.by_template else np.empty(0)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio, new over old, with its 95 % interval."""

    value: float
    low: float
    high: float


def blocks(templates: NDArray[np.object_], values: LatencyValues, count: int = BLOCKS) -> list[LatencyGroup]:
    """A single trial's samples in order of sending, divided into consecutive groups."""
    count = max(1, min(count, len(values) // SMALLEST_BLOCK))
    parts = np.array_split(np.arange(len(values)), count)
    return [group_of(templates[part], values[part]) for part in parts]


def group_of(templates: NDArray[np.object_], values: LatencyValues) -> LatencyGroup:
    """Make a group from the template and the latency of each sample."""
    return LatencyGroup({str(name): values[templates == name] for name in np.unique(templates.astype(str))})


def rank_test(new: Sequence[LatencyGroup], old: Sequence[LatencyGroup]) -> float:
    """Two-sided p of "a new query is as likely slower as faster than an old one of its template".

    1.0 when a side has fewer than two groups: then the difference between trials is unknown.
    """
    mine, theirs = _placements(new, old), _placements(old, new)
    if len(mine) < 2 or len(theirs) < 2:
        return 1.0
    return _welch(mine, theirs, float(np.mean(mine)) - 0.5)


def at_equal_templates(
    new: Sequence[LatencyGroup], old: Sequence[LatencyGroup]
) -> tuple[list[LatencyGroup], list[LatencyGroup]]:
    """Both sides, with every value divided by its template's median over both; only templates of both sides."""
    names = set.intersection(*({name for group in side for name in group.by_template} for side in (new, old)))
    pools = {n: [u.by_template[n] for u in (*new, *old) if n in u.by_template] for n in names}
    scale = {name: max(float(np.median(np.concatenate(values))), 1e-9) for name, values in pools.items()}

    def scaled(side: Sequence[LatencyGroup]) -> list[LatencyGroup]:
        return [LatencyGroup({n: v / scale[n] for n, v in group.by_template.items() if n in names}) for group in side]

    return scaled(new), scaled(old)


def quantile_test(new: Sequence[LatencyGroup], old: Sequence[LatencyGroup], share: float) -> float:
    """Two-sided p of equal quantiles: Welch's t of the groups' logarithms."""
    sides = [_log_quantiles(side, share) for side in at_equal_templates(new, old)]
    if min(len(side) for side in sides) < 2:
        return 1.0
    return _welch(sides[0], sides[1], float(sides[0].mean() - sides[1].mean()))


def _welch(one: LatencyValues, other: LatencyValues, effect: float) -> float:
    parts = [float(side.var(ddof=1)) / len(side) for side in (one, other)]
    total = sum(parts)
    if total <= 0:
        return 1.0 if effect == 0 else 0.0
    freedom = total**2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, (one, other), strict=True))
    return float(2 * stdtr(freedom, -abs(effect) / np.sqrt(total)))


def _placements(groups: Sequence[LatencyGroup], against: Sequence[LatencyGroup]) -> LatencyValues:
    """For each group: the mean share of the other side's values of the same template that are below its own."""
    names = {name for group in against for name in group.by_template}
    pools = {name: np.sort(np.concatenate([u.by_template.get(name, np.empty(0)) for u in against])) for name in names}
    means = []
    for group in groups:
        shares = [_share_below(values, pools[name]) for name, values in group.by_template.items() if name in pools]
        if shares:
            means.append(float(np.concatenate(shares).mean()))
    return np.array(means)


def _share_below(values: LatencyValues, pool: LatencyValues) -> LatencyValues:
    below: LatencyValues = (np.searchsorted(pool, values, "left") + np.searchsorted(pool, values, "right")) / (
        2 * len(pool)
    )
    return below


def ratio_of_quantiles(
    new: Sequence[LatencyGroup],
    old: Sequence[LatencyGroup],
    share: float,
    random: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Ratio:
    """Ratio of the sides' quantiles with its bootstrap interval."""
    new, old = at_equal_templates(new, old)
    effect = float(_log_quantiles(new, share).mean() - _log_quantiles(old, share).mean())
    drawn = _resampled(new, share, random, resamples) - _resampled(old, share, random, resamples)
    freedom = max(1, len(new) + len(old) - 2)
    widened = effect + (drawn - drawn.mean()) * stdtrit(freedom, 0.975) / ndtri(0.975)
    low, high = np.quantile(widened if len(new) + len(old) > 2 else drawn, [0.025, 0.975])
    return Ratio(float(np.exp(effect)), float(np.exp(min(low, effect))), float(np.exp(max(high, effect))))


def _log_quantiles(groups: Sequence[LatencyGroup], share: float) -> LatencyValues:
    """Logarithm of each group's quantile; times below a nanosecond count as one."""
    found = [np.quantile(values, share) for group in groups if len(values := group.values)]
    logs: LatencyValues = np.log(np.maximum(found, 1e-9))
    return logs


def _resampled(
    groups: Sequence[LatencyGroup], share: float, random: np.random.Generator, resamples: int
) -> LatencyValues:
    """Mean log quantiles of resampled groups, with unbiased variance; of a single group, of its resampled queries."""
    count = len(groups)
    if count == 1:
        return _quantiles_of_resamples(groups[0].values, share, random, resamples)
    picked = random.integers(count, size=(count, resamples))
    means: LatencyValues = _log_quantiles(groups, share)[picked].mean(axis=0)
    spread: LatencyValues = (means - means.mean()) * np.sqrt(count / (count - 1))
    shifted: LatencyValues = means.mean() + spread
    return shifted


def _quantiles_of_resamples(
    values: LatencyValues, share: float, random: np.random.Generator, resamples: int
) -> LatencyValues:
    ordered = np.log(np.maximum(np.sort(values), 1e-9))
    count = len(ordered)
    rank = min(count, max(1, round(share * count + 0.5)))
    place = random.beta(rank, count - rank + 1, resamples)
    found: LatencyValues = ordered[np.minimum((place * count).astype(int), count - 1)]
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction of p values for multiple tests.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(np.sort(p_values) * np.arange(len(p_values), 0, -1))
    return [float(p) for p in np.minimum(adjusted, 1.0)]
