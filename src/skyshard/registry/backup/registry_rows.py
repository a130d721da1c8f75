"""Rows of the registry's SQL tables as Arrow batches: read and written within a transaction of the caller.

What can be made again from other rows (chunk entries), means nothing later (heartbeats) or lets people in (tokens) is
left out; versions go by themselves.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa
import sqlalchemy as sa

from skyshard.db.arrow_literals import RowLiterals
from skyshard.db.connection import Connection, quote_name
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.plain_sql import named

_LEFT_OUT = (t.chunk_entries, t.heartbeats, t.tokens, t.versions)
KEPT: tuple[sa.Table, ...] = tuple(table for table in t.metadata.sorted_tables if table not in _LEFT_OUT)
"""What is kept, each table after those that it refers to."""
BATCH_ROWS = 50_000
_INSERTED_ROWS = 2_000


def schema_of(table: sa.Table) -> pa.Schema:
    """Columns in the order of the SQL table."""
    return pa.schema([(column.name, _type_of(column)) for column in table.columns])


def _type_of(column: sa.Column[Any]) -> pa.DataType:
    if isinstance(column.type, sa.Double):
        return pa.float64()
    return pa.int64() if isinstance(column.type, sa.Integer | sa.Boolean) else pa.string()


def read_batches(
    connection: Connection, table: sa.Table, where: str = "", args: Sequence[Any] = ()
) -> Iterator[pa.RecordBatch]:
    """Rows as they arrive; ``where`` begins with WHERE. The session is busy until the last batch."""
    schema = schema_of(table)
    columns = ", ".join(quote_name(name) for name in schema.names)
    sql = f"SELECT {columns} FROM {named(table.name)} {where}".rstrip()
    for rows in connection.stream(sql, args or None, batch_rows=BATCH_ROWS):
        arrays = [pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), schema.types, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def read_table(connection: Connection, table: sa.Table, where: str = "", args: Sequence[Any] = ()) -> pa.Table:
    """The same at once."""
    return pa.Table.from_batches(read_batches(connection, table, where, args), schema_of(table))


def insert_batch(connection: Connection, table: sa.Table, batch: pa.RecordBatch | pa.Table) -> None:
    """Insert rows with all their columns."""
    form = RowLiterals(batch.schema)
    columns = ", ".join(map(quote_name, form.columns))
    for values in form.parts(batch, _INSERTED_ROWS):
        connection.execute(f"INSERT INTO {named(table.name)} ({columns}) VALUES {values}")


OF_NO_DATABASE = (t.nodes, t.outages, t.policies, t.queries)
"""What is not in the records of nodes."""


def clear(connection: Connection, *, but: Collection[sa.Table] = ()) -> None:
    """Remove the rows of all tables but versions, tokens, and those that are named; such as refer to others first."""
    for table in reversed(t.metadata.sorted_tables):
        if table not in (t.versions, t.tokens, *but):
            connection.execute(f"DELETE FROM {named(table.name)}")


def write_frames(frames: Iterable[tuple[str, pa.Table]]) -> bytes:
    """Some tables' rows as one value."""
    names, contents = [], []
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    for name, rows in frames:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema, options=options) as writer:
            writer.write_table(rows)
        names.append(name)
        contents.append(sink.getvalue().to_pybytes())
    outer = pa.record_batch({"table": pa.array(names, pa.string()), "rows": pa.array(contents, pa.large_binary())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, outer.schema) as writer:
        writer.write_batch(outer)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def read_frames(content: bytes) -> dict[str, pa.Table]:
    """The inverse of ``write_frames``."""
    outer = pa.ipc.open_stream(content).read_all()
    found = zip(outer.column("table").to_pylist(), outer.column("rows").to_pylist(), strict=True)
    return {name: pa.ipc.open_stream(rows).read_all() for name, rows in found}
