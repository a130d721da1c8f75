"""Which statements every engine answers alike, and what is read off their text."""

from __future__ import annotations

import pytest

from skyshard.chunking.sphere import Box, Circle
from skyshard.synthetic.plain_statement import is_tied, named_keys, read_plain

TABLES = {"Object": "objectId", "Source": "objectId"}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT ra / 2 FROM Object",
        "SELECT ra % 2 FROM Object",
        "SELECT 'x', ra FROM Object",
        'SELECT "ra" FROM Object',
        "SELECT ra FROM Object -- all",
        "SELECT ROUND(ra) FROM Object",
        "SELECT ra FROM Object UNION SELECT ra FROM Object",
        "SELECT ra FROM (SELECT ra FROM Object) q",
        "SELECT o.ra FROM Object o LEFT JOIN Source s ON o.objectId = s.objectId",
        "SELECT ra FROM Nowhere",
        "SELECT ra FROM other.Object",
        "SELECT 1",
        "DELETE FROM Object",
        "SELECT ra, COUNT(*) FROM Object",
        "SELECT objectId, ra, COUNT(*) FROM Object GROUP BY objectId",
        "SELECT COUNT(*) FROM Object GROUP BY ra WITH ROLLUP",
        "SELECT ra FROM Object WHERE ra LIKE 3",
        "SELECT ra FROM Object WHERE qserv_areaspec_box(1, 2, 3, 4) OR ra > 3",
        "SELECT ra FROM Object WHERE NOT qserv_areaspec_box(1, 2, 3, 4)",
        "SELECT ra FROM Object WHERE qserv_areaspec_box(ra, 2, 3, 4)",
        "SELECT ra FROM Object WHERE qserv_areaspec_box(1, 2, 3, 4) AND qserv_areaspec_circle(1, 2, 3)",
    ],
)
def test_what_engines_may_answer_differently_is_not_plain(sql: str) -> None:
    """Division, texts, other functions, nested or outer queries, rows that are not decided, areas that may not hold."""
    assert read_plain(sql, TABLES) is None


def test_references_and_area_are_read_off_the_text() -> None:
    """Tables with and without alias, by comma and JOIN; the area stands as 1, and a star asks for all columns."""
    found = read_plain("SELECT o.* FROM Object AS o, Source WHERE qserv_areaspec_circle(1.5, -2, .5)", TABLES)
    assert found is not None
    assert found.references == (("Object", "o"), ("Source", "Source"))
    assert (found.region, found.has_star) == (Circle(1.5, -2.0, 0.5), True)
    assert found.sql.endswith("WHERE 1")
    joined = read_plain(
        "SELECT COUNT(*) FROM Object o JOIN Source s ON o.objectId = s.objectId "
        "WHERE qserv_areaspec_box(359, 0, 1, 2) AND o.ra > 3 ORDER BY 1 LIMIT 2",
        TABLES,
    )
    assert joined is not None
    assert joined.references == (("Object", "o"), ("Source", "s"))
    assert (joined.region, joined.has_star, joined.limit_order) == (Box(359.0, 0.0, 1.0, 2.0), False, "1")


@pytest.mark.parametrize(
    ("where", "keys"),
    [
        ("objectId = 7", {7}),
        ("ra > 3 AND o.objectId IN (7, 8,9)", {7, 8, 9}),
        ("objectId = 7 + 1", None),
        ("2 * objectId = 8", None),
        ("objectId = 7.5", None),
        ("objectId > 7", None),
        ("parentobjectId = 7", None),
    ],
)
def test_keys_are_named_by_conditions_alone(where: str, keys: set[int] | None) -> None:
    """An equality or a list that is a whole condition; anything else names none."""
    found = read_plain(f"SELECT ra FROM Object o WHERE {where} GROUP BY ra", TABLES)
    assert found is not None
    assert named_keys(found, "objectId") == keys


@pytest.mark.parametrize(
    ("sql", "tied"),
    [
        ("SELECT ra FROM Object", True),
        ("SELECT o.ra FROM Object o, Source s WHERE s.objectId = o.objectId", True),
        ("SELECT o.ra FROM Object o, Source s WHERE s.sourceId = o.objectId", False),
        ("SELECT o.ra FROM Object o, Source s", False),
        ("SELECT o.ra FROM Object o, Source s WHERE s.objectId = o.objectId OR o.ra > 3", False),
    ],
)
def test_references_are_tied_by_equal_keys(sql: str, tied: bool) -> None:
    """All of them, and by conditions that must hold."""
    found = read_plain(sql, TABLES)
    assert found is not None
    assert is_tied(found, TABLES) is tied
