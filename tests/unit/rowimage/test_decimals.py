"""Packed decimals against digits written by hand: groups of nine, the sign in the first bit, all bits of a negative."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.basics.errors import UserError
from skyshard.rowimage.arrays import Origin
from skyshard.rowimage.decimals import DecimalCodec, decimal_words

BYTES_OF_DIGITS = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
WIDE = st.tuples(st.integers(1, 65), st.integers(0, 38)).filter(lambda one: one[1] <= one[0])


def array_of(values: list[Decimal | None], precision: int, scale: int) -> pa.Array:
    kind = pa.decimal256 if precision > 38 else pa.decimal128
    return pa.array(values, kind(precision, scale))


def packed(number: int, precision: int, scale: int) -> bytes:
    """A whole number of units of the last digit, by its text: the format as MariaDB's source describes it."""
    digits = str(abs(number)).rjust(precision, "0")
    whole, fraction = digits[: precision - scale], digits[precision - scale :]
    head = len(whole) % 9
    groups = [whole[:head], *(whole[at : at + 9] for at in range(head, len(whole), 9))]
    groups += [fraction[at : at + 9] for at in range(0, len(fraction), 9)]
    found = b"".join(int(one).to_bytes(BYTES_OF_DIGITS[len(one)], "big") for one in groups if one)
    found = bytes(byte ^ 0xFF for byte in found) if number < 0 else found
    return bytes([found[0] ^ 0x80, *found[1:]])


@given(WIDE, st.data())
def test_any_decimal_is_packed_as_its_digits_and_read_back(kind: tuple[int, int], data: st.DataObject) -> None:
    """Of every precision and scale, at both ends of what it holds."""
    precision, scale = kind
    most = 10**precision - 1
    numbers = data.draw(st.lists(st.integers(-most, most), min_size=1, max_size=4))
    # a Decimal of more digits than a context has is made of its text
    values = [Decimal(f"{number}e-{scale}") for number in (0, most, -most, *numbers)]
    codec = DecimalCodec(precision, scale)
    cells = codec.encode(array_of(list(values), precision, scale), Origin("c", "decimal", 0))
    wanted = [packed(number, precision, scale) for number in (0, most, -most, *numbers)]
    assert [row.tobytes() for row in cells] == wanted
    assert codec.width == len(wanted[0])
    assert codec.decode(cells, None).to_pylist() == values


def test_null_takes_the_bytes_of_zero() -> None:
    """And is NULL again by the bits beside the cells."""
    codec = DecimalCodec(5, 2)
    cells = codec.encode(array_of([None, Decimal("1.50")], 5, 2), Origin("c", "decimal(5,2)", 0))
    assert cells[0].tobytes() == packed(0, 5, 2)
    assert codec.decode(cells, np.array([0, 1], np.uint8)).to_pylist() == [None, Decimal("1.50")]


@pytest.mark.parametrize(
    ("codec", "value", "words"),
    [
        (DecimalCodec(3, 1), Decimal("100.0"), "too narrow"),
        (DecimalCodec(3, 1), Decimal("-100.0"), "too narrow"),
        (DecimalCodec(5, 1, is_unsigned=True), Decimal("-0.1"), "takes no negative value"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_row(codec: DecimalCodec, value: Decimal, words: str) -> None:
    """Nothing is cut off, no sign is lost."""
    rows = array_of([Decimal("1.0"), None, value], 5, 1)
    with pytest.raises(UserError, match=words):
        codec.encode(rows, Origin("c", "decimal(3,1)", 0))


@pytest.mark.parametrize("number", [0, 1, -1, 2**64, -(2**64), 10**37, -(10**38) + 1])
def test_words_are_those_of_twos_complement(number: int) -> None:
    """Least significant first, of 64 bits each; a slice of an array has its own."""
    array = array_of([Decimal(5), Decimal(number), None], 38, 0).slice(1)
    words = decimal_words(array)
    assert sum(int(word[0]) << (64 * place) for place, word in enumerate(words)) == number % 2**128
    assert [int(word[1]) for word in words] == [0, 0]
