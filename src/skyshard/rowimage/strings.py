"""CHAR, VARCHAR, BINARY, VARBINARY, BIT and MEDIUMINT: values ↔ the bytes that a record stores."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Bytes, Integers, Words
from skyshard.basics.lazy import lazy_module
from skyshard.rowimage.arrays import (
    ByteStrings,
    Origin,
    as_text,
    big_endian,
    binary_array,
    bitmap_buffer,
    little_endian,
    padded,
    validity_bytes,
    values_of,
)

pc = lazy_module("pyarrow.compute")

_SPACE = 0x20


@dataclass(frozen=True, slots=True)
class TextCodec:
    """A string of at most ``characters`` characters, ``bytes_each`` bytes each at most.

    CHAR is filled with spaces, which reading strips; BINARY with zero bytes, which stay; VARCHAR and VARBINARY start
    with their length in one or two bytes and end in zeros.
    """

    base: str
    characters: int
    bytes_each: int = 1

    @property
    def capacity(self) -> int:
        return self.characters * self.bytes_each

    @property
    def length_bytes(self) -> int:
        return (1 if self.capacity < 256 else 2) if self.base.startswith("var") else 0

    @property
    def width(self) -> int:
        return self.length_bytes + self.capacity

    def encode(self, array: pa.Array, origin: Origin) -> Bytes:
        """Stored bytes a row; of VARCHAR only as many columns as the longest value needs (the rest is zero).

        Raises:
            UserError: a value that is too long.
        """
        if self.base == "char":
            array = without_trailing_spaces(array)
        strings = ByteStrings.of(array)
        self._check_length(array, strings, origin)
        if not self.length_bytes:
            return padded(array, self.width, " " if self.base == "char" else "\0")
        longest = int(strings.lengths.max(initial=0))
        cells = np.empty((len(array), self.length_bytes + longest), np.uint8)
        cells[:, : self.length_bytes] = little_endian(strings.lengths, self.length_bytes)
        if longest:
            cells[:, self.length_bytes :] = padded(array, longest, "\0")
        return cells

    def decode(self, cells: Bytes, valid: Bytes | None) -> pa.Array:
        if self.base == "binary":
            return binary_array(cells, None, valid)
        if self.base == "char":
            return binary_array(cells, _trimmed_lengths(cells), valid)
        lengths = cells[:, 0].astype(np.int64)
        if self.length_bytes == 2:
            lengths |= cells[:, 1].astype(np.int64) << 8
        return binary_array(cells[:, self.length_bytes :], lengths, valid)

    def _check_length(self, array: pa.Array, strings: ByteStrings, origin: Origin) -> None:
        suspect = strings.lengths > self.characters
        if not suspect.any():
            return
        if self.bytes_each > 1:
            suspect &= _utf8_lengths(strings) > self.characters
        if suspect.any():
            origin.refuse(suspect, array, f"it is longer than {self.characters} characters: widen the column")


def _utf8_lengths(strings: ByteStrings) -> Integers:
    """Characters a row: bytes that do not continue one."""
    starts_character = (strings.data & np.uint8(0xC0)) != 0x80
    count = np.zeros(len(starts_character) + 1, np.int64)
    np.cumsum(starts_character, out=count[1:])
    characters: Integers = count[strings.starts + strings.lengths] - count[strings.starts]
    return characters


def without_trailing_spaces(array: pa.Array) -> pa.Array:
    """CHAR values as the server gives them back."""
    strings = ByteStrings.of(array)
    ends = strings.starts + strings.lengths - 1
    if not len(strings.data) or not (strings.data[np.maximum(ends, 0)][strings.lengths > 0] == _SPACE).any():
        return array
    return pc.ascii_rtrim(as_text(array), characters=" ")


def _trimmed_lengths(cells: Bytes) -> Integers:
    if not cells.shape[1]:
        return np.zeros(len(cells), np.int64)
    is_text = cells != _SPACE
    lengths = cells.shape[1] - is_text[:, ::-1].argmax(axis=1)
    return np.where(is_text.any(axis=1), lengths, 0)


@dataclass(frozen=True, slots=True)
class BitCodec:
    """BIT(n): whole bytes in the record, most significant first; the other ``n % 8`` bits live among the null bits."""

    bits: int

    @property
    def width(self) -> int:
        return self.bits // 8

    @property
    def uneven(self) -> int:
        return self.bits % 8

    def numbers(self, array: pa.Array, origin: Origin) -> Words:
        """The value a row, 0 at nulls, of the big-endian bytes that LOAD DATA reads (shorter = leading zeros).

        Raises:
            UserError: a value of more bits than the type has.
        """
        strings = ByteStrings.of(array)
        values = np.zeros(len(array), np.uint64)
        longest = int(strings.lengths.max(initial=0))
        bad = np.zeros(len(array), np.bool_)
        for place in range(longest):
            rows = np.flatnonzero(strings.lengths > place)
            bad[rows] |= values[rows] >> np.uint64(56) != 0
            values[rows] = (values[rows] << np.uint64(8)) | strings.data[strings.starts[rows] + place]
        if self.bits < 64:
            bad |= values >> np.uint64(self.bits) != 0
        if bad.any():
            origin.refuse(bad, array, f"BIT({self.bits}) is too narrow for it")
        return values

    def array(self, values: Words, valid: Bytes | None) -> pa.Array:
        return binary_array(big_endian(values, (self.bits + 7) // 8), None, valid)


@dataclass(frozen=True, slots=True)
class MediumintCodec:
    """MEDIUMINT: three bytes, least significant first."""

    is_unsigned: bool
    width: int = 3

    def encode(self, array: pa.Array, origin: Origin) -> Bytes:
        """Raises:
        UserError: a value outside the type's range.
        """
        values = values_of(array, np.uint32 if self.is_unsigned else np.int32).astype(np.int64)
        valid = validity_bytes(array)
        if valid is not None:
            values *= valid
        low, high = (0, 2**24) if self.is_unsigned else (-(2**23), 2**23)
        bad = (values < low) | (values >= high)
        if bad.any():
            origin.refuse(bad, array, f"MEDIUMINT holds {low} to {high - 1}")
        return little_endian(values, self.width)

    def decode(self, cells: Bytes, valid: Bytes | None) -> pa.Array:
        wide = np.zeros((len(cells), 4), np.uint8)
        wide[:, 1:] = cells
        values = wide.view("<u4" if self.is_unsigned else "<i4")[:, 0] >> 8
        kind = pa.uint32() if self.is_unsigned else pa.int32()
        return pa.Array.from_buffers(
            kind, len(cells), [bitmap_buffer(valid), pa.py_buffer(np.ascontiguousarray(values))]
        )
