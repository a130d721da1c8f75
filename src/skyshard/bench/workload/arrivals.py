"""When queries are due: seconds since the start of a phase, fixed before it begins. No I/O, no clock.

An open loop's due times do not depend on the answers, so the latency of a stalled target includes the time that queries
waited. A closed loop's client sends its next query after its answer and its think time.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Process = Literal["poisson", "regular"]


def due_times(process: Process, rate_per_s: float, count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """Due times of ``count`` queries at a mean rate, non-decreasing; a regular process starts at 0."""
    if process == "regular":
        return np.arange(count, dtype=np.float64) / rate_per_s
    return np.cumsum(random.exponential(1.0 / rate_per_s, count))


def due_times_within(
    process: Process, rate_per_s: float, duration_s: float, random: np.random.Generator
) -> NDArray[np.float64]:
    """All due times in [0, ``duration_s``)."""
    expected = rate_per_s * duration_s
    times = due_times(process, rate_per_s, math.ceil(expected + 8 * math.sqrt(expected) + 16), random)
    return times[times < duration_s]


def client_starts(clients: int, ramp_s: float) -> NDArray[np.float64]:
    """When each client of a closed loop starts: spread evenly over [0, ``ramp_s``)."""
    return np.arange(clients, dtype=np.float64) * (ramp_s / clients)


def next_due(answered_s: float, think_time_s: float) -> float:
    """When a closed loop's client sends its next query."""
    return answered_s + think_time_s
