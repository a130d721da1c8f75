"""Was the machine itself as fast for both sides? The readings of the trials' machine probes, compared. No I/O.

A trial counts with the median of its readings. The sides differ where the ratio of their times is outside the margin,
and further from 1 than the spread between trials explains (Student's t, 95 %): what comes and goes in all trials is
part of their spread already, and is tested with it. By the largest such ratio, at the far end of its own interval,
every interval of the comparison becomes wider at both ends, since how much a class depends on processor, memory or
disk is not known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from skyshard.bench.record.trial_manifest import TrialManifest
from skyshard.catalog.strict_files import Strict

MACHINE_MARGIN = 1.05
"""Ratios of the probes' times between 1/margin and margin count as the same."""

Resource = Literal["processor", "memory", "disk"]
_KEYS: dict[Resource, str] = {"processor": "cpu_s", "memory": "memory_s", "disk": "disk_s"}


class MachineShift(Strict):
    """How fast one resource of the machine was for both sides."""

    resource: Resource
    new_s: float
    """Time of the probe, the geometric mean over trials."""
    old_s: float
    error: float | None
    """Half the 95 % interval of the logarithm of their ratio; None where one trial a side shows no spread."""

    @property
    def ratio(self) -> float:
        return self.new_s / self.old_s

    @property
    def farthest(self) -> float:
        """The end of the ratio's interval that is further from 1, as a factor of at least 1."""
        return float(np.exp(abs(np.log(self.ratio)) + (self.error or 0.0)))

    @property
    def differs(self) -> bool:
        shift = abs(float(np.log(self.ratio)))
        return shift > max(float(np.log(MACHINE_MARGIN)), self.error or 0.0)


def machine_shifts(new: Sequence[TrialManifest], old: Sequence[TrialManifest]) -> list[MachineShift]:
    """One for each resource that was read in every trial; none where a trial has no readings (those of 0.1.0)."""
    found = []
    for resource, key in _KEYS.items():
        sides = [_logs(side, key) for side in (new, old)]
        if all(len(logs) == len(side) for logs, side in zip(sides, (new, old), strict=True)):
            means = [float(np.exp(logs.mean())) for logs in sides]
            found.append(MachineShift(resource=resource, new_s=means[0], old_s=means[1], error=_error(*sides)))
    return found


def _logs(side: Sequence[TrialManifest], key: str) -> NDArray[np.float64]:
    """Logarithm of each trial's median reading, of those that have one."""
    times = [[value for one in trial.machine if (value := getattr(one, key)) is not None] for trial in side]
    return np.log([max(float(np.median(one)), 1e-9) for one in times if one])


def _error(new: NDArray[np.float64], old: NDArray[np.float64]) -> float | None:
    freedom = len(new) + len(old) - 2
    if not freedom:
        return None
    squares = sum(float(np.square(side - side.mean()).sum()) for side in (new, old))
    return float(stdtrit(freedom, 0.975) * np.sqrt(squares / freedom * (1 / len(new) + 1 / len(old))))


def largest_shift(shifts: Sequence[MachineShift]) -> float:
    """The factor, at least 1, by which intervals become wider.

    >>> largest_shift([MachineShift(resource="disk", new_s=1.0, old_s=1.25, error=None)]), largest_shift([])
    (1.25, 1.0)
    """
    return max((one.farthest for one in shifts if one.differs), default=1.0)


def machine_cautions(shifts: Sequence[MachineShift]) -> list[str]:
    """That the machine was not as fast for both sides, as a sentence."""
    if not (uneven := [one for one in shifts if one.differs]):
        return []
    named = ", ".join(f"{one.resource} {one.ratio:.3g} times as long" for one in uneven)
    widened = largest_shift(shifts)
    return [
        f"The machine itself was not as fast for both sides (a fixed piece of work: {named}). Intervals are wider by "
        f"{widened:.3g} times at both ends, and what is within that is not called a change. Run the trials of both "
        "sides in turns."
    ]
