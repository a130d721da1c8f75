"""Reads tables through SQL into Arrow, for tables that row images cannot hold (BLOB, TEXT).

Values come as LOAD DATA would have read them: bytes in the column's character set; FLOAT with all its bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from skyshard.catalog.schema import Column, Table
from skyshard.db.connection import Connection, quote_name
from skyshard.rowimage.sqltype import TypeClass

SCAN_ROWS = 8_192


def select_batches(
    connection: Connection, table: Table, name: str, *, limit: tuple[int, int] | None = None
) -> Iterator[pa.RecordBatch]:
    """Columns of a table as batches in their Arrow types; rows come in the same order, whichever columns they are.

    Args:
        limit: only those from this row on, counted from 0, and so many.
    """
    listed = ", ".join(exact(column) for column in table)
    some = "" if limit is None else f" LIMIT {limit[0]}, {limit[1]}"
    for rows in connection.stream(f"SELECT {listed} FROM {quote_name(name)} USE INDEX (){some}", batch_rows=SCAN_ROWS):
        yield _batch(list(zip(*rows, strict=True)), table)


def exact(column: Column) -> str:
    """A column as an expression that loses nothing in text: FLOAT as DOUBLE, everything else that is text as bytes."""
    name = quote_name(column.name)
    if column.type.base == "float":
        return f"CAST({name} AS DOUBLE)"
    return f"CAST({name} AS BINARY)" if column.type.type_class is TypeClass.BYTES and not _is_bit(column) else name


def _is_bit(column: Column) -> bool:
    return column.type.base == "bit"


def _batch(columns: Sequence[Sequence[Any]], table: Table) -> pa.RecordBatch:
    arrays = []
    for values, column in zip(columns, table, strict=True):
        wide = pa.float64() if column.type.base == "float" else column.type.arrow
        arrays.append(pa.array(values, wide).cast(column.type.arrow, safe=False))
    return pa.RecordBatch.from_arrays(arrays, names=table.column_names)
