"""Locks on a czar's server that die with the process which holds them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from skyshard.basics.errors import ClusterError, InUse
from skyshard.db.connection import Account, Connection, Endpoint, connect
from skyshard.db.lock_names import key_of, lock_name, stay_open

REGISTRY_LOCK = "the registry"
"""Held while a registry is made or upgraded."""
MOVING_LOCK = "moves of chunks"
"""Held by the process that works on a job; its locks on databases are of the same session."""
WAIT_S = 5
MOVING_WAIT_S = 600
"""So long an ingest waits for a job, which lets go of a database after each few chunks."""


def ingest_lock(database: str) -> str:
    """What is held of a database, by its stored name, by whoever changes its tables."""
    return f"ingest of {database}"


@contextmanager
def exclusive(czar: Endpoint, what: str, *, wait_s: int = WAIT_S, called: str = "") -> Iterator[None]:
    """Hold a lock: one ingest a database, one placement a family at a time; ``called`` as errors say it.

    Raises:
        ClusterError: another process holds it (retryable).
    """
    with connect(czar, Account.ADMIN) as connection:
        stay_open(connection)
        locks = HeldLocks(connection)
        until_s = time.monotonic() + MOVING_WAIT_S
        while not locks.take(what, wait_s=wait_s):
            if time.monotonic() > until_s or not locks.is_held_by_mover(what):
                raise _elsewhere(called or what)
        try:
            yield
        finally:
            locks.release(what)


def _elsewhere(what: str) -> InUse:
    return InUse(f"{what} is under way elsewhere", remedy="wait for it to end", retryable=True)


class HeldLocks:
    """The locks of one session, which end with it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._key = key_of(connection)

    def take(self, what: str, *, wait_s: int) -> bool:
        """Whether it is held now."""
        return bool(self._connection.value("SELECT GET_LOCK(%s, %s)", [self._name(what), wait_s]) == 1)

    def release(self, what: str) -> None:
        with suppress(ClusterError):  # a connection that died has taken its locks along
            self._connection.value("SELECT RELEASE_LOCK(%s)", [self._name(what)])

    def is_held(self, what: str) -> bool:
        """Whether this session still holds a lock that it has taken."""
        return bool(self._connection.value("SELECT IS_USED_LOCK(%s) = CONNECTION_ID()", [self._name(what)]))

    def is_held_by_mover(self, what: str) -> bool:
        """Whether the process that works on a job holds it."""
        names = [self._name(what), self._name(MOVING_LOCK)]
        return bool(self._connection.value("SELECT IS_USED_LOCK(%s) = IS_USED_LOCK(%s)", names))

    def _name(self, what: str) -> str:
        return lock_name(self._key, what)


@contextmanager
def moving(czar: Endpoint) -> Iterator[HeldLocks]:
    """Hold the right to work on a job; gives the session's locks, for those on databases.

    Raises:
        ClusterError: another process works on one (retryable).
    """
    with connect(czar, Account.ADMIN) as connection:
        stay_open(connection)
        locks = HeldLocks(connection)
        if not locks.take(MOVING_LOCK, wait_s=1):
            raise _elsewhere("a job")
        try:
            yield locks
        finally:
            locks.release(MOVING_LOCK)


def is_moving(czar: Endpoint) -> bool:
    """Whether a process works on a job."""
    with connect(czar, Account.ADMIN) as connection:
        return bool(
            connection.value("SELECT IS_USED_LOCK(%s) IS NOT NULL", [lock_name(key_of(connection), MOVING_LOCK)])
        )
