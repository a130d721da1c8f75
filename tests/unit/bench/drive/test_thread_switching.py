"""The interpreter's switch interval is a setting of the process, and nothing of a library's."""

from __future__ import annotations

import sys

import pytest
from tests.support.lv_workloads import lv_schedule, lv_workload

from skyshard.bench.drive.driver import Recording
from skyshard.bench.drive.driver_processes import ThreadDriver, wall_clock
from skyshard.bench.drive.thread_switching import SWITCH_S, quick_switching
from skyshard.bench.target import NullTarget, TargetAnswer


def test_switching_is_quick_inside_and_as_before_after() -> None:
    """Also when the block fails."""
    before = sys.getswitchinterval()

    def look() -> None:
        assert sys.getswitchinterval() == pytest.approx(SWITCH_S)
        raise RuntimeError

    with pytest.raises(RuntimeError), quick_switching():
        look()
    assert sys.getswitchinterval() == before


def test_threads_that_drive_leave_the_process_as_it_is() -> None:
    """Whoever runs a trial in a process of its own has other threads too."""
    seen: set[float] = set()

    class Looking(NullTarget):
        def run(self, sql: str, database: str) -> TargetAnswer:
            seen.add(sys.getswitchinterval())
            return super().run(sql, database)

    ThreadDriver(Looking(), "d", wall_clock()).run(lv_schedule(lv_workload({"count": 3}))[0], Recording())
    assert seen == {sys.getswitchinterval()}
