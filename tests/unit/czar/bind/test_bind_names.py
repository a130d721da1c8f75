"""What the names of a statement mean, and what is said of those that mean nothing or two things."""

from __future__ import annotations

import pytest
from sqlglot import exp
from tests.support.four_chunks import Source
from tests.support.planned import bound_of

from skyshard.basics.errors import Refusal, UserError
from skyshard.czar.bind.bind_names import bind
from skyshard.czar.bind.bound_statement import COLUMN
from skyshard.czar.sql.statement import SelectStatement, parse_statement

SOURCE = Source()


def owners(sql: str) -> set[tuple[str, str]]:
    """Each column of a table as its reference's alias and the table's own spelling."""
    bound = bound_of(sql, SOURCE)
    found = ((bound.reference(column), column) for column in bound.tree.find_all(exp.Column))
    return {(owner.alias, str(column.meta[COLUMN])) for owner, column in found if owner is not None}


@pytest.mark.parametrize(
    ("sql", "means"),
    [
        ("SELECT RA FROM Object", {("Object", "ra")}),
        ("SELECT o.oBjectID FROM Object o", {("o", "objectId")}),
        ("SELECT sky.Object.ra FROM Object", {("Object", "ra")}),
        ("SELECT mag, t FROM Object o, Source s", {("o", "mag"), ("s", "t")}),
        ("SELECT mag AS t FROM Object ORDER BY t", {("Object", "mag")}),
        ("SELECT kind AS mag FROM Object HAVING mag > 3", {("Object", "kind")}),
        ("SELECT q.m FROM (SELECT mag AS m FROM Object) q", {("Object", "mag"), ("q", "m")}),
        ("WITH c (z) AS (SELECT mag FROM Object) SELECT z FROM c", {("Object", "mag"), ("c", "z")}),
        (
            "SELECT (SELECT MAX(t) FROM Source s WHERE s.objectId = o.objectId) FROM Object o",
            {("s", "t"), ("s", "objectId"), ("o", "objectId")},
        ),
    ],
)
def test_a_column_belongs_to_the_nearest_table_that_has_it(sql: str, means: set[tuple[str, str]]) -> None:
    """Columns in any case, aliases of the list where MariaDB sees them, outer tables from inside a subquery."""
    assert owners(sql) == means


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT objctId FROM Object", "unknown column 'objctId' (line 1, column 8); did you mean 'objectId'?"),
        ("SELECT x FROM Object", "unknown column 'x' (line 1, column 8); SHOW COLUMNS FROM Object lists what there is"),
        ("SELECT mag AS m FROM Object WHERE m > 3", "unknown column 'm' (line 1, column 35)"),
        ("SELECT q.ra FROM (SELECT mag AS m FROM Object) q", "unknown column 'q.ra' (line 1, column 10)"),
        ("WITH c (z) AS (SELECT mag FROM Object) SELECT mag FROM c", "unknown column 'mag' (line 1, column 47)"),
        ("SELECT\n  o.ra FROM Object", "unknown table 'o' in 'o.ra' (line 2, column 5); tables here: Object"),
        ("SELECT * FROM object", "unknown table 'sky.object' (line 1, column 15); did you mean 'Object'?"),
        ("SELECT * FROM nosky.Object", "no database 'nosky'"),
        (
            "SELECT objectId FROM Object, Source",
            "column 'objectId' is ambiguous: it is in 'Object' and 'Source' (line 1, column 8); write Object.objectId",
        ),
        ("SELECT ra FROM Object o, Object o", "two tables are called 'o' (line 1, column 26); give each an alias"),
    ],
)
def test_a_name_that_means_nothing_or_two_things_is_an_error(sql: str, words: str) -> None:
    """One line with the place, and what to write instead."""
    with pytest.raises(UserError) as caught:
        bound_of(sql, SOURCE)
    assert str(caught.value).startswith(words)
    assert not isinstance(caught.value, Refusal)


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("SELECT * FROM mysql.user", "system-schema"),
        ("SELECT * FROM information_schema.tables", "system-schema"),
        ("SELECT s.x FROM Object o JOIN LATERAL (SELECT 1 AS x) s", "table-source"),
    ],
)
def test_what_is_no_table_of_a_catalog_is_refused(sql: str, code: str) -> None:
    """System schemas and sources that are not answered have codes of their own."""
    with pytest.raises(Refusal) as caught:
        bound_of(sql, SOURCE)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT COUNT(*) FROM ((SELECT 1 AS x) q, sky.Source)",
        "SELECT COUNT(*) FROM Object o JOIN (((SELECT 1 AS x) q) JOIN Source s ON s.t = q.x) ON q.x = o.kind",
        "SELECT 1 UNION SELECT 2 ORDER BY (SELECT COUNT(*) FROM sky.Source)",
        "((SELECT 1) ORDER BY EXISTS (SELECT 1 FROM Source) LIMIT 1) UNION SELECT 2",
    ],
)
def test_every_table_of_a_statement_is_looked_up(sql: str) -> None:
    """Behind a derived table in parentheses, and by which a UNION is sorted, too: the czar's own tables are empty."""
    assert "Source" in {one.table.table.name for one in bound_of(sql, SOURCE).tables if one.table is not None}


def test_a_table_in_an_unknown_clause_is_refused() -> None:
    """Whatever the parser may come to know, no table is asked that nobody has looked up."""
    statement = parse_statement("SELECT 1")
    assert isinstance(statement, SelectStatement)
    statement.tree.set("settings", [exp.to_table("sky.Object")])
    with pytest.raises(Refusal, match="no table is looked up"):
        bind(statement, SOURCE.catalog, "sky")


def test_a_column_of_using_is_in_both_tables() -> None:
    """It is not ambiguous, and stands for the left one, or that of a RIGHT JOIN."""
    for side, owner in (("", "o"), ("LEFT", "o"), ("RIGHT", "s")):
        bound = bound_of(f"SELECT objectId FROM Object o {side} JOIN Source s USING (objectId)", SOURCE)
        (item,) = bound.tree.selects
        assert isinstance(item, exp.Column)
        assert (item.table, item.name) == (owner, "objectId")


def test_the_side_that_an_outer_join_may_leave_out_is_known() -> None:
    """Rows of the right side of a LEFT JOIN may be missing."""
    bound = bound_of("SELECT * FROM Object o LEFT JOIN Source s ON o.objectId = s.objectId", SOURCE)
    assert [(one.alias, one.is_nullable) for one in bound.references] == [("o", False), ("s", True)]
