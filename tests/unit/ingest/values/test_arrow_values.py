"""Typed values become a column's, strictly: as they stand, converted and counted, or refused."""

from __future__ import annotations

import datetime
import math
from collections import Counter
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.catalog.schema import Column
from skyshard.ingest.values.arrow_values import from_arrow
from skyshard.ingest.values.text_values import RowError
from skyshard.rowimage.sqltype import parse_type


def column(text: str, *, nullable: bool = True) -> Column:
    return Column("c", parse_type(text), nullable)


def taken(values: pa.Array, text: str) -> tuple[list[Any], dict[str, int]]:
    conversions: Counter[str] = Counter()
    return from_arrow(values, column(text), conversions).to_pylist(), dict(conversions)


@given(st.lists(st.one_of(st.none(), st.floats(width=32))), st.integers(0, 5), st.sampled_from(["float", "double"]))
def test_what_is_not_finite_becomes_null(values: list[float | None], start: int, kind: str) -> None:
    """NaN and infinities are NULL and counted, wherever the array starts in its buffer; NULL stays, uncounted."""
    array = pa.array(values, pa.float32() if kind == "float" else pa.float64())[start:]
    found, conversions = taken(array, kind)
    wanted = [None if v is None or not math.isfinite(v) else v for v in values[start:]]
    assert found == wanted
    lost = wanted.count(None) - values[start:].count(None)
    assert conversions == ({"c: NaN or infinity → NULL": lost} if lost else {})


@pytest.mark.parametrize(
    ("values", "text", "wanted", "conversions"),
    [
        (pa.array([True, None, False]), "tinyint(1)", [1, None, 0], {"c: true, false → 1, 0": 2}),
        (pa.array([1.5, 0.1]), "float", [1.5, pytest.approx(0.1)], {"c: rounded to FLOAT": 1}),
        (pa.array([3.0, None]), "int", [3, None], {}),
        (pa.array([1, 2], pa.uint8()), "bigint", [1, 2], {}),
        (pa.array([2**64 - 1], pa.uint64()), "bigint unsigned", [2**64 - 1], {}),
        (pa.nulls(2), "char(3)", [None, None], {}),
        (pa.array(["caf\xe9", "x"]), "char(4)", [b"caf\xe9", b"x"], {"c: UTF-8 → latin1": 1}),
        (pa.array(["a", "b", "a"]).dictionary_encode(), "varchar(1)", [b"a", b"b", b"a"], {}),
        (pa.array([b"\xff"]), "binary(1)", [b"\xff"], {}),
        (pa.array([datetime.date(2024, 2, 29)]), "date", [b"2024-02-29"], {}),
        (
            pa.array([1_500_000_001, 2_000_000_000], pa.timestamp("ns")), "datetime(6)",
            [b"1970-01-01 00:00:01.500000", b"1970-01-01 00:00:02.000000"],
            {"c: digits past 6 of the second dropped": 1},
        ),
        (
            pa.array([1500], pa.timestamp("ms", tz="Asia/Tokyo")), "datetime", [b"1970-01-01 00:00:01"],
            {"c: digits past 0 of the second dropped": 1},
        ),
    ],
)  # fmt: skip
def test_values_take_the_columns_type(
    values: pa.Array, text: str, wanted: list[Any], conversions: dict[str, int]
) -> None:
    """Each Arrow type as the column stores it; what changes a value is counted."""
    assert taken(values, text) == (wanted, conversions)


@pytest.mark.parametrize(
    ("values", "text", "row", "words"),
    [
        (pa.array([1, 300]), "tinyint", 1, "300 of Parquet type int64 does not fit tinyint"),
        (pa.array([-1, 1]), "int unsigned", 0, "-1 of Parquet type int64 does not fit"),
        (pa.array([1.0, 2.5]), "int", 1, "2.5 of Parquet type double does not fit int"),
        (pa.array([0.0, 1e39]), "float", 1, "1e+39 of Parquet type double does not fit float"),
        (pa.array([2**53 + 1]), "double", 0, "does not fit double"),
        (pa.array(["a", "1"]), "int", 0, "'a' of Parquet type string does not fit int"),
        (pa.array([1]), "char(3)", 0, "1 of Parquet type int64 does not fit char(3)"),
        (pa.array(["abc", "abcd"]), "char(3)", 1, "value of 4 bytes in char(3)"),
        (pa.array(["x", "\u03b1"]), "char(3)", 1, "has a character outside latin1"),
        (pa.array([b"\xff\xfe", b"x"]).view(pa.string()), "char(3)", 0, "is no UTF-8"),
        (pa.array([2**23]), "mediumint", 0, "does not fit mediumint"),
    ],
)
def test_value_that_does_not_fit_is_named(values: pa.Array, text: str, row: int, words: str) -> None:
    """The first such value, with its row; nothing is cut or rounded into place."""
    with pytest.raises(RowError) as caught:
        taken(values, text)
    assert words in caught.value.what
    assert caught.value.row == row


DAY_NS = 1_709_208_307_123_456_789


@pytest.mark.parametrize(
    ("values", "text", "wanted", "conversions"),
    [
        (
            pa.array([0.125, 0.5, -0.125, None]), "decimal(5,2)", ["0.13", "0.50", "-0.13", None],
            {"c: rounded to decimal(5,2)": 2},
        ),
        (pa.array([0.1, 1e-9, 2.0]), "decimal(5,2)", ["0.10", "0.00", "2.00"], {"c: rounded to decimal(5,2)": 1}),
        (
            pa.array([Decimal("1.005"), Decimal("1.500")]), "decimal(5,2)", ["1.01", "1.50"],
            {"c: rounded to decimal(5,2)": 1},
        ),
        (pa.array([7, -7], pa.int64()), "decimal(3,2)", ["7.00", "-7.00"], {}),
        (pa.array([2**64 - 1], pa.uint64()), "decimal(20,0)", [str(2**64 - 1)], {}),
        (pa.array([Decimal("0.1"), Decimal("12345678901234567.8")]), "double", [0.1, 12345678901234568.0],
         {"c: rounded to DOUBLE": 1}),
        (pa.array([Decimal("0.5"), Decimal("0.1")]), "float", [0.5, pytest.approx(0.1)], {"c: rounded to FLOAT": 1}),
        (pa.array([2**60, 2**24]), "float", [2.0**60, 2.0**24], {}),
        (pa.array(["1", "NaN", None, "inf"]), "int", [1, None, None, None], {"c: NaN or infinity → NULL": 2}),
        (pa.array(["0.5", "nan"]), "double", [0.5, None], {"c: NaN or infinity → NULL": 1}),
        (pa.array([b"2", b"3"]).dictionary_encode(), "bigint", [2, 3], {}),
        (pa.array([DAY_NS], pa.timestamp("ns")), "varchar(40)", [b"2024-02-29 12:05:07.123456789"], {}),
        (pa.array([DAY_NS], pa.timestamp("ns")), "date", [b"2024-02-29"], {"c: time of day dropped": 1}),
        (pa.array([DAY_NS // 10**9], pa.timestamp("s")), "datetime(3)", [b"2024-02-29 12:05:07"], {}),
        (
            pa.array([1_500_000, 2_000_000, None], pa.time64("us")), "time", [b"00:00:01", b"00:00:02", None],
            {"c: digits past 0 of the second dropped": 1},
        ),
        (pa.array([86_400_000], pa.date64()), "char(10)", [b"1970-01-02"], {}),
        (pa.array([3, None], pa.uint8()), "bit(9)", [b"\0\3", None], {}),
        (pa.array([0, 2024]), "year", [b"0000", b"2024"], {}),
        (pa.array([None, None], pa.duration("s")), "int", [None, None], {}),
        (pa.array(["caf\xe9"]), "varbinary(9)", ["caf\xe9".encode()], {}),
        (pa.array(["\u20ac"]), "char(1)", [b"\x80"], {"c: UTF-8 → latin1": 1}),
        (pa.array(["\u20ac"]), "char(1) character set utf8mb4", ["\u20ac".encode()], {}),
    ],
)  # fmt: skip
def test_what_a_column_does_not_hold_is_counted(
    values: pa.Array, text: str, wanted: list[Any], conversions: dict[str, int]
) -> None:
    """Digits that are dropped, by column and number of values; what stays as it stands is not."""
    found, counted = taken(values, text)
    shown = [str(value) if isinstance(value, Decimal) else value for value in found]
    assert (shown, counted) == (wanted, conversions)


@pytest.mark.parametrize(
    ("values", "text", "row", "words"),
    [
        (pa.array([DAY_NS], pa.timestamp("ns")), "double", 0, "timestamp[ns] does not fit double"),
        (pa.array([1], pa.duration("ns")), "time", 0, "duration[ns] does not fit time"),
        (pa.array([[1]]), "int", 0, "does not fit int"),
        (pa.array([True]), "char(3)", 0, "bool does not fit char(3)"),
        (pa.array([1.0, 99999.999]), "decimal(7,2)", 1, "99999.999 of Parquet type double does not fit decimal(7,2)"),
        (pa.array([1.0, 1e40]), "decimal(7,2)", 1, "1e+40 of Parquet type double does not fit"),
        (pa.array([Decimal("1.25")]), "int", 0, "1.25 of Parquet type decimal128(3, 2) does not fit int"),
        (pa.array([1, 512]), "bit(9)", 1, "512 of Parquet type int64 does not fit bit(9)"),
        (pa.array([253_402_300_800], pa.timestamp("s")), "datetime", 0, "is outside the years 0 to 9999"),
        (pa.array([86_400_001], pa.date64()), "date", 0, "is no whole day"),
        (pa.array([b"a", b"\xff"]), "char(1) character set utf8mb4", 1, "is no text in utf8mb4"),
        (pa.array([b"\xf0\x9f\x94\xad"]), "char(4) character set utf8", 0, "is no text in utf8"),
    ],
)
def test_value_without_a_place_is_refused(values: pa.Array, text: str, row: int, words: str) -> None:
    """Also where Python cannot show it."""
    with pytest.raises(RowError) as caught:
        taken(values, text)
    assert words in caught.value.what
    assert caught.value.row == row


def test_null_in_a_not_null_column_is_refused() -> None:
    """Also a NULL that a NaN would become."""
    with pytest.raises(RowError, match="NULL in a NOT NULL column"):
        from_arrow(pa.array([1.0, math.nan]), column("double", nullable=False), Counter())
