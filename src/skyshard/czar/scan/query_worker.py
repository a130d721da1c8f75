"""Runs the czar's chunk statements on one node, beside it.

Plain classes: they know one server and no registry. Statements come ready to run; rows go back as Python rows, or stay
in scratch tables whose data files are row images. All methods of ``QueryWorker`` may be called from several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from skyshard.czar.scan.scan_lane import ScanLane
from skyshard.czar.scan.scan_throttle import Courtesy
from skyshard.db.connection import Connection, Endpoint, Row
from skyshard.db.sessions import CLEANING, Sessions
from skyshard.errors import ClusterError
from skyshard.log.event_log import ONLY_LOGGED, EventLog

ROTATE_BYTES = 64 << 20
"""A scratch table of this size is closed and the next one begun, so that what was read can be dropped."""

DROP_WAIT_S = 10
"""So long a statement that is being ended may keep its table."""


@dataclass(frozen=True, slots=True)
class Filled:
    """Rows in the data file of a scratch table, from byte ``offset`` on; ``done`` is a table that may be dropped."""

    path: Path
    offset: int
    rows: int
    done: str = ""


class QueryWorker:
    """Executes statements on one node; ``scan_threads`` of them at a time in its scan lane.

    ``courtesy``: of this host; a node of another one keeps none.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        data_dir: Path | str,
        *,
        name: str = "node",
        scan_threads: int = 1,
        courtesy: Courtesy | None = None,
        events: EventLog = ONLY_LOGGED,
    ) -> None:
        own = courtesy if endpoint.socket else None
        opened = own.processors.add_scans if own is not None else None
        self.sessions = Sessions(endpoint, events=events)
        self.scan_sessions = Sessions(endpoint, opened=opened, events=events)
        self.data_dir = Path(data_dir)
        self.lane = ScanLane(f"scan-{name}", scan_threads, own)
        self.scan_threads = scan_threads
        self._left: list[str] = []
        self._left_lock = threading.Lock()

    def sessions_for(self, *, is_scan: bool) -> Sessions:
        """Scans have sessions of their own, which may be told on which processors to run."""
        return self.scan_sessions if is_scan else self.sessions

    def rows(
        self,
        query: str,
        statement: str,
        *,
        is_scan: bool = False,
        check: Callable[[Connection], None] | None = None,
    ) -> list[Row]:
        """The rows of a statement, all of them or none; ``check`` looks at the session when they are here."""
        with self.sessions_for(is_scan=is_scan).lease(query) as connection:
            rows = connection.rows(statement)
            if check is not None:
                check(connection)
            return rows

    def drop(self, tables: Sequence[str]) -> None:
        """Drop scratch tables; this is not stopped when the query is. What a dead server keeps goes next time."""
        with self._left_lock:
            self._left += tables
        for _ in range(2):  # the first session may be one of before a restart
            with self._left_lock:
                mine, self._left = self._left, []
            if not mine:
                return
            try:
                with self.sessions.lease(CLEANING) as connection:
                    connection.execute(f"DROP TABLE IF EXISTS {', '.join(mine)} WAIT {DROP_WAIT_S}")
            except BaseException as error:
                with self._left_lock:
                    self._left = mine + self._left
                if not isinstance(error, ClusterError):
                    raise

    def cancel(self, query: str) -> int:
        """Stop the statements of a query."""
        return self.sessions.cancel(query) + self.scan_sessions.cancel(query)

    def close(self) -> None:
        self.lane.close()
        self.sessions.close()
        self.scan_sessions.close()


@dataclass(slots=True, eq=False)
class Shelf:
    """Scratch tables that one thread of a query fills, one after another; whoever makes it closes it.

    ``named`` gives the quoted name and the data file of table number n, ``create`` the text that makes it; ``check``
    looks at the session after each INSERT.
    """

    worker: QueryWorker
    query: str
    record_bytes: int
    named: Callable[[int], tuple[str, str]]
    create: Callable[[str], str]
    is_scan: bool = False
    check: Callable[[Connection], None] | None = None
    tables: list[str] = field(default_factory=list)
    _is_open: bool = False
    _offset: int = 0
    _path: Path = Path()

    def add(self, select: str, clock: str = "") -> Filled:
        """Append the rows of a SELECT; after an error the table is not written to again.

        ``clock``: text that sets the time for this statement; empty for the server's own.
        """
        done = ""
        if self._is_open and self._offset >= ROTATE_BYTES:
            done, self._is_open = self.tables[-1], False
        try:
            with self.worker.sessions_for(is_scan=self.is_scan).lease(self.query) as connection:
                if not self._is_open:
                    table, file = self.named(len(self.tables))
                    self._path, self._offset = self.worker.data_dir / file, 0
                    self.tables.append(table)
                    connection.execute(self.create(table))
                    self._is_open = True
                rows = connection.execute(f"{clock}INSERT INTO {self.tables[-1]} {select}")
                if self.check is not None:
                    self.check(connection)
        except BaseException:
            self._is_open = False
            raise
        filled = Filled(self._path, self._offset, rows, done)
        self._offset += rows * self.record_bytes
        self._check()
        return filled

    def _check(self) -> None:
        """A server that was killed may have lost what it said it wrote."""
        size = self._path.stat().st_size if self._path.exists() else -1
        if size < self._offset:
            self._is_open = False
            raise ClusterError(
                f"{self._path} holds {size} bytes, not the {self._offset} that were written",
                remedy="is the data folder on this host?",
                retryable=True,
            )

    def close(self) -> None:
        """Drop all tables; a server that is gone is no error here."""
        self.worker.drop(self.tables)
