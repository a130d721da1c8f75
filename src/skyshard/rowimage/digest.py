"""Row digests: two 64-bit sums over a table's rows. Equal digests mean the same rows, in whatever order.

Rules: a value counts by what the server stores and by its column's position, never by the text it came as (a DATETIME
without a time of day equals midnight; CHAR drops trailing spaces; BINARY is filled with zero bytes; -0.0 is 0.0;
NULL is no value). A row is a sum of words times odd constants, one constant a column and lane, made nonlinear at the
end, so that swapping values between rows changes the digest. Not cryptographic: it finds faults, not forgeries.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Words
from skyshard.basics.errors import UserError
from skyshard.rowimage.arrays import ByteStrings, Origin, ValidityBitmap, is_bytes, parts, validity_bytes, values_of
from skyshard.rowimage.decimals import decimal_words
from skyshard.rowimage.enum_set import by_distinct
from skyshard.rowimage.record import FieldLike
from skyshard.rowimage.rowhash import NULL_WORD, finish, finish_rows, hash_bytes, hash_strings, mixed, multipliers
from skyshard.rowimage.sqltype import SqlType, TypeClass
from skyshard.rowimage.strings import BitCodec, without_trailing_spaces
from skyshard.rowimage.temporal import BASES as TEMPORAL_BASES
from skyshard.rowimage.temporal import TemporalCodec

Lanes: TypeAlias = NDArray[np.uint64]
"""Two words a row, shape (2, rows)."""
Factors: TypeAlias = tuple[tuple[np.uint64, np.uint64], ...]
"""By word of a value: the factors of both lanes."""

_BLOCK_ROWS = 32768
"""Rows hashed at a time: many, as each block costs some calls a column, but few enough for the cache."""
_WORD_BITS = 64
_LANE = (1 << _WORD_BITS) - 1


@dataclass(frozen=True, slots=True)
class RowDigest:
    """The digest of some rows: their number and two 64-bit sums in one integer. Digests of disjoint rows add up.

    >>> RowDigest(2, 5) + RowDigest(1, 7)
    RowDigest(rows=3, value=12)
    >>> str(RowDigest(2, 255)), RowDigest.parse("2:000000000000000000000000000000ff").value
    ('2:000000000000000000000000000000ff', 255)
    """

    rows: int = 0
    value: int = 0

    @staticmethod
    def parse(text: str) -> RowDigest:
        """Read what `str` wrote.

        Raises:
            ValueError: not a digest.
        """
        rows, _, value = text.partition(":")
        return RowDigest(int(rows), int(value, 16))

    def __str__(self) -> str:
        return f"{self.rows}:{self.value:032x}"

    def __add__(self, other: RowDigest) -> RowDigest:
        low = (self.value & _LANE) + (other.value & _LANE)
        high = (self.value >> _WORD_BITS) + (other.value >> _WORD_BITS)
        return RowDigest(self.rows + other.rows, (high & _LANE) << _WORD_BITS | (low & _LANE))

    def __sub__(self, part: RowDigest) -> RowDigest:
        """What remains when the rows of ``part`` are taken away."""
        low = (self.value & _LANE) - (part.value & _LANE)
        high = (self.value >> _WORD_BITS) - (part.value >> _WORD_BITS)
        return RowDigest(self.rows - part.rows, (high & _LANE) << _WORD_BITS | (low & _LANE))


def digest(batch: pa.RecordBatch | pa.Table, fields: Sequence[FieldLike]) -> RowDigest:
    """The digest of all rows of a batch; columns are matched by position.

    Raises:
        UserError: columns or values that the fields' types do not take.

    The order of rows does not count, and neither does the way in which a value is written:

    >>> from skyshard.rowimage.record import Field
    >>> from skyshard.rowimage.sqltype import parse_type
    >>> fields = [Field("id", parse_type("int"), False), Field("at", parse_type("datetime"), True)]
    >>> one = pa.record_batch([pa.array([1, 2], pa.int32()), pa.array([b"2012-03-06", None])], ["id", "at"])
    >>> other = pa.record_batch([pa.array([2, 1], pa.int32()), pa.array([None, b"2012-03-06 00:00:00"])], ["id", "at"])
    >>> digest(one, fields) == digest(other, fields)
    True
    """
    if batch.num_columns != len(fields):
        raise UserError(
            f"a batch of {batch.num_columns} columns for a table of {len(fields)}",
            remedy="give every column of the table, in its order",
        )
    total, row = RowDigest(), 0
    for part in parts(batch):
        total += _digest_part(part, fields, row)
        row += part.num_rows
    return total


def row_lanes(columns: Iterable[tuple[int, FieldLike, pa.Array]]) -> Lanes:
    """What the given columns add to the hash of each row, shape (2, rows); sums of lanes are lanes.

    Args:
        columns: place of the column in its table, field, values; all of one length.
    """
    listed = list(columns)
    rows = len(listed[0][2]) if listed else 0
    sources = [(_source(field, array, 0), factors_of(place)) for place, field, array in listed]
    lanes = np.zeros((2, rows), np.uint64)
    scratch = np.empty((2, min(rows, _BLOCK_ROWS)), np.uint64)
    for start in range(0, rows, _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, rows)
        _accumulate(sources, start, stop, lanes[:, start:stop], scratch[:, : stop - start])
    return lanes


def digest_runs(lanes: Lanes, edges: Sequence[int]) -> list[RowDigest]:
    """Digests of consecutive runs of whole rows; ``edges`` are their first rows and the end. Overwrites the lanes."""
    rows = lanes.shape[1]
    scratch = np.empty(min(rows, _BLOCK_ROWS), np.uint64)
    for start in range(0, rows, _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, rows)
        finish_rows(lanes[0, start:stop], lanes[1, start:stop], scratch[: stop - start])
    low, high = (np.add.reduceat(lane, list(edges[:-1])) for lane in lanes)
    counts = np.diff(edges)
    return [
        RowDigest(count, one << _WORD_BITS | other)
        for count, one, other in zip(counts.tolist(), high.tolist(), low.tolist(), strict=True)
    ]


def _digest_part(part: pa.RecordBatch, fields: Sequence[FieldLike], first_row: int) -> RowDigest:
    sources = [
        (_source(field, array, first_row), factors_of(place))
        for place, (field, array) in enumerate(zip(fields, part.columns, strict=True))
    ]
    scratch = np.empty((4, _BLOCK_ROWS), np.uint64)
    sums = np.zeros(2, np.uint64)
    for start in range(0, part.num_rows, _BLOCK_ROWS):
        stop = min(start + _BLOCK_ROWS, part.num_rows)
        lanes, room = scratch[:2, : stop - start], scratch[2:, : stop - start]
        lanes[:] = 0
        _accumulate(sources, start, stop, lanes, room)
        sums += finish(lanes[0], lanes[1], room[0])
    return RowDigest(part.num_rows, int(sums[1]) << _WORD_BITS | int(sums[0]))


def _accumulate(sources: Sequence[tuple[_Source, Factors]], start: int, stop: int, lanes: Lanes, room: Lanes) -> None:
    """Add what the sources' rows ``[start, stop)`` contribute to their lanes; ``room`` is scratch space of two rows."""
    product, words = room
    for source, factors in sources:
        for word, (low_factor, high_factor) in zip(source.words(start, stop, words), factors, strict=False):
            np.multiply(word, low_factor, out=product)
            lanes[0] += product
            np.multiply(word, high_factor, out=product)
            lanes[1] += product


@lru_cache(maxsize=8192)
def factors_of(place: int) -> Factors:
    """The factors of both lanes for each word of a value in the column at ``place``."""
    return tuple((word[0], word[1]) for word in multipliers(place + 1)[place])


class _Source:
    """A column of a batch as 64-bit words."""

    def words(self, start: int, stop: int, out: Words) -> Iterator[Words]:
        """The words of rows ``[start, stop)``; ``out`` is room to put one into."""
        raise NotImplementedError


def _source(field: FieldLike, array: pa.Array, first_row: int) -> _Source:
    kind = field.type
    if array.type != kind.arrow and not (is_bytes(array.type) and is_bytes(kind.arrow)):
        raise UserError(
            f"column '{field.name}' ({kind.text}): a batch column of Arrow type {array.type}",
            remedy=f"convert it to {kind.arrow}",
        )
    if kind.type_class in (TypeClass.INTEGER, TypeClass.FLOATING):
        return _PlainSource(array)
    return _CodedSource(field, array, first_row)


class _PlainSource(_Source):
    __slots__ = ("bits", "validity", "values")

    def __init__(self, array: pa.Array) -> None:
        self.bits = np.dtype(f"<u{array.type.byte_width}")
        kind = f"<f{array.type.byte_width}" if pa.types.is_floating(array.type) else self.bits
        self.values: NDArray[Any] = values_of(array, kind)
        self.validity = ValidityBitmap.of(array)

    def words(self, start: int, stop: int, out: Words) -> Iterator[Words]:
        values = self.values[start:stop]
        bits = (values + 0 if values.dtype.kind == "f" else values).view(self.bits)
        if bits.itemsize == 8:
            mixed(bits, out)
        else:
            out[:] = bits
        if self.validity is not None:
            np.copyto(out, NULL_WORD, where=self.validity.bytes(start, stop) == 0)
        yield out


class _CodedSource(_Source):
    """Types whose values are not stored as one word."""

    __slots__ = ("array", "field", "first_row")

    def __init__(self, field: FieldLike, array: pa.Array, first_row: int) -> None:
        self.field = field
        self.array = array
        self.first_row = first_row

    def words(self, start: int, stop: int, out: Words) -> Iterator[Words]:
        array = self.array.slice(start, stop - start)
        valid = validity_bytes(array)
        origin = Origin(self.field.name, self.field.type.text, self.first_row + start)
        for word in _stored_words(self.field.type, array, origin):
            mixed(word, out)
            if valid is not None:
                np.copyto(out, NULL_WORD, where=valid == 0)
            yield out


def _stored_words(kind: SqlType, array: pa.Array, origin: Origin) -> list[Words]:
    """What the server stores, as 64-bit words; undefined at nulls."""
    if kind.base == "decimal":
        return decimal_words(array)
    if kind.base in TEMPORAL_BASES:
        digits = kind.arguments[0] if kind.arguments and kind.base not in ("date", "year") else 0
        return [TemporalCodec(kind.base, digits).stored(array, origin)]
    if kind.base == "bit":
        return [BitCodec(kind.length).numbers(array, origin)]
    if kind.base == "set":
        return [by_distinct(array, _set_word)]
    if kind.base in ("char", "enum"):
        array = without_trailing_spaces(array)
    strings = ByteStrings.of(array)
    counted = np.full(len(array), kind.length, np.int64) if kind.base == "binary" else strings.lengths
    return [hash_strings(strings, counted)]


def _set_word(text: bytes) -> int:
    """A SET by its members, in any order."""
    return hash_bytes(b",".join(sorted(set(text.split(b",")))))
