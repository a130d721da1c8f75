"""Clients in several processes, timeouts, and phases that end at a failure."""

from __future__ import annotations

import os
import signal
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.lv_workloads import lv_schedule, lv_workload, trial_of

from skyshard.basics.errors import ClusterError
from skyshard.bench.drive.driver import Recording
from skyshard.bench.drive.driver_processes import DriverProcesses, ProcessDriver, ThreadDriver, deal, wall_clock
from skyshard.bench.record.trial_folder import validate_trial
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


@pytest.mark.timeout(60)
def test_clients_in_processes_send_the_whole_schedule(tmp_path: Path) -> None:
    """Two processes: as many samples as the schedule has, from both, on one clock, and the folder is valid."""
    arrivals = {"loop": "open", "rate_per_s": 200, "clients": 4}
    loaded = lv_workload({"arrivals": arrivals, "count": 60})
    trial_of(loaded, NullTarget(), tmp_path, DriverProcesses(NullTarget, 2))
    trial = validate_trial(tmp_path)
    assert trial.samples.num_rows == 60
    assert set(trial.samples["process"].to_pylist()) == {0, 1}
    assert min(trial.samples["sent_s"].to_numpy() - trial.samples["intended_s"].to_numpy()) >= 0
    assert trial.manifest.driver == {"runtime": "processes", "processes": 2}


@pytest.mark.timeout(60)
def test_a_process_that_cannot_open_its_target_says_why() -> None:
    """The error of the opener comes out, and no process is left."""
    with pytest.raises(ClusterError, match="could not open its target"):
        ProcessDriver(DriverProcesses(broken, 1), "d", wall_clock())


class Doomed(NullTarget):
    """The first process that comes to its tenth query is killed there, when another one has come as far."""

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self.mark, self.asked = mark, 0

    def run(self, sql: str, database: str) -> TargetAnswer:
        self.asked += 1
        if self.asked == 10:
            others = self.mark.with_name("others")
            try:
                self.mark.touch(exist_ok=False)
            except FileExistsError:
                others.touch()
            else:
                while not others.exists():
                    time.sleep(0.01)
                os.kill(os.getpid(), signal.SIGKILL)
        return super().run(sql, database)


@pytest.mark.timeout(60)
def test_no_process_left_is_no_trial() -> None:
    """All samples are lost: one error that says so, and nothing hangs."""
    before = set(psutil.Process().children())
    driver = ProcessDriver(DriverProcesses(NullTarget, 1), "d", wall_clock())
    for child in set(psutil.Process().children()) - before:
        child.kill()
    with pytest.raises(ClusterError, match="every driver process died: no sample is left; run the trial again"):
        driver.run(lv_schedule(lv_workload({}))[0], Recording())
    driver.close()


@pytest.mark.timeout(60)
def test_of_a_process_that_dies_the_others_samples_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver process killed in a phase: the trial is kept as partial with the others' samples, and says why."""
    monkeypatch.syspath_prepend(Path(__file__).parents[4])  # whence a process that is spawned imports the target
    loaded = lv_workload({"arrivals": {"loop": "open", "rate_per_s": 40, "clients": 2}, "count": 100}, {})
    processes = DriverProcesses(partial(Doomed, tmp_path / "mark"), 2)
    summary = trial_of(loaded, NullTarget(), tmp_path / "trial", processes, has_page=True)
    trial = validate_trial(tmp_path / "trial")
    assert len(set(trial.samples["process"].to_pylist())) == 1
    assert 5 < trial.samples.num_rows < 60
    assert (summary.is_partial, summary.is_passed) == (True, False)
    assert summary.lost == "1 of 2 driver processes died in phase p0"
    assert (
        "Stopped early since 1 of 2 driver processes died in phase p0" in (tmp_path / "trial" / "report.md").read_text()
    )


def broken() -> NullTarget:
    raise RuntimeError("boom")


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
