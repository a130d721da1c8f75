"""Converts Arrow's numbers to INTEGER, FLOATING, DECIMAL and BIT columns: exact, rounded and counted, or refused.

Rules: a whole number is never rounded; a DECIMAL takes the digits that a float is written with and rounds them half
away from zero, as the server does. No I/O; no loop over rows.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.catalog.schema import Column
from skyshard.ingest.values.text_values import RowError, rounded_as_declared
from skyshard.rowimage.arrays import as_doubles

_MOST_DIGITS = 76
_FLOAT_DIGITS = 17


def as_integer(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Whole numbers of any type within the column's range."""
    low, high = column.type.integer_range()
    taken = _cast(values, column.type.arrow, column)
    if column.type.base == "mediumint" and len(taken):
        outside = pc.fill_null(pc.or_(pc.less(taken, low), pc.greater(taken, high)), False)
        if pc.any(outside).as_py():
            raise _unfit(values, int(pc.index(outside, True).as_py()), column)
    return taken


def as_floating(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Whole numbers exactly, 64-bit floats rounded to FLOAT, decimals to the nearest float. Losses are counted."""
    if pa.types.is_integer(values.type):
        return _exact_floats(values, column)
    wide = values
    if pa.types.is_decimal(values.type):
        wide = as_doubles(values)
        back, _ = _rounded(wide, values.type.precision, values.type.scale)
        lost = len(wide) if back is None else int(pc.sum(pc.not_equal(back, _widened(values, back.type))).as_py() or 0)
        if lost and column.type.base == "double":
            conversions[f"{column.name}: rounded to DOUBLE"] += lost
    wide = rounded_as_declared(wide, column, conversions)
    return _narrow(wide, column, conversions) if column.type.base == "float" else wide.cast(pa.float64())


def as_decimal(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Numbers of any type to the column's digits behind the point; those that had more are counted."""
    target = column.type.arrow
    if pa.types.is_integer(values.type):
        return _cast(values.cast(pa.decimal256(20 + target.scale, target.scale)), target, column)
    if pa.types.is_decimal(values.type):
        exact = _widened(values, pa.decimal256(_MOST_DIGITS, max(values.type.scale, target.scale)))
        rounded = pc.round(exact, ndigits=target.scale, round_mode="half_towards_infinity")
        lost = int(pc.sum(pc.not_equal(rounded, exact)).as_py() or 0)
    else:
        found, lost = _rounded(values.cast(pa.float64()), target.precision, target.scale)
        if found is None:
            raise _unfit(values, _first_beyond(values, target), column)
        rounded = found
    if lost:
        conversions[f"{column.name}: rounded to {column.type.text}"] += lost
    return _cast(rounded, target, column, shown=values)


def big_endian_bits(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Whole numbers as the bytes of a BIT, most significant first."""
    bits = column.type.length
    numbers = _cast(values, pa.uint64(), column)
    words = numbers.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)
    if bits < 64 and (beyond := np.flatnonzero(words >> np.uint64(bits))).size:
        raise _unfit(values, int(beyond[0]), column)
    width = (bits + 7) // 8
    raw = np.ascontiguousarray(words.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 8 - width :])
    fixed = pa.Array.from_buffers(pa.binary(width), len(words), [None, pa.py_buffer(raw)]).cast(pa.binary())
    return pc.if_else(numbers.is_valid(), fixed, pa.scalar(None, pa.binary()))


def _exact_floats(values: pa.Array, column: Column) -> pa.Array:
    kind = column.type.arrow
    taken = values.cast(kind, safe=False)
    numbers = taken.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
    given = values.fill_null(0).to_numpy(zero_copy_only=False)
    is_inside = numbers < float(np.iinfo(given.dtype).max) + 1
    back = np.where(is_inside, numbers, 0).astype(given.dtype)
    beyond = np.flatnonzero(~is_inside | (back != given))
    if beyond.size:
        raise _unfit(values, int(beyond[0]), column)
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


def _rounded(values: pa.Array, precision: int, scale: int) -> tuple[pa.Array | None, int]:
    """64-bit floats as decimals of ``scale``, and how many had more digits; None where one is too large."""
    numbers = np.abs(values.fill_null(0.0).to_numpy(zero_copy_only=False))
    if (numbers >= 10.0 ** (precision - scale)).any():
        return None, 0
    is_small = numbers < 1.0
    if is_small.all() or not is_small.any():
        return _rounded_alike(values, numbers, scale)
    small, lost = _rounded_alike(pc.if_else(is_small, values, None), np.where(is_small, numbers, 0), scale)
    large, more = _rounded_alike(pc.if_else(is_small, None, values), np.where(is_small, 0, numbers), scale)
    kind = pa.decimal256(_MOST_DIGITS, scale)
    return pc.coalesce(small.cast(kind), large.cast(kind)), lost + more


def _rounded_alike(values: pa.Array, numbers: Any, scale: int) -> tuple[pa.Array, int]:
    """The same of floats that are all below 1, or all not: then 76 digits hold every one as it is written."""
    is_tiny = (numbers < 10.0 ** -(scale + 1)) & (numbers > 0)
    written = pc.if_else(is_tiny, 0.0, values).cast(pa.string())
    whole = max(1, len(f"{numbers.max(initial=0):.0f}") + 1)
    digits = min(_MOST_DIGITS - whole, max(scale + 1 + _FLOAT_DIGITS, scale))
    exact = written.cast(pa.decimal256(_MOST_DIGITS, digits))
    rounded = pc.round(exact, ndigits=scale, round_mode="half_towards_infinity")
    lost = int(is_tiny.sum()) + int(pc.sum(pc.not_equal(rounded, exact)).as_py() or 0)
    return rounded, lost


def _widened(values: pa.Array, kind: pa.DataType) -> pa.Array:
    """Decimals as 256-bit ones, which Arrow widens from 128 bits only."""
    if pa.types.is_decimal32(values.type) or pa.types.is_decimal64(values.type):
        values = values.cast(pa.decimal128(38, values.type.scale))
    return values.cast(pa.decimal256(_MOST_DIGITS, values.type.scale)).cast(kind)


def _first_beyond(values: pa.Array, target: pa.DataType) -> int:
    numbers = np.abs(values.fill_null(0.0).to_numpy(zero_copy_only=False))
    return int(np.flatnonzero(numbers >= 10.0 ** (target.precision - target.scale))[0])


def _cast(values: pa.Array, target: pa.DataType, column: Column, shown: pa.Array | None = None) -> pa.Array:
    try:
        return values.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        row = _first_unfit(values, target)
        raise _unfit(values if shown is None else shown, row, column) from None


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
    what = f"does not fit {column.type.text}"
    return RowError.of_type(shown, values.type, what, row, column.name, "use a wider type")
