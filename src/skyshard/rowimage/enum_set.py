"""ENUM and SET: member texts ↔ the number that a record stores (position of the member from 1; one bit a member).

Rules: members match byte by byte (the server's collation may be more lenient: such text takes the LOAD DATA path).
Python loops run over distinct values only.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Bytes, Words
from skyshard.basics.lazy import lazy_module
from skyshard.rowimage.arrays import Origin, bitmap_buffer, from_little_endian, little_endian

pc = lazy_module("pyarrow.compute")

_MEMBER = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.DOTALL)
_ESCAPE = re.compile(r"''|\\(.)", re.DOTALL)
_ESCAPED = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}


def parse_members(text: str) -> tuple[str, ...]:
    r"""The members of a type such as ``enum('a','it''s')``; trailing spaces are dropped, as the server does.

    >>> parse_members(r"ENUM('a','it''s','x\'y ')")
    ('a', "it's", "x'y")
    """
    found = _MEMBER.findall(text[text.index("(") :])
    return tuple(_ESCAPE.sub(_unescape, member).rstrip(" ") for member in found)


def _unescape(match: re.Match[str]) -> str:
    letter = match.group(1)
    return "'" if letter is None else _ESCAPED.get(letter, letter)


@dataclass(frozen=True, slots=True)
class MemberCodec:
    """One ENUM or SET type; ``members`` in the column's character set."""

    members: tuple[bytes, ...]
    is_set: bool

    @property
    def width(self) -> int:
        count = len(self.members)
        if not self.is_set:
            return 1 if count < 256 else 2
        return next(size for size in (1, 2, 3, 4, 8) if count <= 8 * size)

    def encode(self, array: pa.Array, origin: Origin) -> Bytes:
        """Stored numbers a row, 0 at nulls.

        Raises:
            UserError: a text that is no member.
        """
        unknown: list[bytes] = []

        def number_of(text: bytes) -> int:
            number = self._number(text)
            if number is None:
                unknown.append(text)
            return number or 0

        numbers = by_distinct(array, number_of)
        if unknown:
            bad = pc.fill_null(pc.equal(array.cast(pa.large_binary()), unknown[0]), False)
            origin.refuse(bad.to_numpy(zero_copy_only=False), array, "write a declared member, letter for letter")
        return little_endian(numbers, self.width)

    def decode(self, cells: Bytes, valid: Bytes | None) -> pa.Array:
        distinct, places = np.unique(from_little_endian(cells), return_inverse=True)
        texts = pa.array([self._text(int(number)) for number in distinct], pa.binary())
        indices = pa.Array.from_buffers(
            pa.int64(), len(cells), [bitmap_buffer(valid), pa.py_buffer(places.astype(np.int64))]
        )
        return texts.take(indices)

    def _number(self, text: bytes) -> int | None:
        if not self.is_set:
            return self.members.index(text) + 1 if text in self.members else None
        chosen = set(text.split(b",")) if text else set()
        if not chosen.issubset(self.members):
            return None
        return sum(1 << self.members.index(member) for member in chosen)

    def _text(self, number: int) -> bytes:
        if self.is_set:
            return b",".join(member for bit, member in enumerate(self.members) if number >> bit & 1)
        return self.members[number - 1] if 0 < number <= len(self.members) else b""


def by_distinct(array: pa.Array, number_of: Callable[[bytes], int]) -> Words:
    """The number of each text; ``number_of`` is called once for each distinct text. 0 at nulls."""
    encoded = pc.dictionary_encode(array.cast(pa.large_binary()))
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    if not len(encoded.dictionary):
        return np.zeros(len(array), np.uint64)
    numbers = np.array([number_of(text.as_py()) for text in encoded.dictionary], np.uint64)
    places = pc.fill_null(encoded.indices, 0).to_numpy()
    chosen: Words = numbers[places]
    if encoded.indices.null_count:
        chosen[pc.is_null(encoded.indices).to_numpy(zero_copy_only=False)] = 0
    return chosen
