"""Sessions on one server: one for each call, and those that hold a database against other loaders.

A loader that holds a database changes it through one session, which has a lock: the loader of an ingest that was
killed, and does not know it yet, keeps the next one waiting until its process is gone, and cannot come in later. The
sessions that help the one which holds have a lock each, for as long as they are at work: who comes next waits for them
too, and a session that begins to help sees first that the one which holds is still its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from skyshard.basics.errors import ClusterError
from skyshard.db.connection import Account, Connection, Endpoint, connect, quote_name
from skyshard.db.lock_names import key_in, lock_name, stay_open
from skyshard.db.silence_watch import SilenceWatch
from skyshard.host.disk_space import require_room
from skyshard.log.event_log import ONLY_LOGGED, EventLog

HOLD_TIMEOUT_S = 30
SESSIONS = 6
"""Sessions that may change a database at once, the one that holds it among them."""
OpenSession = Callable[[], AbstractContextManager[Connection]]
"""Opens a session in a database, allowed to flush."""


class ServerSessions:
    """Sessions of one loader; a server that falls silent ends those in use (``db.silence_watch``)."""

    def __init__(self, node: str, endpoint: Endpoint, data: Path, events: EventLog = ONLY_LOGGED) -> None:
        self._node = node
        self._endpoint = endpoint
        self._data = data
        self._held: dict[str, Connection] = {}
        self._pulse = SilenceWatch(endpoint, Account.LOADER, events=events)

    def hold(self, database: str, *, makes_room: bool = False) -> None:
        """See ``node_loader.NodeLoader.hold``."""
        if not makes_room:
            require_room(self._data, 0)
        self.release(database)
        connection = self._connect()
        try:
            with self._pulse.watch(connection):
                stay_open(connection)
                self._lock(connection, database)
                for number in range(1, SESSIONS):  # those that helped the one before: none begins any more
                    self._lock(connection, database, number)
                    connection.execute("DO RELEASE_LOCK(%s)", [self._lock_name(database, number)])
        except BaseException:
            connection.close()
            raise
        self._held[database] = connection

    def _lock(self, connection: Connection, database: str, number: int = 0) -> None:
        """Lock a database against other loaders, or one of the places of sessions that help."""
        if connection.value("SELECT GET_LOCK(%s, %s)", [self._lock_name(database, number), HOLD_TIMEOUT_S]) != 1:
            raise self._is_held(database)

    def _lock_name(self, database: str, number: int = 0) -> str:
        return lock_name(key_in(self._data), f"load {database}{f' {number}' if number else ''}")

    def _is_held(self, database: str) -> ClusterError:
        return ClusterError(
            f"node '{self._node}': another ingest of '{database}' is still at work",
            remedy="wait for it to end, then run the ingest again",
            retryable=True,
        )

    def release(self, database: str) -> None:
        """End the session that holds a database, if one does."""
        if (connection := self._held.pop(database, None)) is not None:
            connection.close()

    @contextmanager
    def reading(self, database: str = "") -> Iterator[Connection]:
        """A session of its own, in a database if one is named."""
        with self._connect(database) as connection, self._pulse.watch(connection):
            yield connection

    @contextmanager
    def changing(self, database: str, *, inside: bool = True) -> Iterator[Connection]:
        """The session that holds the database, or one for this call where it is not held.

        Args:
            inside: use the database; not so where it may be missing.
        """
        held = self._held.get(database)
        if held is None:
            with self.reading(database if inside else "") as connection:
                yield connection
            return
        with self._pulse.watch(held):
            if inside:
                held.execute(f"USE {quote_name(database)}")
            yield held

    @contextmanager
    def beside(self, database: str, number: int) -> Iterator[Connection]:
        """A further session in a database, number 1 to ``SESSIONS`` - 1, while the one that changes it is at work."""
        held = self._held.get(database)
        with self.reading(database) as connection:
            if held is not None:
                self._lock(connection, database, number)
                if connection.value("SELECT IS_USED_LOCK(%s)", [self._lock_name(database)]) != held.thread_id:
                    raise self._is_held(database)
            yield connection

    def _connect(self, database: str = "") -> Connection:
        made = connect(self._endpoint, Account.LOADER, database, connect_timeout_s=self._pulse.connect_timeout_s)
        made.limit_silence(self._pulse.silence_s)
        return made
