"""Is one side slower than the other? Rank test, bootstrap intervals, correction for many tests. No I/O.

A side is several trials (or, of a single trial, its consecutive blocks): queries of one trial share its moment of the
machine, so trials, not queries, are the independent units. Both methods keep to that:

- the rank test is Mann and Whitney's, within each template, its variance taken between the units (Obuchowski 1997,
  Biometrics 53, 567), compared with Student's t;
- the ratio is that of the geometric means of the units' quantiles, each query in units of its template's median over
  both sides: a class of fast and slow templates would else have a median between them that means nothing. Its interval
  comes from a bootstrap that draws units, widened as Student's t asks for so few of them; where a side is one unit,
  queries are drawn: the quantile of a resample of n values is the value of rank ceil(n B), B from a beta distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats as distributions

ALPHA = 0.05
"""Share of false alarms that all tests of a comparison may give together."""
RESAMPLES = 2_000
BLOCKS = 5
"""Consecutive blocks that a single trial is cut into."""
SMALLEST_BLOCK = 4

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Unit:
    """One trial's latencies of one class, by template: the independent unit of a side."""

    by_template: dict[str, Values]

    @property
    def values(self) -> Values:
        return np.concatenate(list(self.by_template.values())) if self.by_template else np.empty(0)


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio, new over old, with its 95 % interval."""

    value: float
    low: float
    high: float


def blocks(templates: NDArray[np.object_], values: Values, count: int = BLOCKS) -> list[Unit]:
    """A single trial's samples in order of sending, cut into consecutive units."""
    count = max(1, min(count, len(values) // SMALLEST_BLOCK))
    parts = np.array_split(np.arange(len(values)), count)
    return [unit_of(templates[part], values[part]) for part in parts]


def unit_of(templates: NDArray[np.object_], values: Values) -> Unit:
    """Samples of one trial: the template of each, and its latency."""
    return Unit({str(name): values[templates == name] for name in np.unique(templates.astype(str))})


def rank_test(new: Sequence[Unit], old: Sequence[Unit]) -> float:
    """Two-sided p of "a new query is as likely slower as faster than an old one of its template".

    1.0 when a side has fewer than two units: nothing can be said of how trials differ.
    """
    mine, theirs = _placements(new, old), _placements(old, new)
    if len(mine) < 2 or len(theirs) < 2:
        return 1.0
    return _welch(mine, theirs, float(np.mean(mine)) - 0.5)


def at_equal_templates(new: Sequence[Unit], old: Sequence[Unit]) -> tuple[list[Unit], list[Unit]]:
    """Both sides with every value divided by the median of its template over both; templates of one side left out."""
    names = set.intersection(*({name for unit in side for name in unit.by_template} for side in (new, old)))
    pools = {n: [u.by_template[n] for u in (*new, *old) if n in u.by_template] for n in names}
    scale = {name: max(float(np.median(np.concatenate(values))), 1e-9) for name, values in pools.items()}

    def scaled(side: Sequence[Unit]) -> list[Unit]:
        return [Unit({n: v / scale[n] for n, v in unit.by_template.items() if n in names}) for unit in side]

    return scaled(new), scaled(old)


def quantile_test(new: Sequence[Unit], old: Sequence[Unit], share: float) -> float:
    """Two-sided p of equal quantiles: Welch's t of the units' logarithms."""
    sides = [_log_quantiles(side, share) for side in at_equal_templates(new, old)]
    if min(len(side) for side in sides) < 2:
        return 1.0
    return _welch(sides[0], sides[1], float(sides[0].mean() - sides[1].mean()))


def _welch(one: Values, other: Values, effect: float) -> float:
    parts = [float(side.var(ddof=1)) / len(side) for side in (one, other)]
    total = sum(parts)
    if total <= 0:
        return 1.0 if effect == 0 else 0.0
    freedom = total**2 / sum(part**2 / (len(side) - 1) for part, side in zip(parts, (one, other), strict=True))
    return float(2 * distributions.t.sf(abs(effect) / np.sqrt(total), freedom))


def _placements(units: Sequence[Unit], against: Sequence[Unit]) -> Values:
    """For each unit the mean share of the other side's values of the same template that lie below its own."""
    names = {name for unit in against for name in unit.by_template}
    pools = {name: np.sort(np.concatenate([u.by_template.get(name, np.empty(0)) for u in against])) for name in names}
    means = []
    for unit in units:
        shares = [_share_below(values, pools[name]) for name, values in unit.by_template.items() if name in pools]
        if shares:
            means.append(float(np.concatenate(shares).mean()))
    return np.array(means)


def _share_below(values: Values, pool: Values) -> Values:
    below: Values = (np.searchsorted(pool, values, "left") + np.searchsorted(pool, values, "right")) / (2 * len(pool))
    return below


def ratio_of_quantiles(
    new: Sequence[Unit], old: Sequence[Unit], share: float, random: np.random.Generator, resamples: int = RESAMPLES
) -> Ratio:
    """Ratio of the sides' quantiles with its bootstrap interval."""
    new, old = at_equal_templates(new, old)
    effect = float(_log_quantiles(new, share).mean() - _log_quantiles(old, share).mean())
    drawn = _resampled(new, share, random, resamples) - _resampled(old, share, random, resamples)
    freedom = max(1, len(new) + len(old) - 2)
    widened = effect + (drawn - drawn.mean()) * distributions.t.ppf(0.975, freedom) / distributions.norm.ppf(0.975)
    low, high = np.quantile(widened if len(new) + len(old) > 2 else drawn, [0.025, 0.975])
    return Ratio(float(np.exp(effect)), float(np.exp(min(low, effect))), float(np.exp(max(high, effect))))


def _log_quantiles(units: Sequence[Unit], share: float) -> Values:
    """Logarithm of each unit's quantile; times below a nanosecond count as one."""
    found = [np.quantile(values, share) for unit in units if len(values := unit.values)]
    logs: Values = np.log(np.maximum(found, 1e-9))
    return logs


def _resampled(units: Sequence[Unit], share: float, random: np.random.Generator, resamples: int) -> Values:
    """Mean log quantile of resampled units, spread as an unbiased variance asks; of a single unit, of its queries."""
    count = len(units)
    if count == 1:
        return _quantiles_of_resamples(units[0].values, share, random, resamples)
    picked = random.integers(count, size=(count, resamples))
    means: Values = _log_quantiles(units, share)[picked].mean(axis=0)
    spread: Values = (means - means.mean()) * np.sqrt(count / (count - 1))
    shifted: Values = means.mean() + spread
    return shifted


def _quantiles_of_resamples(values: Values, share: float, random: np.random.Generator, resamples: int) -> Values:
    ordered = np.log(np.maximum(np.sort(values), 1e-9))
    count = len(ordered)
    rank = min(count, max(1, round(share * count + 0.5)))
    place = random.beta(rank, count - rank + 1, resamples)
    found: Values = ordered[np.minimum((place * count).astype(int), count - 1)]
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's correction: each p as large as the whole family of tests asks.

    >>> [round(p, 3) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.maximum.accumulate(np.sort(p_values) * np.arange(len(p_values), 0, -1))
    return [float(p) for p in np.minimum(adjusted, 1.0)]
