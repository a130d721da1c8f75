"""What a name means in each clause, by MariaDB's rules; what it cannot mean is said with its place and a remedy."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlglot import exp
from tests.support.four_chunks import Source
from tests.support.planned import bound_of

from skyshard.basics.errors import UserError
from skyshard.czar.bind.clauses import take_apart
from skyshard.czar.sql.dialect import render
from skyshard.registry.catalog.published_catalog import Catalog


def meaning(sql: str, clause: str) -> list[str]:
    """The terms of a clause with every name replaced by what it means."""
    bound = bound_of(sql, Source())
    found = take_apart(bound, bound.blocks[0])
    having = [] if found.having is None else [found.having]
    parts = {"order": [one.expression for one in found.order], "group": found.group, "having": having}
    return [render(part) for part in parts[clause]]


@pytest.mark.parametrize(
    ("sql", "clause", "means"),
    [
        ("SELECT mag AS ra FROM Object ORDER BY ra", "order", "`Object`.`mag`"),
        ("SELECT mag AS ra FROM Object ORDER BY ra + 0", "order", "`Object`.`ra` + 0"),
        ("SELECT mag AS m FROM Object ORDER BY m + 0", "order", "(`Object`.`mag`) + 0"),
        ("SELECT mag AS ra FROM Object GROUP BY ra", "group", "`Object`.`ra`"),
        ("SELECT mag AS m FROM Object GROUP BY m", "group", "`Object`.`mag`"),
        ("SELECT kind, mag AS ra FROM Object HAVING ra > 2", "having", "(`Object`.`mag`) > 2"),
        ("SELECT kind AS mag FROM Object GROUP BY mag HAVING mag > 2", "having", "`Object`.`mag` > 2"),
        ("SELECT MAX(mag) AS kind FROM Object HAVING MAX(kind) > 2", "having", "MAX(`Object`.`kind`) > 2"),
        ("SELECT mag AS ra FROM Object ORDER BY (ra)", "order", "`Object`.`mag`"),
        ("SELECT mag AS ra FROM Object ORDER BY ((1))", "order", "`Object`.`mag`"),
        ("SELECT mag AS ra FROM Object ORDER BY TRUE", "order", "`Object`.`mag`"),
        ("SELECT mag AS m FROM Object GROUP BY (m)", "group", "`Object`.`mag`"),
        ("SELECT mag AS m FROM Object GROUP BY (1)", "group", "`Object`.`mag`"),
        ("SELECT -kind AS kind FROM Object GROUP BY (kind) HAVING kind > 2", "having", "`Object`.`kind` > 2"),
        ("SELECT SUM(mag) AS kind, kind AS k FROM Object GROUP BY k HAVING kind > 2", "having", "`Object`.`kind` > 2"),
        ("SELECT kind AS k, SUM(mag) AS kind FROM Object GROUP BY 1 HAVING kind > 2", "having", "`Object`.`kind` > 2"),
        ("SELECT *, -kind AS kind FROM Object GROUP BY 5 HAVING kind > 2", "having", "`Object`.`kind` > 2"),
        ("SELECT 1, o.*, -kind AS kind FROM Object o GROUP BY 6 HAVING kind > 2", "having", "`o`.`kind` > 2"),
        ("SELECT *, -kind AS kind FROM Object GROUP BY 1 HAVING kind > 2", "having", "(-`Object`.`kind`) > 2"),
        ("SELECT -kind AS kind FROM Object GROUP BY -kind HAVING kind > 2", "having", "(-`Object`.`kind`) > 2"),
        ("SELECT mag AS kind FROM Object HAVING BIT_OR(kind) > 2", "having", "BIT_OR(`Object`.`kind`) > 2"),
        ("SELECT mag AS kind FROM Object HAVING STD(kind + 1) > 2", "having", "STD(`Object`.`kind` + 1) > 2"),
        ("SELECT MAX(mag) AS M FROM Object HAVING m > 2", "having", "(MAX(`Object`.`mag`)) > 2"),
        ("SELECT o.MAG FROM Object o ORDER BY o.Ra", "order", "`o`.`ra`"),
        ("SELECT TIME '10:00' AS m FROM Object GROUP BY m", "group", "TIME'10:00'"),
        ("SELECT mag > DATE '2020-02-02' AS m FROM Object ORDER BY m", "order", "`Object`.`mag` > DATE'2020-02-02'"),
        ("SELECT DATE '2020-02-02', kind AS k FROM Object ORDER BY `k`", "order", "`Object`.`kind`"),
    ],
)
def test_a_name_means_what_it_means_to_mariadb(sql: str, clause: str, means: str) -> None:
    """ORDER BY looks for items first, but not inside of an expression; GROUP BY for columns first; HAVING for a column
    of GROUP BY, then for an item; inside an aggregate a name is a column. Case and parentheses are none of a name."""
    assert meaning(sql, clause) == [means]


@pytest.mark.parametrize(
    ("sql", "what", "remedy"),
    [
        ("SELECT mgg FROM Object", "unknown column 'mgg' (line 1, column 8)", "did you mean 'mag'?"),
        ("SELECT 1 FROM Object o WHERE o.nosuch = 1", "unknown column 'o.nosuch'", "SHOW COLUMNS FROM Object"),
        ("SELECT q.mag FROM Object o", "unknown table 'q' in 'q.mag'", "tables here: o"),
        ("SELECT Object.mag FROM Object o", "unknown table 'Object' in 'Object.mag'", "tables here: o"),
        ("SELECT objectId FROM Object, Source", "it is in 'Object' and 'Source'", "write Object.objectId"),
        ("SELECT ra AS a, decl AS a FROM Object ORDER BY a", "column 'a' in ORDER BY is ambiguous", "its position"),
        ("SELECT kind AS k FROM Object WHERE k = 1", "unknown column 'k'", "SHOW COLUMNS FROM Object"),
        ("SELECT SUM(kind) AS k FROM Object WHERE mag > (SELECT MAX(noteId) FROM Note WHERE k = 1)", "'k'", "SHOW"),
    ],
)
def test_a_name_without_meaning_is_an_error_with_its_place(sql: str, what: str, remedy: str) -> None:
    """What, where in the text, and a name that is like it or what there is."""
    with pytest.raises(UserError) as caught:
        bound_of(sql, Source())
    assert what in caught.value.what
    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("sql", "what", "remedy"),
    [
        ("SELECT ra FROM sky.Object, sea.Object", "it is in 'sky.Object' and 'sea.Object'", "write sky.Object.ra"),
        ("SELECT ra FROM sea.Object o, sky.Object o", "it is in 'sea.o' and 'sky.o'", "write sea.o.ra"),
        ("SELECT ra FROM sky.Object o, sea.Object", "it is in 'o' and 'Object'", "write o.ra"),
        ("SELECT Object.ra FROM sky.Object, sea.Object", "'Object.ra' is ambiguous", "sky.Object or sea.Object, or"),
        ("SELECT q.ra FROM sky.Object, sea.Object", "unknown table 'q'", "tables here: Object, Object"),
    ],
)
def test_tables_that_are_called_alike_are_named_with_their_databases(sql: str, what: str, remedy: str) -> None:
    """As they have to be written, and not as they are called within."""

    class TwoSkies(Source):
        def catalog(self, database: str) -> Catalog:
            return replace(super().catalog("sky"), database=database)

    with pytest.raises(UserError) as caught:
        bound_of(sql, TwoSkies())
    assert what in caught.value.what
    assert remedy in caught.value.remedy


def test_an_ambiguous_alias_of_one_expression_is_none() -> None:
    """Twice the same: either will do."""
    assert meaning("SELECT ra AS a, ra AS a FROM Object ORDER BY a", "order") == ["`Object`.`ra`"]


def test_a_subquery_sees_the_tables_around_it_behind_its_own() -> None:
    """A name that both have is the inner one's; one that only the outer query has is found there."""
    sql = "SELECT kind FROM Object o WHERE EXISTS (SELECT 1 FROM Note WHERE objectId = 5 AND noteId = kind)"
    bound = bound_of(sql, Source())
    inner = bound.blocks[1].select.args["where"]
    owners = {column.name: bound.reference(column) for column in inner.find_all(exp.Column)}
    assert {name: found and found.alias for name, found in owners.items()} == {
        "objectId": "Note", "noteId": "Note", "kind": "o",
    }  # fmt: skip
