"""SQL connections: the one file that imports the MariaDB driver, and the one place where its errors are mapped.

Rules: every connection is opened for one account and gets that account's SQL mode; statements are latin1, as tables
are unless they say otherwise, results utf8mb4, which holds what any table holds; values go through the driver's
arguments, names through :func:`quote_name`; nothing of the driver leaks out; a statement carries the name of its
process, so that it can be ended when the process is gone (``db.left``).
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import CLIENT, COMMAND
from pymysql.cursors import SSCursor

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.db import server_errors as known
from skyshard.db.charsets import LATIN1
from skyshard.db.literals import row_literals
from skyshard.db.password_files import password_of
from skyshard.db.reach_server import limit_unanswered, reach
from skyshard.db.result_columns import ResultColumn
from skyshard.db.tls import Tls, context_of, said_of_tls
from skyshard.host.processes import own_name

if TYPE_CHECKING:
    import sqlalchemy

Row = tuple[Any, ...]
Arguments = Sequence[Any] | None

CONNECT_TIMEOUT_S = 10.0
ENGINE_ANSWER_TIMEOUT_S = 120.0
"""Statements on the registry take milliseconds; waiting for one's lock ends after 50 s by the server's own limit."""
MAX_PACKET_BYTES = 1 << 30
MAX_NAME_CHARACTERS = 64
LOOPBACK = ("127.0.0.1", "::1", "localhost")
MARK = "/*skyshard "
"""Begins the comment in front of a statement that holds the name of its process."""


class Account(StrEnum):
    """The accounts of every server; ``cluster/accounts.py`` says what each may do."""

    ADMIN = "skyshard_admin"
    LOADER = "skyshard_loader"
    READER = "skyshard_reader"
    CARRIER = "skyshard_carrier"
    WRITER = "skyshard_writer"

    @property
    def duty(self) -> str:
        """Its name without the prefix, which its password file has.

        >>> Account.READER.duty
        'reader'
        """
        return self.partition("_")[2]


SQL_MODE = {
    Account.ADMIN: "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION",
    Account.LOADER: "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION",
    Account.READER: "",
    Account.CARRIER: "",
    Account.WRITER: "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION",
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server listens: a Unix socket when ``socket`` is set, else host and port."""

    socket: str = ""
    host: str = "127.0.0.1"
    port: int = 0
    tls: Tls | None = None
    """How a connection to the port is made safe; one off this host is not opened without."""
    secrets: str = ""
    """The folder of the accounts' passwords, as the host that connects sees it; empty where they have none."""
    label: str = ""
    """The server's name in its cluster, where its socket does not tell it."""

    def __str__(self) -> str:
        place = self.socket or f"{self.host}:{self.port}"
        return f"{self.label} ({place})" if self.label else place

    @property
    def name(self) -> str:
        """The server's name in its cluster, which its socket has too; else where it listens.

        >>> Endpoint(socket="/run/user/1000/skyshard/0c6f/node1.sock").name
        'node1'
        """
        return self.label or (Path(self.socket).stem if self.socket else str(self))

    @property
    def is_off_host(self) -> bool:
        """True where others could listen on the way."""
        return not self.socket and self.host not in LOOPBACK

    @property
    def when_lost(self) -> str:
        """What to do when no server answers there; one with a label is run by others."""
        if not self.label:
            return known.SEE_STATUS
        if self.socket:
            return "see whether its `skyshard head run` or `skyshard node run` runs on this host"
        return "see whether `skyshard node run` runs on its host, and whether the port is open"


class Connection:
    """One session on one server, with autocommit on, for one thread; ``warned``: warnings of the last statement."""

    def __init__(self, raw: Any, endpoint: Endpoint) -> None:
        self._raw = raw
        self._endpoint = endpoint
        self._columns: tuple[ResultColumn, ...] = ()
        self._mark = f"{MARK}{own_name()}*/ "
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
            _become(self._raw, self._endpoint, account)
        except (pymysql.MySQLError, OSError) as error:
            self.close()
            raise _not_opened(error, self._endpoint, account) from error

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
        """All rows of a result: str for text, bytes for binary columns, Decimal for DECIMAL."""
        with self._cursor(pymysql.cursors.Cursor) as cursor:
            self._run(cursor, sql, args)
            return list(cursor.fetchall())

    def insert(self, table: str, rows: Sequence[Row]) -> int:
        """Insert rows into a table, whose name comes quoted; numbers are written without the driver's help."""
        values, arguments = row_literals(rows)
        return self.execute(f"INSERT INTO {table} VALUES {values}", arguments or None)

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
) -> Connection:
    """Open a session. Raises ClusterError or UserError.

    Accounts of an endpoint without ``secrets`` have no password; one that an account gave itself, as each may, is taken
    off.

    Args:
        connect_timeout_s: how long opening it may take.
        local_files: allows LOAD DATA LOCAL INFILE on it.
        answer_timeout_s: how long a statement may be without a word from the server; None is for ever.
    """
    opened = partial(_open, endpoint, account, database, local_files=local_files, connect_timeout_s=connect_timeout_s)
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


def sqlalchemy_engine(
    endpoint: Endpoint, account: Account = Account.ADMIN, database: str = "", *, isolation: str = "REPEATABLE READ"
) -> sqlalchemy.Engine:
    """An engine whose sessions speak utf8mb4 and whose transactions are transactions (no autocommit); dispose of it.

    A server that says nothing for ``ENGINE_ANSWER_TIMEOUT_S`` is taken for dead.

    Driver errors come out as ClusterError and UserError, as from :func:`connect`, except a violated key, which stays
    ``sqlalchemy.exc.IntegrityError`` so that callers can decide what it means.
    """
    import sqlalchemy  # takes longer to import than a query takes

    def opened() -> Any:
        raw = _open(endpoint, account, database, charset="utf8mb4", isolation=isolation)
        raw._read_timeout = ENGINE_ANSWER_TIMEOUT_S
        return raw

    engine = sqlalchemy.create_engine(
        "mysql+pymysql://",
        creator=opened,
        pool_size=4,
        max_overflow=12,
        pool_pre_ping=True,  # the czar's server may have been restarted since
    )

    @sqlalchemy.event.listens_for(engine, "handle_error")
    def map_error(context: Any) -> None:
        error = context.original_exception
        is_foreign = isinstance(error, (pymysql.MySQLError, OSError))
        if is_foreign and not isinstance(error, pymysql.IntegrityError) and not context.is_pre_ping:
            raise mapped(error, endpoint, context.statement or "") from error

    return engine


def quote_name(name: str) -> str:
    """A name in backticks for use in SQL text.

    >>> quote_name("Object_6630")
    '`Object_6630`'
    """
    if not name or len(name) > MAX_NAME_CHARACTERS or name != name.rstrip() or "\0" in name or "/" in name:
        raise UserError(
            f"{name!r} is no name for a database, table or column",
            remedy=f"use 1 to {MAX_NAME_CHARACTERS} letters, digits and underscores",
        )
    return "`" + name.replace("`", "``") + "`"


def quote_text(text: str) -> str:
    r"""A string literal for the places of SQL where the driver's arguments do not reach (file names, comments).

    >>> print(quote_text("it's"))
    'it\'s'
    """
    return str(pymysql.converters.escape_string(text).join("''"))


def mapped(error: Exception, endpoint: Endpoint, sql: str = "") -> SkyshardError:
    """The Skyshard error for a driver error: who can fix it, in one line, with the server's own words."""
    if isinstance(error, UnicodeError):
        return known.unwritable(error, str(endpoint))
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    words = str(error.args[-1]) if error.args else type(error).__name__
    kind = known.Kind.SYSTEM if isinstance(error, OSError) else known.Kind.SERVER
    kind = known.Kind.INTERNAL if isinstance(error, pymysql.InternalError) else kind
    when_lost = endpoint.when_lost
    if isinstance(error, socket.gaierror):
        when_lost = "correct `host` in the cluster file, or have the name known"
    return known.error_of(kind, code, words, str(endpoint), sql, when_lost=when_lost)


class _Session(pymysql.connections.Connection):  # type: ignore[misc]
    """The driver's connection, which sets what a session begins with in one statement instead of three."""

    sql_mode_of_account = ""

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Statements come in ``charset``, results in utf8mb4; the driver calls it when a session is opened."""
        self._execute_command(
            COMMAND.COM_QUERY,
            f"SET NAMES {charset}, character_set_results = utf8mb4, sql_mode = '{self.sql_mode_of_account}'",
        )
        self._read_packet()
        self.charset, self.encoding = charset, pymysql.charset.charset_by_name(charset).encoding


def _become(raw: _Session, endpoint: Endpoint, account: Account) -> None:
    """The protocol's COM_CHANGE_USER: the server answers by asking for the password, scrambled with its salt."""
    password = _password(endpoint, account)
    raw.user, raw.password = str(account).encode(), password.encode("latin1")
    raw.sql_mode_of_account = SQL_MODE[account]
    charset = pymysql.charset.charset_by_name(raw.charset).id
    no_answer_yet = no_database = no_attributes = b"\0"
    asked = raw.user + b"\0" + no_answer_yet + no_database + struct.pack("<H", charset)
    asked += b"mysql_native_password\0" + no_attributes
    raw._execute_command(COMMAND.COM_CHANGE_USER, asked)
    packet = raw._read_packet()
    if packet.is_auth_switch_request():
        packet.read_uint8()
        raw._process_auth(packet.read_string(), packet)
    raw.set_character_set(raw.charset)
    raw.encoding = "utf8"


def _password(endpoint: Endpoint, account: Account) -> str:
    return password_of(endpoint.secrets, account.duty) if endpoint.secrets else ""


def _open(
    endpoint: Endpoint,
    account: Account,
    database: str,
    *,
    local_files: bool = False,
    charset: str = "latin1",
    isolation: str = "",
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
) -> Any:
    """A driver's connection: with an isolation level it has transactions, without one it commits each statement."""
    if endpoint.is_off_host and endpoint.tls is None:
        raise UserError(f"{endpoint}: no connection off this host without TLS", remedy="give the cluster file `tls`")
    raw = _Session(
        host=(endpoint.tls and endpoint.tls.name) or endpoint.host,
        port=endpoint.port,
        ssl=context_of(endpoint.tls) if endpoint.tls else None,
        ssl_disabled=endpoint.tls is None,
        user=str(account),
        password=_password(endpoint, account),
        database=database or None,
        charset=charset,
        sql_mode=None,
        autocommit=not isolation,
        init_command=f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}" if isolation else None,
        local_infile=local_files,
        connect_timeout=connect_timeout_s,
        read_timeout=connect_timeout_s,
        max_allowed_packet=MAX_PACKET_BYTES,
        client_flag=CLIENT.FOUND_ROWS if charset == "utf8mb4" else 0,
        defer_connect=True,
    )
    raw.sql_mode_of_account = SQL_MODE[account]
    try:
        raw.connect(reach(endpoint.socket, endpoint.host, endpoint.port, connect_timeout_s))
    except (pymysql.MySQLError, OSError) as error:
        raise _not_opened(error, endpoint, account) from error
    raw._read_timeout = None
    raw.encoding = "utf8"
    return raw


def _not_opened(error: Exception, endpoint: Endpoint, account: Account) -> SkyshardError:
    """Why a session cannot be had; what is wrong with certificates and passwords is said as such."""
    if said := said_of_tls(error):
        return ClusterError(
            f"{endpoint}: TLS: {said}", remedy="check the certificates of server and `tls` in the cluster file"
        )
    if endpoint.secrets and getattr(error, "args", (0,))[0] == known.ACCESS_DENIED:
        file = Path(endpoint.secrets) / account.duty
        return UserError(
            f"{endpoint}: the server refuses {account} with the password of {file}",
            remedy="give both the same password; `skyshard node run`, and `head run` the czar's, set the server's",
        )
    return mapped(error, endpoint)


def is_gone(error: BaseException | None) -> bool:
    """True when an error, or what it comes from, is a server's word that a table is not there."""
    while error is not None:
        if isinstance(error, pymysql.MySQLError) and error.args and error.args[0] in known.TABLE_GONE:
            return True
        error = error.__cause__
    return False


def is_reached(error: ClusterError) -> bool:
    """True when an error of :func:`connect` is what the server said, not that it said nothing."""
    cause = error.__cause__
    code = cause.args[0] if isinstance(cause, pymysql.MySQLError) and cause.args else 0
    return code not in known.CONNECTION_LOST and not isinstance(cause, OSError)


def _columns_of(cursor: Any) -> tuple[ResultColumn, ...]:
    if cursor.description is None:
        return ()
    return tuple(
        ResultColumn(field.name, field.type_code, field.flags, field.charsetnr, field.length, field.scale)
        for field in cursor._result.fields
    )
