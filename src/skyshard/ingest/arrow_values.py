"""Typed values (Parquet) → values of a column's type, strictly: as they stand, converted and counted, or refused.

No I/O. Rows in errors count from 0 within the array given.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.ingest.convert import RowError, check_length, check_not_null
from skyshard.rowimage.sqltype import TypeClass
from skyshard.schema import Column


def from_arrow(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """An array of any Arrow type as the column's Arrow type.

    NaN and infinities become NULL, booleans 1 and 0, timestamps the text that the server prints; each is counted.

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
    taken = _bytes(values, column) if column.type.type_class is TypeClass.BYTES else _number(values, column)
    check_not_null(taken, column)
    return taken


def _finite(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    numbers = values.to_numpy(zero_copy_only=False)
    bad = ~np.isfinite(numbers) & np.asarray(values.is_valid())
    if not bad.any():
        return values
    conversions[f"{column.name}: NaN or infinity → NULL"] += int(bad.sum())
    return pc.if_else(pa.array(bad), pa.scalar(None, values.type), values)


def _number(values: pa.Array, column: Column) -> pa.Array:
    if values.type == column.type.arrow and column.type.base != "mediumint":
        return values
    if column.type.base == "float" and pa.types.is_floating(values.type):
        narrow = values.cast(pa.float32(), safe=False)
        lost = np.isinf(narrow.to_numpy(zero_copy_only=False)) & np.asarray(narrow.is_valid())
        if lost.any():
            raise _unfit(values, int(np.flatnonzero(lost)[0]), column)
        return narrow
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


def _bytes(values: pa.Array, column: Column) -> pa.Array:
    """Text and times as the bytes that LOAD DATA would read, in latin1."""
    if pa.types.is_timestamp(values.type):
        digits = column.type.arguments[0] if column.type.arguments else 0
        stripped = values.cast(pa.timestamp("us"), safe=False)
        values = pc.strftime(stripped, format="%Y-%m-%d %H:%M:%S")
        if not digits:
            values = pc.utf8_slice_codeunits(values, 0, 19)
    elif pa.types.is_date(values.type) or pa.types.is_time(values.type):
        values = values.cast(pa.string())
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        values = _latin1(values, column)
    try:
        taken = values.cast(column.type.arrow)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise _unfit(values, 0, column) from None
    check_length(taken, column.type)
    return taken


def _latin1(values: pa.Array, column: Column) -> pa.Array:
    """UTF-8 as latin1; free for ASCII, which is nearly all of it."""
    if pc.all(pc.string_is_ascii(values)).as_py() is not False:
        return values.cast(pa.binary() if pa.types.is_string(values.type) else pa.large_binary())
    distinct = values.dictionary_encode()
    texts = distinct.dictionary.to_pylist()
    try:
        encoded = pa.array([text.encode("latin1") for text in texts], pa.large_binary())
    except UnicodeEncodeError as error:
        row = int(pc.index(values, pa.scalar(error.object, values.type)).as_py())
        raise RowError(
            f"{error.object[:40]!r} has a character outside latin1", row, column.name, "replace the character"
        ) from None
    return encoded.take(distinct.indices)
