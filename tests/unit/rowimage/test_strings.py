"""Texts, bits and three-byte numbers: values ↔ the bytes of a record."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.basics.errors import UserError
from skyshard.rowimage.arrays import Origin
from skyshard.rowimage.strings import BitCodec, MediumintCodec, TextCodec

ORIGIN = Origin("c", "type")
LETTERS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)


def rows(cells: np.ndarray) -> list[bytes]:
    return [bytes(row) for row in cells]


@given(st.lists(LETTERS, min_size=1, max_size=6))
def test_texts_come_back_as_a_server_gives_them(texts: list[str]) -> None:
    """VARCHAR as it was; CHAR without the spaces at its end. A character may take four bytes."""
    values = pa.array([text.encode() for text in texts], pa.binary())
    for base, wanted in (("varchar", texts), ("char", [text.rstrip(" ") for text in texts])):
        codec = TextCodec(base, 5, 4)
        cells = codec.encode(values, ORIGIN)
        whole = np.zeros((len(cells), codec.width), np.uint8)
        whole[:, : cells.shape[1]] = cells
        assert [one.decode() for one in codec.decode(whole, None).to_pylist()] == wanted


def test_a_length_takes_two_bytes_from_256_on() -> None:
    """Of bytes, not characters; least significant byte first."""
    assert TextCodec("varchar", 255).width == 256
    assert TextCodec("varchar", 64, 4).width == 258
    cells = TextCodec("varchar", 300).encode(pa.array([b"a" * 258]), ORIGIN)
    assert bytes(cells[0, :3]) == b"\x02\x01a"


def test_binary_keeps_its_zeros_and_char_is_filled_with_spaces() -> None:
    """What a column is filled with is part of BINARY, and not of CHAR."""
    values = pa.array([b"a", b"", None])
    assert rows(TextCodec("binary", 3).encode(values, ORIGIN))[:2] == [b"a\0\0", b"\0\0\0"]
    assert rows(TextCodec("char", 3).encode(values, ORIGIN))[:2] == [b"a  ", b"   "]
    found = TextCodec("binary", 3).decode(np.frombuffer(b"a\0\0", np.uint8).reshape(1, 3), None)
    assert found.to_pylist() == [b"a\0\0"]


@pytest.mark.parametrize(
    ("base", "text", "is_good"),
    [("varchar", "ééé", True), ("varchar", "éééé", False), ("varchar", "abc ", False), ("char", "abc   ", True)],
)
def test_characters_are_counted_and_not_bytes(base: str, text: str, is_good: bool) -> None:
    """Three of up to two bytes fit; spaces at the end of a CHAR do not count."""
    codec = TextCodec(base, 3, 2)
    if is_good:
        codec.encode(pa.array([text.encode()]), ORIGIN)
        return
    with pytest.raises(UserError, match="longer than 3 characters"):
        codec.encode(pa.array([b"a", text.encode()]), ORIGIN)


@given(st.integers(1, 64), st.data())
def test_bits_are_a_number_most_significant_byte_first(bits: int, data: st.DataObject) -> None:
    """Leading zeros may be there or not; a number of more bits is refused."""
    number = data.draw(st.integers(0, 2**bits - 1))
    codec = BitCodec(bits)
    size = (bits + 7) // 8
    given = pa.array([number.to_bytes(8, "big"), number.to_bytes(8, "big").lstrip(b"\0"), None], pa.binary())
    found = codec.numbers(given, ORIGIN)
    assert found.tolist() == [number, number, 0]
    assert codec.array(found, None).to_pylist() == [number.to_bytes(size, "big")] * 2 + [b"\0" * size]
    assert codec.width * 8 + codec.uneven == bits
    if bits < 64:
        with pytest.raises(UserError, match="too narrow"):
            codec.numbers(pa.array([(2**bits).to_bytes(9, "big")]), ORIGIN)


@pytest.mark.parametrize(("is_unsigned", "low", "high"), [(True, 0, 2**24 - 1), (False, -(2**23), 2**23 - 1)])
def test_three_bytes_hold_their_range_and_no_more(is_unsigned: bool, low: int, high: int) -> None:
    """Least significant byte first, both ends and NULL; one beyond is refused."""
    codec, kind = MediumintCodec(is_unsigned), pa.uint32() if is_unsigned else pa.int32()
    cells = codec.encode(pa.array([low, high, 1, None], kind), ORIGIN)
    assert rows(cells)[:3] == [one.to_bytes(3, "little", signed=not is_unsigned) for one in (low, high, 1)]
    assert codec.decode(cells, None).to_pylist()[:3] == [low, high, 1]
    for wrong in (high + 1, *(() if is_unsigned else (low - 1,))):
        with pytest.raises(UserError, match="MEDIUMINT holds"):
            codec.encode(pa.array([0, wrong], kind), ORIGIN)
