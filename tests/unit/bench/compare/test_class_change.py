"""Verdicts on classes: test and interval have to agree, margins and the machine's own change are taken off."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from skyshard.bench.compare.class_change import AnsweredSide, Bar, ClassChange, LatencyChange, judge_classes
from skyshard.bench.compare.losses import AskedQueries, Side

KEY = ("one", "LV")
COMMON = {("one", "LV/a"), ("one", "LV/b")}


def side(
    factor: float, *, trials: int = 5, n: int = 40, seed: int = 0, errors: int = 0, wrong: int = 0
) -> AnsweredSide:
    """Trials whose two templates take 10 and 30 ms, times the factor, with a spread of a hundredth."""
    random = np.random.default_rng(seed)
    samples = []
    for _ in range(trials):
        template = np.array(["LV/a", "LV/b"] * (n // 2))
        usual_s = np.where(template == "LV/a", 0.01, 0.03)
        samples.append(
            pa.table(
                {
                    "phase": ["one"] * n,
                    "template": template,
                    "latency_s": usual_s * factor * random.lognormal(0, 0.01, n),
                }
            )
        )
    asked = AskedQueries(n=n * trials, errors=errors, wrong=wrong, trials=trials)
    return AnsweredSide(samples, Side(trials, {(*KEY, "LV/a"): asked}, frozenset({KEY}), {KEY: trials}))


def judged(new: AnsweredSide, old: AnsweredSide, bar: Bar | None = None) -> ClassChange:
    (found,) = judge_classes(new, old, [KEY], COMMON, bar or Bar())
    return found


@pytest.mark.parametrize(
    ("factor", "change"),
    [
        (1.3, LatencyChange.WORSE),
        (1 / 1.3, LatencyChange.BETTER),
        (1.0, LatencyChange.SAME),
        (1.04, LatencyChange.SAME),
    ],
)
def test_a_class_is_what_its_median_shows(factor: float, change: LatencyChange) -> None:
    """Median and tail, over five trials a side; a change within the margin is none."""
    found = judged(side(factor, seed=1), side(1.0, seed=2))
    assert (found.change, found.tail) == (change, change)
    assert found.median.low <= factor <= found.median.high
    assert found.is_regression is (change is LatencyChange.WORSE)


def test_a_change_beyond_the_margin_is_a_regression_from_the_threshold_on() -> None:
    """Worse, and not yet a failure."""
    found = judged(side(1.08, seed=1), side(1.0, seed=2))
    assert (found.change, found.is_regression, found.reason) == (LatencyChange.WORSE, False, "")
    found = judged(side(1.08, seed=1), side(1.0, seed=2), Bar(threshold=1.06))
    assert found.is_regression
    assert found.reason.startswith("median 1.0")


def test_what_the_machine_changed_by_is_taken_off() -> None:
    """Both ends of the interval move out, and the margin with them."""
    plain = judged(side(1.3, seed=1), side(1.0, seed=2))
    shifted = judged(side(1.3, seed=1), side(1.0, seed=2), Bar(shift=1.4))
    assert shifted.change is LatencyChange.INCONCLUSIVE
    assert shifted.median.low == pytest.approx(plain.median.low / 1.4)
    assert shifted.median.high == pytest.approx(plain.median.high * 1.4)
    assert shifted.median.value == plain.median.value


def test_one_trial_a_side_shows_nothing_of_other_trials() -> None:
    """However far apart they are; more failures are a regression all the same."""
    found = judged(side(3.0, trials=1, seed=1), side(1.0, trials=1, seed=2))
    assert (found.change, found.tail, found.is_regression) == (
        LatencyChange.INCONCLUSIVE,
        LatencyChange.INCONCLUSIVE,
        False,
    )
    assert (found.spread, found.trials_needed) == (None, None)
    assert judged(side(1.0, trials=1, seed=1, wrong=3), side(1.0, trials=1, seed=2)).is_regression


def test_few_samples_have_no_tail() -> None:
    """A trial needs twenty of them."""
    found = judged(side(1.0, n=18, seed=1), side(1.0, n=40, seed=2))
    assert (found.p95, found.p_tail, found.tail) == (None, None, None)
    assert judged(side(1.0, n=20, seed=1), side(1.0, seed=2)).p95 is not None


def test_another_mix_of_templates_is_no_change() -> None:
    """A side that asked the slow template more often is compared at equal shares."""
    new, old = side(1.0, seed=1), side(1.0, seed=2)
    slower = [table.filter(pa.array([index % 4 != 0 for index in range(table.num_rows)])) for table in new.samples]
    assert np.median(slower[0]["latency_s"]) > 1.5 * np.median(old.samples[0]["latency_s"])
    found = judged(AnsweredSide(slower, new.counted), old)
    assert found.change in (LatencyChange.SAME, LatencyChange.INCONCLUSIVE)
    assert not found.is_regression


def test_queries_that_one_side_has_not_answered_count_for_neither() -> None:
    """Only templates that both have are compared."""
    new, old = side(1.0, seed=1), side(1.0, seed=2)
    foreign = pa.table({"phase": ["one"] * 40, "template": ["LV/z"] * 40, "latency_s": [9.0] * 40})
    more = AnsweredSide([pa.concat_tables([table, foreign]) for table in new.samples], new.counted)
    assert judged(more, old).median == judged(new, old).median


def test_the_same_trials_have_the_same_verdict() -> None:
    """Intervals are drawn from a fixed seed; p is never 0."""
    one, other = (judged(side(1.3, seed=1), side(1.0, seed=2)) for _ in range(2))
    assert one == other
    assert 0 < one.p_median <= 1


def test_nothing_to_compare_is_no_class() -> None:
    """No error."""
    assert judge_classes(side(1.0), side(1.0), [], set(), Bar()) == []
