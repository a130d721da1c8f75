"""Counters of a cluster's servers, for the telemetry of a trial and for the work of its classes."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any

import psutil

from skyshard.basics.errors import SkyshardError
from skyshard.bench.record.server_work import READINGS, STATUS_COUNTERS, Counters, TableRows
from skyshard.bench.record.telemetry import Reading, process_reading
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.cluster.server_status import ServerState
from skyshard.db.connection import Account, Connection, Endpoint, connect, quote_text
from skyshard.testbed import Testbed

_TELEMETRY = {**STATUS_COUNTERS, "Handler_read_rnd_next": "rows_scanned", "Threads_running": "threads_running"}
_TOLD = {one.name for one in fields(Reading)}
ANSWER_S = 5.0
"""A server on another host that gives no answer for so long is left out of a reading."""
FAILING_S = 1.0
"""The same for every server while a scenario has servers fail: what is read of the others comes in time."""
AT_ONCE = 32
_CHUNK = re.compile(r"(FullOverlap)?_\d+(_[pg]\d+)?$")
"""The end of a chunk table's name."""


@dataclass(slots=True)
class _Watched:
    """One server: its process where it is on this host, a reader's session, and an administrator's while rows count."""

    name: str
    endpoint: Endpoint
    process: psutil.Process | None
    connection: Connection
    find_process: Callable[[], psutil.Process | None]
    answer_s: float | None
    readings: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    counted_before: str = ""
    """``userstat`` before rows were counted; empty while they are not."""

    def process_reading(self) -> Reading:
        """The system's counters; none of a server on another host."""
        return Reading(self.name) if self.process is None else process_reading(self.name, self.process)

    def status(self) -> dict[str, int]:
        """The global status by its variables' names; a session that was lost is opened anew.

        Raises:
            ClusterError: the server does not answer.
        """
        with self.lock:
            if self.connection.has_ended:
                self.connection = _session(self.endpoint, self.answer_s)
                self.process = self.find_process()
            rows = self.connection.rows(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({_VARIABLES})")
            self.readings += 1
        return {str(variable): int(value) for variable, value in rows}


class ClusterProbe:
    """Reads every running server of a cluster, all at once: process counters of those on this host from the system, the
    others from the server. One that does not answer is left out.

    The thread of the telemetry and that of the trial may both call it.
    """

    def __init__(self, testbed: Testbed, *, is_patient: bool = True) -> None:
        self._servers: dict[str, _Watched] = {}
        for one in testbed.cluster.status():
            if one.state == ServerState.RUNNING:
                endpoint = testbed.cluster.endpoint(one.name)
                process = None if one.pid is None else psutil.Process(one.pid)
                answer_s = (None if process is not None else ANSWER_S) if is_patient else FAILING_S
                find = partial(_process_of, testbed, one.name)
                session = _session(endpoint, answer_s)
                self._servers[one.name] = _Watched(one.name, endpoint, process, session, find, answer_s)
        self._pool = ThreadPoolExecutor(max(1, min(AT_ONCE, len(self._servers))), "probe")

    def read(self) -> list[Reading]:
        """One reading of each server that answers, for the telemetry."""
        return [found for found in self._pool.map(_reading, self._servers.values()) if found is not None]

    def counters(self) -> dict[str, Counters]:
        """All counters of each server that answers, and how often its status was read."""
        found = zip(self._servers, self._pool.map(_counters, self._servers.values()), strict=True)
        return {name: counters for name, counters in found if counters is not None}

    def count_tables(self) -> None:
        """Switch ``userstat`` on, from zero."""
        for server in self._servers.values():
            with connect(server.endpoint, Account.ADMIN) as admin:
                server.counted_before = server.counted_before or str(admin.value("SELECT @@GLOBAL.userstat"))
                admin.execute("FLUSH TABLE_STATISTICS")
                admin.execute("FLUSH INDEX_STATISTICS")
                admin.execute("SET GLOBAL userstat = ON")

    def table_rows(self) -> list[TableRows]:
        """Rows read by table and index since ``count_tables``; ``userstat`` is as it was before."""
        found: list[TableRows] = []
        for name, server in self._servers.items():
            with connect(server.endpoint, Account.ADMIN) as admin:
                found += _table_rows(name, admin)
                admin.execute(f"SET GLOBAL userstat = {int(server.counted_before or 0)}")
                server.counted_before = ""
        return found

    def close(self) -> None:
        """Close all sessions; no server is left counting."""
        self._pool.shutdown(cancel_futures=True)
        for server in self._servers.values():
            server.connection.close()
            if server.counted_before:
                with suppress(SkyshardError), connect(server.endpoint, Account.ADMIN) as admin:
                    admin.execute(f"SET GLOBAL userstat = {int(server.counted_before)}")


_NAMES = "TABLE_SCHEMA, TABLE_NAME"
_VARIABLES = ", ".join(quote_text(name) for name in {**STATUS_COUNTERS, **_TELEMETRY})


def _session(endpoint: Endpoint, answer_s: float | None) -> Connection:
    """A reader's; a server that may be lost has not for ever to answer."""
    return connect(endpoint, Account.READER, connect_timeout_s=answer_s or ANSWER_S, answer_timeout_s=answer_s)


def _process_of(testbed: Testbed, server: str) -> psutil.Process | None:
    """The process of a server that was started again; None where it is not seen from here."""
    found = next((one.pid for one in testbed.cluster.status() if one.name == server), None)
    with suppress(psutil.Error):
        return None if found is None else psutil.Process(found)
    return None


def _reading(server: _Watched) -> Reading | None:
    try:
        status = server.status()
    except SkyshardError:
        return None
    told = {_TELEMETRY[key]: value for key, value in status.items() if key in _TELEMETRY}
    known: dict[str, Any] = {key: value for key, value in told.items() if key in _TOLD}
    return replace(server.process_reading(), **known)


def _counters(server: _Watched) -> Counters | None:
    try:
        status = server.status()
    except SkyshardError:
        return None
    found: dict[str, float | None] = {
        STATUS_COUNTERS[key]: value for key, value in status.items() if key in STATUS_COUNTERS
    }
    of_process = server.process_reading()
    found |= {"cpu_s": of_process.cpu_s, "read_bytes": of_process.read_bytes, "written_bytes": of_process.written_bytes}
    if server.process is not None:
        with suppress(psutil.Error, AttributeError, OSError):  # another user's process
            found["read_call_bytes"] = server.process.io_counters().read_chars
    return found | {READINGS: server.readings}


def _table_rows(node: str, admin: Connection) -> list[TableRows]:
    """Rows read by table and index, chunks and overlap of a table together."""
    tables: Counter[tuple[str, str | None]] = Counter()
    for database, table, rows in admin.rows(f"SELECT {_NAMES}, ROWS_READ FROM information_schema.TABLE_STATISTICS"):
        tables[table_label(str(database), str(table)), None] += int(rows)
    by_index = f"SELECT {_NAMES}, INDEX_NAME, ROWS_READ FROM information_schema.INDEX_STATISTICS"
    for database, table, index, rows in admin.rows(by_index):
        tables[table_label(str(database), str(table)), str(index)] += int(rows)
    return [TableRows(node, table, index, rows) for (table, index), rows in tables.items() if rows]


def table_label(database: str, table: str) -> str:
    """The table that a server's table is a part of.

    >>> table_label("sky", "Object_6630_p3"), table_label("sky", "ObjectFullOverlap_6630"), table_label("sky", "Filter")
    ('sky.Object', 'sky.Object (overlap)', 'sky.Filter')
    """
    if database == SCRATCH_DATABASE:
        return "scratch tables"
    match = _CHUNK.search(table)
    overlap = " (overlap)" if match and match.group(1) else ""
    return f"{database}.{_CHUNK.sub('', table)}{overlap}"
