"""Events come at their time, are undone whatever happens, and what goes wrong is in their record."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from skyshard.basics.errors import ClusterError
from skyshard.bench.clock import WallClock
from skyshard.bench.drive.fault_course import FaultCourse
from skyshard.bench.workload.fault_scenario import read_scenario
from skyshard.bench.workload.planned_faults import PlannedFault, plan_faults
from skyshard.bench.workload.workload import Workload

COUNTED = Workload.model_validate(
    {
        "version": 1, "name": "w", "description": "", "database": "d", "seed": 1,
        "phases": [{"name": "one", "classes": [{"class": "LV", "templates": ["a"], "count": 10}]}],
    }
)  # fmt: skip


class NotedFaults:
    """Has no fault, and notes what it is told."""

    def __init__(self, *, fails: str | tuple[str, ...] = "") -> None:
        self.told: list[str] = []
        self.fails = fails
        self.lacks = ""
        self.is_on = threading.Event()

    def begin(self, fault: PlannedFault) -> str:
        self.is_on.set()
        self._tell(f"begin {fault.label}")
        return "it"

    def end(self, fault: PlannedFault) -> None:
        self._tell(f"end {fault.label}")

    def _tell(self, words: str) -> None:
        self.told.append(words)
        if self.fails and words.startswith(self.fails):
            raise ClusterError("no way", remedy="none")

    def seen(self, fault: PlannedFault) -> tuple[float | None, float | None]:
        return 0.25, None

    def level(self) -> str:
        return self.lacks


def course(folder: Path, host: NotedFaults, *events: dict[str, Any]) -> FaultCourse:
    file = folder / "s.yaml"
    file.write_text(yaml.safe_dump({"version": 1, "name": "s", "description": "", "events": list(events)}))
    planned = plan_faults(read_scenario(str(file)), COUNTED, {"node1": 1, "node2": 1}, 2)
    return FaultCourse(planned, host, WallClock())


def wait_for(condition: Callable[[], object]) -> None:
    while not condition():
        time.sleep(0.001)


def test_an_event_comes_with_its_query_and_is_undone_at_the_end(tmp_path: Path) -> None:
    """Not before the third query has ended."""
    host, ended = NotedFaults(), [2]
    running = course(tmp_path, host, {"do": "kill", "node": "node1", "at_query": 3})
    with running.during(COUNTED.phases[0], lambda: ended[0]):
        time.sleep(0.05)
        assert host.told == []
        ended[0] = 3
        host.is_on.wait()
    running.close()
    running.take_seen()
    assert host.told == ["begin kill node1", "end kill node1"]
    (record,) = running.end.events
    assert (record.detail, record.noticed_s, record.ended_s) == ("it", 0.25, None)
    assert record.begun_s is not None
    assert running.failures == []
    assert running.end.whole_at_s is None  # it lasted to the end


def test_a_fault_of_a_share_is_undone_within_the_phase(tmp_path: Path) -> None:
    """At half of the queries, for three of ten."""
    host, ended = NotedFaults(), [5]
    running = course(tmp_path, host, {"do": "stop", "node": "node1", "at_share": 0.5, "for_share": 0.3})
    with running.during(COUNTED.phases[0], lambda: ended[0]):
        host.is_on.wait()
        time.sleep(0.05)
        assert host.told == ["begin stop node1"]
        ended[0] = 8
        wait_for(lambda: len(host.told) == 2)
    running.close()
    (record,) = running.end.events
    assert record.ended_s is not None
    assert running.end.whole_at_s == record.ended_s


def test_an_event_that_is_not_due_by_the_end_of_its_phase_never_comes(tmp_path: Path) -> None:
    """And the trial says so."""
    host = NotedFaults()
    running = course(tmp_path, host, {"do": "kill", "node": "node1", "at_share": 0.9})
    with running.during(COUNTED.phases[0], lambda: 5):
        pass
    running.close()
    assert host.told == []
    assert running.failures == ["event 1 (kill node1) never came: phase one had ended at 90 %"]


def test_a_fault_that_fails_is_undone_all_the_same_and_one_that_stays_is_said(tmp_path: Path) -> None:
    """What half of it has done is taken back."""
    both = "no way; none; not undone: no way; none"
    for fails, words in (("begin", "no way; none"), ("end", "not undone: no way; none"), (("begin", "end"), both)):
        host = NotedFaults(fails=fails)
        running = course(tmp_path, host, {"do": "kill", "node": "node1"})
        with running.during(COUNTED.phases[0], lambda: 0):
            host.is_on.wait()
        running.close()
        assert host.told == ["begin kill node1", "end kill node1"]
        assert running.failures == [f"event 1 (kill node1): {words}"]


def test_verifications_and_repairs_come_one_after_another_and_a_repair_ends_damages(tmp_path: Path) -> None:
    """The second waits for the first; the damage is over when the level is whole."""
    host = NotedFaults()
    events: list[dict[str, Any]] = [
        {"do": "corrupt", "node": "node1"},
        {"do": "verify", "at_query": 2},
        {"do": "repair", "at_query": 3},
    ]
    running = course(tmp_path, host, *events)
    ended = [1]
    with running.during(COUNTED.phases[0], lambda: ended[0]):
        host.is_on.wait()
        ended[0] = 10
        wait_for(lambda: len(host.told) == 3)
    running.close()
    assert host.told == ["begin corrupt node1", "begin verify", "begin repair", "end corrupt node1"]
    damage, _, repair = running.end.events
    assert damage.ended_s is not None
    assert repair.ended_s is not None
    assert damage.ended_s >= repair.ended_s
    assert running.end.whole_at_s == damage.ended_s


@pytest.mark.parametrize(
    ("third", "is_whole"), [({"do": "verify"}, True), ({"do": "kill", "node": "node2"}, False)], ids=["whole", "again"]
)
def test_a_dead_node_that_was_made_up_for_keeps_no_chunk_below_its_level(
    third: dict[str, Any], is_whole: bool, tmp_path: Path
) -> None:
    """Chunks are whole since the fill, though the node is dead; one that dies after it counts again."""
    host, ended = NotedFaults(), [1]
    events: list[dict[str, Any]] = [{"do": "kill", "node": "node1"}, {"do": "fill", "at_query": 2}]
    running = course(tmp_path, host, *events, {"at_query": 4, **third})
    with running.during(COUNTED.phases[0], lambda: ended[0]):
        wait_for(lambda: len(host.told) == 1)
        ended[0] = 2
        wait_for(lambda: len(host.told) == 2)
        ended[0] = 10
        wait_for(lambda: len(host.told) == 3)
    running.close()
    records = running.end.events
    assert [one.error for one in records] == ["", "", ""]
    last = max(one.ended_s for one in records if one.ended_s is not None)
    assert running.end.whole_at_s == (last if is_whole else None)
