"""Open sessions of one server, kept for the next statement: opening one costs more than most statements take.

Rules: a session serves one caller at a time; one that an error came out of is closed, not kept. A server that falls
silent loses them all (``db.silence_watch``). Safe for threads.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.db.connection import Account, Connection, Endpoint, connect
from skyshard.db.silence_watch import SilenceWatch
from skyshard.log.event_log import ONLY_LOGGED, EventLog

IDLE_CONNECTIONS = 8
KILL_WITHIN_S = 1.0
"""Who ends a session of a server that may be gone waits no longer: the statement's failure is known already."""
IDLE_S = 30.0
CLEANING = "cleaning"
"""Holds leases that no query's end may stop."""


class Sessions:
    """Open sessions of one server that wait to be used again; it may be silent for ``silence_s`` seconds.

    ``opened`` is called with each new one. ``silence``: the watch of other sessions of the same server and account.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        account: Account = Account.READER,
        *,
        silence_s: float | None = None,
        silence: SilenceWatch | None = None,
        opened: Callable[[Connection], None] | None = None,
        events: EventLog = ONLY_LOGGED,
    ) -> None:
        self._opened = opened
        self._endpoint = endpoint
        self._account = account
        self._silence = silence or SilenceWatch(endpoint, account, silence_s, events)
        self._idle: queue.LifoQueue[tuple[Connection, float]] = queue.LifoQueue(IDLE_CONNECTIONS)
        self._lock = threading.Lock()
        self._busy: dict[tuple[str, int], bool] = {}
        self._connections: dict[tuple[str, int], Connection] = {}

    @property
    def name(self) -> str:
        """The server's name."""
        return self._endpoint.name

    @contextlib.contextmanager
    def lease(self, query: str) -> Iterator[Connection]:
        """A session for one use by a query; one that an error came out of is closed, not kept."""
        connection = self._take()
        lease = (query, connection.thread_id)
        with self._lock:
            self._busy[lease] = False
            self._connections[lease] = connection
        try:
            with self._silence.watch(connection):
                yield connection
        except UserError:
            self._end(lease)
            connection.close()
            raise
        except BaseException as error:
            self._end(lease)
            connection.close()
            if isinstance(error, ClusterError):
                self._forget_idle()  # of a server that was restarted, no session that waits is alive
            self._kill([lease[1]])
            raise
        if self._end(lease) or connection.is_cut:
            connection.close()
        else:
            self._give_back(connection, time.monotonic())

    def _end(self, lease: tuple[str, int]) -> bool:
        """A session is no longer in use; True if it is being killed."""
        with self._lock:
            del self._connections[lease]
            return self._busy.pop(lease)

    def _open(self) -> Connection:
        try:
            made = connect(self._endpoint, self._account, connect_timeout_s=self._silence.connect_timeout_s)
        except ClusterError as error:
            if isinstance(error.__cause__, TimeoutError) or "timed out" in str(error):
                self._silence.suspect()
            raise
        made.limit_silence(self._silence.silence_s)
        return made

    def _take(self) -> Connection:
        self._silence.require_answer()
        while True:
            try:
                connection, _ = self._idle.get_nowait()
            except queue.Empty:
                connection = self._open()
                if self._opened is not None:
                    try:
                        self._opened(connection)
                    except BaseException:
                        connection.close()
                        raise
                return connection
            if not connection.has_ended:
                return connection
            connection.close()

    def _give_back(self, connection: Connection, since: float) -> None:
        """Keep a session that was used last at this moment."""
        try:
            self._idle.put_nowait((connection, since))
        except queue.Full:
            connection.close()

    def cancel(self, query: str) -> int:
        """Stop what a query runs on this server; returns how many sessions were asked to."""
        with self._lock:
            mine = [lease for lease in self._busy if lease[0] == query]
            self._busy.update(dict.fromkeys(mine, True))
            connections = [self._connections[lease] for lease in mine]
        if mine and not self._kill([number for _, number in mine]):
            for connection in connections:
                connection.cut()
        return len(mine)

    def _kill(self, sessions: Sequence[int]) -> bool:
        """End sessions, whatever they do; False where the server does not answer. One that is gone is no error."""
        if self._silence.is_silent:
            return False
        try:
            within_s = min(KILL_WITHIN_S, self._silence.connect_timeout_s)
            with connect(self._endpoint, self._account, connect_timeout_s=within_s) as connection:
                for number in sessions:
                    with contextlib.suppress(UserError):
                        connection.execute(f"KILL {int(number)}")
        except SkyshardError:
            return False
        return True

    def close(self) -> None:
        """Close the sessions that wait; those in use are closed by whoever has them."""
        self._silence.close()
        self._forget_idle()

    def _forget_idle(self) -> None:
        while True:
            try:
                self._idle.get_nowait()[0].close()
            except queue.Empty:
                return

    def close_idle(self, *, but: int, idle_s: float = IDLE_S) -> None:
        """Close the sessions that nobody has used for so long, all but so many: a server has others to serve."""
        waiting: list[tuple[Connection, float]] = []
        with contextlib.suppress(queue.Empty):
            while True:
                waiting.append(self._idle.get_nowait())  # the first was used last
        old = time.monotonic() - idle_s
        for number, (connection, since) in reversed([*enumerate(waiting)]):
            if number < but or since > old:
                self._give_back(connection, since)
            else:
                connection.close()
