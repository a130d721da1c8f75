"""Ratios of templates, and the statements that are slowest or changed most."""

from __future__ import annotations

import pyarrow as pa
import pytest
from tests.support.bench_trials import LATENCIES, made_trial

from skyshard.bench.compare.comparison import compare_trials
from skyshard.bench.compare.query_changes import most_changed, slowest, statement_changes

pytestmark = pytest.mark.timeout(30)


def answers(*times: tuple[str, float]) -> tuple[pa.Table, list[str]]:
    """One trial's answered samples of one template, given as (statement, seconds)."""
    texts = list(dict.fromkeys(sql for sql, _ in times))
    columns = {
        "phase": pa.array(["p"] * len(times)), "template": pa.array(["LV/a"] * len(times)),
        "statement": pa.array([texts.index(sql) for sql, _ in times], pa.int32()),
        "latency_s": pa.array([seconds for _, seconds in times]),
    }  # fmt: skip
    return pa.table(columns), texts


def test_each_template_has_its_ratio_in_the_order_of_the_classes() -> None:
    """Trials twice as long: every template is, and its interval holds it."""
    sides = [[(f"{name}{i}", made_trial(seed + i, by)) for i in range(4)] for name, seed, by in
             (("new", 1, 2.0), ("old", 60, 1.0))]  # fmt: skip
    found = compare_trials(*sides).templates
    assert {one.template for one in found} == set(LATENCIES)
    assert [one.template.partition("/")[0] for one in found] == ["LV", "LV", "FTSObj", "FTSObj"]
    for one in found:
        assert one.median.low <= 2.0 <= one.median.high
        assert one.new_median_s / one.old_median_s == pytest.approx(2.0, rel=0.15)


def test_statements_are_matched_by_their_text_over_all_trials() -> None:
    """Each has the median over its answers on each side; one of one side only is left out."""
    new = [answers(("a", 1.0), ("b", 2.0)), answers(("b", 4.0), ("a", 3.0), ("only new", 9.0))]
    old = [answers(("b", 1.0), ("a", 1.0))]
    found = {one.sql: one for one in statement_changes(new, old)}
    assert set(found) == {"a", "b"}
    assert (found["a"].new_s, found["a"].old_s, found["a"].new_n, found["a"].old_n) == (2.0, 1.0, 2, 1)
    assert found["b"].ratio == pytest.approx(3.0)


def test_the_slowest_and_the_most_changed_come_first() -> None:
    """By the longer of both medians; by the ratio in either direction."""
    new = [answers(("long", 50.0), ("faster", 0.1), ("slower", 3.0), ("same", 1.0))]
    old = [answers(("long", 60.0), ("faster", 1.0), ("slower", 1.0), ("same", 1.0))]
    found = statement_changes(new, old)
    assert [one.sql for one in slowest(found)][:2] == ["long", "slower"]
    assert [one.sql for one in most_changed(found)] == ["faster", "slower", "long", "same"]
