"""Medians of all queries beside the ratio of the verdict: said where they point elsewhere, with the reason."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from skyshard.bench.compare.class_change import AnsweredSide, Bar, ClassChange, LatencyChange, judge_classes
from skyshard.bench.compare.losses import AskedQueries, Side
from skyshard.bench.compare.pooled_medians import PooledMedians, headline_sentence, sentence

KEY = ("one", "LV")
COMMON = {("one", "LV/fast"), ("one", "LV/slow")}
MARGIN = 1.05


def _trial(fast: int, slow: int, factor: float, random: np.random.Generator) -> pa.Table:
    template = np.array(["LV/fast"] * fast + ["LV/slow"] * slow)
    usual_s = np.where(template == "LV/fast", 0.01, 0.1) * factor * random.lognormal(0, 0.01, fast + slow)
    return pa.table({"phase": ["one"] * (fast + slow), "template": template, "latency_s": usual_s})


def _side(trials: list[tuple[int, int, float]]) -> AnsweredSide:
    """Trials as (fast queries, slow queries, how many times as long as usual)."""
    random = np.random.default_rng(4)
    asked = AskedQueries(n=sum(fast + slow for fast, slow, _ in trials), errors=0, wrong=0, trials=len(trials))
    samples = [_trial(*one, random) for one in trials]
    return AnsweredSide(samples, Side(len(trials), {(*KEY, "LV/fast"): asked}, frozenset({KEY}), {KEY: len(trials)}))


def _judged(new: AnsweredSide, old: AnsweredSide) -> ClassChange:
    (found,) = judge_classes(new, old, [KEY], COMMON, Bar())
    return found


def test_more_slow_queries_make_medians_longer_while_each_template_is_faster() -> None:
    """Every query is a fifth faster, and the pool's median ten times as long: the templates are the reason."""
    found = _judged(_side([(20, 30, 0.8)] * 4), _side([(30, 20, 1.0)] * 4))
    assert found.change is LatencyChange.BETTER
    assert found.pooled.pooled > 5
    said = sentence(found.pooled, MARGIN)
    assert said.startswith("LV (one): the verdict is that of the ratio, 0.8 ×. Its medians, ")
    assert "point the other way" in said
    assert "templates" in said


def test_long_trials_weigh_more_in_the_pool_than_in_the_ratio() -> None:
    """Three trials of four are a fifth faster; the fourth is slow, and has most of the queries."""
    new = _side([(20, 0, 0.8), (20, 0, 0.8), (20, 0, 0.8), (200, 0, 1.3)])
    found = _judged(new, _side([(65, 0, 1.0)] * 4))
    assert found.median.value < 1 < found.pooled.pooled
    said = sentence(found.pooled, MARGIN)
    assert "point the other way: they are of all trials in one pool" in said


def test_medians_that_say_the_same_need_no_sentence() -> None:
    """Within the margin, on one side of 1, or 1 itself as it is printed."""
    assert sentence(_judged(_side([(20, 20, 1.2)] * 4), _side([(20, 20, 1.0)] * 4)).pooled, MARGIN) == ""
    assert sentence(PooledMedians("LV (one)", 1.0, 1.0, 1.0, 1.0004), MARGIN) == ""
    assert sentence(PooledMedians("LV (one)", 1.0002, 1.0, 1.0, 0.9998), MARGIN) == ""


@pytest.mark.parametrize(("new_s", "judged", "is_said"), [(1.2, 0.9, True), (1.2, 1.1, False), (0.9, 0.9, False)])
def test_the_mean_of_all_medians_is_said_where_verdicts_point_elsewhere(
    new_s: float, judged: float, *, is_said: bool
) -> None:
    """It stands at the top of the page, where nobody knows yet that it decides nothing."""
    said = headline_sentence([PooledMedians("LV (one)", new_s, 1.0, 1.0, judged)])
    assert ("decide nothing" in said) is is_said
    assert headline_sentence([]) == ""
