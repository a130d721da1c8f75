"""Locks on a czar's server that die with the process which holds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from skyshard.basics.errors import ClusterError
from skyshard.db.connection import Account, Endpoint, connect
from skyshard.db.lock_names import key_of, lock_name

REGISTRY_LOCK = "the registry"
"""Held while a registry is made or upgraded."""
WAIT_S = 5


@contextmanager
def exclusive(czar: Endpoint, what: str, *, wait_s: int = WAIT_S, called: str = "") -> Iterator[None]:
    """Hold a lock: one ingest a database, one placement a family at a time; ``called`` as errors say it.

    Raises:
        ClusterError: another process holds it (retryable).
    """
    with connect(czar, Account.ADMIN) as connection:
        name = lock_name(key_of(connection), what)
        if connection.value("SELECT GET_LOCK(%s, %s)", [name, wait_s]) != 1:
            raise ClusterError(f"{called or what} is under way elsewhere", remedy="wait for it to end", retryable=True)
        try:
            yield
        finally:
            with suppress(ClusterError):  # a connection that died has taken its lock along
                connection.value("SELECT RELEASE_LOCK(%s)", [name])
