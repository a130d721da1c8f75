"""The engine's plans are kept for tables of the same shape, and never with their rows."""

from __future__ import annotations

import gc
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pyarrow as pa
import pytest

from skyshard.czar.columns import engine
from skyshard.czar.columns.column_way import ColumnWay, TableColumns
from skyshard.czar.columns.engine import KEPT_SESSIONS, Calls, _Kept, _Session, compute, in_types
from skyshard.czar.columns.not_by_columns import NotByColumns

TOTAL = ColumnWay(
    (TableColumns(0, ("n",)),), 'SELECT count(*) AS a0, sum(t0."n") AS a1, max(t0."n") AS a2 FROM t0', is_one_row=True
)
ROWS = ColumnWay((TableColumns(0, ("n",)),), 'SELECT t0."n" AS a0 FROM t0 WHERE t0."n" > 1')
DISTINCT = ColumnWay(
    (TableColumns(0, ("n",)),), 'SELECT DISTINCT t0."n" AS a0 FROM t0 WHERE t0."n" > 1', is_condensed=True
)
CHECKED = ColumnWay(
    (TableColumns(0, ("x",)),),
    'SELECT sum(t0."x") AS a0 FROM t0',
    ('SELECT 1 FROM t0 WHERE NOT isfinite(t0."x" * 2) LIMIT 1',),
    is_one_row=True,
)
PAIRS = ColumnWay(
    (TableColumns(0, ("n",)), TableColumns(1, ("n",))),
    'SELECT count(*) AS a0 FROM t0, t1 WHERE t0."n" = t1."n"',
    is_one_row=True,
)


def numbers(*values: int | None) -> pa.Table:
    return pa.table({"n": pa.array(values, pa.int64())})


@pytest.mark.parametrize("way", [TOTAL, ROWS, DISTINCT])
def test_each_call_reads_its_own_rows_when_plans_are_kept(way: ColumnWay) -> None:
    """A plan that has served other rows, or none, or NULLs alone, gives what these rows say."""
    for values in [(1, 2, 3), (5,), (), (None, None), (7, None, 9), tuple(range(100_000))]:
        held = [value for value in values if value is not None]
        found = compute(way, {0: numbers(*values)}, Calls())
        if way is TOTAL:
            total = Decimal(sum(held)) if held else None
            assert found.to_pylist() == [{"a0": len(values), "a1": total, "a2": max(held, default=None)}]
        else:
            assert sorted(found.column("a0").to_pylist()) == [value for value in held if value > 1]


@pytest.mark.parametrize("way", [TOTAL, ROWS, DISTINCT])
def test_each_call_reads_its_own_rows_where_plans_hold_them(way: ColumnWay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Releases of the engine before 1.5 keep the first rows of a source, or none: then each call has its own plan."""
    monkeypatch.setattr(engine, "_asks_anew", lambda: False)
    for values in [(2, 3), (5,), (None,)]:
        held = [value for value in values if value is not None]
        found = compute(way, {0: numbers(*values)}, Calls()).to_pydict()
        assert sorted(found["a0"]) == ([len(values)] if way is TOTAL else held)


def test_one_row_has_the_types_that_the_engine_declares() -> None:
    """Counts are whole numbers of 64 bits, sums of whole numbers have all their digits, also where all is NULL."""
    text = "SELECT count(*) AS a, sum(t0.n) AS b, sum(t0.x) AS c, min(t0.y) AS d, sum(t0.e) AS e FROM t0"
    way = ColumnWay((TableColumns(0, ("n", "x", "y", "e")),), text, is_one_row=True)
    kinds = [pa.int64(), pa.float64(), pa.float32(), pa.decimal128(10, 2)]
    for values in ((2**62, 0.5, 0.25, Decimal("1.25")), (None,) * 4):
        table = pa.table(
            [pa.array([one] * 3, kind) for one, kind in zip(values, kinds, strict=True)], ["n", "x", "y", "e"]
        )
        as_rows = ColumnWay(way.tables, text)
        assert compute(way, {0: table}, Calls()).equals(compute(as_rows, {0: table}, Calls()))
        prepared = ColumnWay(way.tables, text, is_condensed=True)
        assert compute(prepared, {0: table}, Calls()).equals(compute(as_rows, {0: table}, Calls()))
    assert compute(way, {0: table}, Calls()).schema.types[:3] == [pa.int64(), pa.decimal128(38, 0), pa.float64()]


@pytest.mark.parametrize("text", ['SELECT t0."n" AS a0 FROM t0', 'SELECT DISTINCT t0."n" AS a0 FROM t0'])
def test_a_kept_plan_of_the_first_rows_knows_nothing_of_those_before(text: str) -> None:
    """What it has found to be too large in one call may be among the first of the next."""
    way = ColumnWay((TableColumns(0, ("n",)),), f"{text} ORDER BY a0 LIMIT 2", is_limited=True, is_condensed=True)
    for values in [range(5000), range(7000, 12_000), (9,), range(-3000, 0)]:
        assert compute(way, {0: numbers(*values)}, Calls()).column("a0").to_pylist() == sorted(values)[:2]


def test_a_program_that_makes_errors_of_warnings_gets_its_rows() -> None:
    """The engine warns of the copy of a prepared statement's rows; whoever asks has nothing to do with it."""
    compute(DISTINCT, {0: numbers(1)}, Calls())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for values in ((1, 2, 2), (3,)):
            assert compute(DISTINCT, {0: numbers(*values)}, Calls()).column("a0").to_pylist() == [max(values)]


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32()])
def test_no_zero_of_a_result_has_a_sign(kind: pa.DataType) -> None:
    """-x of 0 is -0, which MariaDB stores as 0; NULL stays NULL."""
    way = ColumnWay((TableColumns(0, ("x",)),), 'SELECT -t0."x" AS a0 FROM t0')
    found = compute(way, {0: pa.table({"x": pa.array([0.0, 1.0, None], kind)})}, Calls())
    assert str(found.column("a0").to_pylist()) == "[-0.0, -1.0, None]"
    assert str(in_types(found, ["a0"], [kind]).column("a0").to_pylist()) == "[0.0, -1.0, None]"


def test_a_check_sees_the_rows_of_its_own_call() -> None:
    """A number beyond DOUBLE is found in the rows of one call, and in none of the next."""
    good, bad = pa.table({"x": [1.0, None]}), pa.table({"x": [1.7e308]})
    for _ in range(2):
        assert compute(CHECKED, {0: good}, Calls()).to_pylist() == [{"a0": 1.0}]
        with pytest.raises(NotByColumns, match="beyond DOUBLE"):
            compute(CHECKED, {0: bad}, Calls())


def test_columns_of_another_type_under_the_same_name_have_a_plan_of_their_own() -> None:
    """A column that was BIGINT and is DOUBLE now, as after a new release, is read as DOUBLE."""
    compute(TOTAL, {0: numbers(1)}, Calls())
    found = compute(TOTAL, {0: pa.table({"n": [0.5, 0.25]})}, Calls())
    assert found.to_pylist() == [{"a0": 2, "a1": 0.75, "a2": 0.5}]


def test_nothing_holds_the_rows_of_a_call_that_has_ended() -> None:
    """Rows are views of mapped files, which go when their tables are dropped."""
    table = numbers(*range(1000))
    held = weakref.ref(table)
    compute(TOTAL, {0: table}, Calls())
    del table
    gc.collect()
    assert held() is None


def test_many_threads_with_the_same_plan_each_read_their_own_rows() -> None:
    """No two calls share a session."""

    def total(count: int) -> int:
        return int(compute(TOTAL, {0: numbers(*range(count))}, Calls()).column("a0")[0].as_py())

    counts = [37 * number % 5000 for number in range(200)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(total, counts)) == counts


def test_a_call_that_was_stopped_leaves_no_session_that_ends_the_next_one() -> None:
    """Who is interrupted says so; the same statement then runs to its end."""
    long, calls = numbers(*([1] * 200_000)), Calls()
    few = numbers(1, 1)
    ended = threading.Event()

    def stop_until_ended() -> None:
        while not ended.wait(0.01):
            calls.stop()

    watch = threading.Thread(target=stop_until_ended)
    watch.start()
    try:
        with pytest.raises(NotByColumns, match=r"(?i)interrupt"):
            compute(PAIRS, {0: long, 1: long}, calls)
    finally:
        ended.set()
        watch.join()
    for _ in range(3):
        assert compute(PAIRS, {0: few, 1: few}, Calls()).to_pylist() == [{"a0": 4}]


def test_no_more_sessions_are_kept_than_the_limit() -> None:
    """Statements with ever new constants push out those that were used longest ago."""
    kept = _Kept()
    shapes = []
    for number in range(KEPT_SESSIONS + 3):
        way = ColumnWay((TableColumns(0, ("n",)),), f"SELECT count(*) + {number} AS a0 FROM t0", is_one_row=True)
        shapes.append((way.text, way.checks, ((0, numbers().schema),)))
        kept.give(_Session(way, shapes[-1]))
    found = [kept.take(shape) for shape in shapes]
    assert [session is None for session in found] == [True] * 3 + [False] * KEPT_SESSIONS
    for session in found[3:]:
        assert session is not None
        session.cursor.close()
