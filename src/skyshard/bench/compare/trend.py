"""One class over releases: the statistic of each trial in order of time, and the steps in it. No I/O.

Consecutive trials of one release count as one value, their median, since they share a build and the state of the
machine. (With fewer than four releases every trial is a value.) The series is divided into levels that minimise the
absolute deviations from the levels' medians plus a penalty for each level (as asv does). A boundary is a step only when
Student's t of the logarithms on both sides is significant and the level changes by more than the margin; p must be
below 0.05 after Bonferroni's correction for the possible places of a step and for the series of the page.
"""

from __future__ import annotations

import itertools
from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.special import stdtr

from skyshard.basics.errors import UserError
from skyshard.bench.compare.comparability import Weight, differences
from skyshard.bench.compare.followed_queries import followed_queries
from skyshard.bench.compare.losses import Loss, Side, setbacks
from skyshard.bench.compare.machine_noise import machine_shifts
from skyshard.bench.record.latency_stats import statistic
from skyshard.bench.record.trial_folder import Trial
from skyshard.bench.record.trial_manifest import TrialManifest
from skyshard.catalog.strict_files import Strict

STEP_ALPHA = 0.05
"""Probability that a page without any real step shows one, over all its series."""
LEAST_PART = 2
"""Fewest values on each side of a step."""
MARGIN = 1.05
FAILURES = ("errors", "error_share", "wrong")
"""Statistics of what was not answered well: they are of all queries."""


class Point(Strict):
    """One trial."""

    trial: str
    started: str
    revision: str
    value: float
    n: int
    label: str = ""
    skyshard: str = ""

    @property
    def release(self) -> str:
        """For people: the label, else version and revision."""
        return self.label or f"{self.skyshard} {self.revision[:7]}".strip() or "unknown"


class TrendStep(Strict):
    """A change of level."""

    trial: str
    """The first trial of the new level."""
    revision: str
    before: float
    after: float
    p: float
    machine: float = 1.0
    """How many times as long the machine itself took after the step as before; 1 where it did not differ."""

    @property
    def is_slower(self) -> bool:
        return self.after > self.before


class TrendSeries(Strict):
    """One class in one phase over all trials that measured it."""

    phase: str
    class_name: str
    points: list[Point]
    steps: list[TrendStep]


class Trend(Strict):
    """``trend.json``."""

    version: Literal[1] = 1
    statistic: str
    series: list[TrendSeries]
    breaks: list[str]
    """Trials that are not comparable with the first: a step there is not due to the release."""
    why_not: dict[str, list[str]] = Field(default_factory=dict)
    """What differs, by trial."""
    losses: list[Loss] = Field(default_factory=list)
    """What the newest release no longer answers, or answers less often than the earlier ones."""
    notes: list[str] = Field(default_factory=list)
    """Queries that are not followed, since not all trials answered them."""

    @property
    def regressions(self) -> list[Loss]:
        return [one for one in self.losses if one.is_regression]


def trend_of(trials: Sequence[tuple[str, Trial]], name: str = "p50") -> Trend:
    """The trend of trials, given as (name, trial), in order of their start.

    Raises:
        UserError: fewer than two trials, or no class has enough samples for the statistic.
    """
    if len(trials) < 2:
        raise UserError("a trend needs at least two trials", remedy="name more trial folders")
    ordered = sorted(trials, key=lambda one: one[1].manifest.started)
    followed, notes = (ordered, []) if name in FAILURES else followed_queries(ordered)
    measured = {key: points for key in _classes(followed) if len(points := _points(key, followed, name)) > 1}
    manifests = {name: trial.manifest for name, trial in ordered}
    series = all_series(measured, manifests)
    losses = _losses([trial for _, trial in ordered])
    if not series and not losses:
        raise UserError(f"no class has enough samples for {name} in two trials", remedy="choose another --statistic")
    why_not = why_not_comparable(manifests)
    return Trend(
        statistic=name, series=series, breaks=list(why_not), why_not=why_not, losses=losses, notes=notes
    )  # fmt: skip


def all_series(
    measured: Mapping[tuple[str, str], list[Point]], manifests: Mapping[str, TrialManifest]
) -> list[TrendSeries]:
    """The series of all (phase, class) with their steps; the more there are, the stricter each test is."""
    return [_series(key, points, STEP_ALPHA / len(measured), manifests) for key, points in measured.items()]


def _losses(trials: Sequence[Trial]) -> list[Loss]:
    """Losses of the newest release against the earlier ones; of the last trial where all are of one release."""
    revisions = [trial.manifest.environment.revision for trial in trials]
    newest = next((i for i in range(len(trials) - 1, 0, -1) if revisions[i - 1] != revisions[-1]), len(trials) - 1)
    new, old = Side.of(trials[newest:]), Side.of(trials[:newest])
    keys = [(phase, class_name) for side in (old, new) for phase, class_name, _ in side.queries]
    return setbacks(new, old, list(dict.fromkeys(keys)))


def _classes(trials: Sequence[tuple[str, Trial]]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((one.phase, one.class_name) for _, trial in trials for one in trial.summary.classes))


def why_not_comparable(manifests: Mapping[str, TrialManifest]) -> dict[str, list[str]]:
    """For each trial that is not comparable with the first: what differs."""
    first, *others = manifests
    found = {name: differences([manifests[name]], [manifests[first]]) for name in others}
    broken = {name: [one.what for one in all_of if one.weight is Weight.BREAKS] for name, all_of in found.items()}
    return {name: facts for name, facts in broken.items() if facts}


def _points(key: tuple[str, str], trials: Sequence[tuple[str, Trial]], name: str) -> list[Point]:
    points = []
    for label, trial in trials:
        for one in trial.summary.classes:
            value = statistic(one, name) if (one.phase, one.class_name) == key else None
            if value is not None and value > 0:
                started = f"{trial.manifest.started:%Y-%m-%d %H:%M:%S}"
                revision = trial.manifest.environment.revision
                named = {"label": trial.manifest.label, "skyshard": trial.manifest.environment.skyshard}
                points.append(Point(trial=label, started=started, revision=revision, value=value, n=one.n, **named))
    return points


def _series(
    key: tuple[str, str], points: list[Point], alpha: float, manifests: Mapping[str, TrialManifest]
) -> TrendSeries:
    starts = [*release_starts([point.revision for point in points]), len(points)]
    parts = [points[first:last] for first, last in itertools.pairwise(starts)]
    found = find_steps(np.array([_median(part) for part in parts]), alpha)
    steps = [
        _step(points[starts[a] : starts[b]], points[starts[b] : starts[c]], p, manifests) for (a, b, c), p in found
    ]
    return TrendSeries(phase=key[0], class_name=key[1], points=points, steps=steps)


def release_starts(revisions: Sequence[str]) -> list[int]:
    """Indexes where runs of equal revisions begin; all indexes when there are too few runs to find a step.

    >>> release_starts(["a", "a", "b", "b", "c", "d", "d"]), release_starts(["a", "a", "b"])
    ([0, 2, 4, 5], [0, 1, 2])
    """
    starts = [i for i, one in enumerate(revisions) if not i or one != revisions[i - 1] or not one]
    return starts if len(starts) >= 2 * LEAST_PART else list(range(len(revisions)))


def _median(points: Sequence[Point]) -> float:
    return float(np.median([point.value for point in points]))


def _step(
    before: Sequence[Point], after: Sequence[Point], p: float, manifests: Mapping[str, TrialManifest]
) -> TrendStep:
    sides = [[manifests[point.trial] for point in side] for side in (after, before)]
    uneven = [shift.ratio for shift in machine_shifts(sides[0], sides[1]) if shift.differs]
    return TrendStep(
        trial=after[0].trial, revision=after[0].revision, before=_median(before), after=_median(after), p=p,
        machine=max(uneven, key=lambda ratio: max(ratio, 1 / ratio), default=1.0),
    )  # fmt: skip


def find_steps(
    values: NDArray[np.float64], alpha: float = STEP_ALPHA, margin: float = MARGIN
) -> list[tuple[tuple[int, int, int], float]]:
    """((first, place, last), p) of each step, in order: the level of [first, place) differs from that of [place, last).

    >>> [cut for cut, _ in find_steps(np.array([1, 1.01, 0.99, 1.0, 2.0, 2.01, 1.99, 2.0]))]
    [(0, 4, 8)]
    """
    logs = np.log(values)
    cuts, places = _levels(logs), max(1, len(logs) - 2 * LEAST_PART + 1)
    found = []
    while len(cuts) > 2:
        tested = [(_p_of(logs[a:b], logs[b:c]) * places, (a, b, c)) for a, b, c in _triples(cuts)]
        worst, (_, place, _) = max(tested)
        changes = [abs(np.median(logs[b:c]) - np.median(logs[a:b])) for a, b, c in _triples(cuts)]
        if worst < alpha and min(changes) > np.log(margin):
            found = [(cut, p) for p, cut in tested]
            break
        weakest = place if worst >= alpha else _triples(cuts)[int(np.argmin(changes))][1]
        cuts.remove(weakest)
    return found


def _triples(cuts: Sequence[int]) -> list[tuple[int, int, int]]:
    return list(zip(cuts[:-2], cuts[1:-1], cuts[2:], strict=True))


def _levels(logs: NDArray[np.float64]) -> list[int]:
    """Boundaries of the levels, including the ends: least deviation plus penalty, by dynamic programming."""
    count = len(logs)
    if count < 2 * LEAST_PART:
        return [0, count]
    noise = float(np.median(np.abs(np.diff(logs)))) / (0.6745 * np.sqrt(2)) or 1e-9
    price = 2 * noise * np.log(count)
    best, came_from = [0.0] + [np.inf] * count, [0] * (count + 1)
    for first in range(count - LEAST_PART + 1):
        for size, deviation in _deviations(logs[first:].tolist()):
            cost = best[first] + deviation + price
            if size >= LEAST_PART and cost < best[first + size]:
                best[first + size], came_from[first + size] = cost, first
    edges = [count]
    while edges[-1] > 0:
        edges.append(came_from[edges[-1]])
    return edges[::-1]


def _p_of(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Two-sided p of equal means: Student's t with the variance of both together."""
    if np.ptp(one) == 0 and np.ptp(other) == 0:
        return 0.0 if one[0] != other[0] else 1.0
    freedom = len(one) + len(other) - 2
    pooled = (np.square(one - one.mean()).sum() + np.square(other - other.mean()).sum()) / freedom
    effect = abs(one.mean() - other.mean()) / np.sqrt(pooled * (1 / len(one) + 1 / len(other)))
    return float(2 * stdtr(freedom, -effect))


def _deviations(values: Sequence[float]) -> Iterator[tuple[int, float]]:
    """Sum of the absolute deviations from the median, of the first value, the first two, and so on.

    The median need not be known: it is what the upper half has more than the lower one.

    >>> [deviation for _, deviation in _deviations([1, 4, 2, 9])]
    [0, 3, 3, 10]
    """
    ordered: list[float] = []
    for count, value in enumerate(values, 1):
        insort(ordered, value)
        half = count // 2
        yield count, sum(ordered[count - half :]) - sum(ordered[:half])
