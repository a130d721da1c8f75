"""Arrow columns as NumPy arrays: values, validity and byte strings, without copies where Arrow allows it.

Rules: no Python loop over rows; slices of arrays work; the value under a null is never used.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Bytes, Flags, Integers, Words
from skyshard.basics.errors import UserError
from skyshard.basics.lazy import lazy_module

pc = lazy_module("pyarrow.compute")

_SHOWN_BYTES = 60


class RefusedValue(UserError):
    """A value that its column does not take; ``row`` counts from 0 within the batch that was given."""

    def __init__(self, column: str, kind: str, row: int, shown: str, remedy: str) -> None:
        super().__init__(f"column '{column}' ({kind}): row {row} holds '{shown}'", remedy=remedy)
        self.column, self.kind, self.row, self.shown = column, kind, row, shown

    def in_file(self, path: str, row: int) -> UserError:
        """The same error with a file and its row, for callers that know where the batch comes from."""
        what = f"'{path}', row {row}, column '{self.column}': '{self.shown}' does not fit {self.kind}"
        return UserError(what, remedy=self.remedy)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a block of values comes from: column, SQL text of its type, batch row of the first value."""

    column: str
    type: str = ""
    first_row: int = 0

    def refuse(self, bad: NDArray[Any], values: Any, remedy: str) -> NoReturn:
        """Name the first bad row and its value.

        Raises:
            RefusedValue: always.
        """
        row = int(np.flatnonzero(bad)[0])
        value = values[row]
        shown = value.as_py() if isinstance(value, pa.Scalar) else value
        if isinstance(shown, bytes):
            shown = shown[:_SHOWN_BYTES].decode("utf-8", "backslashreplace")
        raise RefusedValue(self.column, self.type, self.first_row + row, str(shown), remedy)


def as_doubles(values: Any, *, safe: bool = True) -> Any:
    """Numbers as 64-bit floats, DECIMALs as the nearest ones, which Arrow's own cast of them may miss.

    Args:
        values: an array, chunked or not, or a scalar.
        safe: whole numbers that no double holds are an error.

    Raises:
        pa.ArrowInvalid: such a number.

    >>> from decimal import Decimal
    >>> as_doubles(pa.array([Decimal("79.3"), None])).to_pylist()
    [79.3, None]
    """
    if pa.types.is_decimal(values.type):
        values = values.cast(pa.string())
    return values.cast(pa.float64(), safe=safe)


def parts(batch: pa.RecordBatch | pa.Table) -> Iterator[pa.RecordBatch]:
    """The record batches of a batch or table, in row order, empty ones left out."""
    pieces = batch.to_batches() if isinstance(batch, pa.Table) else [batch]
    return (piece for piece in pieces if piece.num_rows)


def values_of(array: pa.Array, dtype: Any) -> NDArray[Any]:
    """The fixed-width values of an Arrow array as a view; undefined under nulls."""
    buffer = array.buffers()[1]
    if buffer is None:
        return np.zeros(len(array), dtype)
    return np.frombuffer(buffer, dtype)[array.offset : array.offset + len(array)]


@dataclass(frozen=True, slots=True)
class ValidityBitmap:
    """The validity bitmap of an array that has nulls."""

    bitmap: Bytes
    offset: int

    @staticmethod
    def of(array: pa.Array) -> ValidityBitmap | None:
        """None when the array holds no null."""
        if not array.null_count:
            return None
        return ValidityBitmap(np.frombuffer(array.buffers()[0], np.uint8), array.offset)

    def bytes(self, start: int, stop: int) -> Bytes:
        """One byte a row of ``[start, stop)``: 1 = a value, 0 = null."""
        first, last = self.offset + start, self.offset + stop
        skip = first & 7
        packed = self.bitmap[first >> 3 : (last + 7) >> 3]
        return np.unpackbits(packed, count=skip + stop - start, bitorder="little")[skip:]


def validity_bytes(array: pa.Array) -> Bytes | None:
    """One byte a row, 1 = a value; None when there is no null."""
    validity = ValidityBitmap.of(array)
    return None if validity is None else validity.bytes(0, len(array))


def bitmap_buffer(valid: Bytes | Flags | None) -> pa.Buffer | None:
    """An Arrow validity buffer of one byte (or flag) a row."""
    return None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))


@dataclass(frozen=True, slots=True)
class ByteStrings:
    """Byte strings as one data array with a start and a length a row; nulls have length 0."""

    starts: Integers
    lengths: Integers
    data: Bytes

    @staticmethod
    def of(array: pa.Array) -> ByteStrings:
        _, offset_buffer, data_buffer = array.buffers()
        kind = np.int64 if is_large(array.type) else np.int32
        if offset_buffer is None:
            offsets = np.zeros(len(array) + 1, np.int64)
        else:
            offsets = np.frombuffer(offset_buffer, kind)[array.offset : array.offset + len(array) + 1].astype(np.int64)
        lengths = np.diff(offsets)
        valid = validity_bytes(array)
        if valid is not None:
            lengths *= valid
        data = np.frombuffer(data_buffer, np.uint8) if data_buffer is not None else np.empty(0, np.uint8)
        return ByteStrings(offsets[:-1], lengths, data)


def is_large(kind: pa.DataType) -> bool:
    return bool(pa.types.is_large_binary(kind) or pa.types.is_large_string(kind))


def is_bytes(kind: pa.DataType) -> bool:
    """True for the Arrow types that may carry text, binary, dates and the like."""
    return bool(is_large(kind) or pa.types.is_binary(kind) or pa.types.is_string(kind))


def as_text(array: pa.Array) -> pa.Array:
    """The same buffers called text, unchecked: Arrow's ``ascii_*`` kernels look at bytes but take no binary."""
    kind = pa.large_string() if is_large(array.type) else pa.string()
    return pa.Array.from_buffers(kind, len(array), array.buffers(), array.null_count, array.offset)


def padded(array: pa.Array, width: int, pad: str) -> Bytes:
    """Byte strings of at most ``width`` bytes as a matrix (rows, width), filled on the right; nulls are all filling."""
    strings = ByteStrings.of(array)
    start = int(strings.starts[0])
    if bool((strings.lengths == width).all()):
        return strings.data[start : start + len(array) * width].reshape(len(array), width)
    text = pc.ascii_rpad(pc.fill_null(as_text(array), ""), width, pad)
    return np.frombuffer(text.buffers()[2], np.uint8)[: len(array) * width].reshape(len(array), width)


def binary_array(matrix: Bytes, lengths: Integers | None, valid: Bytes | None) -> pa.Array:
    """A ``pa.binary()`` array of the first ``lengths`` bytes of each matrix row (all of them when None)."""
    rows, width = matrix.shape
    if lengths is None:
        lengths = np.full(rows, width, np.int64)
    if valid is not None:
        lengths = lengths * valid
    offsets = np.zeros(rows + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    if offsets[-1] == rows * width:
        data = np.ascontiguousarray(matrix).reshape(-1)
    else:
        used = int(lengths.max(initial=0))
        data = matrix[:, :used][np.arange(used) < lengths[:, None]]
    large = bool(offsets[-1] > np.iinfo(np.int32).max)
    kind = pa.large_binary() if large else pa.binary()
    buffer = pa.py_buffer(offsets if large else offsets.astype(np.int32))
    return pa.Array.from_buffers(kind, rows, [bitmap_buffer(valid), buffer, pa.py_buffer(data)])


def big_endian(values: NDArray[Any], width: int) -> Bytes:
    """The low ``width`` bytes of unsigned integers, most significant first, as a matrix."""
    return values.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - width :]


def from_big_endian(matrix: Bytes) -> Words:
    """Unsigned integers of at most 8 bytes a row, most significant first."""
    wide = np.zeros((len(matrix), 8), np.uint8)
    wide[:, 8 - matrix.shape[1] :] = matrix
    return wide.view(">u8")[:, 0].astype(np.uint64)


def little_endian(values: NDArray[Any], width: int) -> Bytes:
    """The low ``width`` bytes of integers, least significant first, as a matrix."""
    return values.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width]


def from_little_endian(matrix: Bytes) -> Words:
    """Unsigned integers of at most 8 bytes a row, least significant first."""
    wide = np.zeros((len(matrix), 8), np.uint8)
    wide[:, : matrix.shape[1]] = matrix
    return wide.view("<u8")[:, 0].astype(np.uint64)
