"""Time for the driver: the wall clock, and a virtual clock for tests.

Times are seconds since the clock was made. While it measures, the bench reads no other clock.
"""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """The driver's clock."""

    def now(self) -> float:
        """Seconds since the clock was made; never decreases."""
        ...

    def wait_until(self, moment_s: float, stop: threading.Event) -> None:
        """Return at ``moment_s`` or when ``stop`` is set, whichever is first; at once when the moment has passed."""
        ...


class WallClock:
    """Real time, from the monotonic counter.

    ``epoch_s``: the ``time.time()`` that counts as zero; now if not given.
    """

    def __init__(self, epoch_s: float | None = None) -> None:
        now_s = time.time()
        self.epoch_s = now_s if epoch_s is None else epoch_s
        self._zero = time.perf_counter() - (now_s - self.epoch_s)

    def now(self) -> float:
        return time.perf_counter() - self._zero

    def wait_until(self, moment_s: float, stop: threading.Event) -> None:
        while (left_s := moment_s - self.now()) > 0:
            if stop.wait(left_s):
                return


class VirtualClock:
    """Time for tests with one client: waiting jumps to the moment, and a target may ``advance`` the clock."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def wait_until(self, moment_s: float, stop: threading.Event) -> None:
        self._now = max(self._now, moment_s)

    def advance(self, seconds: float) -> None:
        self._now += seconds
