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

from skyshard.bench.clock import WallClock
from skyshard.bench.drive.driver import Recording, phase_clients, run_phase, run_within
from skyshard.bench.drive.driver_processes import DriverProcesses, ProcessDriver, ThreadDriver, deal, wall_clock
from skyshard.bench.record.latency_stats import Summary
from skyshard.bench.record.trial_folder import validate_trial
from skyshard.bench.target import Answer, NullTarget, Target
from skyshard.bench.trial.run_trial import run_trial
from skyshard.bench.trial.trial_setup import TrialDriver, TrialEngines, TrialQueries, TrialRecord
from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.query_schedule import ClassSchedule, Query, build_schedule
from skyshard.bench.workload.query_template import read_template
from skyshard.bench.workload.workload import ClassLoad, Workload
from skyshard.errors import ClusterError
from skyshard.host.shipped_data import data_folder

FOLDER = data_folder("queries", "sql")
TEMPLATES = {"LV/object_by_id": read_template(FOLDER, "LV/object_by_id")}


def workload(*phases: dict[str, object], **more: object) -> Workload:
    content = {"version": 1, "name": "w", "description": "", "database": "d", "seed": 1, "check_answers": False}
    loads = [
        {"name": f"p{i}", "classes": [{"class": "LV", "templates": ["object_by_id"], "count": 20} | phase]}
        for i, phase in enumerate(phases)
    ]
    return Workload.model_validate(content | {"phases": loads} | more)


def schedule(loaded: Workload) -> list[list[ClassSchedule]]:
    return build_schedule(loaded, TEMPLATES, DataProfile.example(), 1)


def trial_of(loaded: Workload, target: Target, out: Path, processes: DriverProcesses | None = None) -> Summary:
    queries = TrialQueries(loaded, TEMPLATES, profile=DataProfile.example())
    return run_trial(queries, TrialEngines(target), TrialRecord(out), TrialDriver(processes)).summary


class Slow(NullTarget):
    """Takes half a second for every third query."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def run(self, sql: str, database: str) -> Answer:
        self.asked += 1
        if self.asked % 3 == 0:
            time.sleep(0.3)
        return super().run(sql, database)


class Exhausted(NullTarget):
    """Fails from the 25th query on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def run(self, sql: str, database: str) -> Answer:
        self.asked += 1
        if self.asked > 25:
            raise ClusterError("too many connections")
        return super().run(sql, database)


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
    loaded = workload({"arrivals": arrivals, "count": 60})
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
    """The first process that comes to its tenth query is killed there."""

    def __init__(self, mark: Path) -> None:
        super().__init__()
        self.mark, self.asked = mark, 0

    def run(self, sql: str, database: str) -> Answer:
        self.asked += 1
        if self.asked == 10 and not self.mark.exists():
            self.mark.touch()
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
        driver.run(schedule(workload({}))[0], Recording())
    driver.close()


@pytest.mark.timeout(60)
def test_of_a_process_that_dies_the_others_samples_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver process killed in a phase: the trial is kept as partial with the others' samples, and says why."""
    monkeypatch.syspath_prepend(Path(__file__).parents[4])  # whence a process that is spawned imports the target
    loaded = workload({"arrivals": {"loop": "open", "rate_per_s": 20, "clients": 2}, "count": 100}, {})
    processes = DriverProcesses(partial(Doomed, tmp_path / "mark"), 2)
    summary = trial_of(loaded, NullTarget(), tmp_path / "trial", processes)
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


def test_a_query_without_answer_in_time_is_a_timeout_and_the_client_goes_on() -> None:
    """Every third query hangs: it is a Timeout after 0.05 s, the others are answered, and none is lost."""
    loaded = workload({"timeout_s": 0.05, "count": 9})
    recording, stop = Recording(), threading.Event()
    run_phase(phase_clients(schedule(loaded)[0], Slow(), "d", WallClock(), recording, stop), stop)
    assert [s.error for s in recording.samples].count("Timeout") == 3
    assert [s.error for s in recording.samples].count(None) == 6
    assert all(s.last_row_s - s.sent_s < 0.25 for s in recording.samples)


def test_an_error_within_the_time_is_that_error() -> None:
    """A limit does not change what a target raises."""
    target = Exhausted()
    target.asked = 100
    with pytest.raises(ClusterError, match="too many connections"):
        run_within(target, "q", "d", 1.0)


@pytest.mark.timeout(20)
def test_phases_after_exhaustion_are_not_run(tmp_path: Path) -> None:
    """The second phase fails, the third is not sent; the summary says which, and why the trial fails."""
    loaded = workload({}, {}, {}, ends_at_failure=True)
    summary = trial_of(loaded, Exhausted(), tmp_path)
    assert summary.not_run == ["p2"]
    assert [one.phase for one in summary.classes] == ["p0", "p1"]
    assert summary.n == 40
    assert not summary.is_passed
    assert "Not run, since a phase before them failed: p2" in (tmp_path / "report.html").read_text()


def test_a_stall_shows_in_an_open_loop() -> None:
    """Real time: a target that stops for 0.5 s at 100/s moves the 95th percentile of latency, not of service time."""
    stalled = threading.Event()

    class Stalls(NullTarget):
        lock = threading.Lock()

        def run(self, sql: str, database: str) -> Answer:
            with self.lock:
                if not stalled.is_set():
                    stalled.set()
                    time.sleep(0.5)
            return super().run(sql, database)

    arrivals = {"loop": "open", "rate_per_s": 100, "process": "regular", "clients": 1}
    recording = Recording()
    ThreadDriver(Stalls(), "d", wall_clock()).run(schedule(workload({"arrivals": arrivals, "count": 80}))[0], recording)
    latency = np.array([s.last_row_s - s.intended_s for s in recording.samples])
    service = np.array([s.last_row_s - s.sent_s for s in recording.samples])
    assert np.percentile(latency, 90) > 0.25
    assert np.percentile(service, 90) < 0.25
