"""What a query does on servers is ended, and what it made there is dropped: its own, or that of czars that are gone.

Rules: all servers are asked at the same time; one that does not answer keeps no other waiting, and what it holds is
dropped when it is back.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.run.scratch_tables import drop_query, sweep
from skyshard.czar.scan.query_worker import QueryWorker
from skyshard.db.sessions import CLEANING, Sessions
from skyshard.log.event_log import EventLog

Server = Sessions | QueryWorker
"""The czar's own, or a node's."""


class CleanUp:
    """Clears the czar's server and those of the nodes; ``living``: as ``scratch_tables.sweep`` has it."""

    def __init__(
        self, own: Sessions, workers: NodeWorkers, events: EventLog, living: Callable[[], frozenset[str] | None]
    ) -> None:
        self._own = own
        self._workers = workers
        self._events = events
        self._living = living

    @property
    def _servers(self) -> list[Server]:
        return [self._own, *self._workers.serving]

    def sweep(self) -> int:
        """Drop what killed czars left in the scratch databases, on all servers that answer; returns how many tables."""
        return sum(self._workers.each(self._sweep, self._servers))

    def cancel(self, query: str) -> None:
        """Stop what a query runs."""
        self._workers.each(lambda server: server.cancel(query), self._servers)

    def clean(self, query: str) -> None:
        """Stop what a failed or interrupted query runs, and drop what it made: at once where the server answers."""

        def clean(server: Server) -> None:
            server.cancel(query)
            sessions = _sessions_of(server)
            for _ in range(2):  # the first session may be one of before a restart
                with contextlib.suppress(SkyshardError), sessions.lease(CLEANING) as connection:
                    if drop_query(connection, query):
                        return
                    break
            self._workers.left.add(sessions, query)

        self._workers.each(clean, self._servers)

    def _sweep(self, server: Server) -> int:
        with contextlib.suppress(ClusterError), _sessions_of(server).lease("sweep") as connection:
            return sweep(connection, self._events, self._living)
        return 0


def _sessions_of(server: Server) -> Sessions:
    return server.sessions if isinstance(server, QueryWorker) else server
