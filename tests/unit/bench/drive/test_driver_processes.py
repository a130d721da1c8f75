"""A schedule dealt to processes, and an open loop that stalls."""

from __future__ import annotations

import threading
import time

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.support.lv_workloads import lv_schedule, lv_workload

from skyshard.bench.drive.driver import Recording
from skyshard.bench.drive.driver_processes import ThreadDriver, deal, wall_clock
from skyshard.bench.target import NullTarget, TargetAnswer
from skyshard.bench.workload.query_schedule import ClassSchedule, Query
from skyshard.bench.workload.workload import ClassLoad


@given(st.integers(1, 9), st.lists(st.tuples(st.integers(1, 12), st.integers(0, 30)), min_size=1, max_size=4))
def test_every_query_and_every_client_is_in_exactly_one_share(seats: int, classes: list[tuple[int, int]]) -> None:
    """Dealing loses nothing and doubles nothing, and no share has queries without a client."""
    phase = []
    for number, (clients, count) in enumerate(classes):
        load = {
            "class": f"C{number}",
            "templates": ["a"],
            "arrivals": {"loop": "closed", "clients": clients},
            "count": 1,
        }
        queries = tuple(Query("a", f"{number}/{i}") for i in range(count))
        phase.append(ClassSchedule("p", ClassLoad.model_validate(load), queries))
    shares = [one for share in deal(phase, seats) for one in share]
    assert sorted(q.sql for one in shares for q in one.queries) == sorted(q.sql for one in phase for q in one.queries)
    for one in phase:
        mine = [share.load.arrivals.clients for share in shares if share.load.class_name == one.load.class_name]
        assert sum(mine) == one.load.arrivals.clients
        assert min(mine) >= 1


def test_a_stall_shows_in_an_open_loop() -> None:
    """Real time: a target that stops for 0.5 s at 100/s: those that were due meanwhile waited, and were served as fast.

    However slow the machine is: one client cannot send them before, nor serve two at a time.
    """
    stalled = threading.Event()

    class Stalls(NullTarget):
        lock = threading.Lock()

        def run(self, sql: str, database: str) -> TargetAnswer:
            with self.lock:
                if not stalled.is_set():
                    stalled.set()
                    time.sleep(0.5)
            return super().run(sql, database)

    arrivals = {"loop": "open", "rate_per_s": 100, "process": "regular", "clients": 1}
    recording, clock = Recording(), wall_clock()
    begun_s = clock.now()
    ThreadDriver(Stalls(), "d", clock).run(lv_schedule(lv_workload({"arrivals": arrivals, "count": 80}))[0], recording)
    elapsed_s = clock.now() - begun_s
    latency = np.array([s.last_row_s - s.intended_s for s in recording.samples])
    service = np.array([s.last_row_s - s.sent_s for s in recording.samples])
    assert np.percentile(latency, 90) > 0.25
    assert np.mean(latency - service) > 0.15
    assert np.sum(service) <= elapsed_s
