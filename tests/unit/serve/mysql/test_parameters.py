"""Values of placeholders: what is written is read again, and no text is more than one literal."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.letters import LETTERS

from skyshard.serve.mysql.definitions import ColumnType
from skyshard.serve.mysql.parameters import (
    BadParameters,
    Parameter,
    execute_payload,
    limit_literal,
    literal,
    read_execute,
)
from skyshard.serve.mysql.placeholders import filled, limit_places, places
from skyshard.serve.sql_words import masked

T = ColumnType


def _parameters() -> st.SearchStrategy[Parameter]:
    kinds = st.sampled_from([15, 247, 249, 252, 253, 254, 246])
    texts = st.builds(Parameter, kinds, st.just(False), st.binary(max_size=300))
    eight = st.integers(0, 2**64 - 1).map(lambda number: number.to_bytes(8, "little"))
    wholes = st.builds(Parameter, st.just(int(T.LONGLONG)), st.booleans(), eight)
    times = st.builds(Parameter, st.just(int(T.DATETIME)), st.just(False), st.sampled_from([b"", b"\xe4\7\1\2"]))
    return st.one_of(texts, wholes, times, st.just(Parameter(int(T.LONG), False, None)))


@given(st.lists(_parameters(), min_size=1, max_size=20))
def test_what_is_written_is_read_again(parameters: list[Parameter]) -> None:
    """With its types, and without them where they were said before."""
    payload = execute_payload(7, parameters)
    bound = read_execute(payload, len(parameters), None, {})
    assert list(bound.parameters) == parameters
    width = (len(parameters) + 7) // 8
    values = payload[11 + width + 2 * len(parameters) :]
    shorter = payload[: 10 + width] + b"\0" + values
    assert list(read_execute(shorter, len(parameters), bound.kinds, {}).parameters) == parameters


@given(st.text(LETTERS))
def test_a_text_is_one_literal(text: str) -> None:
    """Whatever it says, nothing of it is outside of its quotes."""
    found = literal(Parameter(T.VAR_STRING, False, text.encode("utf-8", "surrogatepass")), lambda _: text)
    assert masked(found).strip(" ") == ""


@given(st.text("'\"`?\\-# /*!\na1", max_size=30))
def test_no_placeholder_is_found_in_what_is_no_word(text: str) -> None:
    """As many as there are, each where it is; other letters stay."""
    found = places(text)
    assert all(text[place] == "?" for place in found)
    assert filled(text, ["1"] * len(found)).replace(" 1 ", "?").count("?") == text.replace(" 1 ", "?").count("?")


@pytest.mark.parametrize(
    ("kind", "value", "want"),
    [
        (T.TINY, b"\xff", "-1"), (T.LONGLONG, bytes(7) + b"\x80", "-9223372036854775808"),
        (T.FLOAT, struct.pack("<f", 0.5), "0.5e0"), (T.DOUBLE, struct.pack("<d", 1e300), "1e+300"),
        (T.NEWDECIMAL, b"1.50", "1.50"), (T.NEWDECIMAL, b"7", "CAST(7 AS DECIMAL(1,0))"), (T.DECIMAL, b"1e-3", "0.001"),
        (T.NEWDECIMAL, b"-.5", "-0.5"), (T.NEWDECIMAL, b"nonsense", "CAST(0 AS DECIMAL(1,0))"),
        (T.DATE, b"\xe4\7\1\2", "CAST('2020-01-02' AS DATE)"),
        (T.DATETIME, b"\xe4\7\1\2\3\4\5", "CAST('2020-01-02 03:04:05' AS DATETIME)"),
        (T.TIME, b"\1\1\0\0\0\2\3\4\5\0\0\0", "CAST('-26:03:04.000005' AS TIME(6))"),
        (T.TIME, b"", "CAST('00:00:00' AS TIME)"), (252, b"\0'\xff", "x'0027ff'"), (T.STRING, b"it's", r"'it\'s'"),
    ],
)  # fmt: skip
def test_values_are_written_as_their_types(kind: int, value: bytes, want: str) -> None:
    """Numbers stay of their kinds, times are times, bytes are bytes."""
    assert literal(Parameter(kind, False, value), bytes.decode) == want


@pytest.mark.parametrize("value", ["inf", "-inf", "nan"])
def test_what_no_literal_says_is_refused(value: str) -> None:
    """Infinity and NaN."""
    with pytest.raises(BadParameters):
        literal(Parameter(T.DOUBLE, False, struct.pack("<d", float(value))), bytes.decode)


def test_a_limit_is_a_whole_number() -> None:
    """Whatever was bound for it, as a server makes it one."""
    cases = [
        (T.LONG, b"\5\0\0\0", "5"), (T.LONGLONG, b"\xff" * 8, str(2**64 - 1)), (T.DOUBLE, struct.pack("<d", 2.5), "3"),
        (T.VAR_STRING, b"12", "12"), (T.VAR_STRING, b"x", "0"), (T.LONG, None, "0"), (T.NEWDECIMAL, b"1.4", "1"),
    ]  # fmt: skip
    for kind, value, want in cases:
        assert limit_literal(Parameter(kind, False, value), bytes.decode) == want
    sql = "SELECT ? FROM (SELECT b FROM t LIMIT ?) x WHERE `LIMIT ?` = ? LIMIT 3, ?"
    assert sorted(limit_places(sql)) == [1, 3]
