"""Joins by USING and NATURAL that are written with ON, and those that are left as they are."""

from __future__ import annotations

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import bound_of

from skyshard.czar.sql.dialect import render

SOURCE = Source()


def told(sql: str) -> str:
    """The rewritten statement, without the quotes and the database of its names."""
    return render(bound_of(sql, SOURCE).tree).replace("`", "").replace("sky.", "")


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "SELECT objectId, ra, t FROM Object o JOIN Source s USING (objectId) WHERE objectId > 3",
            "SELECT o.objectId, o.ra, s.t FROM Object AS o JOIN Source AS s ON o.objectId = s.objectId "
            "WHERE o.objectId > 3",
        ),
        (
            "SELECT objectId FROM Source s RIGHT JOIN Object o USING (objectId) GROUP BY objectId ORDER BY objectId",
            "SELECT o.objectId FROM Source AS s RIGHT JOIN Object AS o ON s.objectId = o.objectId "
            "GROUP BY o.objectId ORDER BY objectId",
        ),
        (
            "SELECT x.*, COUNT(*) FROM Source x NATURAL LEFT JOIN (SELECT objectId FROM Object) y",
            "SELECT x.*, COUNT(*) FROM Source AS x LEFT JOIN (SELECT objectId FROM Object AS Object) AS y "
            "ON x.objectId = y.objectId",
        ),
        (
            "SELECT ra FROM Object o JOIN Source s USING (objectId) LEFT JOIN Source z USING (objectId, t)",
            "SELECT o.ra FROM Object AS o JOIN Source AS s ON o.objectId = s.objectId "
            "LEFT JOIN Source AS z ON o.objectId = z.objectId AND s.t = z.t",
        ),
        (
            "SELECT 1 FROM Object o JOIN Source s USING (objectId) "
            "WHERE EXISTS (SELECT 1 FROM Filter f WHERE f.filterId = t AND ra < 3)",
            "SELECT 1 FROM Object AS o JOIN Source AS s ON o.objectId = s.objectId "
            "WHERE EXISTS(SELECT 1 FROM Filter AS f WHERE f.filterId = s.t AND o.ra < 3)",
        ),
    ],
)
def test_they_mean_the_same_with_on(sql: str, expected: str) -> None:
    """Each column of the statement has its table before it; an item's name in ORDER BY stays one."""
    assert told(sql) == expected


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM Object o JOIN Source s USING (objectId)",
        "SELECT 1, o.* FROM Object o NATURAL JOIN Filter f",
        "SELECT 1 FROM Object o JOIN Source s USING (objectId) WHERE t IN (SELECT t FROM Filter s)",
    ],
)
def test_those_whose_columns_depend_on_them_are_left(sql: str) -> None:
    """A star for all columns, no common column, a table of the same alias between a column and its own table."""
    assert (" USING (" in told(sql)) or (" NATURAL JOIN " in told(sql))
