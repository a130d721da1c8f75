"""Rows as every backend can hold them: one schema, NULL for numbers that are none. No I/O.

MariaDB has no NaN and no infinity, SQLite no NaN: so that all backends answer alike, both are NULL in all of them.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pyarrow as pa

from skyshard.apdb.tables.apdb_tables import ApdbTable
from skyshard.basics.errors import UserError


def storable_rows(kind: ApdbTable, rows: pa.Table) -> pa.Table:
    """Rows with all columns of a table, in its order and types.

    Columns that are missing are NULL, NaN and infinite values become NULL.

    Raises:
        UserError: a column that the table has not, a value of another type, NULL (or NaN, or infinite) in a column
            that must have a value, a declination outside [-90, 90].
    """
    unknown = sorted(set(rows.column_names) - set(kind.schema.names))
    if unknown:
        _refuse(kind, f"has no column '{unknown[0]}'", "leave it out, or correct its name")
    given = dict(zip(rows.column_names, rows.columns, strict=True))
    arrays = [_storable(kind, field, given.get(field.name), rows.num_rows) for field in kind.schema]
    table = pa.table(arrays, schema=kind.schema)
    if rows.num_rows and not (np.abs(table["dec"].to_numpy()) <= 90.0).all():
        _refuse(kind, "is given a declination outside [-90, 90]", "give degrees")
    return table


def _storable(kind: ApdbTable, field: pa.Field, given: pa.ChunkedArray | None, count: int) -> pa.Array:
    if given is None:
        values = pa.nulls(count, field.type)
    else:
        try:
            given = given if given.type == field.type else given.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            _refuse(kind, f"column '{field.name}': {error}", f"give {field.type}")
        values = given.chunk(0) if given.num_chunks == 1 else pa.concat_arrays(given.chunks or [given.combine_chunks()])
    if pa.types.is_floating(field.type):
        values = _finite(values)
    if not field.nullable and values.null_count:
        _refuse(kind, f"column '{field.name}': {values.null_count} rows without a value", "every row must have one")
    return values


def _finite(values: pa.Array) -> pa.Array:
    """The same numbers, NULL for those that are none; looks at the buffer, for there are hundreds of short columns."""
    if not len(values):
        return values
    numbers = np.frombuffer(values.buffers()[1], values.type.to_pandas_dtype())[values.offset :][: len(values)]
    is_finite = np.isfinite(numbers)
    if is_finite.all():
        return values
    is_null = ~is_finite
    if values.null_count:
        is_null |= values.is_null().to_numpy(zero_copy_only=False)
    return pa.array(numbers, values.type, mask=is_null)


def _refuse(kind: ApdbTable, what: str, remedy: str) -> NoReturn:
    raise UserError(f"table '{kind.table.name}' {what}", remedy=remedy)
