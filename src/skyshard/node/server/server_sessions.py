"""Sessions on one server: one for each call, and those that hold a database against other loaders.

A loader that holds a database changes it through one session, which has a lock: the loader of an ingest that was
killed, and does not know it yet, keeps the next one waiting until its process is gone, and cannot come in later.
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

    def hold(self, database: str) -> None:
        """See ``node_loader.NodeLoader.hold``."""
        require_room(self._data, 0)
        self.release(database)
        connection = self._connect()
        with self._pulse.watch(connection):
            stay_open(connection)
            name = lock_name(key_in(self._data), f"load {database}")
            is_ours = connection.value("SELECT GET_LOCK(%s, %s)", [name, HOLD_TIMEOUT_S]) == 1
        if not is_ours:
            connection.close()
            raise ClusterError(
                f"node '{self._node}': another ingest of '{database}' is still at work",
                remedy="wait for it to end, then run the ingest again",
                retryable=True,
            )
        self._held[database] = connection

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

    def _connect(self, database: str = "") -> Connection:
        made = connect(self._endpoint, Account.LOADER, database, connect_timeout_s=self._pulse.connect_timeout_s)
        made.limit_silence(self._pulse.silence_s)
        return made
