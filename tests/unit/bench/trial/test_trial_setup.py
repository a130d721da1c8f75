"""What makes a trial."""

from __future__ import annotations

from tests.support.lv_workloads import TEMPLATES, lv_workload

from skyshard.bench.drive.driver_processes import DriverProcesses
from skyshard.bench.target import NullTarget
from skyshard.bench.trial.trial_setup import TrialDriver, TrialQueries


def test_database_and_seed_are_the_workloads_unless_others_are_given() -> None:
    """Seed 0 is a seed."""
    workload = lv_workload({})
    assert (TrialQueries(workload, TEMPLATES).database, TrialQueries(workload, TEMPLATES).seed) == ("d", 1)
    other = TrialQueries(workload, TEMPLATES, "sky", 0)
    assert (other.database, other.seed) == ("sky", 0)


def test_the_manifest_says_who_drove() -> None:
    """Threads of one process, or so many processes of a runtime."""
    assert TrialDriver().facts == {"runtime": "threads", "processes": 1}
    assert TrialDriver(DriverProcesses(NullTarget, 3, "ray")).facts == {"runtime": "ray", "processes": 3}
