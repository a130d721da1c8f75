"""Typed values (Parquet) → values of a column's type, strictly: as they stand, converted and counted, or refused.

No I/O. Rows in errors count from 0 within the array given.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.ingest.charset import stored_text
from skyshard.ingest.convert import RowError, check_length, check_not_null
from skyshard.rowimage.sqltype import TypeClass
from skyshard.schema import Column


def from_arrow(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """An array of any Arrow type as the column's Arrow type.

    NaN and infinities become NULL, booleans 1 and 0, 64-bit floats 32-bit ones where the column is a FLOAT; each is
    counted. Timestamps become the text that the server prints.

    Raises:
        RowError: the first value that has no place in the column.
    """
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_null(values.type):
        values = pa.nulls(len(values), column.type.arrow)
    if pa.types.is_floating(values.type):
        values = _finite(values, column, conversions)
    if pa.types.is_boolean(values.type) and column.type.type_class is not TypeClass.BYTES:
        conversions[f"{column.name}: true, false → 1, 0"] += len(values) - values.null_count
        values = values.cast(pa.int8())
    is_bytes = column.type.type_class is TypeClass.BYTES
    taken = _bytes(values, column, conversions) if is_bytes else _number(values, column, conversions)
    check_not_null(taken, column)
    return taken


def _finite(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """NaN and infinities as NULL: new validity bits over the same numbers."""
    if pa.types.is_float16(values.type):
        values = values.cast(pa.float32())
    kind = np.dtype(f"f{values.type.bit_width // 8}")
    numbers = np.frombuffer(values.buffers()[1] or b"", kind)[values.offset : values.offset + len(values)]
    is_finite = np.isfinite(numbers)
    if is_finite.all():
        return values
    is_valid = is_finite & np.asarray(values.is_valid()) if values.null_count else is_finite
    lost = len(values) - values.null_count - int(np.count_nonzero(is_valid))
    if not lost:
        return values
    conversions[f"{column.name}: NaN or infinity → NULL"] += lost
    bits = pa.py_buffer(np.packbits(is_valid, bitorder="little"))
    return pa.Array.from_buffers(values.type, len(values), [bits, pa.py_buffer(numbers)])


def _number(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    if values.type == column.type.arrow and column.type.base != "mediumint":
        return values
    if column.type.base == "float" and pa.types.is_float64(values.type):
        return _narrow(values, column, conversions)
    try:
        taken = values.cast(column.type.arrow)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise _unfit(values, _first_unfit(values, column.type.arrow), column) from None
    if column.type.type_class is TypeClass.INTEGER and len(taken):
        low, high = column.type.integer_range()
        outside = pc.or_(pc.less(taken, low), pc.greater(taken, high)) if column.type.base == "mediumint" else None
        if outside is not None and pc.any(outside).as_py():
            raise _unfit(values, int(pc.index(outside, True).as_py()), column)
    return taken


def _narrow(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """64-bit floats as 32-bit ones; those that lose digits are counted."""
    narrow = values.cast(pa.float32(), safe=False)
    wide = values.fill_null(0.0).to_numpy(zero_copy_only=False)
    stored = narrow.fill_null(0.0).to_numpy(zero_copy_only=False)
    if not np.isfinite(stored).all():
        raise _unfit(values, int(np.flatnonzero(~np.isfinite(stored))[0]), column)
    rounded = int((stored != wide).sum())
    if rounded:
        conversions[f"{column.name}: rounded to FLOAT"] += rounded
    return narrow


def _first_unfit(values: pa.Array, target: pa.DataType) -> int:
    """Row of the first value that the type cannot hold, by bisection."""
    low, high = 0, len(values)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            values[low:middle].cast(target)
            low = middle
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            high = middle
    return low


def _unfit(values: pa.Array, row: int, column: Column) -> RowError:
    shown = values[row].as_py() if len(values) else values.type
    return RowError(
        f"{shown!r} of Parquet type {values.type} does not fit {column.type.text}", row, column.name, "mend the type"
    )


def _bytes(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Text and times as the bytes that LOAD DATA would read, in latin1."""
    if pa.types.is_timestamp(values.type):
        values = _timestamps(values, column, conversions)
    elif pa.types.is_date(values.type) or pa.types.is_time(values.type):
        values = values.cast(pa.string())
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = stored_text(values, column, "utf8", conversions)
    try:
        taken = values.cast(column.type.arrow)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise _unfit(values, 0, column) from None
    check_length(taken, column.type)
    return taken


def _timestamps(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Times as text, in UTC where they have a zone; digits that the column does not hold are dropped and counted."""
    digits = column.type.arguments[0] if column.type.arguments else 0
    unit = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[values.type.unit]
    step = max(unit // 10**digits, 1)
    ticks = values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    lost = int((ticks % step != 0).sum())
    if lost:
        conversions[f"{column.name}: digits past {digits} of the second dropped"] += lost
        whole = pa.array(ticks - ticks % step, mask=np.asarray(values.is_null()))
        values = whole.cast(pa.timestamp(values.type.unit))
    texts = pc.strftime(values.cast(pa.timestamp("us"), safe=False), format="%Y-%m-%d %H:%M:%S")
    return texts if digits else pc.utf8_slice_codeunits(texts, 0, 19)
