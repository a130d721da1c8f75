"""Clients in several processes: one clock, one schedule, and what is kept when processes die."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import psutil
import pytest
from tests.support.lv_workloads import lv_schedule, lv_workload, trial_of

from skyshard.basics.errors import ClusterError
from skyshard.bench.drive.driver import Recording
from skyshard.bench.drive.driver_processes import DriverProcesses, ProcessDriver, wall_clock
from skyshard.bench.record.trial_folder import validate_trial
from skyshard.bench.target import NullTarget, TargetAnswer


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


def test_no_process_left_is_no_trial() -> None:
    """All samples are lost: one error that says so, and nothing hangs."""
    before = set(psutil.Process().children())
    driver = ProcessDriver(DriverProcesses(NullTarget, 1), "d", wall_clock())
    for child in set(psutil.Process().children()) - before:
        child.kill()
    with pytest.raises(ClusterError, match="every driver process died: no sample is left; run the trial again"):
        driver.run(lv_schedule(lv_workload({}))[0], Recording())
    driver.close()


def test_of_a_process_that_dies_the_others_samples_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A driver process killed in a phase: the trial is kept as partial with the others' samples, and says why."""
    monkeypatch.syspath_prepend(Path(__file__).parents[2])  # whence a process that is spawned imports the target
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


LEFT_ALONE = """
import signal
from skyshard.bench.drive.driver_processes import DriverProcesses, ProcessDriver, wall_clock
from skyshard.bench.target import NullTarget

if __name__ == "__main__":
    driver = ProcessDriver(DriverProcesses(NullTarget, 2), "d", wall_clock())
    print("open", flush=True)
    signal.pause()
"""


def test_driver_processes_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    """They wait for work on a pipe of which each holds both ends: none would hear that nobody is left."""
    program = tmp_path / "left_alone.py"
    program.write_text(LEFT_ALONE)
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "open\n"
        processes = psutil.Process(running.pid).children()
        running.kill()
    assert len(processes) >= 2
    _, alive = psutil.wait_procs(processes, timeout=60)
    for one in alive:
        one.kill()
    assert not alive


def broken() -> NullTarget:
    raise RuntimeError("boom")
