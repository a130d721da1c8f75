"""A clock that stands still while caches are emptied."""

import threading

from skyshard.bench.clock import VirtualClock
from skyshard.scenarios.cold_target import StoppableClock


def test_what_happens_while_the_clock_stands_takes_no_time() -> None:
    """Five seconds of work between stop and go_on are not seen, before and after them time goes on."""
    inner = VirtualClock()
    clock = StoppableClock(inner)
    inner.advance(2)
    clock.stop()
    inner.advance(5)
    assert clock.now() == 2
    clock.go_on()
    assert clock.now() == 2
    inner.advance(1)
    assert clock.now() == 3


def test_waiting_ends_at_the_moment_of_the_stopped_clock() -> None:
    """A query due at 10 is sent at 10, though the real clock shows more."""
    inner = VirtualClock()
    clock = StoppableClock(inner)
    clock.stop()
    inner.advance(5)
    clock.go_on()
    clock.wait_until(10, threading.Event())
    assert clock.now() == 10
    assert inner.now() == 15
