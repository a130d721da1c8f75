"""Orders of pulls: the statement of a unit, and how its columns are read. No server."""

from __future__ import annotations

import pytest
from tests.support.four_chunks import CHUNKS, Source
from tests.support.planned import plan_of

from skyshard.czar.result.typed_results import TypedColumn
from skyshard.czar.run.pull_order import PullOrder
from skyshard.czar.scan.scan_schedule import Unit
from skyshard.rowimage.sqltype import parse_type


def order(sql: str, *kinds: str, is_text: bool = True, is_loose: bool = False) -> PullOrder:
    """The order of a plan's first pull, whose columns have these types."""
    pull = plan_of(sql, Source()).pulls[0]
    names = pull.names or [column.name for column in pull.columns]
    columns = [TypedColumn(name, parse_type(kind)) for name, kind in zip(names, kinds, strict=True)]
    loosened = [column.loosened() if is_loose else column for column in columns]
    return PullOrder.of("q_1", "p0", pull, loosened, is_text=is_text, is_scan=False)


@pytest.mark.parametrize(
    ("kind", "is_text", "read"),
    [
        ("datetime", True, "CAST(`Object`.`mag` AS CHAR) AS c0"),
        ("datetime", False, "`Object`.`mag` AS c0"),
        ("float", True, "CAST(`Object`.`mag` AS DOUBLE) AS c0"),
        ("float", False, "`Object`.`mag` AS c0"),
        ("bit(3)", True, "CAST(`Object`.`mag` AS UNSIGNED) AS c0"),
        ("bit(3)", False, "CAST(`Object`.`mag` AS UNSIGNED) AS c0"),
    ],
)
def test_columns_are_read_exactly(kind: str, is_text: bool, read: str) -> None:
    """Dates as their text, FLOATs as DOUBLEs where rows travel as text; BITs as numbers on every way."""
    statement = order("SELECT mag FROM Object", kind, is_text=is_text).statement(Unit(CHUNKS[:1]))
    assert statement == f"SELECT {read} FROM `sky`.`Object_324` AS `Object`"


@pytest.mark.parametrize(
    ("kind", "is_text", "read"),
    [
        ("int(4)", True, "IF(FALSE, 9223372036854775807, 1e18 DIV `Object`.`kind`)"),
        ("int(4) unsigned", False, "IF(FALSE, 18446744073709551615, 1e18 DIV `Object`.`kind`)"),
        ("bigint(21)", True, "1e18 DIV `Object`.`kind`"),
        ("varchar(3)", True, "IF(FALSE, IF(FALSE, SPACE(16777216), ''), 1e18 DIV `Object`.`kind`)"),
        ("decimal(5,2)", True, "CAST(1e18 DIV `Object`.`kind` AS CHAR)"),
        ("decimal(5,2)", False, "CAST(1e18 DIV `Object`.`kind` AS decimal(65,2))"),
    ],
)
def test_union_of_chunks_cuts_nothing(kind: str, is_text: bool, read: str) -> None:
    """What may be longer than it declares declares the widest type, over several chunks."""
    made = order("SELECT 1e18 DIV kind FROM Object", kind, is_text=is_text, is_loose=True)
    assert made.statement(Unit(CHUNKS[:2])) == " UNION ALL ".join(
        f"(SELECT {read} AS c0 FROM `sky`.`Object_{chunk}` AS `Object`)" for chunk in CHUNKS[:2]
    )


def test_single_chunk_of_a_keyed_statement_is_read_as_it_is() -> None:
    """Where one chunk answers there is no UNION ALL, so nothing is cast for it."""
    made = order("SELECT 1e18 DIV kind FROM Object WHERE objectId = 5", "int(4)", is_loose=True)
    assert "IF(FALSE" not in made.statement(Unit((325,)))


def test_gathered_rows_are_read_from_a_derived_table() -> None:
    """A statement whose columns cannot be cast is wrapped, where rows travel as text."""
    sql = "SELECT f.filterName FROM Object o, Object p, Filter f WHERE o.mag = p.mag AND o.kind = f.filterId"
    made = order(sql, "float", "int")
    statement = made.statement(Unit((324, 325)))
    assert statement.startswith("SELECT CAST(`mag` AS DOUBLE), `kind` FROM ((SELECT ")
    assert statement.endswith(") AS q")


def test_limit_cuts_the_whole_unit() -> None:
    """Each chunk gives no more rows than are needed, and a unit of several no more than one."""
    made = order("SELECT mag FROM Object LIMIT 3", "float")
    assert made.statement(Unit((324,))).count("LIMIT 3") == 1
    assert made.statement(Unit((324, 325))).count("LIMIT 3") == 3
    assert made.statement(Unit((324, 325))).endswith(") LIMIT 3")


def test_tables_of_a_pull_have_names_of_their_own() -> None:
    """Query, pull, node and number are in the name of a scratch table and of its file."""
    made = order("SELECT mag FROM Object", "float", is_text=False)
    assert made.table(7) == ("`skyshard_scratch`.`q_1_p0_7`", "skyshard_scratch/q_1_p0_7.MYD")
    assert made.create("t").startswith("CREATE TABLE t (`c0` float ")
    assert made.record_bytes > 4
