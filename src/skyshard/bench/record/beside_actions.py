"""What ran beside visits, such as a scan or the drop of a month (``beside.json``), and what it cost them. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skyshard.bench.record.visit_times import VisitTimes
from skyshard.catalog.strict_files import Strict

Mask = NDArray[np.bool_]
LEAST_VISITS = 3
"""Visits on either side from which an effect is told."""


class BesideAction(Strict):
    """One action; times are seconds since the trial began."""

    name: str
    begun_s: float
    ended_s: float
    rows: int = 0
    """Read or changed."""
    error: str = ""
    """Why it failed; empty: it did not."""


class BesideActions(Strict):
    """``beside.json``."""

    version: Literal[1] = 1
    actions: list[BesideAction]


class BesideEffect(Strict):
    """All actions of one name in one phase."""

    name: str
    actions: int
    failed: int
    rows: int
    mean_s: float
    during: int
    """Visits that ran while one did."""
    during_s: float | None
    """Their median real time; None below three."""
    around_s: float | None
    """Median of as many visits right before and after each, beside which nothing ran; None below three."""

    @property
    def ratio(self) -> float | None:
        return self.during_s / self.around_s if self.during_s and self.around_s else None


def beside_effects(actions: Sequence[BesideAction], times: VisitTimes) -> list[BesideEffect]:
    """The effect of each kind of action on the visits of a phase, in order of their first."""
    begun, ended = times.begun_s, times.begun_s + times.whole.real_s
    if not len(begun):
        return []
    overlaps: NDArray[np.bool_] = np.array([(begun < one.ended_s) & (ended > one.begun_s) for one in actions]).reshape(
        -1, len(begun)
    )
    is_free = np.asarray(~overlaps.any(axis=0))
    found = []
    for name in dict.fromkeys(one.name for one in actions):
        mine = [place for place, one in enumerate(actions) if one.name == name]
        during = overlaps[mine].any(axis=0)
        around = np.zeros(len(begun), bool)
        for place in mine:
            around |= _neighbours(overlaps[place, :], is_free)
        kept = [actions[place] for place in mine]
        found.append(
            BesideEffect(
                name=name, actions=len(mine), failed=sum(bool(one.error) for one in kept),
                rows=sum(one.rows for one in kept), mean_s=float(np.mean([one.ended_s - one.begun_s for one in kept])),
                during=int(during.sum()), during_s=_median(times.whole.real_s[during]),
                around_s=_median(times.whole.real_s[around]),
            )
        )  # fmt: skip
    return found


def _neighbours(mine: Mask, is_free: Mask) -> np.ndarray:
    """As many free visits before an action's as it has itself, and as many after."""
    found: Mask = np.zeros(len(mine), bool)
    places = np.flatnonzero(mine)
    if len(places):
        free = np.flatnonzero(is_free)
        found[free[free < places[0]][-len(places) :]] = True
        found[free[free > places[-1]][: len(places)]] = True
    return found


def _median(values: np.ndarray) -> float | None:
    return float(np.median(values)) if len(values) >= LEAST_VISITS else None
