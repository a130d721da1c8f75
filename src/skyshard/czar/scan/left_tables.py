"""Queries of this czar that have left scratch tables on a server which did not answer: dropped when it is back.

Rules: a thread of its own drops, and is there only while something is left; it never keeps a query waiting. Tables of
a query that is under way stay. What is left when the czar ends is that of a process which is gone: a sweep drops it,
or the server when it begins.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from skyshard.basics.errors import SkyshardError
from skyshard.cluster.left_scratch import drop_queries
from skyshard.db.sessions import CLEANING, Sessions

FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 8.0
"""A server that stays away is asked less and less often, down to this."""
QUERIES_KEPT = 10_000
"""Of a server; more of them wait for a sweep."""
CLOSING_S = 3.0
"""So long a czar that ends waits for a drop under way."""


class LeftTables:
    """What could not be dropped, by server; safe for threads.

    ``is_under_way``: whether a query, by its name, is.
    """

    def __init__(self, is_under_way: Callable[[str], bool] = lambda _: False, wait_s: float = FIRST_WAIT_S) -> None:
        self._is_under_way = is_under_way
        self._wait_s = wait_s
        self._left: dict[Sessions, set[str]] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, server: Sessions, query: str) -> None:
        """Note that a query may have left tables on a server."""
        with self._lock:
            mine = self._left.setdefault(server, set())
            if len(mine) < QUERIES_KEPT:
                mine.add(query)
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._work, name="left tables", daemon=True)
                self._thread.start()

    def forget(self, server: Sessions) -> None:
        """Nothing is to be dropped on a server any more: its node belongs to the cluster no more."""
        with self._lock:
            self._left.pop(server, None)

    @property
    def queries(self) -> frozenset[str]:
        """The queries that may have left something."""
        with self._lock:
            return frozenset().union(*self._left.values())

    def close(self) -> None:
        """Drop no more."""
        self._closed.set()
        if (thread := self._thread) is not None:
            thread.join(CLOSING_S)

    def _work(self) -> None:
        wait_s = self._wait_s
        while not self._closed.wait(wait_s):
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)
            for server, queries in self._waiting().items():
                self._drop(server, queries)
            with self._lock:
                if not self._left:
                    self._thread = None
                    return

    def _waiting(self) -> dict[Sessions, set[str]]:
        with self._lock:
            return {server: set(queries) for server, queries in self._left.items()}

    def _drop(self, server: Sessions, queries: set[str]) -> None:
        ended = {query for query in queries if not self._is_under_way(query)}
        try:
            with server.lease(CLEANING) as connection:
                stays = drop_queries(connection, ended)
        except SkyshardError:  # it is still away
            return
        with self._lock:
            if (mine := self._left.get(server)) is not None:
                mine -= ended - stays
                if not mine:
                    del self._left[server]
