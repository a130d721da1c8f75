"""Why a class's medians over all its queries may say something else than the ratio of its verdict. No I/O.

The medians are of all queries of a side in one pool. The ratio of the verdict takes each query in units of its own
template's usual time, and each trial once (``significance``). The first step away from the pool that turns the ratio
round is the reason that is told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from skyshard.basics.readable import seconds
from skyshard.bench.compare.significance import LatencyGroup

DAMPING_S = 0.01
"""Added to medians whose ratios are averaged, as ClickBench does: times below it hardly count."""


@dataclass(frozen=True, slots=True)
class PooledMedians:
    """One class: medians over all queries of each side, and the ratios on the way from these to the verdict's."""

    name: str
    new_s: float
    old_s: float
    scaled: float
    """Of the medians over all queries, each in units of its template's usual time."""
    judged: float
    """The verdict's."""

    @property
    def pooled(self) -> float:
        return self.new_s / max(self.old_s, 1e-9)


def scaled_ratio(new: Sequence[LatencyGroup], old: Sequence[LatencyGroup]) -> float:
    """New over old of the medians over all queries, of groups at equal templates (``at_equal_templates``)."""
    ours, theirs = (float(np.median(np.concatenate([group.values for group in side]))) for side in (new, old))
    return ours / max(theirs, 1e-9)


def sentence(one: PooledMedians, margin: float) -> str:
    """What a reader needs who sees medians beside a ratio that is not theirs; empty where both say the same."""
    if not _differ(one.pooled, one.judged, margin):
        return ""
    medians = f"{seconds(one.old_s)} → {seconds(one.new_s)} or {_shown(one.pooled)} ×"
    how = "point the other way" if _are_opposite(one.pooled, one.judged) else "are not the same"
    reason = _OF_TEMPLATES if _differ(one.pooled, one.scaled, margin) else _OF_TRIALS
    return (
        f"{one.name}: the verdict is that of the ratio, {_shown(one.judged)} ×. Its medians, {medians}, {how}: {reason}"
    )


_OF_TEMPLATES = (
    "they are of fast and slow templates in one pool, whose middle lies between these and moves with a few queries "
    "more of one; the ratio takes each query beside others of its own template."
)
_OF_TRIALS = (
    "they are of all trials in one pool, whose middle is that of the trials that lie around it; the ratio takes the "
    "median of each trial (of a single one, of each part of it) once."
)


def headline_sentence(classes: Sequence[PooledMedians]) -> str:
    """The same for the mean of all classes; empty where its direction is that of the verdicts' ratios."""
    if not classes:
        return ""
    pooled = _damped([one.new_s for one in classes], classes)
    judged = _damped([one.old_s * one.judged for one in classes], classes)
    if not _are_opposite(pooled, judged):
        return ""
    return (
        f"All medians together, {_shown(pooled)} ×, are of all queries in one pool a class, and decide nothing; by the "
        f"ratios of the verdicts they are {_shown(judged)} ×."
    )


def _damped(new_s: Sequence[float], classes: Sequence[PooledMedians]) -> float:
    logs = [np.log((new + DAMPING_S) / (one.old_s + DAMPING_S)) for new, one in zip(new_s, classes, strict=True)]
    return float(np.exp(np.mean(logs)))


def _differ(one: float, other: float, margin: float) -> bool:
    """Whether one is above 1 and the other below, as they are printed, or they are farther apart than the margin."""
    return _are_opposite(one, other) or max(one, other) > margin * min(one, other)


def _are_opposite(one: float, other: float) -> bool:
    return (float(_shown(one)) - 1) * (float(_shown(other)) - 1) < 0


def _shown(ratio: float) -> str:
    """With the digits that the page has."""
    return f"{ratio:.3g}"
