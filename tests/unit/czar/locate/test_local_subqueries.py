"""Subqueries that each chunk can answer by itself, and why others cannot."""

from __future__ import annotations

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import plan_of

from skyshard.czar.plan.query_plan import Kind

TIED = "SELECT 1 FROM Note n WHERE n.objectId = o.objectId"


@pytest.mark.parametrize(
    "where",
    [
        f"EXISTS ({TIED})",
        f"NOT EXISTS ({TIED} AND n.body = 'x')",
        "o.objectId IN (SELECT n.objectId FROM Note n WHERE n.body = 'x')",
        "o.kind IN (SELECT f.filterId FROM Filter f)",
        "o.mag > (SELECT MAX(s.t) FROM Source s WHERE s.objectId = o.objectId)",
    ],
)
def test_rows_tied_by_the_directors_key_are_in_the_chunk_of_the_outer_row(where: str) -> None:
    """By equality, or by membership as an AND-ed term; tables that every node has need no tie."""
    assert plan_of(f"SELECT o.mag FROM Object o WHERE {where}", Source()).kind is Kind.LOCAL


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT o.mag FROM Object o WHERE EXISTS (SELECT 1 FROM Note n)", "not tied"),
        ("SELECT o.mag FROM Object o WHERE EXISTS (SELECT 1 FROM Note n WHERE n.noteId = o.objectId)", "not tied"),
        ("SELECT o.mag FROM Object o WHERE o.kind = 1 OR o.objectId IN (SELECT n.objectId FROM Note n)", "not tied"),
        ("SELECT o.mag FROM Object o WHERE o.objectId IN (SELECT n.objectId FROM Note n LIMIT 3)", "not tied"),
        ("SELECT o.mag FROM Object o WHERE o.objectId NOT IN (SELECT n.objectId FROM Note n)", "not tied"),
        (f"SELECT COUNT(*), ({TIED} LIMIT 1) FROM Object o GROUP BY o.objectId", "beside aggregates"),
        (f"SELECT o.mag FROM Object o WHERE EXISTS ({TIED} UNION {TIED})", "of several parts"),
        ("SELECT (SELECT SUM(o.mag)) FROM Object o", "of the outer query"),
        ("SELECT (SELECT BIT_OR(o.kind) FROM Filter f LIMIT 1) FROM Object o", "of the outer query"),
        ("SELECT 1 FROM Object o HAVING (SELECT COUNT(o.kind)) > 3", "of the outer query"),
        ("SELECT o.mag FROM Object o ORDER BY (SELECT MAX(o.mag + kind)), 1", "of the outer query"),
        ("SELECT o.mag AS m FROM Object o HAVING EXISTS (SELECT 1 FROM Filter f WHERE f.filterId = m)", "item's name"),
    ],
)
def test_any_other_is_answered_over_all_rows(sql: str, reason: str) -> None:
    """The explanation says what stands against it."""
    plan = plan_of(sql, Source())
    assert plan.kind is Kind.GATHER
    assert reason in plan.why[0]
