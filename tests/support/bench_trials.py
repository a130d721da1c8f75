"""Trials made from known distributions, for tests of comparison and trend."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa

from skyshard.bench.record.environment import Environment
from skyshard.bench.record.latency_stats import summarise
from skyshard.bench.record.samples import Sample, sample_table
from skyshard.bench.record.trial_folder import Trial
from skyshard.bench.record.trial_manifest import TrialManifest
from skyshard.bench.workload.workload import Workload

LATENCIES = {"LV/object_by_id": 0.01, "LV/cone": 0.03, "FTSObj/extent": 0.2, "FTSObj/density": 0.4}
DRIFT = 0.02
"""Scatter of a trial's own speed."""


def made_workload(seed: int = 1, only: Sequence[str] = ("LV", "FTSObj"), **more: object) -> Workload:
    classes = [
        {"class": "LV", "templates": ["object_by_id", "cone"], "count": 60, "target_s": 10},
        {"class": "FTSObj", "templates": ["extent", "density"], "count": 40, "target_s": 3600},
    ]
    phases = [{"name": "one", "classes": [one for one in classes if one["class"] in only]}]
    base = {"version": 1, "name": "made", "description": "", "database": "d", "seed": seed, "phases": phases}
    return Workload.model_validate(base | more)


def made_manifest(workload: Workload, *, data_digest: str = "d1", revision: str = "aaa", day: int = 0) -> TrialManifest:
    started = datetime(2026, 7, 1, tzinfo=UTC) + timedelta(days=day)
    return TrialManifest(
        version=3,
        started=started, stopped=started + timedelta(minutes=1), is_partial=False, workload=workload,
        workload_digest=workload.digest({}), seed=1, database="d", target="czar",
        catalog={"data_digest": data_digest, "nodes": 2, "rows": {"Object": 10}},
        environment=Environment(
            skyshard="0.1", revision=revision, python="3.11", packages={}, cpu_model="x", cores=2, memory_bytes=2**34,
            kernel="k",
        ),
    )  # fmt: skip


def made_trial(
    seed: int,
    factor: float = 1.0,
    *,
    workload: Workload | None = None,
    wrong: int = 0,
    revision: str = "aaa",
    day: int = 0,
) -> Trial:
    """One trial: log-normal latencies around each template's own, a speed of the trial's own, and ``factor``."""
    workload = workload or made_workload()
    random = np.random.default_rng(seed)
    own = factor * float(np.exp(random.normal(0, DRIFT)))
    samples: list[Sample] = []
    for phase in workload.phases:
        for load in phase.classes:
            for number in range(load.count or 0):
                key = f"{load.class_name}/{load.templates[number % len(load.templates)]}"
                took = LATENCIES[key] * own * float(np.exp(random.normal(0, 0.1)))
                due = len(samples) * 1.0
                times = (due, due, None, due + took, 0.0)
                samples.append(
                    Sample(phase.name, load.class_name, key, f"SELECT '{key}'", 0, False, *times, rows=1, bytes=8)
                )
    statements = list(dict.fromkeys(sample.sql for sample in samples))
    answers = [i >= wrong for i in range(len(samples))]
    table: pa.Table = sample_table(samples, statements, answers)
    manifest = made_manifest(workload, revision=revision, day=day)
    return Trial(manifest, summarise(workload, table), table, statements, None)
