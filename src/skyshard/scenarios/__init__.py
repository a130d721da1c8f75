"""Whole runs: trials, sweeps, the demo; each connects a testbed with the bench."""

from __future__ import annotations

from typing import TYPE_CHECKING

from skyshard.basics.lazy import lazy_exports

if TYPE_CHECKING:
    from skyshard.scenarios.sweep_run import SweepRun as SweepRun
    from skyshard.scenarios.trial_run import TrialRun as TrialRun
else:
    __getattr__ = lazy_exports(
        __name__,
        {
            "SweepRun": "sweep_run",
            "TrialRun": "trial_run",
        },
    )
