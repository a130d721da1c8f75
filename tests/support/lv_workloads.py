"""Small workloads of one class, and trials of them against targets that are not there."""

from __future__ import annotations

from pathlib import Path

from skyshard.basics.errors import ClusterError
from skyshard.bench.drive.driver_processes import DriverProcesses
from skyshard.bench.record.latency_stats import TrialSummary
from skyshard.bench.target import NullTarget, Target, TargetAnswer
from skyshard.bench.trial.run_trial import run_trial
from skyshard.bench.trial.trial_setup import TrialDriver, TrialEngines, TrialQueries, TrialRecord
from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.query_schedule import ClassSchedule, build_schedule
from skyshard.bench.workload.query_template import read_template
from skyshard.bench.workload.workload import Workload
from skyshard.host.shipped_data import data_folder

FOLDER = data_folder("queries", "sql")

TEMPLATES = {"LV/object_by_id": read_template(FOLDER, "LV/object_by_id")}


def lv_workload(*phases: dict[str, object], **more: object) -> Workload:
    content = {"version": 1, "name": "w", "description": "", "database": "d", "seed": 1, "check_answers": False}
    loads = [
        {"name": f"p{i}", "classes": [{"class": "LV", "templates": ["object_by_id"], "count": 20} | phase]}
        for i, phase in enumerate(phases)
    ]
    return Workload.model_validate(content | {"phases": loads} | more)


def lv_schedule(loaded: Workload) -> list[list[ClassSchedule]]:
    return build_schedule(loaded, TEMPLATES, DataProfile.example(), 1)


def trial_of(
    loaded: Workload, target: Target, out: Path, processes: DriverProcesses | None = None, *, has_page: bool = False
) -> TrialSummary:
    """A trial; its page is drawn only where a test looks at it."""
    queries = TrialQueries(loaded, TEMPLATES, profile=DataProfile.example())
    record = TrialRecord(out, is_brief=not has_page)
    return run_trial(queries, TrialEngines(target), record, TrialDriver(processes)).summary


class Exhausted(NullTarget):
    """Fails from the 25th query on."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def run(self, sql: str, database: str) -> TargetAnswer:
        self.asked += 1
        if self.asked > 25:
            raise ClusterError("too many connections")
        return super().run(sql, database)
