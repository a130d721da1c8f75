"""Packed records → Arrow batch: the inverse of `pack`, for files that the server wrote.

Rules: deleted rows are left out; texts come back as the server prints them (CHAR without trailing spaces).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Bytes, RowIndexes
from skyshard.rowimage.arrays import bitmap_buffer, from_big_endian
from skyshard.rowimage.malloc_tuning import keep_freed_memory
from skyshard.rowimage.pack import block_rows
from skyshard.rowimage.record import RecordLayout, Records, RecordSlot, bytes_at

_LIVE = np.uint8(1)
_BLOCK_RECORDS_BYTES = 32 << 20
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
    cells, nulls = _gather(live, layout, slots, order)
    rows = len(live) if order is None else len(order)
    return [_array(slot, cell, nulls, rows) for slot, cell in zip(slots, cells, strict=True)]


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


def _gather(
    records: Records, layout: RecordLayout, slots: Sequence[RecordSlot], order: RowIndexes | None
) -> tuple[list[NDArray[Any]], list[Bytes]]:
    """Each column's stored bytes, and each byte of NULL bits, contiguous; in blocks of rows that stay in the cache."""
    rows, raw = len(records) if order is None else len(order), records.view(f"V{layout.length}")
    held = [slot for slot in slots if slot.width]
    cells = {slot.name: np.empty(rows, slot.target(records[:0]).dtype) for slot in held}
    nulls = [np.empty(rows, np.uint8) for _ in range(layout.null_bytes)]
    step = min(block_rows(layout), max(_GATHERED_BYTES // layout.length, _FEWEST_GATHERED))
    taken = np.empty(0 if order is None else min(step, rows), raw.dtype)
    for start in range(0, rows, step):
        part = slice(start, min(start + step, rows))
        some = raw[part] if order is None else _taken(raw, order[part], taken)
        some = some.view(layout.dtype)
        for slot in held:
            cells[slot.name][part] = slot.target(some)
        for index, null in enumerate(nulls):
            null[part] = bytes_at(some, index)
    nothing = np.empty(0, np.uint8)
    return [cells.get(slot.name, nothing) for slot in slots], nulls


def _taken(raw: NDArray[Any], order: RowIndexes, room: NDArray[Any]) -> NDArray[Any]:
    """Some records in an order, in memory that serves again for the next ones: two thirds of the time of new memory."""
    made = room[: len(order)]
    np.take(raw, order, out=made, mode="clip")  # no row is beyond the end; "raise" would take it through a copy
    return made


def _array(slot: RecordSlot, cells: NDArray[Any], nulls: list[Bytes], rows: int) -> pa.Array:
    valid = _validity(slot, nulls)
    if slot.plain is not None:
        return pa.Array.from_buffers(slot.arrow, rows, [bitmap_buffer(valid), pa.py_buffer(cells)])
    matrix = cells.view(np.uint8).reshape(rows, slot.width)
    if slot.bit is not None:
        return slot.bit.array(_bit_values(slot, matrix, nulls), valid)
    assert slot.codec is not None
    return slot.codec.decode(matrix, valid)


def _validity(slot: RecordSlot, nulls: list[Bytes]) -> Bytes | None:
    """One byte a row, 1 = a value; None when the column has no NULL."""
    if not slot.is_nullable:
        return None
    is_null = nulls[slot.null_bit >> 3] & np.uint8(1 << (slot.null_bit & 7))
    if not is_null.any():
        return None
    valid: Bytes = (is_null == 0).view(np.uint8)
    return valid


def _bit_values(slot: RecordSlot, matrix: Bytes, nulls: list[Bytes]) -> NDArray[np.uint64]:
    assert slot.bit is not None
    values = from_big_endian(matrix)
    for place in range(slot.bit.uneven):
        bit = slot.uneven_bit + place
        high = (nulls[bit >> 3] >> np.uint8(bit & 7)) & np.uint8(1)
        values |= high.astype(np.uint64) << np.uint64(8 * slot.bit.width + place)
    return values
