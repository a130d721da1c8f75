"""A trial's numbers from its samples: percentiles only where there are enough samples, failures counted. No I/O.

Percentiles follow Elastic Rally: 1 sample gives only the maximum, 2 also the median, 10 the 90th percentile, 20 the
95th, 100 the 99th, 1,000 the 99.9th, 10,000 the 99.99th. Between two samples they are interpolated linearly.
Latencies are those of answered queries, right or wrong; throughput counts them all, goodput those not found wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pydantic import Field

from skyshard.basics.readable import counted
from skyshard.bench.record.fault_record import FaultImpact
from skyshard.bench.workload.workload import ClassLoad, Threshold, Workload
from skyshard.catalog.strict_files import Strict

LADDER: tuple[tuple[int, float], ...] = (
    (2, 50.0), (10, 90.0), (20, 95.0), (100, 99.0), (1_000, 99.9), (10_000, 99.99)
)  # fmt: skip
"""(Number of samples needed, percentile.)"""
MAX_DRIVER_SHARE = 0.05
"""Largest share of the driver's own delay in the latency for which a trial is trusted."""


class Verdict(StrEnum):
    """How a class compares with its target."""

    MET = "met"
    MISSED = "missed"
    NO_TARGET = "no target"
    FAILED = "failed"


class Times(Strict):
    """Times of answered queries, in seconds."""

    min_s: float
    mean_s: float
    max_s: float
    percentiles: dict[str, float]
    """By name (``p50``), as far as there are enough samples."""


class ClassSummary(Strict):
    """One class in one phase, without warm-up."""

    phase: str
    class_name: str
    load: str
    """How queries were sent, for people: ``closed, 2 clients``."""
    n: int
    """Measured queries, including failed ones."""
    errors: int
    errors_by_class: dict[str, int]
    wrong: int
    """Answers that differ from the oracle's."""
    unchecked: int
    """Answers that were not compared."""
    elapsed_s: float
    """From the first due time to the last row."""
    throughput_per_s: float
    goodput_per_s: float
    rows: int
    bytes: int
    latency: Times | None
    """From the due time to the last row; None without a single answer."""
    service: Times | None
    """From sending to the last row."""
    target_s: float | None
    verdict: Verdict
    driver_share: float = 0.0
    """The driver's own delay as a share of this class's latency."""


class WrongAnswer(Strict):
    """A statement that was answered differently from the oracle, or could not be compared."""

    phase: str
    """Of the first such sample."""
    class_name: str
    template: str
    sql: str
    reason: str
    samples: int
    is_checked: bool
    """False when the oracle failed, so that nothing was compared."""


class NotAnswered(Strict):
    """A template whose queries were not sent, because the target cannot answer their form."""

    template: str
    queries: int
    """How many were scheduled, without warm-up."""
    reason: str


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What is missing of a trial's workload."""

    is_partial: bool = False
    """Stopped before its end."""
    lost: str = ""
    """What happened to driver processes whose samples are missing."""
    not_run: Sequence[str] = ()
    """Phases that were left out because one before them failed."""
    not_answered: Sequence[NotAnswered] = ()
    """Templates whose form the target cannot answer."""
    forgiven: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By phase and class: failed queries that a scenario allows."""
    not_as_planned: Sequence[str] = ()
    """What of a scenario did not come as it should, as sentences."""


WHOLE = Shortfall()


class ThresholdResult(Strict):
    """The outcome of a threshold in one phase."""

    threshold: str
    """For people: ``LV p95 at most 10``."""
    phase: str
    """Empty for one over all phases."""
    found: float | None
    """None when there are too few samples for the statistic."""
    is_kept: bool


class TrialSummary(Strict):
    """A trial in numbers, as ``summary.json`` holds it."""

    version: Literal[1]
    workload: str
    is_partial: bool
    """True when the run was stopped before its schedule ended."""
    n: int
    """Measured samples, without warm-up."""
    warm_ups: int
    classes: list[ClassSummary]
    wrong_answers: list[WrongAnswer]
    driver_share: float
    """The driver's own delay as a share of all latency."""
    driver_lag_max_s: float
    driver_lag_p99_s: float = 0.0
    thresholds: list[ThresholdResult] = Field(default_factory=list)
    not_run: list[str] = Field(default_factory=list)
    """Phases that were left out because one before them failed."""
    not_answered: list[NotAnswered] = Field(default_factory=list)
    """What was not sent to the target; not part of the numbers."""
    lost: str = ""
    """What happened to driver processes whose samples are missing; empty when none are."""
    faults: FaultImpact | None = None
    """What a scenario did and cost; None without one."""
    failures: list[str]
    """Why the trial does not pass; empty when it does."""

    @property
    def distrusted(self) -> list[ClassSummary]:
        """Classes with too much of the driver's own delay; long queries do not hide it in short ones."""
        return [one for one in self.classes if one.driver_share > MAX_DRIVER_SHARE]

    @property
    def is_trustworthy(self) -> bool:
        return not self.distrusted and self.driver_share <= MAX_DRIVER_SHARE

    @property
    def is_passed(self) -> bool:
        return not self.failures and not self.is_partial


def percentiles(values: NDArray[np.float64]) -> dict[str, float]:
    """The percentiles for which there are enough values, by name.

    >>> percentiles(np.array([1.0, 3.0]))
    {'p50': 2.0}
    """
    shares = [share for least, share in LADDER if len(values) >= least]
    found = np.percentile(values, shares).tolist() if shares else []
    return {f"p{share:g}": value for share, value in zip(shares, found, strict=True)}


def times(values: NDArray[np.float64]) -> Times | None:
    """Minimum, mean, maximum and percentiles; None without values."""
    if not len(values):
        return None
    ends = (float(values.min()), float(values.mean()), float(values.max()))
    return Times(min_s=ends[0], mean_s=ends[1], max_s=ends[2], percentiles=percentiles(values))


def summarise(
    workload: Workload,
    samples: pa.Table,
    wrong_answers: Sequence[WrongAnswer] = (),
    shortfall: Shortfall = WHOLE,
) -> TrialSummary:
    """The summary of a trial's samples (with durations)."""
    measured = samples.filter(pc.invert(samples["is_warm_up"]))
    classes = [
        summarise_class(
            phase, load, _of(measured, phase, load.class_name), shortfall.forgiven.get((phase, load.class_name), 0)
        )
        for phase, load in _measured_loads(workload, shortfall)
    ]
    found = check_thresholds(workload, classes)
    return TrialSummary(
        version=1,
        workload=workload.name,
        is_partial=shortfall.is_partial,
        n=measured.num_rows,
        warm_ups=samples.num_rows - measured.num_rows,
        classes=classes,
        wrong_answers=list(wrong_answers),
        driver_share=_driver_share(measured),
        driver_lag_max_s=pc.max(measured["driver_lag_s"]).as_py() or 0.0,
        driver_lag_p99_s=float(np.percentile(measured["driver_lag_s"].to_numpy(), 99)) if measured.num_rows else 0.0,
        thresholds=found,
        not_run=list(shortfall.not_run),
        not_answered=list(shortfall.not_answered),
        lost=shortfall.lost,
        failures=[
            *_lost(shortfall.lost),
            *_failures(classes),
            *_unchecked(wrong_answers),
            *_broken(found),
            *shortfall.not_as_planned,
        ],
    )


def _measured_loads(workload: Workload, shortfall: Shortfall) -> list[tuple[str, ClassLoad]]:
    """(phase, class) for every class of the phases that ran of which at least one template could be asked."""
    unasked = {one.template for one in shortfall.not_answered}
    return [
        (phase.name, load)
        for phase in workload.phases
        if phase.name not in shortfall.not_run
        for load in phase.classes
        if not {f"{load.class_name}/{name}" for name in load.templates} <= unasked
    ]


def check_thresholds(workload: Workload, classes: Sequence[ClassSummary]) -> list[ThresholdResult]:
    """Every threshold in every phase that it applies to."""
    results = []
    for one in workload.thresholds:
        meant = [c for c in classes if c.class_name == one.class_name and one.phase in ("", c.phase)]
        if one.statistic == "growth":
            results.append(_result(one, "", growth(workload, meant)))
        else:
            results += [_result(one, c.phase, statistic(c, one.statistic)) for c in meant]
    return results


def _result(one: Threshold, phase: str, found: float | None) -> ThresholdResult:
    is_kept = found is not None and (one.at_most is None or found <= one.at_most)
    is_kept = is_kept and (one.at_least is None or (found or 0.0) >= one.at_least)
    return ThresholdResult(threshold=one.text, phase=phase, found=found, is_kept=is_kept)


def _broken(results: Sequence[ThresholdResult]) -> list[str]:
    """The thresholds that were not kept, as sentences."""
    sentences = []
    for one in (result for result in results if not result.is_kept):
        where = f" in phase {one.phase}" if one.phase else ""
        found = "too few samples" if one.found is None else f"{one.found:.4g}"
        sentences.append(f"threshold {one.threshold}{where}: {found}")
    return sentences


def statistic(one: ClassSummary, name: str) -> float | None:
    """A number of a class by its name in a threshold; None when there are too few samples."""
    if name in _COUNTS:
        return float(_COUNTS[name](one))
    if one.latency is None:
        return None
    return {"mean": one.latency.mean_s, "max": one.latency.max_s, **one.latency.percentiles}.get(name)


_COUNTS: dict[str, Callable[[ClassSummary], float]] = {
    "throughput": lambda one: one.throughput_per_s,
    "goodput": lambda one: one.goodput_per_s,
    "errors": lambda one: one.errors,
    "error_share": lambda one: one.errors / one.n if one.n else 0.0,
    "wrong": lambda one: one.wrong,
}


def growth(workload: Workload, classes: Sequence[ClassSummary]) -> float | None:
    """The exponent of the mean latency against the number of clients over phases; None with fewer than two."""
    clients = {(p.name, load.class_name): load.arrivals.clients for p in workload.phases for load in p.classes}
    points = [(clients[c.phase, c.class_name], c.latency.mean_s) for c in classes if c.latency and c.latency.mean_s > 0]
    if len({x for x, _ in points}) < 2:
        return None
    x, y = np.log(np.array(points)).T
    return float(np.polyfit(x, y, 1)[0])


def summarise_class(phase: str, load: ClassLoad, samples: pa.Table, forgiven: int = 0) -> ClassSummary:
    """One class from its measured samples (with durations); ``forgiven``: failed queries that a scenario allows."""
    answered = samples.filter(pc.is_null(samples["error"]))
    errors = {str(e["values"]): e["counts"] for e in pc.value_counts(samples["error"].drop_null()).to_pylist()}
    wrong = _count(pc.equal(answered["answer_ok"], False))
    failed = samples.num_rows - answered.num_rows
    latency = times(answered["latency_s"].to_numpy())
    elapsed_s = _span(samples)
    return ClassSummary(
        phase=phase,
        class_name=load.class_name,
        load=load.arrivals.text,
        n=samples.num_rows,
        errors=failed,
        errors_by_class=errors,
        wrong=wrong,
        unchecked=answered["answer_ok"].null_count,
        elapsed_s=elapsed_s,
        throughput_per_s=answered.num_rows / elapsed_s if elapsed_s > 0 else 0.0,
        goodput_per_s=(answered.num_rows - wrong) / elapsed_s if elapsed_s > 0 else 0.0,
        rows=pc.sum(answered["rows"]).as_py() or 0,
        bytes=pc.sum(answered["bytes"]).as_py() or 0,
        latency=latency,
        service=times(answered["service_s"].to_numpy()),
        target_s=load.target_s,
        verdict=_verdict(load, latency, failed - forgiven, wrong),
        driver_share=_driver_share(samples),
    )


def _driver_share(samples: pa.Table) -> float:
    latency, lag = (pc.sum(samples[name]).as_py() or 0.0 for name in ("latency_s", "driver_lag_s"))
    return lag / latency if latency > 0 else 0.0


def _verdict(load: ClassLoad, latency: Times | None, failed: int, wrong: int) -> Verdict:
    if wrong or failed > load.errors_allowed or latency is None:
        return Verdict.FAILED
    if load.target_s is None:
        return Verdict.NO_TARGET
    return Verdict.MET if latency.mean_s <= load.target_s else Verdict.MISSED


def _failures(classes: Sequence[ClassSummary]) -> list[str]:
    """Why the trial does not pass, by class, as sentences."""
    found = []
    for one in classes:
        where = f"{one.class_name} ({one.phase})"
        if one.wrong:
            found.append(f"{where}: {one.wrong} of {one.n} answers are wrong")
        if one.errors and one.verdict is Verdict.FAILED:
            found.append(f"{where}: {one.errors} of {one.n} queries failed")
        if one.n == 0:
            found.append(f"{where}: no query was measured")
        if one.verdict is Verdict.MISSED and one.latency is not None:
            found.append(f"{where}: mean latency {one.latency.mean_s:.3g} s exceeds the target of {one.target_s:g} s")
    return found


def _lost(why: str) -> list[str]:
    return [f"{why}: their samples are lost"] if why else []


def _unchecked(wrong_answers: Sequence[WrongAnswer]) -> list[str]:
    failed = sum(not one.is_checked for one in wrong_answers)
    return [f"the oracle could not answer {counted(failed, 'statement')}"] if failed else []


def _of(samples: pa.Table, phase: str, class_name: str) -> pa.Table:
    return samples.filter(pc.and_(pc.equal(samples["phase"], phase), pc.equal(samples["class"], class_name)))


def _span(samples: pa.Table) -> float:
    if not samples.num_rows:
        return 0.0
    return float(pc.max(samples["last_row_s"]).as_py() - pc.min(samples["intended_s"]).as_py())


def _count(mask: pa.ChunkedArray) -> int:
    return int(pc.sum(mask).as_py() or 0)
