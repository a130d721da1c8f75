"""Any database that SQLAlchemy reaches, as a target: ``mysql+pymysql://user@host/db``, ``postgresql://...``.

Statements are sent unchanged. Where the engine lacks a function such as ``qserv_areaspec_box``, the query fails.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pyarrow as pa
import sqlalchemy

from skyshard.basics.errors import ClusterError, UserError
from skyshard.bench.target import TargetAnswer

POOL = 64
"""Connections for clients; further clients wait for one."""
STOPPERS = 8
"""Further connections, so that a statement can be stopped while all others are busy."""


class UrlTarget:
    """One database behind a URL; the password is in no name and no fact."""

    def __init__(self, url: str) -> None:
        try:
            self._url = sqlalchemy.engine.make_url(url)
            self._engine = sqlalchemy.create_engine(self._url, pool_size=POOL, max_overflow=STOPPERS)
        except (sqlalchemy.exc.ArgumentError, sqlalchemy.exc.NoSuchModuleError, ImportError) as error:
            raise UserError(f"target URL: {_line(error)}", remedy="check it, and install its driver") from None

    @property
    def name(self) -> str:
        return self._url.get_backend_name()

    def run(self, sql: str, database: str) -> TargetAnswer:
        return self.begin(sql, database).answer()

    def begin(self, sql: str, database: str) -> UrlCall:
        return UrlCall(self._engine, sql)

    def describe(self) -> Mapping[str, object]:
        with self._engine.connect() as connection:
            version = ".".join(map(str, connection.dialect.server_version_info or ()))
        return {"engine": self.name, "url": self._url.render_as_string(hide_password=True), "version": version}

    def close(self) -> None:
        self._engine.dispose()


STOPS = {
    "mysql": ("SELECT CONNECTION_ID()", "KILL QUERY {}"),
    "mariadb": ("SELECT CONNECTION_ID()", "KILL QUERY {}"),
    "postgresql": ("SELECT pg_backend_pid()", "SELECT pg_cancel_backend({})"),
}
"""By backend: the statement that returns a session's id, and the one by which another session stops it."""


@dataclass(slots=True)
class UrlCall:
    """One statement on a connection of its own; a connection whose statement was stopped is not used again."""

    engine: sqlalchemy.Engine
    sql: str
    _connection: sqlalchemy.Connection | None = None
    _session: int = 0
    _is_late: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self) -> TargetAnswer:
        start = time.perf_counter()
        try:
            with self.engine.connect() as connection:
                return self._ask(connection, start)
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise ClusterError(f"{self._name}: {_line(error)}") from None

    def cancel(self) -> bool:
        """By the backend's statement for it, or by ``interrupt`` of the driver's connection (SQLite, DuckDB)."""
        with self._lock:  # the connection must not go to another call before it was stopped
            self._is_late = True
            if self._connection is None:
                return True
            if self._session:
                with self.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as other:
                    other.execute(sqlalchemy.text(STOPS[self._name][1].format(self._session)))
                return True
            stop = getattr(self._connection.connection.dbapi_connection, "interrupt", None)
            if stop is not None:
                stop()
            return stop is not None

    @property
    def _name(self) -> str:
        return self.engine.url.get_backend_name()

    def _ask(self, connection: sqlalchemy.Connection, start: float) -> TargetAnswer:
        if self._name in STOPS and not (session := connection.info.get("session", 0)):
            session = connection.info["session"] = connection.execute(sqlalchemy.text(STOPS[self._name][0])).scalar()
        with self._lock:
            if self._is_late:
                raise ClusterError(f"{self._name}: stopped before it was asked")
            self._connection, self._session = connection, session if self._name in STOPS else 0
        try:
            result = connection.execute(sqlalchemy.text(self.sql.replace(":", r"\:")))
            first = result.fetchmany(1)
            first_row_s = time.perf_counter() - start
            rows = [*first, *result.fetchall()]
            return TargetAnswer.of(to_table(list(result.keys()), rows), first_row_s=first_row_s)
        finally:
            with self._lock:
                self._connection = None
            if self._is_late:
                connection.invalidate()


def to_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows of a driver as a table; columns have numbers as names, since names may repeat, and types by their values."""
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in names]
    arrays = [pa.array(plain(column)) if column else pa.nulls(0) for column in columns]
    return pa.Table.from_arrays(arrays, names=[f"c{number}" for number in range(len(names))])


def plain(column: Sequence[Any]) -> Sequence[Any]:
    """A column whose decimals become floats if one of them is not whole, since Arrow takes no mixture."""
    if any(isinstance(value, Decimal) and value != value.to_integral_value() for value in column):
        return [float(value) if isinstance(value, Decimal) else value for value in column]
    return column


def _line(error: Exception) -> str:
    return " ".join(str(getattr(error, "orig", None) or error).split())[:300]
