"""Arrow's numbers in columns: exact, rounded and counted, or refused with the row."""

from __future__ import annotations

from collections import Counter
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pyarrow as pa
import pytest

from skyshard.catalog.schema import Column
from skyshard.ingest.values.arrow_numbers import as_decimal, as_floating, as_integer, big_endian_bits
from skyshard.ingest.values.text_values import RowError
from skyshard.rowimage.sqltype import parse_type


def column(kind: str) -> Column:
    return Column("c", parse_type(kind))


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("tinyint", -128, 127), ("smallint", -(2**15), 2**15 - 1), ("mediumint", -(2**23), 2**23 - 1),
        ("int", -(2**31), 2**31 - 1), ("bigint", -(2**63), 2**63 - 1),
        ("tinyint unsigned", 0, 255), ("mediumint unsigned", 0, 2**24 - 1), ("int unsigned", 0, 2**32 - 1),
    ],
)  # fmt: skip
def test_whole_numbers_fit_just_to_their_ends(kind: str, low: int, high: int) -> None:
    """Both ends and NULL go in; one beyond either end is refused, with its row."""
    wide = pa.decimal128(38, 0)
    ends = pa.array([low, None, high], pa.int64())
    assert as_integer(ends, column(kind), Counter()).to_pylist() == [low, None, high]
    for beyond in (low - 1, high + 1):
        values = pa.array([0, None, beyond, beyond], wide if abs(beyond) >= 2**63 else pa.int64())
        with pytest.raises(RowError, match=f"{beyond} of Parquet type .* does not fit") as caught:
            as_integer(values, column(kind), Counter())
        assert caught.value.row == 2
    assert as_integer(pa.array([], pa.int64()), column(kind), Counter()).to_pylist() == []


@pytest.mark.parametrize(
    ("kind", "exact", "inexact"),
    [("float", 2**24, 2**24 + 1), ("double", 2**53, 2**53 + 1), ("double", 2**62, 2**63 - 1)],
)  # fmt: skip
def test_a_whole_number_is_never_rounded(kind: str, exact: int, inexact: int) -> None:
    """What a float holds exactly is taken, also far beyond its digits; what it does not is refused, both signs."""
    taken = as_floating(pa.array([exact, None, -exact, -(2**63)]), column(kind), Counter())
    assert taken.to_pylist() == [exact, None, -exact, -(2**63)]
    for one in (inexact, -inexact):
        with pytest.raises(RowError, match=str(one)) as caught:
            as_floating(pa.array([None, exact, one]), column(kind), Counter())
        assert caught.value.row == 2
    assert as_floating(pa.array([2**63], pa.uint64()), column(kind), Counter()).to_pylist() == [2**63]


def test_floats_that_lose_digits_are_counted_and_those_too_large_refused() -> None:
    """A quarter is a FLOAT, a tenth is none; the largest FLOAT is (2 - 2^-23) 2^127."""
    counts: Counter[str] = Counter()
    taken = as_floating(pa.array([0.25, 0.1, None, -0.1, -0.0]), column("float"), counts)
    assert counts == {"c: rounded to FLOAT": 2}
    assert taken.type == pa.float32()
    assert str(taken[4].as_py()) == "-0.0"
    most = (2 - 2.0**-23) * 2.0**127
    assert as_floating(pa.array([most]), column("float"), Counter()).to_pylist() == [most]
    with pytest.raises(RowError) as caught:
        as_floating(pa.array([None, most, most * 1.01]), column("float"), Counter())
    assert caught.value.row == 2


DRAWN = ["0.125", "-0.125", "2.5", "-2.5", "0.005", "1.005", "-99.995", "0.004999", "12.3450", "1E-30", "-1E-300", "0"]


@pytest.mark.parametrize("scale", [0, 1, 2, 5])
def test_decimals_are_rounded_half_away_from_zero(scale: int) -> None:
    """As Python's decimals do it, of the digits that a float is written with; what changes is counted once each."""
    wanted = [Decimal(repr(float(one))).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP) for one in DRAWN]
    lost = sum(Decimal(repr(float(one))) != rounded for one, rounded in zip(DRAWN, wanted, strict=True))
    kind = f"decimal(20,{scale})"
    given: list[tuple[Any, int]] = [(pa.array([*map(float, DRAWN), None]), lost)]
    exact = [Decimal(one) for one in DRAWN[:9]]
    given.append((pa.array([*exact, None], pa.decimal128(30, 6)), sum(map(Decimal.__ne__, exact, wanted))))
    for values, most in given:
        counts: Counter[str] = Counter()
        assert as_decimal(values, column(kind), counts).to_pylist() == [*wanted[: len(values) - 1], None]
        assert counts.total() == most


def test_a_decimal_that_is_too_large_is_refused_and_one_that_is_not_quite_is_taken() -> None:
    """DECIMAL(4,2) ends at 99.99; what rounds up to 100 is too large, too."""
    small = column("decimal(4,2)")
    assert as_decimal(pa.array([99.99, -99.99]), small, Counter()).to_pylist() == [Decimal("99.99"), Decimal("-99.99")]
    assert as_decimal(pa.array([99, None]), small, Counter()).to_pylist() == [Decimal(99), None]
    for bad in (pa.array([1.0, None, 100.0]), pa.array([1, None, 100]), pa.array([1.0, None, -99.995])):
        with pytest.raises(RowError) as caught:
            as_decimal(bad, small, Counter())
        assert caught.value.row == 2


@pytest.mark.parametrize(
    ("bits", "number", "stored"),
    [(1, 1, b"\x01"), (5, 31, b"\x1f"), (8, 255, b"\xff"), (9, 256, b"\x01\x00"), (64, 2**64 - 1, b"\xff" * 8)],
)
def test_bits_are_stored_most_significant_first(bits: int, number: int, stored: bytes) -> None:
    """In as few bytes as the column has; one number more does not fit."""
    kind = column(f"bit({bits})")
    taken = big_endian_bits(pa.array([number, None, 0], pa.uint64()), kind, Counter())
    assert taken.to_pylist() == [stored, None, bytes(len(stored))]
    if bits < 64:
        with pytest.raises(RowError) as caught:
            big_endian_bits(pa.array([0, 2**bits], pa.uint64()), kind, Counter())
        assert caught.value.row == 1
    with pytest.raises(RowError):
        big_endian_bits(pa.array([-1]), kind, Counter())
