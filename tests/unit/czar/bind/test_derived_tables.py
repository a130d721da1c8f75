"""Derived tables that are kept apart from the statement around them: which ones, and that no others are changed."""

from __future__ import annotations

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import bound_of

from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.statement import ALL_ROWS

SOURCE = Source()
APART = f"LIMIT {ALL_ROWS})"
LISTED = "q.objectId IN (SELECT objectId FROM Source)"
TOTAL = "SELECT SUM(q.objectId) OVER ()"


def times_apart(sql: str) -> int:
    return render(bound_of(sql, SOURCE).tree).count(APART)


@pytest.mark.parametrize(
    "sql",
    [
        f"{TOTAL} FROM (SELECT objectId FROM Object) q WHERE {LISTED}",
        f"{TOTAL} FROM ((SELECT * FROM Object)) q WHERE NOT {LISTED} AND q.kind > 1",
        f"{TOTAL} FROM (SELECT o.* FROM Object o, Filter) q WHERE EXISTS (SELECT 1 FROM Source s WHERE s.t = q.ra)",
        f"{TOTAL} FROM Filter f LEFT JOIN (SELECT objectId FROM Object) q ON f.filterId = 1 AND {LISTED}",
        f"WITH q AS (SELECT ra AS objectId FROM Object) {TOTAL} FROM q WHERE {LISTED}",
        f"SELECT * FROM (SELECT SUM(q.kind) OVER () FROM (SELECT * FROM Object) q WHERE {LISTED}) x",
        f"{TOTAL} FROM (SELECT DISTINCT objectId FROM Object LIMIT 3) x, (SELECT * FROM Object) q WHERE {LISTED}",
        f"{TOTAL} FROM (SELECT objectId FROM Object GROUP BY objectId + 1) q WHERE {LISTED}",
    ],
)
def test_one_that_shows_columns_is_kept_apart(sql: str) -> None:
    """Beside a window function and a subquery that decides about rows."""
    assert times_apart(sql) == 1


@pytest.mark.parametrize(
    "sql",
    [
        f"WITH a AS (SELECT * FROM Object), q AS (SELECT objectId FROM a) {TOTAL} FROM q WHERE {LISTED}",
        f"{TOTAL} FROM (SELECT q.objectId FROM (SELECT objectId FROM Object) q WHERE {LISTED}) q",
        f"WITH q AS (SELECT * FROM Object) SELECT * FROM (WITH q AS (SELECT * FROM q) {TOTAL} FROM q WHERE {LISTED}) x",
    ],
)
def test_those_within_one_another_are_kept_apart_too(sql: str) -> None:
    """A server merges one into the other."""
    assert times_apart(sql) == 2


@pytest.mark.parametrize(
    "sql",
    [
        f"SELECT SUM(q.objectId) FROM (SELECT objectId FROM Object) q WHERE {LISTED}",
        f"{TOTAL} FROM (SELECT objectId FROM Object) q WHERE q.objectId > 3",
        f"{TOTAL} FROM (SELECT objectId + 1 AS objectId FROM Object) q WHERE {LISTED}",
        f"{TOTAL} FROM (SELECT objectId FROM Object UNION SELECT t FROM Source) q WHERE {LISTED}",
        f"{TOTAL} FROM Object q WHERE {LISTED}",
        "SELECT 'OVER' FROM (SELECT objectId FROM Object) q",
    ],
)
def test_others_stay_as_they_are(sql: str) -> None:
    """A table of expressions could cut values; servers merge no UNION."""
    assert times_apart(sql) == 0


def test_a_name_means_the_nearest_expression_before_it() -> None:
    """Not one of the same name that comes later, or is itself the one that asks."""
    inner = f"WITH a AS (SELECT * FROM b), b AS (SELECT * FROM a) {TOTAL} FROM b AS q WHERE {LISTED}"
    assert times_apart(f"WITH b AS (SELECT * FROM Object) SELECT * FROM ({inner}) x") == 3
    assert times_apart(f"WITH b AS (SELECT 1 AS objectId) SELECT * FROM ({inner}) x") == 0
