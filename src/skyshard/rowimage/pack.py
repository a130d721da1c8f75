"""Arrow batch → packed records, byte for byte what MariaDB writes.

Rules: no loop over rows; a span of rows is prepared column by column, then written to the records in blocks that fit
the processor's cache. NULL stores the zero of its type; unused bytes are zero;
-0.0 is stored as 0.0, as the server does. The server itself may leave old bytes after a short VARCHAR.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Bytes
from skyshard.basics.errors import UserError
from skyshard.host.malloc_limits import keep_freed_memory
from skyshard.rowimage.arrays import Origin, ValidityBitmap, big_endian, is_bytes, parts, validity_bytes, values_of
from skyshard.rowimage.record import FieldLike, RecordLayout, Records, RecordSlot, bytes_at, require_packable
from skyshard.rowimage.strings import BitCodec

_BLOCK_BYTES, _FEWEST_BLOCK_ROWS, _MOST_BLOCK_ROWS = 4 << 20, 512, 16384
_SPAN_BYTES, _FEWEST_SPAN_ROWS = 64 << 20, 4096


def pack(batch: pa.RecordBatch | pa.Table, layout: RecordLayout, out: Records | None = None) -> Any:
    """Records of all rows, in row order; columns are matched by position.

    Slices of the result are records too: pack rows sorted by chunk once and write each chunk's slice.

    Args:
        out: records to fill (as many as rows); a new array when None.

    Raises:
        UserError: a column count, Arrow type or value that the table's columns do not take.

    The first byte holds the live marker, the NULL bits and unused bits, which are 1. ``unpack`` is the inverse:

    >>> from skyshard.rowimage.record import Field
    >>> from skyshard.rowimage.sqltype import parse_type
    >>> layout = RecordLayout.of([Field("id", parse_type("int"), False), Field("mag", parse_type("smallint"), True)])
    >>> batch = pa.record_batch([pa.array([258], pa.int32()), pa.array([None], pa.int16())], ["id", "mag"])
    >>> pack(batch, layout).tobytes().hex(" ")
    'ff 02 01 00 00 00 00'
    """
    keep_freed_memory()
    require_packable(layout)
    _check_columns(batch, layout)
    if out is None:
        out = np.zeros(batch.num_rows, layout.dtype)
    elif out.shape != (batch.num_rows,) or out.dtype.itemsize != layout.length or not out.flags.c_contiguous:
        raise ValueError(f"out must be {batch.num_rows} contiguous records of {layout.length} bytes")
    else:
        out.view(np.uint8)[:] = 0
    row = 0
    for part in parts(batch):
        _pack_part(part, layout, out[row : row + part.num_rows], row)
        row += part.num_rows
    return out


def check_values(batch: pa.RecordBatch, fields: Iterable[FieldLike]) -> None:
    """Refuse what `pack` would refuse, where rows are hashed but not packed: hashing takes any member, any sign.

    Raises:
        RefusedValue: the first text that is no member of its ENUM or SET, number that its DECIMAL does not hold, or
            negative one of an UNSIGNED float.
    """
    for field, values in zip(fields, batch.columns, strict=True):
        if field.type.base in ("float", "double") and field.type.is_unsigned:
            numbers = values.fill_null(0.0).to_numpy(zero_copy_only=False)
            if (numbers < 0).any():
                origin = Origin(field.name, field.type.text)
                origin.refuse(numbers < 0, numbers, "an UNSIGNED column takes no negative value")
        if field.type.base in ("enum", "set", "decimal"):
            slot = RecordLayout.of([field]).slots[0]
            assert slot.codec is not None
            slot.codec.encode(values, Origin(slot.name, slot.type.text))


def block_rows(layout: RecordLayout) -> int:
    """Rows of a block that fits the cache."""
    return min(max(_BLOCK_BYTES // layout.length, _FEWEST_BLOCK_ROWS), _MOST_BLOCK_ROWS)


def _span_rows(layout: RecordLayout, rows: int) -> int:
    """Rows prepared at a time: many, as each span costs one call a column, but few enough to keep copies small.

    All spans of ``rows`` have about the same length, because a short last one would cost as many calls as a long one.
    """
    most = min(max(_SPAN_BYTES // layout.length, _FEWEST_SPAN_ROWS), _MOST_BLOCK_ROWS)
    return -(-rows // max(round(rows / most), 1))


def _check_columns(batch: pa.RecordBatch | pa.Table, layout: RecordLayout) -> None:
    if batch.num_columns != len(layout.slots):
        raise UserError(
            f"a batch of {batch.num_columns} columns for a table of {len(layout.slots)}",
            remedy="give every column of the table, in its order",
        )
    for slot, kind in zip(layout.slots, batch.schema.types, strict=True):
        if kind != slot.arrow and not (is_bytes(kind) and is_bytes(slot.arrow)):
            raise UserError(
                f"column '{slot.name}' ({slot.type.text}): a batch column of Arrow type {kind}",
                remedy=f"convert it to {slot.arrow}",
            )


def _pack_part(part: pa.RecordBatch, layout: RecordLayout, records: Records, first_row: int) -> None:
    writers: list[_Writer] = []
    constant = layout.empty_nulls.copy()
    for slot, array in zip(layout.slots, part.columns, strict=True):
        writers.append(_writer(slot, array, first_row))
        if slot.is_nullable and not array.null_count:
            constant[slot.null_bit >> 3] ^= np.uint8(1 << (slot.null_bit & 7))
    step = _span_rows(layout, len(records))
    for start in range(0, len(records), step):
        span = records[start : start + step]
        nulls = _NullArea(constant, len(span))
        ready = [writer.ready(start, span, nulls) for writer in writers]
        ready += [(bytes_at(span, place), content) for place, content in enumerate(nulls.contents)]
        _scatter(ready, len(span), block_rows(layout))


Ready: TypeAlias = tuple[NDArray[Any], Any]
"""Where values of a span belong in its records, and the values: one a row, or one for all."""


def _scatter(ready: list[Ready], rows: int, step: int) -> None:
    for start in range(0, rows, step):
        stop = start + step
        for target, values in ready:
            target[start:stop] = values[start:stop] if isinstance(values, np.ndarray) else values


class _NullArea:
    """The null areas of a span of rows, a byte position each; one number where all rows agree."""

    __slots__ = ("contents", "rows")

    def __init__(self, constant: Bytes, rows: int) -> None:
        self.contents: list[Any] = list(constant)
        self.rows = rows

    def flip(self, bit: int, where: Bytes) -> None:
        """Change a bit in the rows where ``where`` is 1."""
        content = self.contents[bit >> 3]
        if not isinstance(content, np.ndarray):
            content = self.contents[bit >> 3] = np.full(self.rows, content, np.uint8)
        content ^= where * np.uint8(1 << (bit & 7))


class _Writer(Protocol):
    """One column of a batch."""

    def ready(self, start: int, span: Records, nulls: _NullArea) -> Ready:
        """Prepare the rows from ``start`` for the records ``span``, and mark NULLs."""
        ...


def _writer(slot: RecordSlot, array: pa.Array, first_row: int) -> _Writer:
    if array.null_count and not slot.is_nullable:
        row = first_row + int(np.flatnonzero(validity_bytes(array) == 0)[0])
        raise UserError(
            f"column '{slot.name}': row {row} is NULL, the column NOT NULL",
            remedy="fix the input or declare the column nullable",
        )
    if slot.plain is None:
        return _CodedWriter(slot, array, first_row)
    return _PlainWriter(slot, values_of(array, slot.plain), ValidityBitmap.of(array), first_row)


@dataclass(slots=True)
class _PlainWriter:
    """Integers and floats: stored as they are."""

    slot: RecordSlot
    values: NDArray[Any]
    validity: ValidityBitmap | None
    first_row: int

    def ready(self, start: int, span: Records, nulls: _NullArea) -> Ready:
        stop = start + len(span)
        values = self.values[start:stop]
        if self.validity is not None:
            valid = self.validity.bytes(start, stop)
            nulls.flip(self.slot.null_bit, valid)
            bits = np.dtype(f"u{values.itemsize}")
            values = np.multiply(values.view(bits), valid, dtype=bits).view(values.dtype)
        if values.dtype.kind == "f":
            values = values + 0  # the server stores -0.0 as 0.0
            self._check_floating(values, start)
        return self.slot.target(span), values

    def _check_floating(self, values: NDArray[Any], start: int) -> None:
        remedy, bad = "MariaDB stores no NaN and no infinity: give NULL", ~np.isfinite(values)
        if self.slot.type.is_unsigned and not bad.any():
            remedy, bad = "an UNSIGNED column takes no negative value", values < 0
        if bad.any():
            Origin(self.slot.name, self.slot.type.text, self.first_row + start).refuse(bad, values, remedy)


@dataclass(slots=True)
class _CodedWriter:
    """All types whose stored bytes differ from Arrow's."""

    slot: RecordSlot
    array: pa.Array
    first_row: int

    def ready(self, start: int, span: Records, nulls: _NullArea) -> Ready:
        slot, array = self.slot, self.array.slice(start, len(span))
        if self.array.null_count:
            valid = validity_bytes(array)
            nulls.flip(slot.null_bit, np.ones(len(array), np.uint8) if valid is None else valid)
        origin = Origin(slot.name, slot.type.text, self.first_row + start)
        if slot.codec is not None:
            cells = slot.codec.encode(array, origin)
        else:
            assert slot.bit is not None
            cells = _bit_cells(slot.bit, slot.uneven_bit, array, origin, nulls)
        if not cells.shape[1]:
            return np.empty(len(array), np.uint8), 0
        raw = f"V{cells.shape[1]}"
        return slot.target(span, raw), cells.view(raw)[:, 0]


def _bit_cells(bit: BitCodec, first_bit: int, array: pa.Array, origin: Origin, nulls: _NullArea) -> Bytes:
    values = bit.numbers(array, origin)
    for place in range(bit.uneven):
        high = (values >> np.uint64(8 * bit.width + place)) & np.uint64(1)
        nulls.flip(first_bit + place, high.astype(np.uint8))
    return big_endian(values, bit.width)
