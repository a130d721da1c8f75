"""The replication index: how many good replicas there are of what, on which nodes, and since when they are known good.

Rules: only replicas that are good and were verified count. States follow ``lifecycle``; what queries see of them
changes with the generation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from skyshard.registry.catalog.replication_sums import LevelCount, NodeSum, Numbers, ReplicaNumbers, node_sums
from skyshard.registry.stored import chunk_entries, generation, plain_sql
from skyshard.registry.stored import replication_sql as texts
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import Event, ReplicaState, steps
from skyshard.registry.stored.records import Replica
from skyshard.registry.stored.server_clock import now_s
from skyshard.registry.stored.store import Store

LONGEST_FAULT = 255
A_MOMENT_S = 0.001
"""No two verifications of a replica are so close to each other."""
BRINGS_NOTHING = 0
"""The transaction of a change of states: rows came with none."""


@dataclass(frozen=True, slots=True)
class FaultyReplica:
    """One replica that does not count. ``chunk`` is ``records.WHOLE`` for a regular table."""

    database: str
    table: str
    chunk: int
    is_overlap: bool
    part: int
    node: str
    state: ReplicaState
    fault: str


@dataclass(frozen=True, slots=True)
class HeldReplica:
    """One replica as the index has it; ``verified_s`` is in seconds since 1970, 0 for never."""

    database: str
    table: str
    chunk: int
    is_overlap: bool
    part: int
    node: str
    state: ReplicaState
    rows: int
    bytes: int
    verified_s: float
    fault: str


@dataclass(frozen=True, slots=True)
class KnownReplica:
    """A replica with the transaction that made it, and when it was verified last, in seconds since 1970."""

    replica: Replica
    transaction: int
    verified_s: float


def known_replicas(rows: Iterable[Sequence[Any]]) -> list[KnownReplica]:
    """Replicas of rows with the columns of ``replication_sql.OF_NODE``."""
    return [
        KnownReplica(
            Replica(
                str(table), int(chunk), bool(overlap), str(held_by), int(rows), int(size), str(digest), int(part),
                ReplicaState(state),
            ),
            int(transaction), float(verified_s),
        )
        for table, chunk, overlap, held_by, rows, size, digest, part, state, transaction, verified_s in rows
    ]  # fmt: skip


class ReplicationIndex(Store):
    """Reads and writes of the table ``replicas`` as an index of what is where, and in what state."""

    def sums(self, database: str = "") -> tuple[list[LevelCount], list[NodeSum]]:
        """Chunks by the number of their good nodes, and what each node holds: of one stored database, or of all."""
        with self._plain.reading() as connection:
            rows = connection.rows(plain_sql.LONG_TEXTS + texts.COLUMNS, [database] * 2)
        names = sorted({name for *_, nodes in rows for name in set(nodes.split(","))})
        places = {name: place for place, name in enumerate(names)}
        by_database: dict[str, list[tuple[Numbers, Numbers]]] = {}
        for owner, _, numbers, nodes in rows:
            parsed = np.fromstring(numbers, np.int64, sep=",").reshape(-1, 7)
            held = np.fromiter(map(places.__getitem__, nodes.split(",")), np.int64, len(parsed))
            by_database.setdefault(str(owner), []).append((parsed, held))
        found = [
            ReplicaNumbers(
                owner,
                np.concatenate([numbers for numbers, _ in tables]),
                np.repeat(np.arange(len(tables)), [len(numbers) for numbers, _ in tables]),
                np.concatenate([held for _, held in tables]),
            )
            for owner, tables in by_database.items()
        ]
        return [level for one in found for level in one.levels()], node_sums(found, names)

    def faulty(self, database: str = "", *, most: int) -> list[FaultyReplica]:
        """Replicas that do not count, at most so many."""
        with self._plain.reading() as connection:
            return [
                FaultyReplica(
                    str(name), str(table), int(chunk), bool(overlap), int(part), str(node), ReplicaState(state),
                    str(fault),
                )
                for name, table, chunk, overlap, part, node, state, fault
                in connection.rows(texts.FAULTY, [database, database, most])
            ]  # fmt: skip

    def of_chunk(self, chunk: int) -> list[HeldReplica]:
        """Every replica of a chunk, of all databases."""
        with self._plain.reading() as connection:
            return [
                HeldReplica(
                    str(name), str(table), int(number), bool(overlap), int(part), str(node), ReplicaState(state),
                    int(rows), int(size), float(verified_s), str(fault),
                )
                for name, table, number, overlap, part, node, state, rows, size, verified_s, fault
                in connection.rows(texts.OF_CHUNK, [chunk])
            ]  # fmt: skip

    def of_node(
        self, database: str, node: str, *, tables: Sequence[str] = (), chunks: Sequence[int] = ()
    ) -> list[KnownReplica]:
        """Replicas of a database (its stored name) on a node, oldest verification first.

        Args:
            tables: only these, and only in ``chunks``.
        """
        sql, arguments = texts.OF_NODE, (database, node, *tables, *chunks)
        if tables:
            marks = [", ".join(["%s"] * len(some)) for some in (tables, chunks)]
            sql = texts.OF_NODE_CHUNKS.format(tables=marks[0], chunks=marks[1])
        return self._known(sql, arguments)

    def unverified(self) -> int:
        """Good replicas of all databases that were never read, so that they do not count."""
        c = t.replicas.c
        with self._engine.connect() as connection:
            query = sa.select(sa.func.count()).where(c.state == ReplicaState.GOOD, c.verified_s == 0)
            return int(connection.scalar(query) or 0)

    def nodes(self, database: str) -> set[str]:
        """The nodes of which there are replicas of a database, also such as the cluster has no more."""
        query = sa.select(t.replicas.c.node).where(t.replicas.c.database == database).distinct()
        with self._engine.connect() as connection:
            return {str(node) for node in connection.scalars(query)}

    def not_good(self, database: str) -> list[KnownReplica]:
        """Replicas of a database that are bad, or are being made again."""
        return self._known(texts.NOT_GOOD, [database])

    def whole(self, database: str) -> list[KnownReplica]:
        """Replicas of the regular tables of a database."""
        return self._known(texts.OF_WHOLE, [database])

    def _known(self, sql: str, arguments: Sequence[object]) -> list[KnownReplica]:
        with self._plain.reading() as connection:
            return known_replicas(connection.rows(sql, arguments))

    def holders_of_not_good(self, database: str) -> dict[tuple[str, int, bool, int], list[str]]:
        """Where the rows of replicas that are not good are good: table, chunk, overlap, transaction → nodes."""
        found: dict[tuple[str, int, bool, int], list[str]] = {}
        with self._plain.reading() as connection:
            for table, chunk, overlap, transaction, node in connection.rows(texts.HOLDERS, [database]):
                found.setdefault((str(table), int(chunk), bool(overlap), int(transaction)), []).append(str(node))
        return found

    def now_s(self) -> float:
        """The time by which verifications are dated, in seconds since 1970."""
        with self._engine.connect() as connection:
            return now_s(connection)

    def mark(
        self, database: str, good: Sequence[KnownReplica], broken: Mapping[KnownReplica, str]
    ) -> set[KnownReplica]:
        """Say what reading replicas has shown; queries leave those that became bad.

        Returns those of which it holds: a replica that is being made again, was verified since it was asked for, or is
        gone, stays as it is.

        Args:
            broken: why they are bad.
        """
        told = [*((Event.VERIFIED, one, "") for one in good), *((Event.BROKEN, *found) for found in broken.items())]
        return self._tell(database, told, is_read=True)

    def move(self, database: str, known: Sequence[KnownReplica], event: Event, *, fault: str = "") -> set[KnownReplica]:
        """The same event for some replicas: they are made again, or were built. Returns those that it met."""
        return self._tell(database, [(event, one, fault) for one in known], is_read=False)

    def _tell(
        self, database: str, told: Sequence[tuple[Event, KnownReplica, str]], *, is_read: bool
    ) -> set[KnownReplica]:
        with self._writer.begin() as connection:
            now = now_s(connection)
            met = {
                one: states
                for event, one, fault in told
                if (states := _follow(connection, database, one, event, fault, now, is_read=is_read))
            }
            changed = {one.replica.table for one, states in met.items() if states.count(ReplicaState.GOOD) == 1}
            if changed:  # queries read other replicas from now on
                chunk_entries.renew(connection, database, changed, BRINGS_NOTHING)
                generation.advance(connection)
        return set(met)


def _follow(
    connection: sa.Connection,
    database: str,
    one: KnownReplica,
    event: Event,
    fault: str,
    verified_s: float,
    *,
    is_read: bool,
) -> tuple[ReplicaState, ...]:
    """Move one replica along its lifecycle, where its state allows it; its states before and after, or nothing.

    Args:
        is_read: the event is what its rows have shown: none while they are made, or of a replica verified since.
    """
    replica, c = one.replica, t.replicas.c
    table, chunk, is_overlap = replica.target
    same = (
        (c.database == database) & (c.table == table) & (c.chunk == chunk) & (c.is_overlap == is_overlap)
        & (c.node == replica.node) & (c.transaction_id == one.transaction)
    )  # fmt: skip
    seen = {"verified_s": verified_s} if event in (Event.VERIFIED, Event.BUILT) else {}
    if is_read:
        same &= (c.state != ReplicaState.BUILDING) & (c.verified_s < one.verified_s + A_MOMENT_S)
    for before, after in steps(ReplicaState, event).items():
        values = {"state": after, "fault": fault[:LONGEST_FAULT], **seen}
        done = connection.execute(sa.update(t.replicas).where(same, c.state == before).values(**values))
        if done.rowcount:
            return ReplicaState(before), ReplicaState(after)
    return ()
