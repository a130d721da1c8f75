"""Scans and short statements keep to different processors while both come."""

from __future__ import annotations

import os

import pytest

from skyshard.czar.scan.cpu_affinity import Processors
from skyshard.czar.scan.scan_throttle import Courtesy
from skyshard.host import process_tuning

MINE = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
pytestmark = pytest.mark.skipif(len(MINE) < 2, reason="needs two processors, and a system that lets threads be moved")


def test_a_thread_keeps_to_its_side_only_while_there_are_two() -> None:
    """Work for the czar leaves the scans' side, comes back with all processors, and is nowhere moved without need."""
    processors = Processors()
    with processors.seat():
        assert os.sched_getaffinity(0) == MINE
    processors.part()
    with processors.seat():
        inside = os.sched_getaffinity(0)
        with processors.seat():
            assert os.sched_getaffinity(0) == inside
        assert os.sched_getaffinity(0) == inside
    assert inside < MINE
    assert len(inside) == max(1, len(MINE) // 4)
    assert os.sched_getaffinity(0) == MINE
    processors.join()
    with processors.seat():
        assert os.sched_getaffinity(0) == MINE


def test_sides_part_when_a_statement_comes_beside_a_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    """A visit alone, or a scan alone, changes nothing; both at once do."""
    monkeypatch.setattr(process_tuning, "_is_allowed", True)
    courtesy = Courtesy()
    with courtesy.visit():
        assert not courtesy.processors.is_parted
    with courtesy.unit():
        with courtesy.visit():
            assert courtesy.processors.is_parted
            assert os.sched_getaffinity(0) < MINE
        assert courtesy.processors.is_parted


def test_thread_of_a_program_stays_where_it_is_unless_that_allows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who uses the library keeps the processors of the thread that asks, whatever scans do."""
    monkeypatch.setattr(process_tuning, "_is_allowed", False)
    courtesy = Courtesy()
    courtesy.processors.part()
    with courtesy.visit(), courtesy.processors.seat_caller():
        assert os.sched_getaffinity(0) == MINE
