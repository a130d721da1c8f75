"""Conditions over input columns: which rows a table takes."""

from __future__ import annotations

import sqlite3
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.basics.errors import UserError
from skyshard.ingest.values.row_condition import columns_in, is_true
from skyshard.ingest.values.text_values import RowError

COLUMNS = {
    "isPrimary": pa.array([True, True, False, None]),
    "patch": pa.array([3, 50, 7, 7], pa.int32()),
    "flux": pa.array([1.5, None, float("nan"), float("inf")]),
    "band": pa.array(["g", "r", None, "g"]).dictionary_encode(),
}


def taken(text: str) -> list[int]:
    """The rows, from 0, for which it is true."""
    return is_true(text, COLUMNS, 4).nonzero()[0].tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("isPrimary", [0, 1]),
        ("not isPrimary", [2]),
        ("isPrimary and patch < 40", [0]),
        ("isPrimary = 1 AND NOT (patch >= 40)", [0]),
        ("isPrimary is null", [3]),
        ("isPrimary is not null and isPrimary is not true", [2]),
        ("isPrimary is not true", [2, 3]),
        ("3 < patch <= 50", [1, 2, 3]),
        ("patch * 2 - 6 = 0", [0]),
        ("patch", [0, 1, 2, 3]),
        ("patch - 7", [0, 1]),
        ("patch in (3, 50)", [0, 1]),
        ("patch not in (3, 50)", [2, 3]),
        ("patch <> 7 or flux > 0", [0, 1]),
        ("band = 'g'", [0, 3]),
        ("band in ('r', 'i') or band is null", [1, 2]),
        ("band != 'g'", [1]),
        ("flux is null", [1, 2, 3]),
        ("flux > 0", [0]),
        ("not flux > 0", []),
        ("flux <> 7", [0]),
        ("1 / (patch - 7) is null", [2, 3]),
        ("true", [0, 1, 2, 3]),
        ("null", []),
        ("patch = -3 or patch > -3", [0, 1, 2, 3]),
    ],
)
def test_rows_for_which_a_condition_is_true(text: str, rows: list[int]) -> None:
    """NULL is not true, nor is what is compared with it; NaN and infinity are NULL."""
    assert taken(text) == rows


@given(
    st.lists(st.tuples(*[st.none() | st.integers(-2, 2)] * 3), min_size=1, max_size=12),
    st.sampled_from(
        ["a < b AND NOT b = c", "a OR b AND c", "NOT (a = b OR c IS NULL)", "a IN (1, 2) OR b NOT IN (0, 1)",
         "a + b * 2 > c", "NOT a", "a <> b AND (c >= 0 OR b IS NOT NULL)", "a NOT IN (1) AND NOT (b < c)"]
    ),
)  # fmt: skip
def test_logic_is_that_of_sql(rows: list[tuple[int | None, ...]], text: str) -> None:
    """SQLite takes the same rows."""
    columns = dict(zip("abc", (pa.array(values, pa.int64()) for values in zip(*rows, strict=True)), strict=True))
    with sqlite3.connect(":memory:") as server:
        server.execute("CREATE TABLE t (n INTEGER, a INTEGER, b INTEGER, c INTEGER)")
        server.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", [(i, *row) for i, row in enumerate(rows)])
        right = [n for (n,) in server.execute(f"SELECT n FROM t WHERE {text} ORDER BY n")]
    server.close()
    assert is_true(text, columns, len(rows)).nonzero()[0].tolist() == right


def test_texts_are_numbers_where_numbers_are_asked_for() -> None:
    """As text files have flags and numbers; an empty field and NULL are NULL, 64 bits are exact."""
    columns = {"f": pa.array(["True", "0", "", "NULL", "t" * 0]), "n": pa.array([f"{2**63 + 1}", "7", "7.5", "", "x"])}
    assert is_true("f", columns, 5).tolist() == [True, False, False, False, False]
    wide = {"n": pa.array([f"{2**53 + 1}", f"{2**53}"])}
    assert is_true(f"n = {2**53}", wide, 2).tolist() == [False, True]
    with pytest.raises(RowError, match="where 'n > 7': 'x' is no number") as caught:
        is_true("n > 7", columns, 5)
    assert caught.value.row == 4


def test_what_cannot_be_compared_is_refused() -> None:
    """A time with a number, by the condition."""
    with pytest.raises(RowError, match="where 't < 5'"):
        is_true("t < 5", {"t": pa.array([0], pa.timestamp("us"))}, 1)


def test_columns_are_those_that_are_named() -> None:
    """Words of the language are none, nor is what stands in quotes."""
    assert columns_in("a = 'b and c' AND NOT d IS NULL or e in (1, 2)") == frozenset("ade")


@pytest.mark.parametrize(
    "text",
    ["f(x)", "x.y", "x[0]", "x if y else z", "x ** 2", "x % 2", "x & y", "lambda: 1", "(x", "", "x := 1", "x is y",
     "x in y", "x in ()", "x in (y, 1)", "'a' + x", "x like 'a'", "f'{x}'", "__import__('os')", "x; y"],
)  # fmt: skip
def test_anything_but_a_condition_is_refused(text: str) -> None:
    """Nothing is called or looked up; the remedy says what may be written."""
    with pytest.raises(UserError) as caught:
        columns_in(text)
    assert caught.value.what.startswith(f"where '{text}': ")
    assert "is null, parentheses" in caught.value.remedy


UNSIGNED = {
    "id": pa.array([0, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, None], pa.uint64()),
    "price": pa.array([0, 1, 2, 3, 2**63, None], pa.decimal128(38, 0)),
    "half": pa.array([0.0, 0.5, 1.5, -2.0, float("nan"), None], pa.float16()),
    "taken": pa.array([0, 1, 86_399_999_999, 86_400_000_000, 10**15, None], pa.timestamp("us", tz="Europe/Berlin")),
    "night": pa.array([0, 1, 19_000, -1, 20_000, None], pa.date32()),
}


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("id >= 9223372036854775808", [3, 4]),
        ("id = 9007199254740993", [1]),
        ("id > -1", [0, 1, 2, 3, 4]),
        ("id in (18446744073709551615, -1)", [4]),
        ("id < 18446744073709551616", [0, 1, 2, 3, 4]),
        ("id > 0.5", [1, 2, 3, 4]),
        ("id / 2 < 1", [0]),
        ("price = id", [0]),
        ("price = 9223372036854775808", [4]),
        ("half > 0.25", [1, 2]),
        ("half is null", [4, 5]),
        ("taken < '1970-01-02'", [0, 1, 2]),
        ("'1970-01-02 00:00:00' = taken", [3]),
        ("night > '1970-01-01'", [1, 2, 4]),
    ],
)
def test_whole_numbers_of_64_bits_and_times_are_compared_as_they_are(text: str, rows: list[int]) -> None:
    """No digit is lost, nothing overflows, and times are in UTC."""
    assert is_true(text, UNSIGNED, 6).nonzero()[0].tolist() == rows


@pytest.mark.parametrize("text", ["tenths = 0.3", "tenths in (0.3, 9)", "tenths * 1.0 = 0.3", "not tenths > 0.3"])
def test_decimals_are_compared_as_the_nearest_doubles(text: str) -> None:
    """Arrow's own cast makes another number of 0.3."""
    tenths = pa.array([Decimal("0.3"), Decimal("0.4")], pa.decimal128(18, 1))
    assert is_true(text, {"tenths": tenths}, 2).tolist() == [True, False]


@pytest.mark.parametrize("text", ["a == 'x'", "a > 1", "not a", "a", "a in ('x', 'y')", "a != b", "a + 1 > 0"])
def test_a_column_without_any_value_is_null(text: str) -> None:
    """A file of Parquet may have it without a type, whatever it is in others."""
    columns = {"a": pa.nulls(2), "b": pa.array(["x", None])}
    assert is_true(text, columns, 2).tolist() == [False, False]
    assert is_true("a is null", columns, 2).tolist() == [True, True]
