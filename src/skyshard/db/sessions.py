"""Open sessions of one server, kept for the next statement: opening one costs more than most statements take.

Rules: a session serves one caller at a time; one that an error came out of is closed, not kept. Safe for threads.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Iterator, Sequence

from skyshard.db.connection import Account, Connection, Endpoint, connect
from skyshard.errors import ClusterError, SkyshardError, UserError

IDLE_CONNECTIONS = 8
CLEANING = "cleaning"
"""Holds leases that no query's end may stop."""


class Sessions:
    """Open sessions of one server that wait to be used again."""

    def __init__(self, endpoint: Endpoint, account: Account = Account.READER) -> None:
        self._endpoint = endpoint
        self._account = account
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue(IDLE_CONNECTIONS)
        self._lock = threading.Lock()
        self._busy: dict[tuple[str, int], bool] = {}

    @contextlib.contextmanager
    def lease(self, query: str) -> Iterator[Connection]:
        """A session for one use by a query; one that an error came out of is closed, not kept."""
        connection = self._take()
        lease = (query, connection.thread_id)
        with self._lock:
            self._busy[lease] = False
        try:
            yield connection
        except UserError:
            self._end(lease)
            connection.close()
            raise
        except BaseException as error:
            self._end(lease)
            connection.close()
            if isinstance(error, ClusterError):
                self.close()  # of a server that was restarted, no session that waits is alive
            self._kill([lease[1]])
            raise
        if self._end(lease):
            connection.close()
        else:
            self._give_back(connection)

    def _end(self, lease: tuple[str, int]) -> bool:
        """A session is in nobody's hands any more; True if it is being killed."""
        with self._lock:
            return self._busy.pop(lease)

    def _take(self) -> Connection:
        while True:
            try:
                connection = self._idle.get_nowait()
            except queue.Empty:
                return connect(self._endpoint, self._account)
            if connection.is_open:
                return connection

    def _give_back(self, connection: Connection) -> None:
        try:
            self._idle.put_nowait(connection)
        except queue.Full:
            connection.close()

    def cancel(self, query: str) -> int:
        """Stop what a query runs on this server; returns how many sessions were told to."""
        with self._lock:
            mine = [lease for lease in self._busy if lease[0] == query]
            self._busy.update(dict.fromkeys(mine, True))
        busy = [number for _, number in mine]
        if busy:
            self._kill(busy)
        return len(busy)

    def _kill(self, sessions: Sequence[int]) -> None:
        """End sessions, whatever they do; one that is gone already, or a server that is, is no error here."""
        with contextlib.suppress(SkyshardError), connect(self._endpoint, self._account) as connection:
            for number in sessions:
                with contextlib.suppress(UserError):
                    connection.execute(f"KILL {int(number)}")

    def close(self) -> None:
        """Close the sessions that wait; those in use are closed by whoever has them."""
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return
