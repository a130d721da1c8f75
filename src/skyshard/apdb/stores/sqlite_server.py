"""Sessions on one SQLite file, by the standard library: the only module that knows it.

The file is in WAL mode: readers see the last commit while one writer writes. Every commit is on the disk.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path

import pyarrow as pa

from skyshard.apdb.stores.sql_dialect import Dialect
from skyshard.apdb.stores.sql_server import Duplicate, Spent
from skyshard.apdb.stores.stored_tables import StoredTable
from skyshard.basics.errors import ClusterError, SkyshardError, UserError

BUSY_TIMEOUT_S = 120.0
PAGE_BYTES = 16_384
"""Rows of a thousand bytes: several fit one page."""

_INTEGER, _REAL = "INTEGER", "REAL"
SQLITE = Dialect(
    "SQLite", '"',
    {
        pa.int8(): _INTEGER, pa.int16(): _INTEGER, pa.int32(): _INTEGER, pa.int64(): _INTEGER,
        pa.float32(): _REAL, pa.float64(): _REAL, pa.string(): "TEXT",
    },
    table_options="WITHOUT ROWID",
)  # fmt: skip


class SqliteServer:
    """One session (:class:`~skyshard.apdb.stores.sql_server.SqlServer`)."""

    dialect = SQLITE

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, cached_statements=64
            )
            self._connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            raise self._mapped(error) from error

    def begin(self) -> None:
        self.run("BEGIN IMMEDIATE")

    def commit(self) -> None:
        self.run("COMMIT")

    def rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.rollback()

    def run(self, sql: str) -> Spent:
        begun = time.perf_counter()
        try:
            changed = self._connection.execute(sql).rowcount
        except sqlite3.Error as error:
            raise self._mapped(error) from error
        return Spent(max(0, changed), len(sql), time.perf_counter() - begun, 0.0)

    def fetch(self, sql: str, schema: pa.Schema) -> tuple[pa.Table, Spent]:
        """The first row counts as the server's time, all others as the client's, which steps through them."""
        begun = time.perf_counter()
        try:
            cursor = self._connection.execute(sql)
            first = cursor.fetchone()
            answered = time.perf_counter()
            rows = [] if first is None else [first, *cursor.fetchall()]
        except sqlite3.Error as error:
            raise self._mapped(error) from error
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
        arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
        table = pa.table(arrays, schema=schema)
        return table, Spent(len(rows), table.nbytes, answered - begun, time.perf_counter() - answered)

    def insert(self, table: StoredTable, rows: pa.Table, verb: str, tail: str = "") -> Spent:
        begun = time.perf_counter()
        listed, places = self.dialect.listed(rows.column_names), ",".join("?" * rows.num_columns)
        sql = f"{verb} {self.dialect.named(table.name)} ({listed}) VALUES ({places}) {tail}"
        values = zip(*(column.to_pylist() for column in rows.columns), strict=True)
        sent = time.perf_counter()
        try:
            self._connection.executemany(sql, values)
        except sqlite3.IntegrityError as error:
            raise Duplicate(f"table '{table.name}': {error}", remedy="a row of this key is stored already") from error
        except sqlite3.Error as error:
            raise self._mapped(error) from error
        return Spent(rows.num_rows, rows.nbytes, time.perf_counter() - sent, sent - begun)

    def close(self) -> None:
        self._connection.close()

    def _mapped(self, error: sqlite3.Error) -> SkyshardError:
        is_busy = getattr(error, "sqlite_errorname", "").startswith(("SQLITE_BUSY", "SQLITE_LOCKED"))
        if isinstance(error, sqlite3.DatabaseError) and getattr(error, "sqlite_errorname", "") == "SQLITE_NOTADB":
            return UserError(f"'{self._path}' is no SQLite file", remedy="name a new file, or one that a store made")
        return ClusterError(f"SQLite '{self._path}': {error}", retryable=is_busy)
