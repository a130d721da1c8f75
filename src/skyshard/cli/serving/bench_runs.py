"""Benchmarks of other processes as the page shows them."""

from __future__ import annotations

from pathlib import Path

from skyshard.bench.record.running_trial import RunningTrial, running_trials
from skyshard.serve.page_services import BenchClassNow, BenchNow


def bench_runs(cluster: Path) -> list[BenchNow]:
    """That run against a cluster."""
    return [_shown(one) for one in running_trials(cluster)]


def _shown(one: RunningTrial) -> BenchNow:
    classes = tuple(BenchClassNow(**told.model_dump()) for told in one.classes)
    return BenchNow(
        one.process, one.workload, _target(one.target), one.database, one.stage, one.done if one.is_counted else None,
        one.total or None, one.begun_s, one.stage_begun_s, one.said_s, classes,
    )  # fmt: skip


def _target(spec: str) -> str:
    """A target without places: a URL holds a password, a folder is this host's.

    >>> _target("czar"), _target("duckdb:/data/rows"), _target("mysql+pymysql://me:secret@host/sky")
    ('czar', 'duckdb', 'mysql+pymysql')
    """
    return spec.partition(":")[0]
