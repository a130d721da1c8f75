"""Rows as every backend can hold them: one schema, NULL for numbers that are none. No I/O.

MariaDB has no NaN and no infinity, SQLite no NaN: so that all backends answer alike, both are NULL in all of them.
"""

from __future__ import annotations

from functools import cache
from typing import NoReturn

import numpy as np
import pyarrow as pa

from skyshard.apdb.tables.apdb_tables import ApdbTable
from skyshard.basics.array_types import Flags, Floats
from skyshard.basics.errors import UserError


@cache
def _required(schema: pa.Schema) -> tuple[int, ...]:
    """Places of the columns that must have a value."""
    return tuple(place for place, field in enumerate(schema) if not field.nullable)


@cache
def _floating(schema: pa.Schema) -> tuple[tuple[np.dtype, tuple[int, ...]], ...]:
    """Places of the columns of each type of floating-point numbers."""
    types = ((pa.float32(), np.dtype(np.float32)), (pa.float64(), np.dtype(np.float64)))
    found = ((bits, tuple(k for k, one in enumerate(schema.types) if one == kind)) for kind, bits in types)
    return tuple((bits, places) for bits, places in found if places)


def storable_rows(kind: ApdbTable, rows: pa.Table) -> pa.Table:
    """Rows with all columns of a table, in its order and types.

    Columns that are missing are NULL, NaN and infinite values become NULL.

    Raises:
        UserError: a column that the table has not, a value of another type, NULL (or NaN, or infinite) in a column
            that must have a value, a declination outside [-90, 90].
    """
    batch = _batch(kind, rows)
    arrays = batch.columns
    if len(batch) and _leave_out_infinite(arrays, kind.schema):
        batch = pa.RecordBatch.from_arrays(arrays, schema=kind.schema)
    for place in _required(kind.schema):
        if missing := arrays[place].null_count:
            what = f"column '{kind.schema.names[place]}': {missing} rows without a value"
            _refuse(kind, what, "every row must have one")
    table = pa.Table.from_batches([batch])
    if rows.num_rows and not (np.abs(table["dec"].to_numpy()) <= 90.0).all():
        _refuse(kind, "is given a declination outside [-90, 90]", "give degrees")
    return table


def _batch(kind: ApdbTable, rows: pa.Table) -> pa.RecordBatch:
    """The rows in the table's columns and types; without work where they are so already."""
    if rows.schema.equals(kind.schema):
        return next(iter(rows.combine_chunks().to_batches()), None) or pa.RecordBatch.from_pylist([], kind.schema)
    unknown = sorted(set(rows.column_names) - set(kind.schema.names))
    if unknown:
        _refuse(kind, f"has no column '{unknown[0]}'", "leave it out, or correct its name")
    given = dict(zip(rows.column_names, rows.columns, strict=True))
    arrays = [_typed(kind, field, given.get(field.name), rows.num_rows) for field in kind.schema]
    return pa.RecordBatch.from_arrays(arrays, schema=kind.schema)


def _typed(kind: ApdbTable, field: pa.Field, given: pa.ChunkedArray | None, count: int) -> pa.Array:
    if given is None:
        return pa.nulls(count, field.type)
    try:
        given = given if given.type == field.type else given.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        _refuse(kind, f"column '{field.name}': {error}", f"give {field.type}")
    return given.chunk(0) if given.num_chunks == 1 else pa.concat_arrays(given.chunks or [given.combine_chunks()])


def _leave_out_infinite(arrays: list[pa.Array], schema: pa.Schema) -> bool:
    """Put NULL where a number is none; returns whether there was one.

    Looks at the buffers, all columns of one type at once, for there are hundreds of short ones.
    """
    is_changed = False
    for bits, places in _floating(schema):
        numbers = np.concatenate([_numbers(arrays[place], bits) for place in places])
        is_finite = np.isfinite(numbers).reshape(len(places), -1)
        for row in np.flatnonzero(~is_finite.all(axis=1)):
            arrays[places[row]] = _without(arrays[places[row]], ~is_finite[row], bits)
            is_changed = True
    return is_changed


def _numbers(values: pa.Array, bits: np.dtype) -> Floats:
    return np.frombuffer(values.buffers()[1], bits, len(values), values.offset * bits.itemsize)


def _without(values: pa.Array, is_null: Flags, bits: np.dtype) -> pa.Array:
    if values.null_count:
        is_null = is_null | values.is_null().to_numpy(zero_copy_only=False)
    return pa.array(_numbers(values, bits), values.type, mask=is_null)


def _refuse(kind: ApdbTable, what: str, remedy: str) -> NoReturn:
    raise UserError(f"table '{kind.table.name}' {what}", remedy=remedy)
