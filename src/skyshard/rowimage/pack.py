"""Arrow batch → packed records, byte for byte what MariaDB writes.

Rules: whole columns, no loop over rows; records are filled in blocks of rows that stay in the processor's cache,
because a column lies scattered over its block. NULL stores the zero of its type; unused bytes are zero;
-0.0 is stored as 0.0, as the server does. The server itself may leave old bytes behind a short VARCHAR.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.errors import UserError
from skyshard.rowimage.arrays import (
    Bytes,
    Origin,
    Validity,
    big_endian,
    is_bytes,
    parts,
    validity_bytes,
    values_of,
)
from skyshard.rowimage.record import RecordLayout, Records, Slot, bytes_at, require_packable
from skyshard.rowimage.text import BitCodec

_BLOCK_BYTES = 4 << 20
_FEWEST_ROWS, _MOST_ROWS = 512, 16384


def pack(batch: pa.RecordBatch | pa.Table, layout: RecordLayout, out: Records | None = None) -> Any:
    """Records of all rows, in row order; columns are matched by position.

    Slices of the result are records too: pack rows sorted by chunk once and write each chunk's slice.

    Args:
        out: records to fill (as many as rows); a new array when None.

    Raises:
        UserError: a column count, Arrow type or value that the table's columns do not take.
    """
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


def block_rows(layout: RecordLayout) -> int:
    """Rows of a block that the cache holds."""
    return min(max(_BLOCK_BYTES // layout.length, _FEWEST_ROWS), _MOST_ROWS)


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
        writers.append(_writer(slot, array, records, first_row))
        if slot.is_nullable and not array.null_count:
            constant[slot.null_bit >> 3] ^= np.uint8(1 << (slot.null_bit & 7))
    step = block_rows(layout)
    areas = [bytes_at(records, index) for index in range(len(constant))]
    for start in range(0, len(records), step):
        stop = min(start + step, len(records))
        nulls = _NullArea(constant, stop - start)
        for writer in writers:
            writer.write(start, stop, nulls)
        for area, content in zip(areas, nulls.contents, strict=True):
            area[start:stop] = content


class _NullArea:
    """The null areas of a block of rows, a byte position each; one number where all rows agree."""

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
    def write(self, start: int, stop: int, nulls: _NullArea) -> None: ...


def _writer(slot: Slot, array: pa.Array, records: Records, first_row: int) -> _Writer:
    if array.null_count and not slot.is_nullable:
        row = first_row + int(np.flatnonzero(validity_bytes(array) == 0)[0])
        raise UserError(
            f"column '{slot.name}': row {row} is NULL, the column NOT NULL",
            remedy="mend the input or declare the column nullable",
        )
    if slot.plain is None:
        return _CodedWriter(slot, array, records, first_row)
    values = values_of(array, slot.plain)
    return _PlainWriter(slot, values, Validity.of(array), slot.target(records), slot.plain.kind == "f", first_row)


@dataclass(slots=True)
class _PlainWriter:
    """Integers and floats: stored as they are."""

    slot: Slot
    values: NDArray[Any]
    validity: Validity | None
    target: NDArray[Any]
    is_floating: bool
    first_row: int

    def write(self, start: int, stop: int, nulls: _NullArea) -> None:
        values = self.values[start:stop]
        if self.validity is not None:
            valid = self.validity.bytes(start, stop)
            nulls.flip(self.slot.null_bit, valid)
            bits = np.dtype(f"u{values.itemsize}")
            values = np.multiply(values.view(bits), valid, dtype=bits).view(values.dtype)
        if self.is_floating:
            values = values + 0  # the server stores -0.0 as 0.0
            self._check_floating(values, start)
        self.target[start:stop] = values

    def _check_floating(self, values: NDArray[Any], start: int) -> None:
        finite = np.isfinite(values)
        origin = Origin(self.slot.name, self.slot.type.text, self.first_row + start)
        if not finite.all():
            origin.refuse(~finite, values, "MariaDB stores no NaN and no infinity: give NULL")
        if self.slot.type.is_unsigned and (values < 0).any():
            origin.refuse(values < 0, values, "an UNSIGNED column takes no negative value")


@dataclass(slots=True)
class _CodedWriter:
    """All types whose stored bytes differ from Arrow's."""

    slot: Slot
    array: pa.Array
    records: Records
    first_row: int

    def write(self, start: int, stop: int, nulls: _NullArea) -> None:
        slot, array = self.slot, self.array.slice(start, stop - start)
        if self.array.null_count:
            valid = validity_bytes(array)
            nulls.flip(slot.null_bit, np.ones(len(array), np.uint8) if valid is None else valid)
        origin = Origin(slot.name, slot.type.text, self.first_row + start)
        if slot.bit is not None:
            cells = _bit_cells(slot.bit, slot.uneven_bit, array, origin, nulls)
        elif slot.codec is not None:
            cells = slot.codec.encode(array, origin)
        if cells.shape[1]:
            raw = f"V{cells.shape[1]}"
            slot.target(self.records, raw)[start:stop] = cells.view(raw)[:, 0]


def _bit_cells(bit: BitCodec, first_bit: int, array: pa.Array, origin: Origin, nulls: _NullArea) -> Bytes:
    values = bit.numbers(array, origin)
    for place in range(bit.uneven):
        high = (values >> np.uint64(8 * bit.width + place)) & np.uint64(1)
        nulls.flip(first_bit + place, high.astype(np.uint8))
    return big_endian(values, bit.width)
