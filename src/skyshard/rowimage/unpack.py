"""Packed records → Arrow batch: the inverse of `pack`, for files that the server wrote.

Rules: deleted rows are left out; texts come back as the server prints them (CHAR without trailing spaces).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Bytes, RowIndexes
from skyshard.host.malloc_limits import keep_freed_memory
from skyshard.rowimage.arrays import from_big_endian
from skyshard.rowimage.pack import block_rows
from skyshard.rowimage.record import RecordLayout, Records, RecordSlot, bytes_at

_LIVE = np.uint8(1)
_BLOCK_RECORDS_BYTES = 32 << 20
_BITS = np.left_shift(1, np.arange(8, dtype=np.uint8), dtype=np.uint8)[:, np.newaxis]
_RUN_BYTES = 1 << 20
"""Of columns that share their memory."""
_GATHERED_BYTES, _FEWEST_GATHERED = 1 << 20, 1024
"""Records whose columns are gathered at a time: few enough that each is still in the cache for the next column."""


def unpack(records: Any, layout: RecordLayout) -> pa.RecordBatch:
    """The live records as a batch: columns in table order, Arrow types as `SqlType.arrow` says.

    Args:
        records: records (any one-dimensional array of ``layout.length`` bytes each), or bytes of whole records.

    >>> from skyshard.rowimage.record import Field
    >>> from skyshard.rowimage.sqltype import parse_type
    >>> layout = RecordLayout.of([Field("id", parse_type("int"), False), Field("name", parse_type("char(3)"), True)])
    >>> unpack(bytes.fromhex("fd 07 00 00 00 61 62 20"), layout).to_pylist()
    [{'id': 7, 'name': b'ab'}]
    """
    arrays = unpack_columns(live_records(as_records(records, layout), layout), layout, layout.slots)
    columns = zip(layout.slots, arrays, strict=True)
    schema = pa.schema([pa.field(slot.name, array.type, slot.is_nullable) for slot, array in columns])
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def unpack_columns(
    live: Records, layout: RecordLayout, slots: Sequence[RecordSlot], order: RowIndexes | None = None
) -> list[pa.Array]:
    """Some columns of records that are all live: of all of them, or of those that ``order`` names, as it does."""
    keep_freed_memory()
    runs = _runs(slots, len(live) if order is None else len(order))
    cells, nulls = _gather(live, layout, runs, order)
    bits = _NullBits(nulls)
    return [array for run, cell in zip(runs, cells, strict=True) for array in _arrays(run, cell, bits)]


def unpack_blocks(
    records: Any, layout: RecordLayout, block_bytes: int = _BLOCK_RECORDS_BYTES
) -> Iterator[pa.RecordBatch]:
    """The live records as batches of so many bytes of records at most, in file order."""
    whole = as_records(records, layout)
    step = max(1, block_bytes // layout.length)
    for start in range(0, len(whole), step):
        yield unpack(whole[start : start + step], layout)


def as_records(records: Any, layout: RecordLayout) -> Records:
    """Records or their bytes as an array of ``layout.dtype``, without a copy.

    Raises:
        ValueError: the bytes are no whole number of records.
    """
    if isinstance(records, np.ndarray):
        return records if records.dtype == layout.dtype else records.view(layout.dtype)
    return np.frombuffer(records, layout.dtype)


def live_records(records: Records, layout: RecordLayout) -> Records:
    """The records that are not deleted; the same array when none is."""
    is_live = (bytes_at(records, 0) & _LIVE).astype(np.bool_)
    if is_live.all():
        return records
    raw = records.view(f"V{layout.length}")
    live: Records = raw[is_live].view(layout.dtype)
    return live


@dataclass(frozen=True, slots=True)
class _Run:
    """Neighbouring columns of one type, which are taken out of the records together."""

    slots: Sequence[RecordSlot]

    @property
    def dtype(self) -> np.dtype[Any]:
        first = self.slots[0]
        return first.plain if first.plain is not None else np.dtype(f"V{first.width}")

    def target(self, records: Records) -> NDArray[Any]:
        """The bytes of its columns in all records, a row of the matrix each, as a strided view."""
        kind = self.dtype
        shape, strides = (len(self.slots), len(records)), (kind.itemsize, *records.strides)
        return np.ndarray(shape, kind, records, self.slots[0].offset, strides)


def _runs(slots: Sequence[RecordSlot], rows: int) -> list[_Run]:
    """The columns in their order; of many rows few at a time, so that no array keeps much more than its own memory."""
    runs: list[list[RecordSlot]] = []
    for slot in slots:
        if runs and len(runs[-1]) * rows * slot.width < _RUN_BYTES and _follows(runs[-1][-1], slot):
            runs[-1].append(slot)
        else:
            runs.append([slot])
    return [_Run(run) for run in runs]


def _follows(before: RecordSlot, slot: RecordSlot) -> bool:
    """Whether a column of the same type is right behind another one."""
    if before.plain is None or slot.plain is None:  # NumPy takes None for the type of doubles
        return False
    return slot.offset == before.offset + before.width and slot.plain == before.plain


def _gather(
    records: Records, layout: RecordLayout, runs: Sequence[_Run], order: RowIndexes | None
) -> tuple[list[NDArray[Any]], Bytes]:
    """The stored bytes of each run, a contiguous row a column, and of the NULL bits, a row a byte; in blocks of rows
    that stay in the cache."""
    rows, raw = len(records) if order is None else len(order), records.view(f"V{layout.length}")
    cells = [np.empty((len(run.slots), rows), run.dtype) for run in runs]
    nulls = np.empty((layout.null_bytes, rows), np.uint8)
    step = min(block_rows(layout), max(_GATHERED_BYTES // layout.length, _FEWEST_GATHERED))
    is_copied = order is not None or 2 * sum(len(run.slots) * run.dtype.itemsize for run in runs) > layout.length
    room = np.empty(min(step, rows) if is_copied else 0, raw.dtype)
    for start in range(0, rows, step):
        part = slice(start, min(start + step, rows))
        some = _taken(raw, part, order, room) if is_copied else raw[part]
        some = some.view(layout.dtype)
        for run, cell in zip(runs, cells, strict=True):
            if cell.itemsize:
                cell[:, part] = run.target(some)
        nulls[:, part] = np.ndarray((layout.null_bytes, len(some)), np.uint8, some, 0, (1, *some.strides))
    return cells, nulls


def _taken(raw: NDArray[Any], part: slice, order: RowIndexes | None, room: NDArray[Any]) -> NDArray[Any]:
    """Some records, in an order or their own, in memory that serves again for the next ones: two thirds of the time of
    new memory. What was gone through once, one record after the other, is at hand for each column then."""
    made = room[: part.stop - part.start]
    if order is None:
        np.copyto(made, raw[part])
    else:
        np.take(raw, order[part], out=made, mode="clip")  # no row is beyond the end; "raise" takes it through a copy
    return made


def _arrays(run: _Run, cells: NDArray[Any], nulls: _NullBits) -> Iterator[pa.Array]:
    rows = cells.shape[1]
    if run.slots[0].plain is None:
        yield _decoded(run.slots[0], cells[0], nulls)
        return
    buffer, size = pa.py_buffer(cells), rows * cells.itemsize
    for place, slot in enumerate(run.slots):
        yield pa.Array.from_buffers(slot.arrow, rows, [nulls.bitmap(slot), buffer.slice(place * size, size)])


def _decoded(slot: RecordSlot, cells: NDArray[Any], nulls: _NullBits) -> pa.Array:
    rows, valid = len(cells), nulls.valid(slot)
    matrix = (cells.view(np.uint8) if slot.width else np.empty(0, np.uint8)).reshape(rows, slot.width)
    if slot.bit is not None:
        return slot.bit.array(_bit_values(slot, matrix, nulls.bytes), valid)
    assert slot.codec is not None
    return slot.codec.decode(matrix, valid)


class _NullBits:
    """The NULL bits of records, a row of ``bytes`` each byte of them; eight columns are looked at together."""

    def __init__(self, nulls: Bytes) -> None:
        self.bytes = nulls
        used = np.bitwise_or.reduce(nulls, axis=1) if nulls.shape[1] else np.empty(0, np.uint8)
        self._used = int.from_bytes(used.tobytes(), "little")
        """The bits that are set in some record."""
        self._valid: dict[int, Bytes] = {}
        self._bitmaps: dict[int, tuple[pa.Buffer, int]] = {}

    def valid(self, slot: RecordSlot) -> Bytes | None:
        """One byte a row, 1 = a value; None when the column has no NULL."""
        if not self._has_null(slot):
            return None
        valid: Bytes = self._valid_of_byte(slot.null_bit >> 3)[slot.null_bit & 7]
        return valid

    def bitmap(self, slot: RecordSlot) -> pa.Buffer | None:
        """The column's validity as Arrow has it."""
        if not self._has_null(slot):
            return None
        index = slot.null_bit >> 3
        if index not in self._bitmaps:
            packed = np.packbits(self._valid_of_byte(index), axis=1, bitorder="little")
            self._bitmaps[index] = pa.py_buffer(packed), packed.shape[1]
        buffer, size = self._bitmaps[index]
        return buffer.slice((slot.null_bit & 7) * size, size)

    def _has_null(self, slot: RecordSlot) -> bool:
        return slot.is_nullable and bool(self._used >> slot.null_bit & 1)

    def _valid_of_byte(self, index: int) -> Bytes:
        """Of the eight columns whose bits are in one byte, a row each."""
        if index not in self._valid:
            self._valid[index] = ((self.bytes[index] & _BITS) == 0).view(np.uint8)
        return self._valid[index]


def _bit_values(slot: RecordSlot, matrix: Bytes, nulls: Bytes) -> NDArray[np.uint64]:
    assert slot.bit is not None
    values = from_big_endian(matrix)
    for place in range(slot.bit.uneven):
        bit = slot.uneven_bit + place
        high = (nulls[bit >> 3] >> np.uint8(bit & 7)) & np.uint8(1)
        values |= high.astype(np.uint64) << np.uint64(8 * slot.bit.width + place)
    return values
