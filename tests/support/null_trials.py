"""Trials against targets that are not there: everything but an engine."""

from pathlib import Path

import numpy as np

from skyshard.bench.check.true_answers import TrueAnswers
from skyshard.bench.record.chunk_map import SkyMap
from skyshard.bench.record.latency_stats import TrialSummary
from skyshard.bench.record.trial_manifest import IngestStage
from skyshard.bench.target import NullTarget, Target
from skyshard.bench.trial.run_trial import run_trial
from skyshard.bench.trial.trial_setup import CatalogFacts, TrialEngines, TrialQueries, TrialRecord
from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.query_template import read_templates, wanted_columns
from skyshard.bench.workload.workload import Workload
from skyshard.host.shipped_data import data_folder

WORKLOAD = Workload.model_validate(
    {
        "version": 1,
        "name": "small",
        "description": "Two phases <b>of</b> little",
        "database": "d",
        "seed": 5,
        "phases": [
            {"name": "alone", "classes": [
                {"class": "LV", "templates": ["object_by_id", "cone"], "count": 12, "warm_up": 2, "target_s": 5}]},
            {"name": "mixed", "classes": [
                {"class": "LV", "templates": ["small_area"], "count": 8,
                 "arrivals": {"loop": "open", "rate_per_s": 4000, "clients": 2}},
                {"class": "FTSObj", "templates": ["extent", "density"], "count": 4, "target_s": 3600}]},
        ],
    }
)  # fmt: skip

TEMPLATES = read_templates(data_folder("queries", "sql"), WORKLOAD.template_keys)

PROFILE = DataProfile.example(wanted_columns(TEMPLATES.values()))

SKY = SkyMap(
    np.array([1, 2, 3, 4], np.int32),
    np.array([358.0, 0.0, 178.0, 0.0]),
    np.array([0.0, 2.0, 182.0, 360.0]),
    np.array([-2.0, -2.0, 10.0, 88.0]),
    np.array([0.0, 0.0, 12.0, 90.0]),
    np.array([10, 4000, 100, 0]),
    [("node1",), ("node2", "node1"), ("node2",), ("node1",)],
    np.array([100, 40_000, 1000, 0]),
)

CATALOG = CatalogFacts(
    {"family": "85-12-0.01667", "rows": {"Object": 4110}}, SKY, [IngestStage(stage="load", elapsed_s=1.5, rows=9)]
)


class Oracle(NullTarget):
    name = "mono"


def trial(
    out: Path,
    target: Target | None = None,
    oracle: Target | None = None,
    catalog: CatalogFacts = CATALOG,
    truth: TrueAnswers | None = None,
    *,
    has_page: bool = False,
) -> TrialSummary:
    """A trial; its page is drawn only where a test looks at it, as that takes a second."""
    queries = TrialQueries(WORKLOAD, TEMPLATES, profile=PROFILE)
    engines = TrialEngines(target or NullTarget(), oracle, truth)
    return run_trial(queries, engines, TrialRecord(out, catalog, reads_machine=False, is_brief=not has_page)).summary
