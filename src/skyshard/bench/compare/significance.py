"""How much slower is one side? Ratios of quantiles with bootstrap intervals. No I/O.

A side is several trials, or the consecutive blocks of a single trial. Queries of one trial share the state of the
machine at that time, so trials, not queries, are the independent groups. The ratio is that of the geometric means of
the groups' quantiles, each query divided by its template's usual time over both sides, since the median of a class of
fast and slow templates would be meaningless. Usual is the geometric mean of the groups' medians: the median of all
queries together would be that of the side which has more of them, another one for each template. The interval comes
from a bootstrap over groups, widened by Student's t for so few of them. Where a side is one group, its queries are
resampled: the quantile of a resample of n values is the value of rank ceil(n B), B from a beta distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

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


def at_equal_templates(
    new: Sequence[LatencyGroup], old: Sequence[LatencyGroup]
) -> tuple[list[LatencyGroup], list[LatencyGroup]]:
    """Both sides, with every value divided by its template's usual time over both; only templates of both sides.

    Usual is the geometric mean of the medians of all groups, each once, so that it is the same however the groups are
    dealt to the sides, and no template's is nearer to a side than another's.
    """
    names = set.intersection(*({name for group in side for name in group.by_template} for side in (new, old)))
    pools = {n: [u.by_template[n] for u in (*new, *old) if n in u.by_template] for n in names}
    scale = {name: _usual(values) for name, values in pools.items()}

    def scaled(side: Sequence[LatencyGroup]) -> list[LatencyGroup]:
        return [LatencyGroup({n: v / scale[n] for n, v in group.by_template.items() if n in names}) for group in side]

    return scaled(new), scaled(old)


def _usual(values: Sequence[LatencyValues]) -> float:
    medians = np.maximum([_quantile(one, 0.5) for one in values], 1e-9)
    return float(np.exp(np.log(medians).mean()))


def ratio_of_quantiles(
    new: Sequence[LatencyGroup],
    old: Sequence[LatencyGroup],
    share: float,
    random: np.random.Generator,
    resamples: int = RESAMPLES,
) -> Ratio:
    """Ratio of the sides' quantiles with its bootstrap interval."""
    new, old = at_equal_templates(new, old)
    effect = float(log_quantiles(new, share).mean() - log_quantiles(old, share).mean())
    drawn = _resampled(new, share, random, resamples) - _resampled(old, share, random, resamples)
    freedom = max(1, len(new) + len(old) - 2)
    widened = effect + (drawn - drawn.mean()) * stdtrit(freedom, 0.975) / ndtri(0.975)
    low, high = np.quantile(widened if len(new) + len(old) > 2 else drawn, [0.025, 0.975])
    return Ratio(float(np.exp(effect)), float(np.exp(min(low, effect))), float(np.exp(max(high, effect))))


def log_quantiles(groups: Sequence[LatencyGroup], share: float) -> LatencyValues:
    """Logarithm of each group's quantile, NaN where it is empty; times below a nanosecond count as one."""
    found = [_quantile(values, share) if len(values := group.values) else np.nan for group in groups]
    logs: LatencyValues = np.log(np.maximum(found, 1e-9))
    return logs


def _quantile(values: LatencyValues, share: float) -> float:
    """To the bit what ``np.quantile`` gives, which takes ten times as long for a hundred values.

    >>> _quantile(np.array([1.0, 4.0, 2.0]), 0.75)
    3.0
    """
    place = (len(values) - 1) * share
    low = int(place)
    ordered = np.sort(values)
    if np.isnan(ordered[-1]):
        return float("nan")
    below, above, part = float(ordered[low]), float(ordered[min(low + 1, len(values) - 1)]), place - low
    return above - (above - below) * (1 - part) if part >= 0.5 else below + (above - below) * part


def _resampled(
    groups: Sequence[LatencyGroup], share: float, random: np.random.Generator, resamples: int
) -> LatencyValues:
    """Mean log quantiles of resampled groups, with unbiased variance; of a single group, of its resampled queries."""
    count = len(groups)
    if count == 1:
        return _quantiles_of_resamples(groups[0].values, share, random, resamples)
    picked = random.integers(count, size=(count, resamples))
    means: LatencyValues = log_quantiles(groups, share)[picked].mean(axis=0)
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
