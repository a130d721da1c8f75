"""Texts in the bytes of their column's character set, or refused."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pytest

from skyshard.catalog.schema import Column
from skyshard.ingest.values.encoded_text import is_ascii, is_stored_as_given, stored_text
from skyshard.ingest.values.text_values import RowError
from skyshard.rowimage.sqltype import parse_type

LATIN1 = Column("note", parse_type("varchar(20) character set latin1"))
UTF8 = Column("note", parse_type("varchar(20) character set utf8mb4"))


def binary(*texts: str | None, encoding: str = "utf-8") -> pa.Array:
    return pa.array([None if text is None else text.encode(encoding) for text in texts], pa.binary())


def test_ascii_is_told_from_the_looked_at_rows_only() -> None:
    """A slice does not count what is beside it; nothing at all is ASCII."""
    values = binary("é", "plain", None, "é")
    assert not is_ascii(values)
    assert is_ascii(values.slice(1, 2))
    assert is_ascii(pa.array([], pa.binary()))


def test_ascii_is_stored_as_it_is_and_not_counted() -> None:
    """Nothing has to be converted in any character set."""
    conversions: Counter[str] = Counter()
    assert stored_text(binary("a", None), LATIN1, "utf8", conversions).to_pylist() == [b"a", None]
    assert conversions == {}


def test_characters_are_recoded_and_the_rows_counted() -> None:
    """UTF-8 becomes one byte a character; rows count, not distinct texts, and NULL does not."""
    conversions: Counter[str] = Counter()
    found = stored_text(binary("é", "a", None, "é"), LATIN1, "utf8", conversions)
    assert found.to_pylist() == [b"\xe9", b"a", None, b"\xe9"]
    assert conversions == {"note: UTF-8 → latin1": 2}


def test_latin1_goes_into_latin1_whatever_its_bytes() -> None:
    """Every byte is a character there, so nothing is looked at."""
    values = pa.array([b"\x81\xff"], pa.binary())
    assert is_stored_as_given(values, LATIN1, "latin1")
    assert not is_stored_as_given(values, UTF8, "latin1")
    assert stored_text(values, UTF8, "latin1", Counter()).to_pylist() == ["\x81ÿ".encode()]


def test_large_arrays_stay_large() -> None:
    """The type of the answer is that of the input."""
    large = stored_text(binary("é").cast(pa.large_binary()), LATIN1, "utf8", Counter())
    assert large.type == pa.large_binary()


def test_a_character_outside_the_set_is_refused_with_its_first_row() -> None:
    """The remedy names a character set that has it."""
    with pytest.raises(RowError, match="'π' has a character outside latin1") as caught:
        stored_text(binary("a", "π", "π"), LATIN1, "utf8", Counter())
    assert (caught.value.row, caught.value.column) == (1, "note")
    assert "utf8mb4" in caught.value.remedy


def test_bytes_that_are_no_utf8_are_refused() -> None:
    """They are not guessed at."""
    with pytest.raises(RowError, match="is no UTF-8") as caught:
        stored_text(pa.array([b"ok", b"\xe9"], pa.binary()), UTF8, "utf8", Counter())
    assert caught.value.row == 1
