"""Reads of a MariaDB server of this host as packed records: the server copies an answer into a file, numpy reads that.

Each session keeps one scratch table for each list of columns and appends to it; it knows where its last answer began.
A thousand rows of a hundred columns come ten times as fast as by the text protocol.
"""

from __future__ import annotations

import itertools
import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.apdb.stores.sql_dialect import TEXT_CHARACTERS
from skyshard.apdb.stores.sql_server import Keep, Spent
from skyshard.basics.array_types import RowIndexes
from skyshard.basics.errors import ClusterError
from skyshard.catalog.ddl import create_table
from skyshard.catalog.schema import Column, Table
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.db.charsets import LATIN1
from skyshard.db.connection import Connection, quote_name
from skyshard.host.processes import host_id
from skyshard.node.server.server_files import ServerFiles
from skyshard.rowimage.record import RecordLayout, Records
from skyshard.rowimage.sqltype import parse_type
from skyshard.rowimage.unpack import as_records, unpack_columns

FULL_BYTES = 64 << 20
"""A scratch table that is longer is emptied."""
_NUMBERS = itertools.count()
_TYPES = {
    pa.int8(): "tinyint(4)", pa.int16(): "smallint(6)", pa.int32(): "int(11)", pa.int64(): "bigint(20)",
    pa.float32(): "float", pa.float64(): "double",
}  # fmt: skip


class ScratchImages:
    """Answers of one session of the reading account; close it before the session."""

    def __init__(self, connection: Connection, data: Path) -> None:
        self._connection = connection
        self._data = ServerFiles(data)
        self._tables: dict[tuple[str, ...], _Scratch] = {}

    def fetch(self, sql: str, schema: pa.Schema, keep: Keep | None = None) -> tuple[pa.Table, Spent]:
        """A result whose columns are those of the schema, in its order; of its rows those that are kept."""
        begun = time.perf_counter()
        scratch = self._tables.get(tuple(schema.names)) or self._made(schema)
        sent = time.perf_counter()
        count = scratch.append(self._connection, sql)
        answered = time.perf_counter()
        rows = scratch.read(count, keep)
        client_s = sent - begun + time.perf_counter() - answered
        return rows, Spent(count, count * scratch.layout.length, answered - sent, client_s)

    def close(self) -> None:
        """Drop the tables; those of a process that was killed are dropped by the next one that makes some."""
        for scratch in self._tables.values():
            self._connection.execute(f"DROP TABLE IF EXISTS {scratch.name}")
        self._tables.clear()

    def _made(self, schema: pa.Schema) -> _Scratch:
        bare = f"rows-{host_id()}-{os.getpid()}-{next(_NUMBERS)}"
        # columns of one type side by side: they are decoded together
        table = Table("rows", tuple(_column(schema.field(place)) for place in _by_type(schema)))
        name = f"{quote_name(SCRATCH_DATABASE)}.{quote_name(bare)}"
        self._connection.execute(create_table(table, bare).replace(quote_name(bare), name, 1))
        scratch = _Scratch(name, schema, self._data.data_file(SCRATCH_DATABASE, bare), RecordLayout.of(table))
        self._tables[tuple(schema.names)] = scratch
        return scratch


class _Scratch:
    """One table of fixed records, and how much of its file has been read."""

    def __init__(self, name: str, schema: pa.Schema, file: Path, layout: RecordLayout) -> None:
        self.name = name
        self.layout = layout
        self._insert = f"INSERT INTO {name} ({', '.join(map(quote_name, schema.names))})"
        self._schema = schema
        self._places = np.argsort(_by_type(schema)).tolist()
        """Of the columns of an answer in a record."""
        self._texts = [place for place, kind in enumerate(schema.types) if pa.types.is_string(kind)]
        """Places of the columns of text."""
        self._file = file
        self._end: int | None = 0
        """None after an error: nobody knows what the server has written."""

    def append(self, connection: Connection, sql: str) -> int:
        if self._end is None or self._end > FULL_BYTES:
            connection.execute(f"TRUNCATE TABLE {self.name}")
            self._end = 0
        end, self._end = self._end, None
        count = connection.execute(f"{self._insert} {sql}")
        self._end = end + count * self.layout.length
        return count

    def read(self, count: int, keep: Keep | None) -> pa.Table:
        """The last rows of the file, those that are kept; others are not decoded."""
        size = count * self.layout.length
        assert self._end is not None
        content = np.fromfile(self._file, np.uint8, size, offset=self._end - size) if count else np.empty(0, np.uint8)
        if len(content) != size:
            raise ClusterError(f"'{self._file}' ends too early: {len(content)} of {size} bytes", retryable=True)
        records = as_records(content, self.layout)
        arrays = unpack_columns(records, self.layout, self.layout.slots, None if keep is None else _kept(records, keep))
        columns = [arrays[place] for place in self._places]
        for place in self._texts:
            columns[place] = _as_text(columns[place])
        return pa.Table.from_batches([pa.RecordBatch.from_arrays(columns, schema=self._schema)])


def _kept(records: Records, keep: Keep) -> RowIndexes | None:
    """The rows that are kept; None: all."""
    is_kept = keep(records["ra"], records["dec"])
    return None if is_kept.all() else np.flatnonzero(is_kept)


def _by_type(schema: pa.Schema) -> list[int]:
    """Places of the columns, those of one type after the other."""
    kinds = list(map(str, schema.types))
    return sorted(range(len(kinds)), key=kinds.__getitem__)


def _column(field: pa.Field) -> Column:
    text = f"varchar({TEXT_CHARACTERS})" if pa.types.is_string(field.type) else _TYPES[field.type]
    return Column(field.name, parse_type(text), is_nullable=field.nullable)


def _as_text(array: pa.Array) -> pa.Array:
    text = pa.Array.from_buffers(pa.string(), len(array), array.buffers(), array.null_count, array.offset)
    if pc.all(pc.string_is_ascii(text)).as_py() is not False:
        return text
    return pa.array([None if value is None else value.decode(LATIN1) for value in array.to_pylist()], pa.string())
