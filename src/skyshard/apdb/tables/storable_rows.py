"""Rows as every backend can hold them: one schema, NULL for numbers that are none, one zero. No I/O.

MariaDB has no NaN and no infinity, SQLite no NaN: so that all backends answer alike, both are NULL in all of them. Of
the two zeros only PostgreSQL keeps the one with a minus sign: it is stored as the other one everywhere.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pyarrow as pa

from skyshard.apdb.tables.apdb_tables import ApdbTable
from skyshard.basics.errors import UserError
from skyshard.basics.readable import counted

_MINUS_ZERO: dict[int, np.uint32 | np.uint64] = {4: np.uint32(1 << 31), 8: np.uint64(1 << 63)}
"""Bytes of a number, and the bits of -0.0."""


def storable_rows(kind: ApdbTable, rows: pa.Table) -> pa.Table:
    """Rows with all columns of a table, in its order and types.

    Columns that are missing are NULL, NaN and infinite values become NULL, -0.0 becomes 0.0.

    Raises:
        UserError: a column that the table has not, a value of another type, NULL (or NaN, or infinite) in a column
            that must have a value, a declination outside [-90, 90].
    """
    batch = _holdable(kind, _batch(kind, rows))
    for place in kind.required:
        if missing := batch.column(place).null_count:
            what = f"column '{kind.schema.names[place]}': {counted(missing, 'row')} without a value"
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


def _holdable(kind: ApdbTable, batch: pa.RecordBatch) -> pa.RecordBatch:
    """NULL where a number is none, zero without a sign.

    All columns of one type are looked at together, for there are dozens of short ones.
    """
    for places in kind.floating if len(batch) else ():
        numbers = batch.select(places).to_tensor(null_to_nan=True).to_numpy()
        is_none = ~np.isfinite(numbers)
        minus_zero = _MINUS_ZERO[numbers.dtype.itemsize]
        nones, has_minus_zero = is_none.sum(axis=0), (numbers.view(minus_zero.dtype) == minus_zero).any(axis=0)
        for which in np.flatnonzero((nones > 0) | has_minus_zero).tolist():
            place = places[which]
            if has_minus_zero[which] or batch.column(place).null_count != nones[which]:
                field = kind.schema.field(place)
                column = pa.array(numbers[:, which] + 0.0, field.type, mask=is_none[:, which])
                batch = batch.set_column(place, field, column)
    return batch


def _refuse(kind: ApdbTable, what: str, remedy: str) -> NoReturn:
    raise UserError(f"table '{kind.table.name}' {what}", remedy=remedy)
