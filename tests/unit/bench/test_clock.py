"""Time for the driver."""

from __future__ import annotations

import threading
import time

from skyshard.bench.clock import VirtualClock, WallClock


def test_a_wall_clock_counts_from_its_epoch() -> None:
    """Clocks of one epoch in different processes agree, to what passes meanwhile; one without counts from now."""
    begun_s = time.time()
    first, second = WallClock(begun_s - 100.0), WallClock(begun_s - 100.0)
    fresh = WallClock()
    told = first.now(), second.now(), fresh.now()
    passed_s = time.time() - begun_s + 0.01
    assert abs(told[0] - 100.0) < passed_s
    assert abs(told[0] - told[1]) < passed_s
    assert 0 <= told[2] < passed_s


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
