"""Scans and short statements keep to different processors while both come."""

from __future__ import annotations

import os

import pytest

from skyshard.czar.scan.cpu_affinity import Processors
from skyshard.czar.scan.scan_throttle import ScanThrottle
from skyshard.host import process_tuning

MINE = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
pytestmark = pytest.mark.skipif(len(MINE) < 2, reason="needs two processors, and a system that lets threads be moved")


def test_a_thread_keeps_to_its_side_only_while_there_are_two() -> None:
    """Work for the czar leaves the scans' side, comes back with all processors, and is nowhere moved without need."""
    processors = Processors()
    with processors.keep_apart():
        assert os.sched_getaffinity(0) == MINE
    processors.separate()
    with processors.keep_apart():
        inside = os.sched_getaffinity(0)
        with processors.keep_apart():
            assert os.sched_getaffinity(0) == inside
        assert os.sched_getaffinity(0) == inside
    assert inside < MINE
    assert len(inside) == max(1, len(MINE) // 4)
    assert os.sched_getaffinity(0) == MINE
    processors.share()
    with processors.keep_apart():
        assert os.sched_getaffinity(0) == MINE


def test_sides_part_when_a_statement_comes_beside_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """A visit alone, or a scan alone, changes nothing; both at once do."""
    monkeypatch.setattr(process_tuning, "_is_allowed", True)
    throttle = ScanThrottle()
    with throttle.interactive():
        assert not throttle.processors.is_apart
    with throttle.unit():
        with throttle.interactive():
            assert throttle.processors.is_apart
            assert os.sched_getaffinity(0) < MINE
        assert throttle.processors.is_apart


def test_thread_of_a_program_stays_where_it_is_unless_that_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who uses the library keeps the processors of the thread that asks, whatever scans do."""
    monkeypatch.setattr(process_tuning, "_is_allowed", False)
    throttle = ScanThrottle()
    throttle.processors.separate()
    with throttle.interactive(), throttle.processors.keep_caller_apart():
        assert os.sched_getaffinity(0) == MINE
