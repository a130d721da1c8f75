"""ENUM and SET: members of a type, and the numbers that records hold."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.basics.errors import UserError
from skyshard.rowimage.arrays import Origin
from skyshard.rowimage.enum_set import MemberCodec, by_distinct, parse_members

LETTERS = tuple(bytes([letter]) for letter in b"abcdefghij")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("enum('a')", ("a",)),
        ("SET('x','y')", ("x", "y")),
        ("enum('a,b','c)')", ("a,b", "c)")),
        (r"enum('it''s','a\\b','tab\t')", ("it's", "a\\b", "tab\t")),
        ("enum('','  b  ')", ("", "  b")),
    ],
)
def test_members_are_those_that_the_server_keeps(text: str, wanted: tuple[str, ...]) -> None:
    """Quotes, escapes, separators within members; spaces at the end are dropped."""
    assert parse_members(text) == wanted


@pytest.mark.parametrize(
    ("count", "is_set", "width"),
    [(255, False, 1), (256, False, 2), (8, True, 1), (9, True, 2), (17, True, 3), (25, True, 4), (64, True, 8)],
)
def test_a_number_takes_as_many_bytes_as_its_members_need(count: int, is_set: bool, width: int) -> None:
    """An ENUM of 256 members needs two, since 0 is none of them; a SET has a bit a member, and no width of 5 to 7."""
    assert MemberCodec(tuple(str(n).encode() for n in range(count)), is_set).width == width


def test_numbers_are_places_or_bits() -> None:
    """Worked out by hand: places count from 1; the order within a text of a SET does not matter."""
    texts = pa.array(["c", None, "a"])
    assert MemberCodec(LETTERS, False).encode(texts, Origin("t", "c")).ravel().tolist() == [3, 0, 1]
    sets = pa.array(["a,c", "c,a", "", "j"])
    found = MemberCodec(LETTERS, True).encode(sets, Origin("t", "c"))
    assert found.tolist() == [[5, 0], [5, 0], [0, 0], [0, 2]]


@given(st.lists(st.sets(st.sampled_from(LETTERS)) | st.none(), max_size=9))
def test_what_was_encoded_comes_back(rows: list[set[bytes] | None]) -> None:
    """A SET's members in the order of its type."""
    texts = [None if row is None else b",".join(sorted(row)) for row in rows]
    codec = MemberCodec(LETTERS, True)
    array = pa.array(texts, pa.binary())
    cells = codec.encode(array, Origin("t", "c"))
    valid = np.array([text is not None for text in texts], np.uint8)
    assert codec.decode(cells, valid).to_pylist() == texts


@pytest.mark.parametrize(("text", "is_set"), [("z", False), ("A", False), ("a,z", True), ("", False)])
def test_a_text_that_is_no_member_is_refused(text: str, is_set: bool) -> None:
    """Letter for letter; the column is named."""
    with pytest.raises(UserError, match="declared member"):
        MemberCodec(LETTERS, is_set).encode(pa.array(["a", text]), Origin("t", "c"))


def test_each_distinct_text_is_looked_at_once() -> None:
    """However many rows there are."""
    asked: list[bytes] = []

    def number_of(text: bytes) -> int:
        asked.append(text)
        return len(text)

    assert by_distinct(pa.array(["aa", "b", None, "aa", "b"]), number_of).tolist() == [2, 1, 0, 2, 1]
    assert sorted(asked) == [b"aa", b"b"]
