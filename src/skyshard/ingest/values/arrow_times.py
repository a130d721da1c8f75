"""Converts Arrow's dates and times to the texts that the server prints; digits that are cut are counted.

No I/O.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.array_types import Flags, Integers
from skyshard.catalog.schema import Column
from skyshard.ingest.values.text_values import RowError

_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_DAY_S = 86_400
_FIRST_DAY, _LAST_DAY = -719_528, 2_932_896
"""0000-01-01 and 9999-12-31, in days since 1970."""


def date_texts(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """``YYYY-MM-DD``; milliseconds of a date64 within the day are refused."""
    if pa.types.is_date64(values.type):
        ticks = _integers(values)
        _refuse(values, ticks % (_DAY_S * 1000) != 0, column, "is no whole day")
        values = (
            pa.array(ticks // (_DAY_S * 1000), mask=np.asarray(values.is_null())).cast(pa.int32()).cast(pa.date32())
        )
    days = _integers(values)
    _refuse(values, (days < _FIRST_DAY) | (days > _LAST_DAY), column, "is outside the years 0 to 9999")
    return values.cast(pa.string())


def time_texts(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """``HH:MM:SS`` with the fraction that the column has; a text column has all of it."""
    kept = _cut(values, column, conversions)
    return _to_digits(kept.cast(pa.string()), column)


def timestamp_texts(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """``YYYY-MM-DD HH:MM:SS`` with the column's fraction, in UTC where the times have a zone; for a DATE the day."""
    unit = values.type.unit
    ticks = _integers(values)
    days = ticks // (_TICKS[unit] * _DAY_S)
    _refuse(values, (days < _FIRST_DAY) | (days > _LAST_DAY), column, "is outside the years 0 to 9999")
    if column.type.base == "date":
        lost = int((ticks % (_TICKS[unit] * _DAY_S) != 0).sum())
        if lost:
            conversions[f"{column.name}: time of day dropped"] += lost
        return _dates(days, values).cast(pa.string())
    kept = _cut(values, column, conversions)
    plain = kept.cast(pa.int64()).cast(pa.timestamp(unit))
    return _to_digits(pc.strftime(plain, format="%Y-%m-%d %H:%M:%S"), column)


def _dates(days: Integers, like: pa.Array) -> pa.Array:
    """Days since 1970 as dates, NULL where ``like`` is."""
    return pa.array(days, mask=np.asarray(like.is_null())).cast(pa.int32()).cast(pa.date32())


def _integers(values: pa.Array) -> Integers:
    """Days or ticks, 0 at nulls."""
    width = pa.int32() if values.type.bit_width == 32 else pa.int64()
    numbers: Integers = values.cast(width).fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers


def _cut(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Times without the digits that the column does not hold; values that lose some are counted."""
    digits = _digits(column)
    if digits is None:
        return values
    step = max(_TICKS[values.type.unit] // 10**digits, 1)
    ticks = _integers(values)
    lost = int((ticks % step != 0).sum())
    if not lost:
        return values
    conversions[f"{column.name}: digits past {digits} of the second dropped"] += lost
    whole = pa.array(ticks - ticks % step, mask=np.asarray(values.is_null()))
    return whole.cast(pa.int32() if values.type.bit_width == 32 else pa.int64()).cast(values.type)


def _digits(column: Column) -> int | None:
    """Digits of the second that a temporal column keeps; None for text, which keeps all."""
    if column.type.charset:
        return None
    return column.type.arguments[0] if column.type.arguments else 0


def _to_digits(texts: pa.Array, column: Column) -> pa.Array:
    """Times without the zeros behind what the column holds."""
    digits = _digits(column)
    if digits is None or not len(texts):
        return texts
    if not digits:
        return pc.replace_substring_regex(texts, r"\.\d*$", "")
    return pc.replace_substring_regex(texts, rf"(\.\d{{{digits}}})\d*$", r"\1")


def _refuse(values: pa.Array, bad: Flags, column: Column, what: str) -> None:
    bad &= np.asarray(values.is_valid())
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        number = values.slice(row, 1).cast(pa.int32() if values.type.bit_width == 32 else pa.int64())[0].as_py()
        raise RowError.of_type(number, values.type, what, row, column.name, "fix the value")
