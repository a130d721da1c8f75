"""The benchmark: workloads, schedules, a driver, checked answers and the trial folder.

It sees a query engine only through ``targets``; it knows neither czar nor cluster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.bench.compare.comparison import compare_trials as compare_trials
    from skyshard.bench.compare.sweep import Sweep as Sweep
    from skyshard.bench.compare.trend import trend_of as trend_of
    from skyshard.bench.pages.report import write_pages as write_pages
    from skyshard.bench.record.latency_stats import TrialSummary as TrialSummary
    from skyshard.bench.record.trial_folder import read_trials as read_trials
    from skyshard.bench.record.trial_folder import validate_trial as validate_trial
    from skyshard.bench.targets.door_access import DoorAccess as DoorAccess
    from skyshard.bench.trial.trial_setup import TrialResult as TrialResult
    from skyshard.bench.workload.workload import Workload as Workload
    from skyshard.bench.workload.workload import find_workload as find_workload
    from skyshard.bench.workload.workload import read_workload as read_workload
    from skyshard.bench.workload.workload_fit import fit as fit
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "DoorAccess": "targets.door_access",
            "Sweep": "compare.sweep",
            "TrialResult": "trial.trial_setup",
            "TrialSummary": "record.latency_stats",
            "Workload": "workload.workload",
            "compare_trials": "compare.comparison",
            "find_workload": "workload.workload",
            "fit": "workload.workload_fit",
            "read_trials": "record.trial_folder",
            "read_workload": "workload.workload",
            "trend_of": "compare.trend",
            "validate_trial": "record.trial_folder",
            "write_pages": "pages.report",
        },
    )
