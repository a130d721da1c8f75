"""Which share of a disk's rate scans reach, from cold trials beside warm ones. No I/O."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skyshard.bench.model.hardware import Hardware
from skyshard.bench.model.observations import Observation
from skyshard.bench.model.work import Reach

LEAST_COLD_BYTES = 20e6
"""Cold scans of less say nothing about the rate of a disk."""
BUSY = 1.5
"""Elapsed over processor time from which a machine did other work, too."""
HIDDEN = 1.2
"""Cold over warm time up to which the disk does not decide."""


def disk_efficiency(observations: Sequence[Observation], measured_on: Hardware | None) -> float | None:
    """Share of the disk's rate that cold scans reached, at most 1; None without cold scans that are large enough.

    Reading goes on beside the work, so a cold scan's time is the disk's, unless the same scan takes as long warm. Where
    the machine did other work, too, that is in both times: there the difference is the disk's. The median counts.
    """
    if measured_on is None:
        return None
    warm: dict[tuple[str, float], list[float]] = {}
    for one in observations:
        if not one.is_cold:
            warm.setdefault((one.template, one.demand.bytes), []).append(one.elapsed_s)
    shares = []
    for one in observations:
        is_scan = one.is_cold and one.work.reach is Reach.SKY and len(one.work.tables) == 1
        if is_scan and one.demand.bytes >= LEAST_COLD_BYTES:
            warm_s = float(np.median(warm.get((one.template, one.demand.bytes), [0.0])))
            is_busy = one.stretch > BUSY
            disk_s = one.elapsed_s - (warm_s if is_busy else 0.0)
            rate = one.demand.bytes / one.nodes / max(disk_s, 1e-9)
            is_hidden = one.elapsed_s <= HIDDEN * warm_s
            shares.append(1.0 if is_hidden else min(1.0, rate / (measured_on.disk_mb_per_s * 1e6)))
    return float(np.median(shares)) if shares else None
