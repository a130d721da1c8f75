"""Scans step aside for interactive statements, and never stand still."""

from __future__ import annotations

import threading

from skyshard.czar.scan.scan_throttle import ScanThrottle


def begin(throttle: ScanThrottle) -> tuple[threading.Event, threading.Event, threading.Thread]:
    """A unit on a thread of its own: whether it has begun, and what ends it."""
    begun, end = threading.Event(), threading.Event()

    def run() -> None:
        with throttle.unit():
            begun.set()
            end.wait(60)

    thread = threading.Thread(target=run)
    thread.start()
    return begun, end, thread


def test_one_processor_is_left_while_an_interactive_statement_runs() -> None:
    """Of two processors one unit takes one; the other unit begins when the visit is over."""
    throttle = ScanThrottle(2)
    with throttle.interactive():
        first, end_first, one = begin(throttle)
        assert first.wait(60)
        second, end_second, two = begin(throttle)
        assert not second.wait(0.1)
    assert second.wait(60)
    end_first.set()
    end_second.set()
    one.join()
    two.join()


def test_units_run_one_after_another_on_one_processor() -> None:
    """Where there is a single processor, a unit runs whatever comes, and the next one after it."""
    throttle = ScanThrottle(1)
    with throttle.interactive():
        first, end_first, one = begin(throttle)
        second, end_second, two = begin(throttle)
        assert any(one.wait(0.01) for _ in range(6000) for one in (first, second))
        end_first.set()
        end_second.set()
        assert first.wait(60)
        assert second.wait(60)
    one.join()
    two.join()


def test_without_visits_all_units_run() -> None:
    """A host that only scans uses all its processors."""
    throttle = ScanThrottle(2)
    units = [begin(throttle) for _ in range(4)]
    assert all(begun.wait(60) for begun, _, _ in units)
    for _, end, thread in units:
        end.set()
        thread.join()
