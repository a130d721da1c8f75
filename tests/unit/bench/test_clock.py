"""Time for the driver."""

from __future__ import annotations

import threading
import time

from skyshard.bench.clock import VirtualClock, WallClock


def test_a_wall_clock_counts_from_its_epoch() -> None:
    """Clocks of one epoch in different processes agree; one without counts from now."""
    epoch_s = time.time() - 100.0
    first, second = WallClock(epoch_s), WallClock(epoch_s)
    assert abs(first.now() - 100.0) < 5.0
    assert abs(first.now() - second.now()) < 0.1
    assert WallClock().now() < 5.0


def test_waiting_ends_at_the_moment_or_when_it_is_stopped() -> None:
    """A moment that has passed is not waited for; a stop ends a wait of an hour at once."""
    clock, stop = WallClock(), threading.Event()
    clock.wait_until(clock.now() - 1.0, stop)
    before = clock.now()
    clock.wait_until(before + 0.02, stop)
    assert clock.now() >= before + 0.02
    stop.set()
    clock.wait_until(clock.now() + 3600.0, stop)


def test_a_virtual_clock_moves_only_when_told() -> None:
    """Waiting jumps to the moment and never goes back."""
    clock, stop = VirtualClock(), threading.Event()
    clock.wait_until(5.0, stop)
    clock.wait_until(3.0, stop)
    assert clock.now() == 5.0
    clock.advance(1.5)
    assert clock.now() == 6.5
