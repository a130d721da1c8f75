"""A server of the MySQL protocol as a target, asked by PyMySQL: ``skyshard serve --mysql``, Qserv's proxy, MariaDB.

Rules: statements go as they are, nothing before or after them; rows are read as they come, so the first one has its
time. Each client has a connection of its own, kept between statements; the server says how many are too many. Times
stay texts, and a FLOAT has the six digits that the protocol shows. A token leaves this host through TLS only.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import sqlalchemy

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.bench.target import TargetAnswer
from skyshard.bench.targets.door_access import DoorAccess, DoorAddress
from skyshard.bench.targets.http_sessions import Stopped, notice_silence
from skyshard.bench.targets.json_rows import FLOAT_DIGITS
from skyshard.bench.targets.shown_digits import shown_field
from skyshard.bench.targets.url_target import plain

CONNECT_S = 10
FLOAT = 4
TIMES = (7, 10, 11, 12)
"""Types of columns: TIMESTAMP, DATE, TIME, DATETIME."""
KEPT = 1000
"""Connections that stay open between statements."""
REFUSED = (1044, 1045, 1049, 1698, 2059)
"""Errors of a login: the token, the database."""


class MysqlTarget:
    """One server and one database there."""

    name = "mysql"

    def __init__(self, address: DoorAddress, access: DoorAccess) -> None:
        self._address, token = address, access.token()
        is_safe = access.authority is not None or (bool(token) and not address.is_loopback)
        driver: Any = sqlalchemy.engine.make_url("mysql+pymysql://").get_dialect().import_dbapi()
        self._cursor, self._errors = driver.cursors.SSCursor, (driver.MySQLError, OSError)
        self._arguments: dict[str, Any] = {
            "host": address.host, "port": address.port, "user": address.user, "password": token,
            "database": address.path or None, "connect_timeout": CONNECT_S, "autocommit": True,
            "conv": _conversions(driver), "ssl": access.tls() if is_safe else None,
        }  # fmt: skip
        self._connect = driver.connect
        self._pool = sqlalchemy.pool.QueuePool(self._opened, pool_size=KEPT, max_overflow=-1, reset_on_return=None)
        with contextlib.closing(self.take()) as connection:
            self._version = str(connection.dbapi_connection.get_server_info())

    def run(self, sql: str, database: str) -> TargetAnswer:
        return self.begin(sql, database).answer()

    def begin(self, sql: str, database: str) -> MysqlCall:
        return MysqlCall(self, sql)

    def describe(self) -> Mapping[str, object]:
        return {"engine": "MySQL protocol", "url": str(self._address), "version": self._version}

    def open_sessions(self, count: int) -> None:
        """So many connections, so that no query waits for one; those that are refused are not there."""
        with contextlib.ExitStack() as held, contextlib.suppress(SkyshardError):
            for _ in range(count):
                held.enter_context(contextlib.closing(self.take()))

    def close(self) -> None:
        self._pool.dispose()

    def take(self) -> Any:
        """A connection that nobody else uses until it is closed.

        Raises:
            UserError: the server refuses the token.
            ClusterError: it does not answer, or takes no more connections.
        """
        try:
            return self._pool.connect()
        except self._errors as error:
            if error.args and error.args[0] in REFUSED:
                remedy = "give a token (--token-file, or SKYSHARD_TOKEN), over TLS off this host (--authority)"
                raise UserError(self._words(error), remedy=remedy) from None
            raise ClusterError(self._words(error), remedy=f"see whether {self._address} answers") from None

    def read(self, connection: Any, sql: str) -> TargetAnswer:
        """All rows of a statement. Raises ClusterError with what the server says."""
        begun, cursor = time.perf_counter(), connection.cursor(self._cursor)
        try:
            cursor.execute(sql)
            first = cursor.fetchmany(1)
            first_row_s = time.perf_counter() - begun
            rows, described = [*first, *cursor.fetchall()], cursor.description or ()
            cursor.close()
        except self._errors as error:
            _give_up(cursor)
            raise ClusterError(self._words(error)) from None
        return TargetAnswer.of(typed_table([one[1] for one in described], rows), first_row_s=first_row_s)

    def kill(self, thread: int) -> None:
        """End what another session runs."""
        with contextlib.closing(self.take()) as connection:
            self.read(connection, f"KILL QUERY {thread}")

    def _opened(self) -> Any:
        made = self._connect(**self._arguments)
        notice_silence(made._sock)
        return made

    def _words(self, error: Exception) -> str:
        return f"{self.name}: {' '.join(' '.join(map(str, error.args)).split())[:300]}"


@dataclass(slots=True)
class MysqlCall:
    """One statement on a connection of its own; one whose statement was stopped, or failed, is not used again."""

    target: MysqlTarget
    sql: str
    _thread: int = 0
    _is_late: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self) -> TargetAnswer:
        connection, is_good = self.target.take(), False
        try:
            with self._lock:
                if self._is_late:
                    raise Stopped
                self._thread = connection.dbapi_connection.thread_id()
            answer = self.target.read(connection, self.sql)
            is_good = True
        finally:
            with self._lock:  # it must not be another call's before it was stopped
                self._thread = 0
            if self._is_late or not is_good:
                connection.invalidate()
            else:
                connection.close()
        return answer

    def cancel(self) -> bool:
        with self._lock:
            self._is_late = True
            if self._thread:
                self.target.kill(self._thread)
        return True


def typed_table(kinds: Sequence[int], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows with the types of their columns, which have numbers as names.

    >>> typed_table([FLOAT, 8], [(1.5, 2), (None, 3)]).schema.types
    [DataType(float), DataType(int64)]
    """
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in kinds]
    arrays, fields = [], []
    for place, (kind, values) in enumerate(zip(kinds, columns, strict=True)):
        is_float = kind == FLOAT
        arrays.append(pa.array(plain(values), pa.float32() if is_float else None))
        fields.append(shown_field(f"c{place}", arrays[-1].type, FLOAT_DIGITS if is_float else 0))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _give_up(cursor: Any) -> None:
    """Neither the cursor nor its result reads on, from a connection that may be gone."""
    if cursor._result is not None:
        cursor._result.unbuffered_active = False
    cursor.connection = None


def _conversions(driver: Any) -> dict[Any, Any]:
    """The driver's own conversions but for times, which servers print in more forms than Python has values."""
    return {key: value for key, value in driver.converters.conversions.items() if key not in TIMES}
