"""Converts typed values (Parquet) to a column's type, strictly: as they are, converted and counted, or refused.

Every Arrow type meets every column type in ``_TAKEN``; a pair that is not in it is refused. No I/O. Rows in errors
count from 0 within the array given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.catalog.schema import Column
from skyshard.db.charsets import encoded
from skyshard.ingest.values.arrow_numbers import as_decimal, as_floating, as_integer, big_endian_bits
from skyshard.ingest.values.arrow_times import date_texts, time_texts, timestamp_texts
from skyshard.ingest.values.encoded_text import stored_text
from skyshard.ingest.values.text_values import (
    RowError,
    check_length,
    check_not_null,
    check_sign,
    rounded_as_declared,
    to_column,
)
from skyshard.rowimage.arrays import as_text
from skyshard.rowimage.sqltype import SqlType, TypeClass
from skyshard.rowimage.temporal import BASES as TEMPORAL_BASES

Conversion: TypeAlias = Callable[[pa.Array, Column, Counter[str]], pa.Array]


def from_arrow(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """An array of any Arrow type as the column's Arrow type.

    NaN and infinities become NULL, booleans 1 and 0. Numbers are rounded to FLOAT and DECIMAL, fractions of a second
    are cut to what the column holds. Each change is counted. Text in a number column is read as in a text file.

    Raises:
        RowError: the first value that has no place in the column.
    """
    values = plain_array(values)
    if pa.types.is_floating(values.type):
        values = _finite(values, column, conversions)
    if values.null_count == len(values):
        taken = pa.nulls(len(values), column.type.arrow)
    elif values.type == column.type.arrow and column.type.type_class is not TypeClass.BYTES:
        taken = values if column.type.base != "mediumint" else as_integer(values, column, conversions)
        taken = rounded_as_declared(taken, column, conversions).cast(column.type.arrow)
    else:
        convert = _TAKEN.get((_given_kind(values.type), column_kind(column.type)))
        if convert is None:
            raise _untakeable(values, column)
        taken = convert(values, column, conversions)
    check_sign(taken, column)
    check_not_null(taken, column)
    return taken


def plain_array(values: pa.Array) -> pa.Array:
    """The values without what says only how they are kept: dictionaries, extensions, views."""
    if isinstance(values, pa.ExtensionArray):
        values = values.storage
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_string_view(values.type):
        return values.cast(pa.large_string())
    if pa.types.is_binary_view(values.type):
        return values.cast(pa.large_binary())
    return values.cast(pa.binary()) if pa.types.is_fixed_size_binary(values.type) else values


def _shown(values: pa.Array) -> str:
    """The first value for a message, where Arrow can write it as text."""
    try:
        first = values.drop_null().slice(0, 1).cast(pa.string()).to_pylist()
    except (pa.ArrowException, UnicodeDecodeError):
        return ""
    return str(first[0][:40]) if first else ""


def _untakeable(values: pa.Array, column: Column) -> RowError:
    """Of values of a type that has no way into the column's."""
    shown, what = _shown(values), f"does not fit {column.type.text}"
    remedy = "declare the column otherwise, or write another type"
    if shown:
        return RowError.of_type(shown, values.type, what, 0, column.name, remedy)
    return RowError(f"Parquet type {values.type} {what}", 0, column.name, remedy)


def _given_kind(kind: pa.DataType) -> str:
    tests = {
        "boolean": pa.types.is_boolean, "integer": pa.types.is_integer, "floating": pa.types.is_floating,
        "decimal": pa.types.is_decimal, "date": pa.types.is_date, "time": pa.types.is_time,
        "timestamp": pa.types.is_timestamp,
        "text": lambda t: pa.types.is_string(t) or pa.types.is_large_string(t),
        "bytes": lambda t: pa.types.is_binary(t) or pa.types.is_large_binary(t),
    }  # fmt: skip
    return next((name for name, test in tests.items() if test(kind)), "")


def column_kind(kind: SqlType) -> str:
    """``text`` are CHAR, VARCHAR and TEXT, ``words`` ENUM, SET and JSON; temporal types and BIT by their own names."""
    if kind.type_class is not TypeClass.BYTES:
        return str(kind.type_class)
    if kind.charset:
        return "words" if kind.base in ("enum", "set", "json") else "text"
    return "binary" if kind.base.endswith(("binary", "blob", "geometry")) else kind.base


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


def _numbers_of(convert: Conversion) -> Conversion:
    """The same for booleans, as 1 and 0."""

    def converted(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
        conversions[f"{column.name}: true, false → 1, 0"] += len(values) - values.null_count
        return convert(values.cast(pa.int8()), column, conversions)

    return converted


def _read(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Texts read as those of a text file are."""
    try:
        return to_column(values.cast(pa.large_binary()).cast(pa.binary()), column, conversions)
    except RowError as error:
        value, what = _text_at(values, error.row), f"does not fit {column.type.text}"
        raise RowError.of_type(value, values.type, what, error.row, column.name, error.remedy) from None


def _text_at(values: pa.Array, row: int) -> str:
    raw = values.cast(pa.large_binary())[row].as_py() or b""
    return repr(raw[:40].decode("utf-8", "backslashreplace"))


def _texts(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Strings as the bytes that the column stores; of a column that is no text their UTF-8."""
    return _checked(stored_text(values, column, "utf8", conversions), column)


def _given_bytes(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Bytes as they are; in a text column they have to be a text in its character set."""
    charset = column.type.charset
    if charset not in ("", "latin1") and not pc.all(pc.string_is_ascii(as_text(values))).as_py():
        distinct = values.cast(pa.large_binary()).dictionary_encode()
        for raw in distinct.dictionary.to_pylist():
            try:
                encoded(raw.decode("utf-8"), charset)
            except UnicodeError:
                row = int(pc.index(values.cast(pa.large_binary()), pa.scalar(raw, pa.large_binary())).as_py())
                what = f"{_text_at(values, row)} is no text in {charset}"
                raise RowError(what, row, column.name, "fix the text, or declare the column binary") from None
    return _checked(values, column)


def _written(write: Callable[[pa.Array, Column, Counter[str]], pa.Array]) -> Conversion:
    """Dates and times by the text that the server prints."""

    def converted(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
        return _checked(write(values, column, conversions), column)

    return converted


def _year(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    return _checked(pc.utf8_lpad(values.cast(pa.string()), 4, "0"), column)


def _checked(texts: pa.Array, column: Column) -> pa.Array:
    taken = texts.cast(column.type.arrow)
    check_length(taken, column.type)
    return taken


_NUMBERS: dict[str, Conversion] = {"integer": as_integer, "floating": as_floating, "decimal": as_decimal}
_TIMES: dict[tuple[str, str], Conversion] = {
    ("date", "date"): _written(date_texts), ("date", "datetime"): _written(date_texts),
    ("date", "timestamp"): _written(date_texts), ("date", "text"): _written(date_texts),
    ("time", "time"): _written(time_texts), ("time", "text"): _written(time_texts),
    ("timestamp", "date"): _written(timestamp_texts), ("timestamp", "datetime"): _written(timestamp_texts),
    ("timestamp", "timestamp"): _written(timestamp_texts), ("timestamp", "text"): _written(timestamp_texts),
}  # fmt: skip
_TAKEN: dict[tuple[str, str], Conversion] = {
    **{(given, kind): convert for kind, convert in _NUMBERS.items() for given in _NUMBERS},
    **{("boolean", kind): _numbers_of(convert) for kind, convert in _NUMBERS.items()},
    **{(given, kind): _read for kind in _NUMBERS for given in ("text", "bytes")},
    ("boolean", "bit"): lambda values, *rest: big_endian_bits(values.cast(pa.int8()), *rest),
    ("integer", "bit"): big_endian_bits,
    ("integer", "year"): _year,
    **_TIMES,
    **{("text", kind): _texts for kind in ("text", "words", "binary", "bit")},
    **{("bytes", kind): _given_bytes for kind in ("text", "words", "binary", "bit")},
    **{(given, kind): _read for given in ("text", "bytes") for kind in TEMPORAL_BASES},
}
"""By what is given and what the column is."""
