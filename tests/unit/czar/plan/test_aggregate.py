"""Aggregates in two steps: however rows are split over chunks, merging gives what one server gives.

Both steps run in DuckDB, which knows nothing of either.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp
from tests.support.depth import drawn

from skyshard.czar.bind.clauses import Clauses, OrderTerm
from skyshard.czar.plan.aggregate import NotMergeable, TwoStep, split
from skyshard.czar.sql.dialect import parse_expression, render

ITEMS = (
    "COUNT(*)", "COUNT(x)", "SUM(x)", "MIN(x)", "MAX(x)", "AVG(x)", "MAX(x) - MIN(x) + COUNT(*)", "AVG(x + k)",
    "VAR_POP(x)", "VAR_SAMP(x)", "STDDEV_POP(x)", "STDDEV_SAMP(x)", "BIT_XOR(k)", "BIT_AND(k)", "BIT_OR(k)",
    "COUNT(DISTINCT k)", "SUM(DISTINCT k)", "AVG(DISTINCT k)", "MIN(DISTINCT k)", "COUNT(DISTINCT x, k)",
)  # fmt: skip
ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(-3, 3).map(float) | st.none(), st.integers(0, 5)),
    min_size=1,
    max_size=30,
)
"""Chunk, group, a number that may be NULL, and one that is not."""


def steps_of(*items: str, group: tuple[str, ...] = (), having: str = "", order: str = "") -> TwoStep:
    return split(
        Clauses(
            items=tuple(map(parse_expression, items)),
            where=(),
            group=tuple(map(parse_expression, group)),
            having=parse_expression(having) if having else None,
            order=(OrderTerm(parse_expression(order), False, None),) if order else (),
            is_distinct=False,
            limit=None,
            offset=0,
            has_aggregates=True,
        )
    )


@functools.cache
def translated(sql: str) -> str:
    return sqlglot.transpile(sql, read="mysql", write="duckdb")[0]


def in_chunks(steps: TwoStep, connection: duckdb.DuckDBPyConnection) -> Any:
    """Each chunk's part, and the merge of all."""
    columns = ", ".join(f"{render(part)} AS {name}" for name, part in steps.columns.values())
    grouping = f" GROUP BY {', '.join(steps.grouping)}" if steps.grouping else ""
    parts = " UNION ALL ".join(f"(SELECT {columns} FROM t WHERE chunk = {chunk}{grouping})" for chunk in range(3))
    connection.execute(translated(f"CREATE OR REPLACE TABLE parts AS {parts}"))
    items = ", ".join(map(render, steps.items))
    groups = f" GROUP BY {', '.join(steps.groups)}" if steps.groups else ""
    having = f" HAVING {render(steps.having)}" if steps.having is not None else ""
    order = f" ORDER BY {', '.join(render(term) for term, _ in steps.order)}" if steps.order else ""
    return connection.execute(
        translated(f"SELECT {items} FROM {steps.over('parts')}{groups}{having}{order}")
    ).fetchall()


def at_once(select: str, connection: duckdb.DuckDBPyConnection) -> Any:
    return connection.execute(translated(select)).fetchall()


def filled(rows: list[tuple[int, int, float | None, int]]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("CREATE TABLE t (chunk INT, g INT, x DOUBLE, k BIGINT)")
    values = (", ".join("NULL" if value is None else repr(value) for value in row) for row in rows)
    connection.execute(f"INSERT INTO t VALUES {', '.join(f'({row})' for row in values)}")
    return connection


def is_close(one: Any, other: Any) -> bool:
    return one is other if None in (one, other) else math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


def sorted_rows(rows: list[tuple[object, ...]]) -> list[tuple[object, ...]]:
    return sorted(rows, key=lambda row: str(row[0]))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("group", [(), ("g",)], ids=["one answer", "by group"])
def test_any_split_of_the_rows_gives_the_same_answer(group: tuple[str, ...]) -> None:
    """Chunks without rows, groups that are in some chunks only, NULLs: every aggregate that can be merged."""

    steps = steps_of(*group, *ITEMS, group=group)

    @settings(max_examples=drawn(10))
    @given(ROWS)
    def compared(rows: list[tuple[int, int, float | None, int]]) -> None:
        with filled(rows) as connection:
            found = in_chunks(steps, connection)
            by = " GROUP BY g" if group else ""
            wanted = at_once(f"SELECT {', '.join((*group, *ITEMS))} FROM t{by}", connection)
        for one, other in zip(sorted_rows(found), sorted_rows(wanted), strict=True):
            assert all(map(is_close, one, other)), (one, other)

    compared()


def test_having_and_order_are_merged_as_items_are() -> None:
    """They may have aggregates that no item has."""
    with filled([(0, 1, 1.0, 1), (1, 1, 3.0, 1), (1, 2, 5.0, 1), (2, 3, 0.0, 1), (2, 3, None, 1)]) as connection:
        steps = steps_of("g", group=("g",), having="COUNT(x) < 2 AND COUNT(*) > 0", order="AVG(x)")
        assert in_chunks(steps, connection) == [(3,), (2,)]


def test_equal_aggregates_are_computed_once() -> None:
    """The sum of an average is the sum that is asked for beside it."""
    steps = steps_of("SUM(x)", "AVG(x)", "SUM(x) / COUNT(x)")
    assert [render(part) for _, part in steps.columns.values()] == ["SUM(x)", "COUNT(x)"]


@pytest.mark.parametrize(
    "item",
    [
        "GROUP_CONCAT(x)", "JSON_ARRAYAGG(x)", "SUM(COUNT(x))", "SUM(DISTINCT k / 2)", "VAR_POP(DISTINCT x)",
        "GROUP_CONCAT(DISTINCT x ORDER BY k)", "MEDIAN(x)",
    ],
)  # fmt: skip
def test_what_depends_on_all_rows_at_once_is_not_merged(item: str) -> None:
    """It is told, and the rows are gathered instead."""
    with pytest.raises(NotMergeable):
        steps_of(item)


def test_totals_of_groups_are_not_merged() -> None:
    """ROLLUP has rows that stand for several groups."""
    totals = exp.Rollup(expressions=[exp.column("g")])
    with pytest.raises(NotMergeable, match="totals"):
        split(Clauses((parse_expression("COUNT(*)"),), (), (totals,), None, (), False, None, 0, True))


def test_equal_values_have_no_spread_at_all() -> None:
    """Not a rounding error of their mean: it is taken about the least mean of a chunk."""
    rows: list[tuple[int, int, float | None, int]] = [(chunk, 0, 0.1, 0) for chunk in range(3)]
    with filled(rows) as connection:
        assert in_chunks(steps_of("VAR_POP(x)", "STDDEV_SAMP(x)"), connection) == [(0.0, 0.0)]
