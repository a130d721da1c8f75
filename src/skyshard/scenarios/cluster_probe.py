"""Counters of a private cluster's servers, for the telemetry of a trial and for the work of its classes."""

from __future__ import annotations

import re
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, fields, replace
from typing import Any

import psutil

from skyshard.basics.errors import SkyshardError
from skyshard.bench.record.server_work import READINGS, STATUS_COUNTERS, Counters, TableRows
from skyshard.bench.record.telemetry import Reading, process_reading
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.db.connection import Account, Connection, Endpoint, connect, quote_text
from skyshard.testbed import Testbed

_TELEMETRY = {**STATUS_COUNTERS, "Handler_read_rnd_next": "rows_scanned", "Threads_running": "threads_running"}
_TOLD = {one.name for one in fields(Reading)}
_CHUNK = re.compile(r"(FullOverlap)?_\d+(_[pg]\d+)?$")
"""The end of a chunk table's name."""


@dataclass(slots=True)
class _Watched:
    """One server: its process, a reader's session, and an administrator's while rows are counted."""

    process: psutil.Process
    connection: Connection
    endpoint: Endpoint
    readings: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    counted_before: str = ""
    """``userstat`` before rows were counted; empty while they are not."""


class ClusterProbe:
    """Reads every running server of a private cluster: process counters from the system, the others from the server.

    The thread of the telemetry and that of the trial may both call it.
    """

    def __init__(self, testbed: Testbed) -> None:
        self._servers: dict[str, _Watched] = {}
        for one in testbed.cluster.status():
            if one.pid is not None:
                endpoint = testbed.cluster.endpoint(one.name)
                connection = connect(endpoint, Account.READER)
                self._servers[one.name] = _Watched(psutil.Process(one.pid), connection, endpoint)

    def read(self) -> list[Reading]:
        """One reading of each server, for the telemetry."""
        found = []
        for name, server in self._servers.items():
            status = {_TELEMETRY[key]: value for key, value in _status(server).items() if key in _TELEMETRY}
            told: dict[str, Any] = {key: value for key, value in status.items() if key in _TOLD}
            found.append(replace(process_reading(name, server.process), **told))
        return found

    def counters(self) -> dict[str, Counters]:
        """All counters of each server, and how often its status was read."""
        return {name: _counters(name, server) for name, server in self._servers.items()}

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
        for server in self._servers.values():
            server.connection.close()
            if server.counted_before:
                with suppress(SkyshardError), connect(server.endpoint, Account.ADMIN) as admin:
                    admin.execute(f"SET GLOBAL userstat = {int(server.counted_before)}")


_NAMES = "TABLE_SCHEMA, TABLE_NAME"
_VARIABLES = ", ".join(quote_text(name) for name in {**STATUS_COUNTERS, **_TELEMETRY})


def _status(server: _Watched) -> dict[str, int]:
    """The global status by its variables' names."""
    with server.lock:
        rows = server.connection.rows(f"SHOW GLOBAL STATUS WHERE Variable_name IN ({_VARIABLES})")
        server.readings += 1
    return {str(variable): int(value) for variable, value in rows}


def _counters(name: str, server: _Watched) -> Counters:
    found: dict[str, float | None] = {}
    status = _status(server)
    found |= {STATUS_COUNTERS[key]: value for key, value in status.items() if key in STATUS_COUNTERS}
    of_process = process_reading(name, server.process)
    found |= {"cpu_s": of_process.cpu_s, "read_bytes": of_process.read_bytes, "written_bytes": of_process.written_bytes}
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
