"""Sessions on one SQLite file by ADBC: the only module that knows it. Rows are Arrow in both directions.

The file is in WAL mode: readers see the last commit while one writer writes. Every commit is on the disk. No other
library of this process may open the file: SQLite's locks are the process's, and one library would drop the other's.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pyarrow as pa
from adbc_driver_sqlite import StatementOptions, dbapi

from skyshard.apdb.stores.session_transaction import SessionTransaction
from skyshard.apdb.stores.sql_dialect import Dialect
from skyshard.apdb.stores.sql_server import Duplicate, Keep, Spent, kept
from skyshard.apdb.stores.stored_tables import StoredTable
from skyshard.basics.errors import ClusterError, SkyshardError, UserError

BUSY_TIMEOUT_S = 120.0
PAGE_BYTES = 16_384
"""Rows of a thousand bytes: several fit one page."""
MAPPED_BYTES = 1 << 30
"""Of the file, read without a call of the system a page: a session's cache is emptied by every commit of another."""
BATCH_ROWS = 1 << 17
"""The driver takes the types of a result from its first so many rows, for which it sets memory aside."""
CHANGES = ("INSERT", "REPLACE", "UPDATE", "DELETE")

_INTEGER, _REAL = "INTEGER", "REAL"
_COUNT = pa.schema([("n", pa.int64())])
SQLITE = Dialect(
    "SQLite", '"',
    {
        pa.int8(): _INTEGER, pa.int16(): _INTEGER, pa.int32(): _INTEGER, pa.int64(): _INTEGER,
        pa.float32(): _REAL, pa.float64(): _REAL, pa.string(): "TEXT",
    },
    table_options="WITHOUT ROWID",
)  # fmt: skip


class SqliteServer(SessionTransaction):
    """One session (:class:`~skyshard.apdb.stores.sql_server.SqlServer`)."""

    dialect = SQLITE
    begin_words = "BEGIN IMMEDIATE"

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._connection: Any = dbapi.connect(str(path), autocommit=True)
        except dbapi.Error as error:
            raise self._mapped(error) from error
        self._cursor: Any = self._connection.cursor()
        try:
            for name, value in (
                ("busy_timeout", f"{BUSY_TIMEOUT_S * 1000:.0f}"), ("page_size", str(PAGE_BYTES)),
                ("journal_mode", "WAL"), ("synchronous", "FULL"), ("mmap_size", str(MAPPED_BYTES)),
            ):  # fmt: skip
                self._ask(f"PRAGMA {name} = {value}")
        except BaseException:
            self.close()
            raise

    def run(self, sql: str) -> Spent:
        begun = time.perf_counter()
        self._ask(sql)
        changed = int(self._ask("SELECT changes() AS n")["n"][0].as_py()) if sql.startswith(CHANGES) else 0
        return Spent(changed, len(sql), time.perf_counter() - begun, 0.0)

    def fetch(self, sql: str, schema: pa.Schema, keep: Keep | None = None) -> tuple[pa.Table, Spent]:
        """SQLite answers and makes columns of its rows in one call, which counts as the server's time."""
        begun = time.perf_counter()
        found = self._ask(sql)
        answered = time.perf_counter()
        table = pa.table([column.cast(kind) for column, kind in zip(found.columns, schema.types, strict=True)], schema)
        spent = Spent(table.num_rows, table.nbytes, answered - begun, time.perf_counter() - answered)
        return kept(table.combine_chunks(), keep), spent

    def insert(self, table: StoredTable, rows: pa.Table, verb: str, tail: str = "") -> Spent:
        begun = time.perf_counter()
        listed, places = self.dialect.listed(rows.column_names), ",".join("?" * rows.num_columns)
        sql = f"{verb} {self.dialect.named(table.name)} ({listed}) VALUES ({places}) {tail}"
        try:
            self._cursor.executemany(sql, rows.combine_chunks())
        except dbapi.Error as error:
            self._renew()
            if "UNIQUE constraint failed" in str(error):
                what = f"table '{table.name}': {_said(error)}"
                raise Duplicate(what, remedy="a row of this key is stored already") from error
            raise self._mapped(error) from error
        return Spent(rows.num_rows, rows.nbytes, time.perf_counter() - begun, 0.0)

    def close(self) -> None:
        self._cursor.close()
        self._connection.close()

    def _execute(self, sql: str) -> None:
        self._ask(sql)

    def _ask(self, sql: str, batch_rows: int = BATCH_ROWS) -> pa.Table:
        """The result of a statement, without rows where it has none; nothing of it is open afterwards.

        A column that has a value only behind the first batch is asked for again, in a larger one.
        """
        try:
            self._cursor.adbc_statement.set_options(**{StatementOptions.BATCH_ROWS.value: str(batch_rows)})
            self._cursor.execute(sql)
            return self._cursor.fetch_arrow_table()
        except (dbapi.Error, OSError, pa.ArrowException) as error:
            self._renew()
            if "Type mismatch" in str(error) and sql.startswith("SELECT"):
                return self._ask(sql, batch_rows * 16)
            raise self._mapped(error) from error

    def _renew(self) -> None:
        """A cursor goes on behind the row that it failed at when it is given the same statement again."""
        self._cursor.close()
        self._cursor = self._connection.cursor()

    def _mapped(self, error: Exception) -> SkyshardError:
        said = _said(error)
        if "not a database" in said:
            return UserError(f"'{self._path}' is no SQLite file", remedy="name a new file, or one that a store made")
        return ClusterError(f"SQLite '{self._path}': {said}", retryable="locked" in said or "busy" in said)


def _said(error: Exception) -> str:
    """The words of SQLite: the driver's own are before them, the statement is on later lines."""
    return (str(error).splitlines() or [""])[0]
