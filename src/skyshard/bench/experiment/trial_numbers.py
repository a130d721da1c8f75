"""What an experiment keeps of each trial, and what each set-up cost: strict models, and their reading from a trial."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from skyshard.bench.experiment.server_numbers import ServerNumbers, servers_of
from skyshard.bench.record.trial_folder import Trial
from skyshard.catalog.strict_files import Strict

_OF_CHUNKS = re.compile(r"\b(?:sub)?chunkId\b", re.IGNORECASE)
"""Statements whose answers depend on the stripes of the layout."""


class ClassNumbers(Strict):
    """One class in one phase of a trial."""

    phase: str
    class_name: str
    n: int
    """Measured queries, including failed ones."""
    errors: int
    wrong: int
    median_s: float | None
    """Of answered queries, from the due time; None without an answer."""


class TrialNumbers(Strict):
    """One trial: ``trials/b01-c02/numbers.json``."""

    version: Literal[1]
    block: int
    cell: int
    elapsed_s: float
    """With starting the servers and filling or emptying caches."""
    statements: str
    """A digest of the distinct statements: equal for trials that were asked the same."""
    answers: str
    """A digest of how many rows each statement gave."""
    answers_of_sky: str = ""
    """The same without statements about chunks: equal for catalogs of other stripes, too."""
    classes: list[ClassNumbers]
    failed_over_s: float | None = None
    """The longest fail-over of a scenario's faults; None where there was none."""
    answers_lost: float | None = None
    """Good answers that a scenario cost, as a share of those expected while a fault was on."""
    servers: list[ServerNumbers] = Field(default_factory=list)
    """What each class cost each server."""


class Build(Strict):
    """One ingest of a set-up's catalog."""

    ingest_s: float
    stages_s: dict[str, float]
    rows: int
    bytes: int
    """Of the database's files on all nodes and the czar, replicas and overlap included."""
    data_digest: str
    """Equal for catalogs that hold the same rows."""
    server: str
    """Version of MariaDB."""


def numbers_of(trial: Trial, block: int, cell: int, elapsed_s: float) -> TrialNumbers:
    """The numbers of a trial that was read."""
    measured = trial.samples.filter(pc.invert(trial.samples["is_warm_up"]))
    answered = measured.filter(pc.is_null(measured["error"]))
    classes = []
    for one in trial.summary.classes:
        mask = pc.and_(pc.equal(answered["phase"], one.phase), pc.equal(answered["class"], one.class_name))
        times = answered.filter(mask)["latency_s"].to_numpy()
        median = float(np.median(times)) if len(times) else None
        classes.append(
            ClassNumbers(
                phase=one.phase, class_name=one.class_name, n=one.n, errors=one.errors, wrong=one.wrong, median_s=median
            )
        )
    rows = _rows(trial, answered)
    return TrialNumbers(
        version=1, block=block, cell=cell, elapsed_s=elapsed_s, classes=classes,
        servers=servers_of(trial), failed_over_s=_failed_over(trial), answers_lost=_lost(trial),
        statements=_digest(sorted(trial.statements)), answers=_digest(rows),
        answers_of_sky=_digest([one for one in rows if not _OF_CHUNKS.search(one)]),
    )  # fmt: skip


def _failed_over(trial: Trial) -> float | None:
    faults = trial.summary.faults
    return max((one.failed_over_s for one in faults.events if one.failed_over_s), default=None) if faults else None


def _lost(trial: Trial) -> float | None:
    faults = trial.summary.faults
    if faults is None or not faults.answers_expected or faults.answers_lost is None:
        return None
    return faults.answers_lost / faults.answers_expected


def _rows(trial: Trial, answered: pa.Table) -> list[str]:
    """Each answered statement with its number of rows."""
    pairs = answered.group_by(["statement", "rows"]).aggregate([])
    numbers, rows = pairs["statement"].to_pylist(), pairs["rows"].to_pylist()
    return sorted(f"{trial.statements[number]} {count}" for number, count in zip(numbers, rows, strict=True))


def _digest(texts: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
