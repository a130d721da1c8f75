"""Small workloads of visits for tests."""

from pathlib import Path
from typing import Any

from skyshard.bench.trial.run_visits import VisitsAsked
from skyshard.bench.workload.workload import Workload

LOAD: dict[str, Any] = {
    "count": 16, "fields": 2, "fov_deg": 0.7, "tiles": 2,
    "per_visit": {"variable": 20, "transient": 1, "noise": 9, "detected": 0.8, "transient_days": 60},
    "history": {"months": 3, "visits_per_month": 4}, "retry_s": 5,
}  # fmt: skip


def small_workload(*phases: dict[str, Any], **keys: Any) -> Workload:
    """One phase a mapping of changes of ``LOAD``; none: one phase as it is."""
    loads = [{"name": f"visits{number}", "visits": LOAD | one} for number, one in enumerate(phases or ({},))]
    content = {"version": 1, "name": "small", "description": "small", "database": "apdb", "seed": 3, "phases": loads}
    return Workload.model_validate(content | keys)


def asked(folder: Path, workload: Workload, **changes: Any) -> VisitsAsked:
    """What ``bench run`` would ask for."""
    return VisitsAsked(workload, "naive:", folder, workload.seed, **changes)
