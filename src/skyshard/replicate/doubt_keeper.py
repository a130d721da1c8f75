"""Looks at what queries could not read, and marks it: in a thread of its own, so that no query waits for it.

Rules: tables are looked at through SQL, as queries see them, without Ray; only what the registry shows now is looked
at, so that a query which read an older catalog accuses nobody. What a server says for the moment marks nothing, nor
does a session that it refuses. Sessions are the administrator's: loaders are let in on their own host only.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial

from skyshard.basics.errors import SkyshardError
from skyshard.db.connection import Account, Connection, Endpoint, connect
from skyshard.db.server_errors import UnknownDatabase
from skyshard.log.event_log import ONLY_LOGGED, EventLog
from skyshard.log.events import REPLICA_BAD
from skyshard.node.read.table_digests import row_counts
from skyshard.node.read.table_faults import find_faults
from skyshard.node.shown_tables import shown_tables
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import ReplicaState

CLOSING_S = 5.0
"""So long a process that ends waits for doubts that it has not looked at."""
WAITING_MOST = 1000
"""Doubts that may wait; more of them say nothing new."""
_Key = tuple[str, Sequence[tuple[str, str]], Sequence[int]]


class DoubtKeeper:
    """Takes doubts from any thread; close it."""

    def __init__(self, registry: Registry, nodes: Mapping[str, Endpoint], events: EventLog = ONLY_LOGGED) -> None:
        self._registry = registry
        self._nodes = nodes
        self._events = events
        self._waiting: queue.Queue[_Key | None] = queue.Queue(WAITING_MOST)
        self._thread = threading.Thread(target=self._work, name="doubts", daemon=True)
        self._thread.start()

    def take(self, node: str, tables: Sequence[tuple[str, str]], chunks: Sequence[int]) -> None:
        """Note that a node could not read one of these tables (database, table) in one of these chunks."""
        with suppress(queue.Full):
            self._waiting.put_nowait((node, tables, chunks))

    def close(self) -> None:
        """Look at what waits, for a short time."""
        with suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(CLOSING_S)

    def _work(self) -> None:
        while (doubt := self._waiting.get()) is not None:
            with suppress(SkyshardError):  # who cannot be asked now says nothing of a table
                self._look(*doubt)

    def _look(self, node: str, tables: Sequence[tuple[str, str]], chunks: Sequence[int]) -> None:
        by_database: dict[str, list[str]] = {}
        for database, table in tables:
            by_database.setdefault(database, []).append(table)
        for database, names in by_database.items():
            known = self._registry.replication.of_node(database, node, tables=names, chunks=chunks)
            made = [one for one in known if one.replica.state is not ReplicaState.BUILDING]
            faults = self._faults(self._nodes[node], database, made) if made else {}
            for one in self._registry.replication.mark(database, (), faults) if faults else ():
                table = f"{database}.{one.replica.name}"
                self._events.about(node=node).tell(REPLICA_BAD, table=table, error=faults[one])

    def _faults(self, endpoint: Endpoint, database: str, known: Sequence[KnownReplica]) -> dict[KnownReplica, str]:
        """What of these tables cannot be read, has other rows than it should, or is not shown by its list."""
        parts: dict[tuple[str, int, bool], list[KnownReplica]] = {}
        for one in known:
            parts.setdefault(one.replica.target, []).append(one)
        shown = shown_tables(one.replica for one in known)
        try:
            found = find_faults(partial(_session, endpoint, database), shown)
        except UnknownDatabase as error:
            return dict.fromkeys(known, error.what)
        faults = {one: found[one.replica.name] for one in known if one.replica.name in found}
        for table, those in zip(shown, parts.values(), strict=True):
            if len(those) > 1 and table.name in found:
                faults[max(those, key=lambda part: part.replica.part)] = found[table.name]
        rest = [one for one in known if one not in faults]
        with _session(endpoint, database) as connection:
            counts = row_counts(connection, [one.replica.name for one in rest])
        return faults | {
            one: f"it has {counts[one.replica.name]} rows, not {one.replica.rows}"
            for one in rest
            if counts[one.replica.name] != one.replica.rows
        }


@contextmanager
def _session(endpoint: Endpoint, database: str) -> Iterator[Connection]:
    with connect(endpoint, Account.ADMIN, database) as connection:
        yield connection
