"""Whole runs: trials, sweeps, calibrations, projections, the demo; each connects a testbed with the bench."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.scenarios.calibration_run import CalibrationRun as CalibrationRun
    from skyshard.scenarios.calibration_run import skies_of as skies_of
    from skyshard.scenarios.flame import record_flame as record_flame
    from skyshard.scenarios.projection_run import ProjectionRun as ProjectionRun
    from skyshard.scenarios.projection_run import trial_folders as trial_folders
    from skyshard.scenarios.sweep_run import SweepRun as SweepRun
    from skyshard.scenarios.trial_run import TrialRun as TrialRun
    from skyshard.scenarios.visit_run import VisitRun as VisitRun
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "CalibrationRun": "calibration_run",
            "ProjectionRun": "projection_run",
            "SweepRun": "sweep_run",
            "TrialRun": "trial_run",
            "VisitRun": "visit_run",
            "record_flame": "flame",
            "skies_of": "calibration_run",
            "trial_folders": "projection_run",
        },
    )
