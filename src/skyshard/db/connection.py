"""SQL connections: sessions on a server, and what statements on them give.

Rules: every connection is opened for one account; values go through the driver's arguments, names through
:func:`quote_name`; nothing of the driver leaks out; a statement carries the name of its process, so that it can be
ended when the process is gone (``db.left_statements``). What every caller needs beside a connection is exported here.
"""

from __future__ import annotations

import contextlib
import re
import select
import socket
import struct
from collections.abc import Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Any

import pymysql
from pymysql.cursors import SSCursor

from skyshard.basics.errors import ClusterError, UserError
from skyshard.db import server_errors as known
from skyshard.db.bulk_rows import SEND_TYPES
from skyshard.db.charsets import LATIN1
from skyshard.db.driver_errors import mapped
from skyshard.db.driver_session import CONNECT_TIMEOUT_S, become_account, not_opened, open_driver_session
from skyshard.db.endpoint import Account, Endpoint
from skyshard.db.literals import row_literals
from skyshard.db.quoting import quote_name, quote_text
from skyshard.db.reach_server import limit_unanswered
from skyshard.db.result_columns import ResultColumn
from skyshard.host.processes import own_name

__all__ = ["Account", "Connection", "Endpoint", "Row", "at_once", "connect", "only_if", "quote_name", "quote_text"]

Row = tuple[Any, ...]
Arguments = Sequence[Any] | None
_FIRST_WORD = re.compile(r"\(*\w+")

MARK = "/*skyshard "
"""Begins the comment in front of a statement that holds the name of its process."""


class Connection:
    """One session on one server, with autocommit on, for one thread; ``warned``: warnings of the last statement."""

    def __init__(self, raw: Any, endpoint: Endpoint) -> None:
        self._raw = raw
        self._endpoint = endpoint
        self._columns: tuple[ResultColumn, ...] = ()
        self._mark = f"{_own_mark()} "
        self._codec = LATIN1
        self.warned = 0
        self.is_cut = False

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def endpoint(self) -> Endpoint:
        return self._endpoint

    @property
    def thread_id(self) -> int:
        """The server's number of this session, for ``KILL QUERY`` from another one."""
        return int(self._raw.thread_id())

    @property
    def is_open(self) -> bool:
        return bool(self._raw.open)

    @property
    def has_ended(self) -> bool:
        """True when the server ended this session, or said something although nothing was asked; costs no question."""
        if not self._raw.open:
            return True
        waiting = select.poll()
        waiting.register(self._raw._sock, select.POLLIN)
        return bool(waiting.poll(0))

    @property
    def columns(self) -> tuple[ResultColumn, ...]:
        """The columns of the last result; empty after a statement that returns none."""
        return self._columns

    def become(self, account: Account) -> None:
        """Go on as another account, as if the session had just been opened: without another handshake of TLS.

        Raises:
            UserError, ClusterError: as :func:`connect`; the session is closed then.
        """
        try:
            become_account(self._raw, self._endpoint, account)
        except (pymysql.MySQLError, OSError) as error:
            self.close()
            raise not_opened(error, self._endpoint, account) from error

    def limit_silence(self, seconds: float) -> None:
        """What is sent to another host may be without an answer of it for so long; its server may take longer."""
        limit_unanswered(self._raw._sock, seconds)

    def speak_utf8(self) -> None:
        """Send statements as utf8mb4 from here on, for tables that hold text of every kind, such as the registry's."""
        self.execute("SET NAMES utf8mb4")
        self._codec = "utf-8"

    def execute(self, sql: str, args: Arguments = None) -> int:
        """Run a statement and return the number of rows it changed (or returned, which are then dropped)."""
        with self._cursor(pymysql.cursors.Cursor) as cursor:
            return self._run(cursor, sql, args)

    def rows(self, sql: str, args: Arguments = None) -> list[Row]:
        """All rows of the first result: str for text, bytes for binary columns, Decimal for DECIMAL."""
        with self._cursor(pymysql.cursors.Cursor) as cursor:
            self._run(cursor, sql, args)
            found = list(cursor.fetchall())
            self._pass_over_rest(cursor, sql)
            return found

    def insert(self, table: str, rows: Sequence[Row]) -> int:
        """Insert rows into a table, whose name comes quoted; numbers are written without the driver's help."""
        values, arguments = row_literals(rows)
        return self.execute(f"INSERT INTO {table} VALUES {values}", arguments or None)

    @property
    def takes_bulk(self) -> bool:
        """The session was opened for :meth:`insert_bulk`."""
        return bool(self._raw.is_for_bulk)

    def prepare(self, sql: str) -> int:
        """The server's number of an INSERT, by which :meth:`insert_bulk` names it in this session."""
        try:
            return int(self._raw.prepare(_encoded(self._mark + sql, self._codec)))
        except (pymysql.MySQLError, OSError, UnicodeError) as error:
            raise mapped(error, self._endpoint, sql) from error

    def insert_bulk(self, statement: int, types: bytes, content: bytes) -> int:
        """Rows for a prepared INSERT, as ``BulkRows`` writes them; the session was opened for that."""
        self._columns, self.warned = (), 0
        try:
            return int(self._raw.execute_bulk(struct.pack("<IH", statement, SEND_TYPES) + types + content))
        except (pymysql.MySQLError, OSError) as error:
            raise mapped(error, self._endpoint, "INSERT of rows in bulk") from error

    def value(self, sql: str, args: Arguments = None) -> Any:
        """The only value of a result of one row and one column."""
        found = self.rows(sql, args)
        if len(found) != 1 or len(found[0]) != 1:
            raise UserError(f"{self._endpoint}: expected one value from {sql[:80]!r}, got {len(found)} rows")
        return found[0][0]

    def stream(self, sql: str, args: Arguments = None, *, batch_rows: int = 10_000) -> Iterator[list[Row]]:
        """Rows in lists of at most ``batch_rows``, as they arrive.

        The session is busy until the last list; a stream that is given up earlier closes the session.
        """
        cursor = self._cursor(SSCursor)
        self._run(cursor, sql, args)
        is_finished = False
        try:
            while batch := self._fetch(cursor, batch_rows):
                yield batch
            is_finished = True
        finally:
            if is_finished:
                cursor.close()
            else:
                self._abandon(cursor)

    def warnings(self) -> list[tuple[str, int, str]]:
        """The warnings of the last statement as (level, code, message); at most the server's max_error_count."""
        return [(str(level), int(code), str(text)) for level, code, text in self.rows("SHOW WARNINGS")]

    def warning_count(self) -> int:
        """How many warnings the last statement gave, also where :meth:`warnings` keeps only the first ones."""
        return int(self.value("SELECT @@warning_count"))

    def cut(self) -> None:
        """End the session from another thread: a statement under way fails, whatever the server does."""
        self.is_cut = True
        with contextlib.suppress(OSError, AttributeError):
            self._raw._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the session; safe when the server is gone, a result is half read, or it is closed already."""
        if self._raw.open:
            with contextlib.suppress(pymysql.MySQLError, OSError):
                self._raw.close()

    def _cursor(self, kind: Any) -> Any:
        if not self._raw.open:
            raise ClusterError(f"{self._endpoint}: the connection is closed", retryable=True)
        return self._raw.cursor(kind)

    def _run(self, cursor: Any, sql: str, args: Arguments) -> int:
        self._columns, self.warned = (), 0
        try:
            affected = cursor.execute(_encoded(cursor.mogrify(self._mark + sql, args), self._codec))
        except (pymysql.MySQLError, OSError, UnicodeError) as error:
            raise mapped(error, self._endpoint, sql) from error
        self._columns = _columns_of(cursor)
        self.warned = cursor._result.warning_count or 0
        return int(affected)

    def _pass_over_rest(self, cursor: Any, sql: str) -> None:
        """Of statements that were sent together (:func:`at_once`) the last ones may still fail."""
        try:
            while cursor.nextset():
                pass
        except (pymysql.MySQLError, OSError, UnicodeError) as error:
            raise mapped(error, self._endpoint, sql) from error

    def _fetch(self, cursor: Any, batch_rows: int) -> list[Row]:
        try:
            return list(cursor.fetchmany(batch_rows))
        except (pymysql.MySQLError, OSError, UnicodeError) as error:
            raise mapped(error, self._endpoint) from error

    def _abandon(self, cursor: Any) -> None:
        self._raw._force_close()
        if cursor._result is not None:
            cursor._result.unbuffered_active = False
        cursor.connection = None


def at_once(*statements: str) -> str:
    """Statements one after the other in one round trip; they end with the first that fails.

    Each carries the name of its process behind its first word: that is where a server keeps it of a statement within
    another, and shows it while that one runs.

    >>> at_once("SELECT 1", "DROP TABLE t").replace(_own_mark(), "/*mark*/")
    'BEGIN NOT ATOMIC SELECT /*mark*/ 1; DROP /*mark*/ TABLE t; END'
    """
    return f"BEGIN NOT ATOMIC {'; '.join(map(_marked_within, statements))}; END"


def only_if(condition: str, statement: str) -> str:
    """A statement for :func:`at_once` that does nothing where the condition does not hold, and has no result then."""
    return f"IF {condition} THEN {_marked_within(statement)}; END IF"


def _marked_within(statement: str) -> str:
    return statement if statement.startswith("IF ") else _FIRST_WORD.sub(rf"\g<0> {_own_mark()}", statement, count=1)


def _own_mark() -> str:
    return f"{MARK}{own_name()}*/"


def _encoded(text: str, codec: str) -> bytes:
    """ASCII is the same in every codec, and encoded much faster."""
    return text.encode() if text.isascii() else text.encode(codec, "surrogateescape")


def connect(
    endpoint: Endpoint,
    account: Account = Account.READER,
    database: str = "",
    *,
    local_files: bool = False,
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    answer_timeout_s: float | None = None,
    is_for_bulk: bool = False,
) -> Connection:
    """Open a session. Raises ClusterError or UserError.

    Accounts of an endpoint without ``secrets`` have no password; one that an account gave itself, as each may, is taken
    off.

    Args:
        connect_timeout_s: how long opening it may take.
        local_files: allows LOAD DATA LOCAL INFILE on it.
        is_for_bulk: rows may be inserted in bulk.
        answer_timeout_s: how long a statement may be without a word from the server; None is for ever.
    """
    opened = partial(
        open_driver_session, endpoint, account, database, local_files=local_files,
        connect_timeout_s=connect_timeout_s, is_for_bulk=is_for_bulk,
    )  # fmt: skip
    try:
        raw = opened()
    except UserError as error:
        if (
            account is Account.ADMIN
            or endpoint.secrets
            or getattr(error.__cause__, "args", (0,))[0] != known.ACCESS_DENIED
        ):
            raise
        with connect(endpoint, Account.ADMIN, connect_timeout_s=connect_timeout_s) as admin:
            admin.execute(f"SET PASSWORD FOR {account}@localhost = ''")
        raw = opened()
    raw._read_timeout = answer_timeout_s
    return Connection(raw, endpoint)


def _columns_of(cursor: Any) -> tuple[ResultColumn, ...]:
    if cursor.description is None:
        return ()
    return tuple(
        ResultColumn(field.name, field.type_code, field.flags, field.charsetnr, field.length, field.scale)
        for field in cursor._result.fields
    )
