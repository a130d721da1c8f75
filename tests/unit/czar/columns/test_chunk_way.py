"""Chunk statements over columns: what is read, what may be left out, what the engine computes, and what it may not."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp
from tests.support.four_chunks import Source
from tests.support.planned import bound_of, where_of

from skyshard.czar.columns.chunk_way import ChunkSelect, chunk_way
from skyshard.czar.columns.column_way import ColumnWay, Limits
from skyshard.czar.columns.terms import NotProven

ROWS = [(1, -7, 0.5), (2, 7, None), (3, None, 2.0), (4, 0, -1.5), (5, 2, 2.0)]
"""objectId, kind, mag."""


def way(sql: str, **given: Any) -> ColumnWay:
    """The way of a SELECT of one block, each of whose items is a column of the chunk statement."""
    bound = bound_of(sql, Source())
    block = bound.blocks[0]
    columns = {f"c{number}": one.unalias() for number, one in enumerate(block.select.expressions)}
    return chunk_way(bound, block, ChunkSelect(columns, where_of(bound), **given))


def limits(condition: str) -> tuple[Limits, ...]:
    return way(f"SELECT objectId FROM Object WHERE {condition}").tables[0].limits


def answered(sql: str) -> list[Any]:
    """What the engine gives for an item, row by row, in order of the key."""
    made = way(sql)
    with duckdb.connect() as connection:
        connection.execute('CREATE TABLE t0 ("objectId" BIGINT, "kind" INTEGER, "mag" FLOAT)')
        connection.executemany("INSERT INTO t0 VALUES (?, ?, ?)", ROWS)
        assert not any(connection.execute(check).fetchall() for check in made.checks)
        return [row[1] for row in sorted(connection.execute(made.text).fetchall())]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("mag < 20", (("mag", None, 20.0),)),
        ("20 > mag", (("mag", None, 20.0),)),
        ("mag >= -0.5", (("mag", -0.5, None),)),
        ("-0.5 >= mag", (("mag", None, -0.5),)),
        ("kind = 3", (("kind", 3.0, 3.0),)),
        ("(mag) <= (20)", (("mag", None, 20.0),)),
        ("mag BETWEEN 15 AND 20.5", (("mag", 15.0, 20.5),)),
        ("mag > 15 AND kind = 3", (("mag", 15.0, None), ("kind", 3.0, 3.0))),
        ("mag = 0.1", (("mag", 0.09999999999999999, 0.10000000000000002),)),
        ("mag > 0.1", (("mag", 0.09999999999999999, None),)),
        ("-0.1 >= mag", (("mag", None, -0.09999999999999999),)),
        ("ra BETWEEN 12.1 AND 12.2", (("ra", 12.099999999999998, 12.200000000000001),)),
        ("objectId = 9007199254740993", (("objectId", 9007199254740991.0, 9007199254740994.0),)),
    ],
)
def test_blocks_beyond_a_constant_may_be_left_out(condition: str, expected: tuple[Limits, ...]) -> None:
    """Whichever side of the comparison the column is on; a constant that no DOUBLE is has a neighbour on each side."""
    assert limits(condition) == expected


@given(st.decimals(-(10**6), 10**6, allow_nan=False, allow_infinity=False, places=9))
def test_limits_hold_a_constant_as_it_is_and_as_a_double(value: Decimal) -> None:
    """MariaDB compares a DOUBLE column with the nearest DOUBLE, a DECIMAL one with the number itself."""
    ((_, low, high),) = limits(f"mag = {value:f}")
    assert low is not None
    assert high is not None
    assert low <= float(value) <= high
    assert Decimal(low) <= value <= Decimal(high)


@pytest.mark.parametrize(
    "condition",
    ["mag > 15 OR kind = 3", "NOT mag > 15", "mag <> 15", "mag <=> 15", "mag + 1 > 15", "mag > kind",
     "mag BETWEEN kind AND 20"],
)  # fmt: skip
def test_no_block_is_left_out_where_the_condition_is_no_limit(condition: str) -> None:
    """A row of any other value may be one that is asked for."""
    assert limits(condition) == ()


def test_of_each_table_only_the_columns_named_are_read() -> None:
    """Those of ON, WHERE and items; each table has its own limits."""
    made = way(
        "SELECT o.objectId, s.t FROM Object o JOIN Source s ON o.objectId = s.objectId WHERE s.t > 3 AND o.mag <= s.t"
    )
    assert [(one.slot, set(one.names), one.limits) for one in made.tables] == [
        (0, {"objectId", "mag"}, ()),
        (1, {"objectId", "t"}, (("t", 3.0, None),)),
    ]


def test_rows_that_are_only_counted_are_told_by_the_narrowest_column() -> None:
    """No column is named: one is read all the same."""
    made = way("SELECT COUNT(*) FROM Object", is_grouped=True)
    assert [one.names for one in made.tables] == [("chunkId",)]


def test_where_a_number_may_be_too_large_all_rows_are_looked_at() -> None:
    """MariaDB raises an error for any row; a block that is left out could hold that row."""
    made = way("SELECT objectId FROM Object WHERE ra * decl > 4 AND mag < 20")
    assert made.checks == ('SELECT 1 FROM t0 WHERE NOT isfinite((t0."ra" * t0."decl")) LIMIT 1',)
    assert made.tables[0].limits == ()
    assert way("SELECT objectId FROM Object WHERE mag * mag > 4 AND mag < 20").checks == ()


def test_a_product_over_two_tables_has_no_check() -> None:
    """Whether a server computes it for a pair depends on its order of joins; the engine stops where it does."""
    made = way("SELECT o.kind FROM Object o, Source s WHERE o.objectId = s.objectId AND o.ra * s.t > 4")
    assert made.checks == ()
    assert "error('beyond DOUBLE')" in made.text


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("kind DIV 2", [-3, 3, None, 0, 1]),
        ("kind % 3", [-1, 1, None, 0, 2]),
        ("7 DIV kind", [-1, 1, None, None, 3]),
        ("7 % kind", [0, 0, None, None, 1]),
        ("mag / kind", [0.5 / -7, None, None, None, 1.0]),
        ("mag <=> 2", [False, False, True, False, True]),
        ("kind IN (7, 2)", [False, True, None, False, True]),
        ("kind = 7 OR mag = 2", [False, True, True, False, True]),
        ("kind = 7 AND mag = 2", [False, None, None, False, False]),
        ("CASE WHEN mag IS NULL THEN -1 ELSE mag END", [0.5, -1.0, 2.0, -1.5, 2.0]),
    ],
)
def test_the_engine_computes_what_mariadb_does(item: str, expected: list[Any]) -> None:
    """Whole numbers are cut towards zero, what is divided by zero is NULL, NULL is neither true nor false."""
    assert answered(f"SELECT objectId, {item} FROM Object") == expected


@pytest.mark.parametrize(
    ("sql", "given", "reason"),
    [
        ("SELECT filterName FROM Filter", {}, "neither director nor dependent"),
        ("SELECT o.kind FROM Object o LEFT JOIN Source s ON o.objectId = s.objectId", {}, "not an inner one with ON"),
        ("SELECT kind FROM Object o RIGHT JOIN Source s USING (objectId)", {}, "not an inner one with ON"),
        ("SELECT kind FROM Object", {"limit": 3}, "a few rows are enough"),
        ("SELECT 1 FROM Object WHERE mag > 3", {}, "a constant"),
        ("SELECT mag + 1 FROM Object", {"is_distinct": True}, "computed numbers that are not whole"),
        ("SELECT mag + 1, kind FROM Object", {"is_grouped": True, "grouping": {"c0"}}, "that are not whole"),
        ("SELECT COUNT(DISTINCT kind) FROM Object", {"is_grouped": True}, "an aggregate of several arguments"),
        ("SELECT body FROM Note", {"is_distinct": True}, "a column that is no number"),
        ("SELECT kind FROM Object WHERE 'a' < mag", {}, "a text"),
        ("SELECT kind FROM Object WHERE kind = 1 AND 1", {}, "a condition that is no comparison"),
        ("SELECT kind FROM Object WHERE FLOOR(mag) = 1", {}, "the function FLOOR"),
    ],
)
def test_what_is_not_proven_is_left_to_mariadb(sql: str, given: dict[str, Any], reason: str) -> None:
    """The reason is what `skyshard query --explain` says."""
    with pytest.raises(NotProven, match=reason):
        way(sql, **given)


def test_a_join_by_using_is_one_with_on() -> None:
    """The columns that it merges are those of the left table."""
    by_using = way("SELECT kind, objectId FROM Object o JOIN Source s USING (objectId)")
    assert by_using == way("SELECT o.kind, o.objectId FROM Object o JOIN Source s ON o.objectId = s.objectId")


@pytest.mark.parametrize(
    ("sql", "given", "expected"),
    [
        ("SELECT objectId FROM Object WHERE mag > 1", {}, (False, False)),
        ("SELECT COUNT(*) FROM Object", {"is_grouped": True}, (True, False)),
        ("SELECT kind, COUNT(*) FROM Object", {"is_grouped": True, "grouping": ("c0",)}, (False, True)),
        ("SELECT kind FROM Object", {"is_distinct": True}, (False, True)),
        ("SELECT kind FROM Object", {"order": [(exp.Literal.number(1), False)], "limit": 3}, (False, True)),
    ],
)
def test_a_way_says_whether_few_rows_come_of_many(sql: str, given: dict[str, Any], expected: tuple[bool, bool]) -> None:
    """One row of aggregates; groups, distinct rows and the first few are prepared once and copied."""
    made = way(sql, **given)
    assert (made.is_one_row, made.is_condensed) == expected


def test_groups_and_rows_told_apart_may_be_of_whole_numbers() -> None:
    """Computed or not; a plain column may be of any kind of number."""
    assert way("SELECT kind + 1 FROM Object", is_distinct=True).text.startswith("SELECT DISTINCT ")
    made = way("SELECT mag, COUNT(*) FROM Object", is_grouped=True, grouping={"c0"})
    assert made.text == 'SELECT t0."mag" AS c0, count(*) AS c1 FROM t0 GROUP BY t0."mag"'
