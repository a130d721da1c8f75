"""Sessions of the MariaDB driver: opened for an account, with its SQL mode, by password and TLS.

Rules: statements are latin1, as tables are unless they say otherwise; results utf8mb4, which holds what any table
holds.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pymysql
from pymysql.constants import CLIENT, COMMAND

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.db import server_errors as known
from skyshard.db.driver_errors import mapped
from skyshard.db.endpoint import SQL_MODE, Account, Endpoint
from skyshard.db.password_files import password_of
from skyshard.db.reach_server import reach
from skyshard.db.tls import context_of, said_of_tls

CONNECT_TIMEOUT_S = 10.0
MAX_PACKET_BYTES = 1 << 30


_STMT_BULK_EXECUTE = 0xFA
_GREETING_BYTES, _FILLED_BYTES = 32, 28
"""Of the fixed part of a greeting, and of what any client says in it; MariaDB's clients say more behind that."""
_CLIENT_MYSQL, _BULK_OPERATIONS = 1, 1 << 2
"""The bit that a client of MariaDB's own does not set, and the one of what it can, above the 32nd."""


def _greeting_of_mariadb(payload: bytes) -> bytes:
    """What a client says first, with the capability of sending rows in bulk."""
    [flags] = struct.unpack("<I", payload[:4])
    first, can = struct.pack("<I", flags & ~_CLIENT_MYSQL), struct.pack("<I", _BULK_OPERATIONS)
    return first + payload[4:_FILLED_BYTES] + can + payload[_GREETING_BYTES:]


class DriverSession(pymysql.connections.Connection):  # type: ignore[misc]
    """The driver's connection, which sets what a session begins with in one statement instead of three."""

    sql_mode_of_account = ""
    is_for_bulk = False
    """Rows may come by :meth:`execute_bulk`: this client says so when it asks for the session."""

    _is_greeting = False

    def _request_authentication(self) -> None:
        self._is_greeting = self.is_for_bulk
        try:
            super()._request_authentication()
        finally:
            self._is_greeting = False

    def write_packet(self, payload: bytes) -> None:
        begins = struct.pack("<i", self.client_flag)
        if self._is_greeting and payload[:4] == begins and len(payload) >= _GREETING_BYTES:
            payload = _greeting_of_mariadb(payload)
        super().write_packet(payload)

    def prepare(self, sql: bytes) -> int:
        """The server's number of a statement that returns no rows."""
        return int(self._whole(self._prepared, sql))

    def execute_bulk(self, content: bytes) -> int:
        """COM_STMT_BULK_EXECUTE; the number of rows that it changed."""
        return int(self._whole(self._executed, content))

    def _prepared(self, sql: bytes) -> int:
        self._execute_command(COMMAND.COM_STMT_PREPARE, sql)
        answer = self._read_packet()
        _, number, columns, parameters = struct.unpack("<BIHH", answer.get_all_data()[:9])
        for count in (parameters, columns):
            for _ in range(count + 1 if count else 0):  # the last packet is their end
                self._read_packet()
        return int(number)

    def _executed(self, content: bytes) -> int:
        self._execute_command(_STMT_BULK_EXECUTE, content)
        return int(self._read_query_result())

    def _whole(self, ask: Callable[[bytes], int], given: bytes) -> int:
        """As :meth:`query`: whoever is interrupted in the middle has no session left."""
        try:
            return ask(given)
        except (pymysql.MySQLError, OSError):
            raise
        except BaseException:
            self._force_close()
            raise

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Statements come in ``charset``, results in utf8mb4; the driver calls it when a session is opened."""
        self._execute_command(
            COMMAND.COM_QUERY,
            f"SET NAMES {charset}, character_set_results = utf8mb4, sql_mode = '{self.sql_mode_of_account}'",
        )
        self._read_packet()
        self.charset, self.encoding = charset, pymysql.charset.charset_by_name(charset).encoding

    def query(self, sql: str | bytes, unbuffered: bool = False) -> int:
        """As of the driver. Whoever is interrupted in the middle, as by Ctrl-C, has no session left: in it, the next
        statement would wait for the end of this one."""
        try:
            return int(super().query(sql, unbuffered))
        except (pymysql.MySQLError, OSError):
            raise
        except BaseException:
            self._force_close()
            raise


def become_account(raw: DriverSession, endpoint: Endpoint, account: Account) -> None:
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


def open_driver_session(
    endpoint: Endpoint,
    account: Account,
    database: str,
    *,
    local_files: bool = False,
    charset: str = "latin1",
    isolation: str = "",
    connect_timeout_s: float = CONNECT_TIMEOUT_S,
    is_for_bulk: bool = False,
) -> Any:
    """A driver's connection: with an isolation level it has transactions, without one it commits each statement."""
    if endpoint.is_off_host and endpoint.tls is None:
        raise UserError(f"{endpoint}: no connection off this host without TLS", remedy="give the cluster file `tls`")
    raw = DriverSession(
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
    raw.sql_mode_of_account, raw.is_for_bulk = SQL_MODE[account], is_for_bulk
    try:
        raw.connect(reach(endpoint.socket, endpoint.host, endpoint.port, connect_timeout_s))
    except (pymysql.MySQLError, OSError) as error:
        raise not_opened(error, endpoint, account) from error
    raw._read_timeout = None
    raw.encoding = "utf8"
    return raw


def not_opened(error: Exception, endpoint: Endpoint, account: Account) -> SkyshardError:
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
