"""Does a server still answer, and still work? A second session asks while a statement is long without a word.

Rules: a statement may take as long as it likes while its server answers others. A server that gives no answer for
``silence_s`` (a stopped process, a host that is gone) loses the sessions that are watched: whoever waits on one gets a
retryable error that names the server. While it is silent no statement is sent to it, so that none waits for it again. A
statement that waits for room on a full disk, as MariaDB lets it for ever, is ended.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator

from skyshard.basics.errors import ClusterError, NoRoom, SkyshardError, UserError
from skyshard.db.connection import Account, Connection, Endpoint, connect
from skyshard.db.driver_errors import is_reached
from skyshard.db.driver_session import CONNECT_TIMEOUT_S
from skyshard.log.event_log import ONLY_LOGGED, EventLog
from skyshard.log.events import DISK_FULL, NODE_ANSWERS, NODE_SILENT

SILENCE_VARIABLE = "SKYSHARD_SILENCE_S"
SILENCE_S = 30.0
"""After so many seconds without any answer a server counts as silent, unless the environment says otherwise."""
LOOK_S = 2.0
"""So often it is looked whether a statement waits for room."""
NEEDS_ROOM = "Waiting for someone to free space"
"""What a server calls the state of such a statement."""


def silence_limit() -> float:
    """Seconds from the environment, else the default."""
    with contextlib.suppress(ValueError):
        return max(0.1, float(os.environ.get(SILENCE_VARIABLE, SILENCE_S)))
    return SILENCE_S


class SilenceWatch:
    """Watches the sessions of one server; a thread asks it after a third of the silence that is allowed."""

    def __init__(
        self, endpoint: Endpoint, account: Account, silence_s: float | None = None, events: EventLog = ONLY_LOGGED
    ) -> None:
        self._endpoint = endpoint
        self._events = events
        self._account = account
        self.silence_s = silence_limit() if silence_s is None else silence_s
        self._watched: dict[int, tuple[Connection, float]] = {}
        self._reasons: dict[int, ClusterError] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self.is_silent = False
        self._is_told = False

    @property
    def connect_timeout_s(self) -> float:
        """How long opening a session may take."""
        return min(CONNECT_TIMEOUT_S, self.silence_s)

    @contextlib.contextmanager
    def watch(self, connection: Connection) -> Iterator[None]:
        """Around statements on a session.

        Raises:
            ClusterError: the server fell silent meanwhile, or its disk is full.
        """
        with self._lock:
            self._watched[id(connection)] = (connection, time.monotonic())
            self._start()
        try:
            yield
        except BaseException as error:
            reason = self._forget(connection)
            if reason is not None and isinstance(error, ClusterError):
                raise reason from error
            raise
        self._forget(connection)

    def _forget(self, connection: Connection) -> ClusterError | None:
        """No longer watched; the reason if it was cut off."""
        with self._lock:
            self._watched.pop(id(connection), None)
            return self._reasons.pop(id(connection), None)

    def error(self) -> ClusterError:
        return ClusterError(
            f"{self._endpoint}: no answer for {self.silence_s:g} s, nor to a second session",
            remedy="is its process stopped, its host gone? see `skyshard cluster status`; start it again",
            retryable=True,
        )

    def require_answer(self) -> None:
        """Raises ClusterError while the server is silent."""
        if self.is_silent:
            raise self.error()

    def suspect(self) -> None:
        """A caller could not reach the server: check it until it answers."""
        with self._lock:
            self.is_silent = True
            self._start()

    def close(self) -> None:
        self._closed.set()
        thread = self._thread
        if thread is not None:
            thread.join(1.0)  # it may be waiting for a silent server

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._closed.clear()
            self._thread = threading.Thread(target=self._look_after, name="pulse", daemon=True)
            self._thread.start()

    def _look_after(self) -> None:
        """A statement that has no answer after a third of the silence that is allowed: the server is asked, which has
        the other two thirds to say something; so often from then on."""
        beat_s = self.silence_s / 3
        idle_since = heard = looked = time.monotonic()
        wait_s = min(beat_s, LOOK_S)
        while not self._closed.wait(wait_s):
            now = time.monotonic()
            with self._lock:
                begun = [since for _, since in self._watched.values()]
                idle_since = now if begun or self.is_silent else idle_since
                if now - idle_since >= beat_s:
                    self._thread = None  # the next watch starts one
                    return
            unheard_since = heard if self.is_silent else max(heard, min(begun, default=now))
            if now - unheard_since >= beat_s:
                self._judge(now, is_silent=not self._answers(2 * beat_s))
                heard = now
            if not self.is_silent and now - looked >= LOOK_S and any(now - since >= LOOK_S for since in begun):
                self._end_those_without_room()
                looked = now
            soonest = max(heard, min(begun, default=now)) + beat_s
            wait_s = max(0.0, min(beat_s, LOOK_S, soonest - time.monotonic()))

    def _judge(self, asked: float, *, is_silent: bool) -> None:
        """Note whether the server was silent when it was asked, and cut the sessions that were busy before then."""
        self.is_silent = is_silent
        cut = self._cut(asked) if is_silent else 0
        if is_silent and (cut or not self._is_told):
            self._events.tell(NODE_SILENT, node=self._endpoint.name, silence_s=self.silence_s, sessions=cut)
        elif not is_silent and self._is_told:
            self._events.tell(NODE_ANSWERS, node=self._endpoint.name)
        self._is_told = is_silent

    def _end_those_without_room(self) -> None:
        """End the statements that wait for room on a full disk."""
        with contextlib.suppress(SkyshardError), self._second_session(LOOK_S / 2) as connection:
            rows = connection.rows("SHOW PROCESSLIST")
            waiting = {int(row[0]) for row in rows if str(row[6]).startswith(NEEDS_ROOM)}
            if not waiting:
                return
            error = _no_room(self._endpoint, connection)
            with self._lock:
                mine = {key: one for key, (one, _) in self._watched.items() if one.thread_id in waiting}
                for key in mine:
                    del self._watched[key]
                    self._reasons[key] = error
            for one in mine.values():
                with contextlib.suppress(UserError):
                    connection.execute(f"KILL {one.thread_id}")
                one.cut()
            if mine:
                self._events.tell(DISK_FULL, node=self._endpoint.name, sessions=len(mine))

    def _second_session(self, within_s: float) -> Connection:
        return connect(self._endpoint, self._account, connect_timeout_s=within_s, answer_timeout_s=within_s)

    def _answers(self, within_s: float) -> bool:
        """A new session gets an answer. A refusal is one, too; who cannot even ask, for want of a password, has nothing
        to say against the server."""
        try:
            with self._second_session(within_s) as connection:
                connection.value("SELECT 1")
        except ClusterError as error:
            return is_reached(error)
        except SkyshardError:
            return True
        return True

    def _cut(self, before: float) -> int:
        """End the sessions that were busy before this moment, so their waiters go on; returns how many."""
        with self._lock:
            silent = [key for key, (_, begun) in self._watched.items() if begun < before]
            connections = [self._watched.pop(key)[0] for key in silent]
            self._reasons.update(dict.fromkeys(silent, self.error()))
        for connection in connections:
            connection.cut()
        return len(connections)


def _no_room(endpoint: Endpoint, connection: Connection) -> NoRoom:
    """The error that names the server's folder with the least room, where it is on this host."""
    data, temporary = (str(one) for one in connection.rows("SELECT @@datadir, @@tmpdir")[0])
    folders = [one for one in (data, *temporary.split(":")) if endpoint.socket and os.path.isdir(one)]
    free = [(found.f_bavail * found.f_frsize, folder) for folder in folders for found in (os.statvfs(folder),)]
    least, folder = min(free, default=(0, data))
    where = f"'{folder}'" if free else f"'{folder}' of {endpoint}"
    return NoRoom(
        f"no room is left in {where} for what the statement writes: {least:,} bytes are free",
        remedy="make room on that disk, or ask for less at a time",
    )
