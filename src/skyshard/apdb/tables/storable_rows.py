"""Rows as every backend can hold them: one schema, NULL for numbers that are none. No I/O.

MariaDB has no NaN and no infinity, SQLite no NaN: so that all backends answer alike, both are NULL in all of them.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

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
    table = pa.table([_storable(kind, field, rows) for field in kind.schema], schema=kind.schema)
    if rows.num_rows and not (np.abs(table["dec"].to_numpy()) <= 90.0).all():
        _refuse(kind, "is given a declination outside [-90, 90]", "give degrees")
    return table


def _storable(kind: ApdbTable, field: pa.Field, rows: pa.Table) -> pa.ChunkedArray:
    if field.name not in rows.column_names:
        values = pa.chunked_array([pa.nulls(rows.num_rows, field.type)])
    else:
        try:
            values = rows[field.name]
            values = values if values.type == field.type else values.cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            _refuse(kind, f"column '{field.name}': {error}", f"give {field.type}")
    if pa.types.is_floating(field.type):
        is_finite = pc.is_finite(values)
        if pc.all(is_finite, min_count=0).as_py() is False:
            values = pc.if_else(is_finite, values, pa.scalar(None, field.type))
    if not field.nullable and values.null_count:
        _refuse(kind, f"column '{field.name}': {values.null_count} rows without a value", "every row must have one")
    return values


def _refuse(kind: ApdbTable, what: str, remedy: str) -> NoReturn:
    raise UserError(f"table '{kind.table.name}' {what}", remedy=remedy)
