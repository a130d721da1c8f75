"""DECIMAL: Arrow's 128- and 256-bit integers ↔ MariaDB's packed binary decimal.

Rules: digits go in groups of nine, four bytes each, counted from the decimal point; a shorter group at either end takes
fewer bytes; most significant first; the first bit is flipped, and all bits of a negative number.
Source: MariaDB `strings/decimal.c`, decimal2bin.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Bytes, Flags, Words
from skyshard.rowimage.arrays import Origin, big_endian, bitmap_buffer, from_big_endian, validity_bytes, values_of

_GROUP = 9
_BYTES_OF_DIGITS = (0, 1, 1, 2, 2, 3, 3, 4, 4, 4)
_LIMB = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)

Limbs: TypeAlias = list[Words]
"""One magnitude a row, in 32-bit pieces, least significant first."""


@dataclass(frozen=True, slots=True)
class DecimalCodec:
    """DECIMAL(precision, scale).

    >>> from decimal import Decimal
    >>> codec = DecimalCodec(14, 4)
    >>> codec.groups, codec.width
    ([1, 9, 4], 7)
    >>> values = pa.array([Decimal("1234567890.1234"), Decimal("-1234567890.1234")], pa.decimal128(14, 4))
    >>> [row.tobytes().hex(" ") for row in codec.encode(values, Origin("c", "decimal(14,4)", 0))]
    ['81 0d fb 38 d2 04 d2', '7e f2 04 c7 2d fb 2d']
    """

    precision: int
    scale: int
    is_unsigned: bool = False

    @property
    def groups(self) -> list[int]:
        """Digits of each group, in stored order."""
        whole, fraction = self.precision - self.scale, self.scale
        ends = ([whole % _GROUP] if whole % _GROUP else []), ([fraction % _GROUP] if fraction % _GROUP else [])
        return [*ends[0], *[_GROUP] * (whole // _GROUP + fraction // _GROUP), *ends[1]]

    @property
    def width(self) -> int:
        return sum(_BYTES_OF_DIGITS[digits] for digits in self.groups)

    def encode(self, array: pa.Array, origin: Origin) -> Bytes:
        """Packed bytes a row, of zero at nulls.

        Raises:
            UserError: a value with more digits than the type has, or a negative one in an UNSIGNED column.
        """
        limbs, is_negative = _magnitude(array)
        if self.is_unsigned and is_negative.any():
            origin.refuse(is_negative, array, "an UNSIGNED column takes no negative value")
        cells = np.empty((len(array), self.width), np.uint8)
        end = self.width
        for digits in reversed(self.groups):
            group = _divide(limbs, 10**digits)
            size = _BYTES_OF_DIGITS[digits]
            cells[:, end - size : end] = big_endian(group, size)
            end -= size
        rest = np.zeros(len(array), np.uint64)
        for limb in limbs:
            rest |= limb
        if rest.any():
            origin.refuse(rest, array, f"DECIMAL({self.precision},{self.scale}) is too narrow for it")
        cells[is_negative] ^= np.uint8(255)
        cells[:, 0] ^= np.uint8(0x80)
        return cells

    def decode(self, cells: Bytes, valid: Bytes | None) -> pa.Array:
        cells = cells.copy()
        cells[:, 0] ^= np.uint8(0x80)
        is_negative = cells[:, 0] >= 0x80
        cells[is_negative] ^= np.uint8(255)
        is_wide = self.precision > 38
        limbs: Limbs = [np.zeros(len(cells), np.uint64) for _ in range(8 if is_wide else 4)]
        start = 0
        for digits in self.groups:
            size = _BYTES_OF_DIGITS[digits]
            _multiply_add(limbs, 10**digits, from_big_endian(cells[:, start : start + size]))
            start += size
        _negate(limbs, is_negative)
        kind = (pa.decimal256 if is_wide else pa.decimal128)(self.precision, self.scale)
        words = np.stack(limbs, axis=1).astype("<u4")
        return pa.Array.from_buffers(kind, len(cells), [bitmap_buffer(valid), pa.py_buffer(words)])


def decimal_words(array: pa.Array) -> list[Words]:
    """The two's complement value of a decimal array as 64-bit words, least significant first; 0 at nulls."""
    count = array.type.byte_width // 8
    table = values_of(array, np.dtype(("<u8", (count,))))
    valid = validity_bytes(array)
    words = [np.ascontiguousarray(table[:, word]) for word in range(count)]
    return words if valid is None else [np.where(valid, word, np.uint64(0)) for word in words]


def _magnitude(array: pa.Array) -> tuple[Limbs, Flags]:
    words = decimal_words(array)
    is_negative: Flags = (words[-1] >> np.uint64(63)).astype(np.bool_)
    limbs: Limbs = []
    for word in words:
        limbs += [word & _LOW, word >> _LIMB]
    _negate(limbs, is_negative)
    while len(limbs) > 1 and not limbs[-1].any():
        limbs.pop()
    return limbs, is_negative


def _negate(limbs: Limbs, where: NDArray[np.bool_]) -> None:
    """Two's complement of the rows ``where``, in place."""
    flip = np.where(where, _LOW, np.uint64(0))
    carry = where.astype(np.uint64)
    for index, limb in enumerate(limbs):
        total = (limb ^ flip) + carry
        limbs[index], carry = total & _LOW, total >> _LIMB


def _divide(limbs: Limbs, divisor: int) -> Words:
    """Divide in place; returns the remainder."""
    by = np.uint64(divisor)
    remainder = np.zeros(len(limbs[0]), np.uint64)
    for index in range(len(limbs) - 1, -1, -1):
        value = (remainder << _LIMB) | limbs[index]
        limbs[index] = value // by
        remainder = value - limbs[index] * by
    return remainder


def _multiply_add(limbs: Limbs, factor: int, addend: Words) -> None:
    by, carry = np.uint64(factor), addend
    for index, limb in enumerate(limbs):
        total = limb * by + carry
        limbs[index], carry = total & _LOW, total >> _LIMB
