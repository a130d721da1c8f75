"""Texts as values of a column: whole numbers and decimals against Python's own, words, clocks, lengths, refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skyshard.catalog.schema import Column
from skyshard.ingest.values.text_values import RowError, to_column, to_doubles
from skyshard.rowimage.sqltype import parse_type

EXACT = Context(prec=400)


def taken(kind: str, *texts: str | None, is_nullable: bool = True) -> tuple[list[object], dict[str, int]]:
    """The values of a column of this type, and what was counted."""
    conversions: Counter[str] = Counter()
    column = Column("c", parse_type(kind), is_nullable)
    given = pa.array([None if text is None else text.encode() for text in texts], pa.binary())
    return to_column(given, column, conversions).to_pylist(), dict(conversions)


def refused(kind: str, *texts: str | None, is_nullable: bool = True) -> tuple[int, str]:
    """Row and reason of the refusal."""
    with pytest.raises(RowError) as caught:
        taken(kind, *texts, is_nullable=is_nullable)
    return caught.value.row, caught.value.what


@pytest.mark.parametrize("base", ["tinyint", "smallint", "mediumint", "int", "bigint"])
@pytest.mark.parametrize("sign", ["", " unsigned"])
def test_whole_numbers_are_taken_to_the_ends_of_their_type(base: str, sign: str) -> None:
    """The lowest and the highest as they are, one beyond them refused by its text, whatever stands before it."""
    low, high = parse_type(base + sign).integer_range()
    assert taken(base + sign, str(low), f" +{high}. ", "007", f"{high}.000", None) == ([low, high, 7, high, None], {})
    for beyond in (low - 1, high + 1, 10**30):
        row, said = refused(base + sign, "1", "2", str(beyond), "3")
        assert (row, said) == (2, f"'{beyond}' is outside {low} to {high} of {base + sign}")


def test_no_number_below_zero_is_taken_for_one_above() -> None:
    """Unsigned types take minus zero, and nothing else with a minus."""
    assert taken("int unsigned", "-0", "-000") == ([0, 0], {})
    assert refused("bigint unsigned", "0", "-1")[0] == 1
    assert refused("double unsigned", "0.5", "-0.5") == (1, "-0.5 is out of range for double unsigned")


NUMBERS = st.tuples(st.sampled_from(["", "-", "+"]), st.integers(0, 10**12), st.integers(0, 10**12), st.integers(-9, 9))


@given(st.lists(NUMBERS, min_size=1, max_size=6), st.integers(1, 20), st.integers(0, 6))
@example([("", 0, 5, 0)], 2, 0)
@example([("-", 9, 95, 0)], 2, 1)
def test_decimals_are_rounded_half_away_from_zero(
    parts: Sequence[tuple[str, int, int, int]], digits: int, scale: int
) -> None:
    """As MariaDB rounds; every one that changes is counted, and the first without room is refused."""
    texts = [f"{sign}{whole}.{rest}e{power}" for sign, whole, rest, power in parts]
    precision = digits + scale
    wanted = [Decimal(text).quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP, EXACT) for text in texts]
    kind = f"decimal({precision},{scale})"
    outside = [row for row, value in enumerate(wanted) if abs(value) >= 10**digits]
    if outside:
        row, said = refused(kind, *texts)
        assert row in outside
        assert said == f"{texts[row]!r} does not fit {kind}"
        return
    changed = sum(Decimal(text) != value for text, value in zip(texts, wanted, strict=True))
    found, conversions = taken(kind, *texts)
    assert found == wanted
    assert sum(conversions.values()) == changed


@pytest.mark.parametrize("text", ["1e-300", "0." + "0" * 90 + "1", "-1e-99", "0e999"])
def test_next_to_nothing_is_zero(text: str) -> None:
    """Exponents that Arrow does not know, or takes for others."""
    (found,), conversions = taken("decimal(10,2)", text)
    assert found == 0
    assert sum(conversions.values()) == (Decimal(text) != 0)


@pytest.mark.parametrize("text", ["1e9", "1e300", "123456789.5", "-1e999999"])
def test_numbers_without_room_are_refused_by_their_text(text: str) -> None:
    """However they are written; those before them are not named."""
    assert refused("decimal(8,2)", "1", text) == (1, f"{text!r} does not fit decimal(8,2)")


@pytest.mark.parametrize("kind", ["int", "double", "decimal(5,1)"])
def test_words_for_no_number_are_null_and_counted(kind: str) -> None:
    """In any case, with a sign, with spaces around; by reason."""
    found, conversions = taken(kind, "NaN", " -inf ", "+Infinity", "null", "NULL", "1", None)
    assert found == [None] * 5 + [1, None]
    assert conversions == {"c: NaN or infinity → NULL": 3, "c: the word NULL → NULL": 2}


def test_truths_are_whole_numbers_only() -> None:
    """``true`` is 1 and ``false`` 0 in a column of whole numbers, counted; elsewhere they are no numbers."""
    assert taken("tinyint(1)", "True", "false", "0") == ([1, 0, 0], {"c: true, false → 1, 0": 2})
    assert refused("double", "1", "true") == (1, "'true' is no number")
    assert refused("int", "truely") == (0, "'truely' is no whole number")


@pytest.mark.parametrize("text", ["", " ", "1.5", "1e2", "0x1f", "1 2", "--1", "1_000", "٣", "١"])
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    """Never cut, never read up to where it stops being one."""
    assert refused("int", "5", text)[0] == 1


def test_doubles_are_those_of_their_texts() -> None:
    """The nearest one; too large ones are refused; FLOAT counts what it rounds."""
    texts = ["0.1", "1e-310", " 1.7976931348623157e308 ", "-.5", "3.", " +2.5"]
    assert taken("double", *texts)[0] == [float(text) for text in texts]
    assert refused("double", "1", "1e309") == (1, "'1e309' is out of range for double")
    assert refused("float", "1", "3.5e38")[0] == 1
    found, conversions = taken("float", "0.5", "0.123456789")
    assert found == [0.5, float(np.float32(0.123456789))]
    assert conversions == {"c: rounded to FLOAT": 1}


def test_doubles_of_what_became_null_are_nan() -> None:
    """``to_doubles`` goes with ``to_column``."""
    found = to_doubles(pa.array([b"1.5", None, b" inf", b"NULL", b"-nan", b"2"], pa.binary()))
    assert np.array_equal(found, [1.5, np.nan, np.nan, np.nan, np.nan, 2.0], equal_nan=True)


@pytest.mark.parametrize("texts", [("1", None), ("1", "nan"), ("1", "null")])
def test_null_in_a_column_without_it_is_refused(texts: tuple[str, ...]) -> None:
    """Also one that a word became."""
    assert refused("int", *texts, is_nullable=False) == (1, "NULL in a NOT NULL column")


@pytest.mark.parametrize(
    ("kind", "text", "kept", "lost"),
    [
        ("datetime", "2026-01-02 03:04:05.6", b"2026-01-02 03:04:05", 1),
        ("datetime", "2026-01-02 03:04:05.000", b"2026-01-02 03:04:05", 0),
        ("datetime(3)", "2026-01-02 03:04:05.1239", b"2026-01-02 03:04:05.123", 1),
        ("datetime(3)", "2026-01-02 03:04:05.123", b"2026-01-02 03:04:05.123", 0),
        ("time", "-101:02:03.04", b"-101:02:03", 1),
        ("time(2)", "1:02:03.040", b"1:02:03.04", 0),
        ("char(21)", "2026-01-02 03:04:05.6", b"2026-01-02 03:04:05.6", 0),
    ],
)
def test_clocks_are_cut_to_their_digits(kind: str, text: str, kept: bytes, lost: int) -> None:
    """As the server cuts them; noughts that go are no loss."""
    found, conversions = taken(kind, text, None)
    assert found == [kept, None]
    assert sum(conversions.values()) == lost


def test_lengths_are_those_of_the_type() -> None:
    """Characters of letters, bytes of bytes; spaces at the end of a CHAR are not stored and need no room."""
    assert taken("char(3)", "abc   ", "ab")[0] == [b"abc   ", b"ab"]
    assert refused("char(3)", "abc", "abcd") == (1, "value of 4 bytes in char(3)")
    assert refused("varchar(3)", "abc ")[0] == 0
    assert taken("varchar(3) character set utf8mb4", "äöü")[0] == ["äöü".encode()]
    assert refused("varbinary(3)", "äö") == (0, "value of 4 bytes in varbinary(3)")
    assert refused("tinyblob", "a" * 255, "a" * 256)[0] == 1


def test_a_json_column_takes_json_alone() -> None:
    """The first text that is none is shown."""
    assert refused("json", '{"a": 1}', "{a: 1}") == (1, "'{a: 1}' is no JSON")


def test_a_long_text_is_shown_short_and_without_a_torn_letter() -> None:
    """Forty letters of it; latin1 where it is no UTF-8."""
    assert refused("int", "é" * 200) == (0, f"{'é' * 40!r} is no whole number")
    with pytest.raises(RowError, match="'é' is no number"):
        to_column(pa.array([b"\xe9"], pa.binary()), Column("c", parse_type("double"), True), Counter())
