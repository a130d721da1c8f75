"""Values of the columns that nothing decides: drawn by the block, a table's rows at once, without copying them.

One value in 32 of a column that may be NULL is; columns of ``NAN_COLUMNS`` have NaN instead, as pipelines write it.
Those of ``EMPTY`` are NULL in every row: what they hold comes later, by day.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pyarrow as pa

from skyshard.apdb.model import TableName
from skyshard.apdb.tables.apdb_tables import apdb_table

NAN_COLUMNS = frozenset({"snr", "dipoleChi2", "u_psfFluxMaxSlope", "scienceFluxErr"})
EMPTY = frozenset(
    {"validityEndMjdTai", "ssObjectId", "parentDiaSourceId", "ssObjectReassocTimeMjdTai", "timeWithdrawnMjdTai"}
)
_NULL_DRAWS = 5
"""A bit is 1 in all of five draws once in 32."""
_FLUX = np.float32(1000.0)
_VERSION = "v1"


@dataclass(frozen=True, slots=True)
class Given:
    """Columns whose values are decided: arrays of one value a row, or one value for all rows."""

    arrays: Mapping[str, np.ndarray]
    constants: Mapping[str, object]


@cache
def _drawn_fields(name: TableName, given: frozenset[str]) -> tuple[tuple[pa.Field, ...], tuple[pa.Field, ...]]:
    """Fields that are drawn: floating, integer."""
    fields = [one for one in apdb_table(name).schema if one.name not in given | EMPTY and one.type != pa.string()]
    floating = tuple(one for one in fields if pa.types.is_floating(one.type))
    return floating, tuple(one for one in fields if not pa.types.is_floating(one.type))


def drawn_rows(name: TableName, count: int, rng: np.random.Generator, given: Given) -> pa.RecordBatch:
    """Rows of a table: given columns as they are, the others drawn, in the table's order and types."""
    schema = apdb_table(name).schema
    floating, integer = _drawn_fields(name, frozenset(given.arrays) | frozenset(given.constants))
    found = {column: pa.array(values, schema.field(column).type) for column, values in given.arrays.items()}
    found |= {column: _repeated(value, schema.field(column).type, count) for column, value in given.constants.items()}
    found |= _floats(floating, count, rng) | _integers(integer, count, rng)
    columns = [found.get(one.name, None) for one in schema]
    arrays = [_empty(one, count) if column is None else column for one, column in zip(schema, columns, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _repeated(value: object, kind: pa.DataType, count: int) -> pa.Array:
    if pa.types.is_string(kind):
        return pa.DictionaryArray.from_arrays(np.zeros(count, np.int32), pa.array([value], kind)).cast(kind)
    return pa.array(np.full(count, value, kind.to_pandas_dtype()), kind)


def _empty(field: pa.Field, count: int) -> pa.Array:
    return _repeated(_VERSION, field.type, count) if pa.types.is_string(field.type) else pa.nulls(count, field.type)


def _floats(fields: tuple[pa.Field, ...], count: int, rng: np.random.Generator) -> dict[str, pa.Array]:
    values = rng.standard_normal((len(fields), count), np.float32) * _FLUX
    nulls = _null_bits(len(fields), count, rng)
    for place, field in enumerate(fields):
        if field.name in NAN_COLUMNS:
            is_nan = np.unpackbits(nulls[place], count=count, bitorder="little").astype(bool)
            values[place, is_nan] = np.nan
            nulls[place] = 0
    buffer, valid = pa.py_buffer(values), pa.py_buffer(~nulls)
    found = {}
    for place, field in enumerate(fields):
        data = buffer.slice(place * count * 4, count * 4)
        bitmap = valid.slice(place * nulls.shape[1], nulls.shape[1]) if field.nullable else None
        if field.type == pa.float64():
            data = pa.py_buffer(values[place].astype(np.float64))
        found[field.name] = pa.Array.from_buffers(field.type, count, [bitmap, data], -1 if field.nullable else 0)
    return found


def _integers(fields: tuple[pa.Field, ...], count: int, rng: np.random.Generator) -> dict[str, pa.Array]:
    """Flags, mostly 0, and counts from 0 to 3."""
    bits = rng.integers(0, 256, (len(fields), count), np.uint8)
    small = ((bits & 3) * (bits > 191)).astype(np.int8)  # as bytes: shared by the int8 columns
    flags = (small > 0).astype(np.int8)
    nulls = _null_bits(len(fields), count, rng)
    buffer, valid = pa.py_buffer(flags), pa.py_buffer(~nulls)
    found = {}
    for place, field in enumerate(fields):
        if field.type == pa.int8():
            data = buffer.slice(place * count, count)
        else:
            data = pa.py_buffer(small[place].astype(field.type.to_pandas_dtype()))
        bitmap = valid.slice(place * nulls.shape[1], nulls.shape[1]) if field.nullable else None
        found[field.name] = pa.Array.from_buffers(field.type, count, [bitmap, data], -1 if field.nullable else 0)
    return found


def _null_bits(columns: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Bitmaps of NULLs, one a column, whole bytes."""
    return np.asarray(np.bitwise_and.reduce(rng.integers(0, 256, (_NULL_DRAWS, columns, (count + 7) // 8), np.uint8)))
