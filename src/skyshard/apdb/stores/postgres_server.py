"""Sessions on a PostgreSQL server by ADBC: the only module that knows it. Rows travel both ways as binary COPY."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from skyshard.apdb.stores.session_transaction import SessionTransaction
from skyshard.apdb.stores.sql_dialect import Dialect
from skyshard.apdb.stores.sql_server import Deadlock, Duplicate, Keep, NoMonth, Spent, kept
from skyshard.apdb.stores.store_settings import Pixels, Upsert
from skyshard.apdb.stores.stored_tables import StoredTable
from skyshard.basics.errors import ClusterError, SkyshardError, UserError

POSTGRES = Dialect(
    "PostgreSQL", '"',
    {
        pa.int8(): "SMALLINT", pa.int16(): "SMALLINT", pa.int32(): "INTEGER", pa.int64(): "BIGINT",
        pa.float32(): "REAL", pa.float64(): "DOUBLE PRECISION", pa.string(): "TEXT",
    },
    lock="FOR UPDATE",
    insert_once="INSERT INTO",
    once_tail="ON CONFLICT DO NOTHING RETURNING 1 AS n",
    sky_index=Pixels.Q3C,
    upserts=(Upsert.ON_DUPLICATE, Upsert.DELETE_INSERT),
)  # fmt: skip
_DEADLOCKS, _DUPLICATE, _NO_PARTITION = {"40P01", "40001", "55P03"}, "23505", "23514"


class PostgresServer(SessionTransaction):
    """One session (:class:`~skyshard.apdb.stores.sql_server.SqlServer`)."""

    dialect = POSTGRES

    def __init__(self, uri: str, forget_months: Callable[[], object] = lambda: None) -> None:
        """``forget_months`` is called when a month that should be there is not."""
        self._forget_months = forget_months
        try:
            from adbc_driver_postgresql import dbapi
        except ImportError:
            raise UserError(
                "PostgreSQL needs the package adbc-driver-postgresql", remedy="pip install 'skyshard[postgresql]'"
            ) from None
        self._error: type[Exception] = dbapi.Error
        self._connection: Any = None
        try:
            self._connection = dbapi.connect(uri, autocommit=True)
            self._cursor: Any = self._connection.cursor()
        except self._error as error:
            self.close()
            raise self._mapped(error) from error

    def run(self, sql: str) -> Spent:
        """Rows are counted where a statement returns them, or the server says so."""
        begun = time.perf_counter()
        self._execute(sql)
        changed = self._cursor.fetch_arrow_table().num_rows if "RETURNING" in sql else self._cursor.rowcount
        return Spent(max(0, changed), len(sql), time.perf_counter() - begun, 0.0)

    def fetch(self, sql: str, schema: pa.Schema, keep: Keep | None = None) -> tuple[pa.Table, Spent]:
        begun = time.perf_counter()
        self._execute(sql)
        answered = time.perf_counter()
        try:
            table = self._cursor.fetch_arrow_table().cast(schema)
        except self._error as error:
            raise self._mapped(error) from error
        spent = Spent(table.num_rows, table.nbytes, answered - begun, time.perf_counter() - answered)
        return kept(table.combine_chunks(), keep), spent

    def insert(self, table: StoredTable, rows: pa.Table, verb: str, tail: str = "") -> Spent:
        """Rows are copied into the table; where others may be replaced, into a table of the session first."""
        begun = time.perf_counter()
        if not tail:
            self._copy(rows, table.name, is_temporary=False)
            return Spent(rows.num_rows, rows.nbytes, time.perf_counter() - begun, 0.0)
        mine, named = f"new{table.name}", self.dialect.named
        self._execute(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {named(mine)} (LIKE {named(table.name)}) ON COMMIT DELETE ROWS"
        )
        self._copy(rows, mine, is_temporary=True)
        listed = self.dialect.listed(rows.column_names)
        self._execute(f"{verb} {named(table.name)} ({listed}) SELECT {listed} FROM {named(mine)} {tail}")
        return Spent(rows.num_rows, rows.nbytes, time.perf_counter() - begun, 0.0)

    def close(self) -> None:
        for one in (getattr(self, "_cursor", None), self._connection):
            if one is not None:
                with contextlib.suppress(Exception):
                    one.close()

    def _copy(self, rows: pa.Table, name: str, *, is_temporary: bool) -> None:
        try:
            self._cursor.adbc_ingest(name, rows, mode="append", temporary=is_temporary)
        except self._error as error:
            raise self._mapped(error) from error

    def _execute(self, sql: str) -> None:
        try:
            self._cursor.execute(sql)
        except self._error as error:
            raise self._mapped(error) from error

    def _mapped(self, error: Exception) -> SkyshardError:
        state, words = getattr(error, "sqlstate", None) or "", " ".join(str(error).split())
        if state in _DEADLOCKS:
            return Deadlock(f"PostgreSQL: {words}", retryable=True)
        if state == _NO_PARTITION:
            self._forget_months()
            return NoMonth(f"PostgreSQL: {words}", retryable=True)
        if state == _DUPLICATE:
            return Duplicate(f"PostgreSQL: {words}", remedy="a row of this key is stored already")
        is_lost = not state or state.startswith(("08", "57"))
        return ClusterError(f"PostgreSQL: {words}", retryable=is_lost)
