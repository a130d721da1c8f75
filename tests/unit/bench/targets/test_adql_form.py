"""Statements of workloads in ADQL: what they become, and what has no form."""

from __future__ import annotations

import pytest

from skyshard.bench.targets.adql_form import NotInAdql, to_adql

OBJECT = {"Object": ("ra", "decl")}


@pytest.mark.parametrize(
    ("sql", "adql"),
    [
        (
            "SELECT COUNT(*) FROM Object o1, Object o2 WHERE qserv_areaspec_box(359, -1, 1, 2) AND o1.a <> o2.a",
            "SELECT COUNT(*) FROM tiny.Object AS o1, tiny.Object AS o2 WHERE (o1.ra >= 359 OR o1.ra <= 1) AND "
            "o1.decl BETWEEN -1 AND 2 AND (o2.ra >= 359 OR o2.ra <= 1) AND o2.decl BETWEEN -1 AND 2 AND o1.a <> o2.a",
        ),
        (
            "SELECT a FROM Object WHERE qserv_areaspec_box(1, -1, 2, 2)",
            "SELECT a FROM tiny.Object WHERE Object.ra BETWEEN 1 AND 2 AND Object.decl BETWEEN -1 AND 2",
        ),
        (
            "SELECT * FROM Object WHERE qserv_areaspec_poly(1, 2, 3, 4, 5, 6)",
            "SELECT * FROM tiny.Object WHERE 1 = CONTAINS(POINT(Object.ra, Object.decl), POLYGON(1, 2, 3, 4, 5, 6))",
        ),
        (
            "SELECT DISTINCT a FROM Object ORDER BY a LIMIT 7",
            "SELECT DISTINCT TOP 7 a FROM tiny.Object ORDER BY a",
        ),
        (
            "SELECT * FROM Object o JOIN Source f ON o.objectId = f.objectId WHERE o.objectId = 5",
            "SELECT * FROM tiny.Object AS o JOIN tiny.Source AS f ON o.objectId = f.objectId WHERE o.objectId = 5",
        ),
        ("SELECT f FROM Source WHERE objectId % 97 = 3", "SELECT f FROM tiny.Source WHERE MOD(objectId, 97) = 3"),
        ("SELECT Object.a FROM Object", "SELECT Object.a FROM tiny.Object"),
    ],
)  # fmt: skip
def test_statements_of_templates_become_adql(sql: str, adql: str) -> None:
    """Areas are about every director of the FROM clause; a box may go through 0."""
    assert to_adql(sql, "tiny", OBJECT) == adql


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT a FROM Source WHERE qserv_areaspec_circle(1, 2, 3)", "dependent's director"),
        ("SELECT a FROM Object WHERE qserv_areaspec_ellipse(1, 2, 3, 4, 5)", "no ellipse"),
        ("SELECT a FROM Object WHERE band = 'g'", "texts or quoted names"),
        ("SELECT a FROM Object UNION SELECT a FROM Source", "several SELECTs"),
    ],
)
def test_what_has_no_form_is_refused_with_the_reason(sql: str, reason: str) -> None:
    """Nothing is asked instead that is not the same."""
    with pytest.raises(NotInAdql, match=reason):
        to_adql(sql, "tiny", OBJECT)
