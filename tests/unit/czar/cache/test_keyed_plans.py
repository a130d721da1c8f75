"""Kept plans whose keys are exchanged: they are the plans that would have been made."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import plan_of

from skyshard.czar.cache.keyed_plans import KeyedPlan, RecordingSource, learn_keys
from skyshard.czar.cache.statement_shapes import StatementText, take_text_apart
from skyshard.czar.plan.query_plan import Pull, QueryPlan
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.registry.catalog.published_catalog import CatalogSource

SOURCE = Source()
KEPT = (
    "SELECT objectId, mag FROM Object WHERE objectId = {key}",
    "SELECT objectId + 1, mag FROM Object WHERE objectId = {key} AND kind < 3 LIMIT 2",
    "SELECT COUNT(*), MAX(mag) FROM Object WHERE objectId = {key}",
    "SELECT kind, SUM(mag) FROM Object WHERE objectId = {key} GROUP BY kind ORDER BY 2 LIMIT 4",
)


def text_of(sql: str) -> StatementText:
    text = take_text_apart(sql)
    assert text is not None
    return text


def learned(sql: str, plan: QueryPlan | None = None) -> KeyedPlan | None:
    """What serves other keys of a statement; ``plan``: in place of the one that is made for it."""
    asked = RecordingSource(SOURCE, {6: frozenset({325})})
    made = plan_of(sql, asked)

    def plan_again(other: str, source: CatalogSource) -> QueryPlan:
        return plan_of(other, source)

    return learn_keys(text_of(sql), TypedPlan(plan or made, ()), asked, plan_again)


def without_estimates(plan: QueryPlan) -> QueryPlan:
    """Rows are those of the keys that a plan was made for, which only estimates read; reasons are for explanations."""

    def one(pull: Pull) -> Pull:
        return replace(pull, rows=0, reads=0)

    direct = one(plan.direct) if plan.direct is not None else None
    return replace(plan, pulls=tuple(map(one, plan.pulls)), direct=direct, why=())


@pytest.mark.parametrize("statement", KEPT)
def test_exchanged_plan_is_the_plan_made_again(statement: str) -> None:
    """Chunks, texts and lane of a kept plan with another key are those of planning the statement."""
    found = learned(statement.format(key=5))
    assert found is not None
    sql = statement.format(key=15)
    made = found.with_keys(text_of(sql).numbers, SOURCE.locate_keys("sky", "Object", [15]))
    assert made is not None
    assert without_estimates(made.plan) == without_estimates(plan_of(sql, SOURCE))


@pytest.mark.parametrize("statement", KEPT)
def test_keys_of_several_chunks_are_merged_though_those_learnt_were_of_one(statement: str) -> None:
    """Sorted, cut and summed over all of them, as the plan that would be made for them does."""
    statement = statement.replace("= {key}", "IN ({key}, 5)")
    found = learned(statement.format(key=6))
    assert found is not None
    sql = statement.format(key=15)
    made = found.with_keys(text_of(sql).numbers, SOURCE.locate_keys("sky", "Object", [5, 15]))
    assert made is not None
    assert made.plan.chunks == 2
    assert without_estimates(made.plan) == without_estimates(plan_of(sql, SOURCE))


def test_what_cannot_be_merged_is_planned_anew_for_several_chunks() -> None:
    """A plan of one chunk that has no merge serves single chunks only."""
    statement = "SELECT GROUP_CONCAT(mag ORDER BY mag) FROM Object WHERE objectId IN ({key}, 5)"
    found = learned(statement.format(key=6))
    assert found is not None
    numbers = text_of(statement.format(key=15)).numbers
    assert found.with_keys(numbers, SOURCE.locate_keys("sky", "Object", [5, 6])) is not None
    assert found.with_keys(numbers, SOURCE.locate_keys("sky", "Object", [5, 15])) is None


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT mag FROM Object WHERE objectId = 7",
        "SELECT mag FROM Object WHERE kind = 5",
        "SELECT mag FROM Object WHERE objectId BETWEEN 5 AND 15",
        "SELECT mag FROM Object WHERE objectId = 5 AND objectId < 10",
        "SELECT COUNT(*) FROM Object WHERE objectId IN (5, 15)",
        "SELECT objectId + 5 AS more, mag FROM Object WHERE objectId = 5",
    ],
)
def test_no_plan_is_kept_where_more_hangs_on_the_numbers(sql: str) -> None:
    """Keys that no index knows, ranges, keys in other places, merges of several chunks are planned each time."""
    assert learned(sql) is None


@pytest.mark.parametrize("name", [one.name for one in fields(QueryPlan) if one.name not in ("chunks", "lane", "why")])
def test_plan_that_differs_in_any_field_is_not_kept(name: str) -> None:
    """A field that would be forgotten in the comparison would serve a stale plan: none is."""
    sql = KEPT[0].format(key=5)
    plan = plan_of(sql, SOURCE)
    other: Any = {"pulls": (replace(plan.pulls[0], limit=9),), "direct": plan.pulls[0], "kind": "local?"}
    assert learned(sql, plan) is not None
    assert learned(sql, replace(plan, **{name: other.get(name, object())})) is None
