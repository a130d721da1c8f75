"""Column types from Parquet's: what each Arrow type is as MariaDB stores it, and what types of several files become.

Rules: a type is widened only where it holds every value of both; what no type holds is refused, by file and column.
Texts get room for longer ones, because the next release of a catalog has them. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from skyshard.ingest.values.arrow_values import plain_array

_TEXT_ROOM = (16, 64, 255)
_ROOM_FACTOR = 4
_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}
_MOST_DIGITS, _MOST_SCALE = 65, 38
_INTEGERS = {8: "tinyint(4)", 16: "smallint(6)", 32: "int(11)", 64: "bigint(20)"}
"""As Felis' types are spelled."""


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type without what says only how values are kept: dictionaries, extensions, views, large offsets."""
    kind = plain_array(pa.nulls(0, kind)).type if not pa.types.is_null(kind) else kind
    if pa.types.is_large_string(kind):
        return pa.string()
    return pa.binary() if pa.types.is_large_binary(kind) else kind


def is_supported(kind: pa.DataType) -> bool:
    """False for lists, structs, maps, durations and the like: no column takes them."""
    if pa.types.is_decimal(kind):
        return bool(kind.precision <= _MOST_DIGITS and 0 <= kind.scale <= _MOST_SCALE)
    return pa.types.is_null(kind) or any(test(kind) for test in _SUPPORTED)


_SUPPORTED: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_string, pa.types.is_binary,
    pa.types.is_timestamp, pa.types.is_date, pa.types.is_time,
)  # fmt: skip


def widened(one: pa.DataType, other: pa.DataType, *, is_exact: bool) -> pa.DataType | None:
    """The narrowest type that holds all values of two plain types; None where there is none.

    Args:
        is_exact: whole numbers of 64 bits are known to be within 2^53, which a DOUBLE holds.

    >>> str(widened(pa.int16(), pa.int64(), is_exact=False)), str(widened(pa.uint32(), pa.int32(), is_exact=False))
    ('int64', 'int64')
    >>> widened(pa.int64(), pa.float64(), is_exact=False), str(widened(pa.int64(), pa.float64(), is_exact=True))
    (None, 'double')
    """
    if one.equals(other) or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    for widen in (_of_integers, _of_times, _of_decimals):
        for first, second in ((one, other), (other, one)):
            if (found := widen(first, second)) is not None:
                return found
    if pa.types.is_floating(one) and pa.types.is_floating(other):
        return max(one, other, key=lambda kind: kind.bit_width)
    for whole, floating in ((one, other), (other, one)):
        if pa.types.is_integer(whole) and pa.types.is_floating(floating):
            return _of_whole_and_float(whole, floating, is_exact)
    return None


def _of_integers(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if pa.types.is_boolean(one) and pa.types.is_integer(other):
        return other
    if not (pa.types.is_integer(one) and pa.types.is_integer(other)):
        return None
    if pa.types.is_signed_integer(one) == pa.types.is_signed_integer(other):
        return max(one, other, key=lambda kind: kind.bit_width)
    signed, unsigned = (one, other) if pa.types.is_signed_integer(one) else (other, one)
    bits = max(signed.bit_width, 2 * unsigned.bit_width)
    return pa.type_for_alias(f"int{bits}") if bits <= 64 else None


def _of_whole_and_float(whole: pa.DataType, floating: pa.DataType, is_exact: bool) -> pa.DataType | None:
    if whole.bit_width <= 16:
        return max(floating, pa.float32(), key=lambda kind: kind.bit_width)
    return pa.float64() if whole.bit_width == 32 or is_exact else None


def _of_times(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if pa.types.is_date(one) and pa.types.is_date(other):
        return pa.date32()
    if pa.types.is_timestamp(one) and (pa.types.is_timestamp(other) or pa.types.is_date(other)):
        return pa.timestamp("us")
    return pa.time64("us") if pa.types.is_time(one) and pa.types.is_time(other) else None


def _of_decimals(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    if not pa.types.is_decimal(one):
        return None
    if pa.types.is_decimal(other):
        precision, scale = other.precision, other.scale
    elif pa.types.is_integer(other):
        precision, scale = _DIGITS[other.bit_width], 0
    else:
        return None
    most_scale = max(one.scale, scale)
    digits = max(one.precision - one.scale, precision - scale) + most_scale
    return pa.decimal256(digits, most_scale) if digits <= _MOST_DIGITS and most_scale <= _MOST_SCALE else None


def sql_type_text(kind: pa.DataType, longest: int, *, is_latin1: bool = True) -> str:
    """The type of a column, as MariaDB spells it.

    Args:
        kind: a supported plain type.
        longest: of texts and bytes: the length of the longest one.
        is_latin1: of texts: each character is one of latin1.

    >>> sql_type_text(pa.uint16(), 0), sql_type_text(pa.string(), 1), sql_type_text(pa.string(), 40)
    ('smallint unsigned', 'varchar(16)', 'varchar(255)')
    """
    if pa.types.is_boolean(kind):
        return "tinyint(1)"
    if pa.types.is_integer(kind):
        text = _INTEGERS[kind.bit_width]
        return text if pa.types.is_signed_integer(kind) else f"{text.partition('(')[0]} unsigned"
    if pa.types.is_floating(kind):
        return "double" if kind.bit_width == 64 else "float"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_string(kind):
        return _text_type(longest, is_latin1)
    if pa.types.is_binary(kind):
        room = _room(longest)
        return f"varbinary({room})" if room else "longblob"
    times = {"timestamp": pa.types.is_timestamp, "date": pa.types.is_date, "time": pa.types.is_time}
    name = next((name for name, test in times.items() if test(kind)), "")
    return {"timestamp": "datetime(6)", "date": "date", "time": "time(6)"}.get(name, "double")


def _text_type(longest: int, is_latin1: bool) -> str:
    room = _room(longest)
    text = f"varchar({room})" if room else "longtext"
    return text if is_latin1 else f"{text} character set utf8mb4"


def _room(longest: int) -> int:
    """The length that leaves room for texts some times as long; 0 where only a TEXT or BLOB does."""
    return next((room for room in _TEXT_ROOM if _ROOM_FACTOR * longest <= room), 0)
