"""Statistics of samples with known answers."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.bench_trials import made_trial, made_workload

from skyshard.bench.record.latency_stats import (
    Shortfall,
    Times,
    TrialSummary,
    Verdict,
    WrongAnswer,
    check_thresholds,
    percentiles,
    summarise,
    times,
)
from skyshard.bench.record.samples import Sample, sample_table
from skyshard.bench.workload.workload import Workload


@pytest.mark.parametrize(
    ("count", "borne"),
    [
        (0, []),
        (1, []),
        (2, ["p50"]),
        (9, ["p50"]),
        (10, ["p50", "p90"]),
        (19, ["p50", "p90"]),
        (99, ["p50", "p90", "p95"]),
        (100, ["p50", "p90", "p95", "p99"]),
        (1_000, ["p50", "p90", "p95", "p99", "p99.9"]),
        (10_000, ["p50", "p90", "p95", "p99", "p99.9", "p99.99"]),
    ],
)
def test_percentiles_are_shown_as_far_as_the_sample_bears(count: int, borne: list[str]) -> None:
    """The ladder of Rally decides which percentiles there are."""
    assert list(percentiles(np.ones(count))) == borne


def test_percentiles_of_a_known_sample() -> None:
    """Of 0, 1, ... 100 the percentiles are their own numbers."""
    assert percentiles(np.arange(101.0)) == {"p50": 50, "p90": 90, "p95": 95, "p99": 99}


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=200))
def test_times_are_ordered(values: list[float]) -> None:
    """Least <= percentiles in order <= greatest, and the mean lies between the ends."""
    found = known(times(np.array(values)))
    ladder = [found.min_s, *found.percentiles.values(), found.max_s]
    assert all(low <= high * (1 + 1e-12) for low, high in pairwise(ladder))
    assert found.min_s * (1 - 1e-12) <= found.mean_s <= found.max_s * (1 + 1e-12)


def workload(**load: object) -> Workload:
    classes = [{"class": "LV", "templates": ["a"], "count": 1} | load]
    content = {"version": 1, "name": "w", "description": "", "database": "d", "seed": 1}
    return Workload.model_validate(content | {"phases": [{"name": "one", "classes": classes}]})


def sample(due: float, sent: float, done: float, **rest: Any) -> Sample:
    usual = Sample("one", "LV", "LV/a", "q", 0, False, due, sent, None, done, driver_lag_s=0.0, rows=2, bytes=10)
    return replace(usual, **rest)


def summary(samples: list[Sample], ok: list[bool | None] | None = None, **load: object) -> TrialSummary:
    return summarise(workload(**load), sample_table(samples, ["q"], ok))


def known(found: Times | None) -> Times:
    assert found is not None
    return found


def test_latency_runs_from_the_due_time_and_service_from_sending() -> None:
    """A query due at 0, sent at 2 and answered at 3 has latency 3 s and service time 1 s."""
    one = summary([sample(0, 2, 3)]).classes[0]
    assert (known(one.latency).mean_s, known(one.service).mean_s) == (3, 1)


def test_warm_up_is_kept_but_not_counted() -> None:
    """Warm-up samples stay in the file and out of every number."""
    found = summary([sample(0, 0, 100, is_warm_up=True), sample(100, 100, 101)])
    assert (found.n, found.warm_ups, known(found.classes[0].latency).max_s, found.classes[0].throughput_per_s) == (
        1,
        1,
        1,
        1,
    )


def test_failures_are_counted_by_class_of_error_and_out_of_latency() -> None:
    """Two of three queries fail: they count as errors, and the latency is that of the answered one."""
    failed = {"error": "ClusterError", "error_text": "gone", "rows": None, "bytes": None}
    one = summary([sample(0, 0, 9, **failed), sample(1, 1, 2), sample(2, 2, 4, **failed)]).classes[0]
    assert (one.n, one.errors, one.errors_by_class, known(one.latency).max_s) == (3, 2, {"ClusterError": 2}, 1)
    assert one.verdict is Verdict.FAILED


def test_wrong_answers_lower_goodput_not_throughput() -> None:
    """Of four answers in 4 s one is wrong and one unchecked: 1/s answered, 0.75/s good, and the trial fails."""
    found = summary([sample(i, i, i + 1) for i in range(4)], [True, False, None, True])
    one = found.classes[0]
    assert (one.wrong, one.unchecked, one.throughput_per_s, one.goodput_per_s) == (1, 1, 1.0, 0.75)
    assert found.failures == ["LV (one): 1 of 4 answers are wrong"]


@pytest.mark.parametrize(("target", "verdict"), [(2.0, Verdict.MET), (1.9, Verdict.MISSED), (None, Verdict.NO_TARGET)])
def test_the_target_is_compared_with_the_mean(target: float | None, verdict: Verdict) -> None:
    """Latencies of 1 and 3 s meet a target of 2 s and miss one of 1.9 s."""
    found = summary([sample(0, 0, 1), sample(0, 0, 3)], target_s=target)
    assert found.classes[0].verdict is verdict
    assert found.is_passed is (verdict is not Verdict.MISSED)


def test_allowed_errors_do_not_fail_a_class() -> None:
    """A class that tolerates one error passes with one and fails with two."""
    failed = {"error": "ClusterError"}
    one = [sample(0, 0, 1), sample(0, 0, 1, **failed)]
    assert summary(one, errors_allowed=1).is_passed
    assert not summary([*one, sample(0, 0, 1, **failed)], errors_allowed=1).is_passed


def test_a_class_without_samples_fails_the_trial() -> None:
    """Nothing measured is not a pass."""
    assert summary([]).failures == ["LV (one): no query was measured"]


def test_a_partial_trial_is_no_pass() -> None:
    """A run that was stopped does not pass, whatever its numbers."""
    table = sample_table([sample(0, 0, 1)], ["q"])
    assert not summarise(workload(), table, shortfall=Shortfall(is_partial=True)).is_passed


def test_an_oracle_that_fails_is_a_failure_of_the_trial() -> None:
    """A statement that the oracle could not answer is named as unchecked."""
    wrong = WrongAnswer(
        phase="one",
        class_name="LV",
        template="LV/a",
        sql="q",
        samples=1,
        reason="the oracle failed: gone",
        is_checked=False,
    )
    found = summarise(workload(), sample_table([sample(0, 0, 1)], ["q"]), [wrong])
    assert found.failures == ["the oracle could not answer 1 statement"]


def test_the_drivers_share_is_lag_over_latency() -> None:
    """0.1 s of the driver's own in 2 s of latency is 5 %."""
    found = summary([sample(0, 0.1, 2, driver_lag_s=0.1)])
    assert found.driver_share == pytest.approx(0.05)


def test_long_queries_do_not_hide_the_drivers_lag_in_short_ones() -> None:
    """A class of which the driver is half is distrusted, however little it is of all latency together."""
    samples = [sample(0, 0.01, 0.02, driver_lag_s=0.01)]
    found = summary(samples)
    assert [one.class_name for one in found.distrusted] == ["LV"]
    assert not found.is_trustworthy


@pytest.mark.parametrize(
    ("statistic", "bound", "is_kept"),
    [
        ("mean", {"at_most": 10}, True),
        ("p95", {"at_most": 1e-6}, False),
        ("p99", {"at_most": 10}, False),
        ("goodput", {"at_least": 1e9}, False),
        ("throughput", {"at_least": 0.1}, True),
        ("error_share", {"at_most": 0}, True),
        ("wrong", {"at_most": 0}, True),
    ],
)
def test_thresholds_decide(statistic: str, bound: dict[str, float], is_kept: bool) -> None:
    """Each bound is kept or broken, a percentile that 60 samples do not bear counts as broken, and the trial fails."""
    loaded = made_workload(thresholds=[{"class": "LV", "statistic": statistic, **bound}])
    summary = summarise(loaded, made_trial(1, workload=loaded).samples)
    assert [one.is_kept for one in summary.thresholds] == [is_kept]
    assert summary.is_passed is is_kept


def test_growth_is_the_exponent_over_clients() -> None:
    """Mean latencies of 1, 2 and 4 s at 1, 2 and 4 clients grow linearly: 1; a bound of 0.9 is broken."""
    phases = [
        {"name": f"p{n}", "classes": [{"class": "LV", "templates": ["a"], "count": 1,
                                       "arrivals": {"loop": "closed", "clients": n}}]} for n in (1, 2, 4)
    ]  # fmt: skip
    loaded = made_workload(phases=phases, thresholds=[{"class": "LV", "statistic": "growth", "at_most": 0.9}])
    base = made_trial(1).summary.classes[0]
    assert base.latency is not None
    classes = [
        base.model_copy(update={"phase": f"p{n}", "latency": base.latency.model_copy(update={"mean_s": float(n)})})
        for n in (1, 2, 4)
    ]
    found = check_thresholds(loaded, classes)
    assert found[0].found == pytest.approx(1.0)
    assert not found[0].is_kept
