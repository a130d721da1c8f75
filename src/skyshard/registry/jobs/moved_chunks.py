"""Chunks that go from node to node: which replicas there are of a chunk, and the step that shows them elsewhere.

Rules: a move is one SQL transaction: new replicas are there, old ones are not, their tables stay for a time of grace,
placements say the same, and the step of the job has ended. Before, while their rows are locked, the nodes that get
something and the good replicas are looked at again: both may have changed since the chunks were copied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import insert as upsert

from skyshard.registry.catalog.replication_index import BRINGS_NOTHING, KnownReplica, known_replicas
from skyshard.registry.jobs.job_table import end_steps, lock_job
from skyshard.registry.stored import chunk_entries, generation, node_locks, plain_sql
from skyshard.registry.stored import replication_sql as texts
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.job_rows import EndedStep, OpenJob, PlannedMove
from skyshard.registry.stored.lifecycle import HOLDING, TAKING, ReplicaState
from skyshard.registry.stored.records import WHOLE
from skyshard.registry.stored.server_clock import now_s
from skyshard.registry.stored.store import Store, fields_of

_Rows = tuple[str, int, bool, int]
"""Table, chunk, overlap, transaction: the rows of one part of a chunk table."""


@dataclass(frozen=True, slots=True)
class HeldSum:
    """What one node holds of a chunk of a database, by its stored name: tables that count or not, and their bytes."""

    database: str
    node: str
    chunk: int
    bytes: int
    tables: int


@dataclass(frozen=True, slots=True)
class MovedTables:
    """What moves change of one database, by its stored name."""

    database: str
    came: Sequence[KnownReplica]
    """As they are on their new nodes: counted and digested just now."""
    left: Sequence[KnownReplica]
    retired: Mapping[str, Collection[str]]
    """Node → tables that stay there for the time of grace."""
    level: int = 1
    """Good replicas that no rows of chunks get below, if they have them; of regular tables it is one."""


class ChunksStay(Exception):
    """Chunks that cannot be shown where they were to be: ``why`` says of each what has changed. Nothing was done."""

    def __init__(self, why: Mapping[int, str]) -> None:
        super().__init__("; ".join(why.values()))
        self.why = why


class MovedChunks(Store):
    """Reads and writes of ``replicas`` and ``placements`` by those who move chunks."""

    def held(self) -> list[HeldSum]:
        """What every node holds of every chunk, of finished transactions; regular tables as chunk ``WHOLE``."""
        with self._plain.reading() as connection:
            rows = connection.rows(plain_sql.LONG_TEXTS + texts.HELD)
        found: list[HeldSum] = []
        for database, node, numbers in rows:
            values = [int(one) for one in numbers.split(",")]
            each = zip(values[::3], values[1::3], values[2::3], strict=True)
            found += [HeldSum(str(database), str(node), *one) for one in each]
        return found

    def of_chunks(self, database: str, tables: Collection[str], chunks: Collection[int]) -> list[KnownReplica]:
        """All replicas of some chunks of a database, whatever their state."""
        if not tables or not chunks:
            return []
        marks = [", ".join(["%s"] * len(some)) for some in (tables, chunks)]
        sql = texts.OF_CHUNKS.format(tables=marks[0], chunks=marks[1])
        with self._plain.reading() as connection:
            return known_replicas(connection.rows(sql, [database, *tables, *chunks]))

    def placed(self, family: str, chunks: Collection[int]) -> dict[int, tuple[str, ...]]:
        """Where some chunks of a family are to be: chunk → nodes, by rank."""
        c = t.placements.c
        query = sa.select(c.chunk, c.node).where(c.family == family, c.chunk.in_(sorted(chunks)))
        found: dict[int, tuple[str, ...]] = {}
        with self._engine.connect() as connection:
            for chunk, node in connection.execute(query.order_by(c.chunk, c.rank)):
                found[int(chunk)] = (*found.get(int(chunk), ()), str(node))
        return found

    def databases_of(self, family: str) -> set[str]:
        """The stored names of all databases of a family, also of those that were never published."""
        query = sa.select(t.databases.c.name).where(t.databases.c.family == family)
        with self._engine.connect() as connection:
            return {str(name) for (name,) in connection.execute(query)}

    def move_chunks(
        self,
        mine: OpenJob,
        family: str,
        moves: Sequence[PlannedMove],
        tables: Iterable[MovedTables],
        steps: Iterable[EndedStep],
    ) -> None:
        """Show chunks where they are now: one SQL transaction.

        Args:
            moves: the chunks that are shown.
            tables: of the databases, in the order of their names.

        Raises:
            ClusterError: another process has taken the job over.
            ChunksStay: a node that gets chunks is not to have them any more, or rows would be good on too few nodes.
        """
        listed = list(tables)
        placed = {move.chunk: move.after for move in moves if move.chunk != WHOLE}
        with self._writer.begin() as connection:
            lock_job(connection, mine)
            if why := _refused(connection, moves, listed) | _too_few_good(connection, listed):
                raise ChunksStay(why)
            now = now_s(connection)
            _move(connection, family, placed, listed, now)
            end_steps(connection, mine, steps, now)  # by this time jobs find again what they have retired

    def note_found(self, family: str, placed: Mapping[int, Sequence[str]], tables: Iterable[MovedTables]) -> None:
        """The same where the chunks were found, by no job: moves that the registry had lost."""
        with self._writer.begin() as connection:
            _move(connection, family, placed, list(tables), now_s(connection))

    def forget_nodes(self, database: str, nodes: Collection[str]) -> dict[str, int]:
        """Forget the replicas on nodes that the cluster has no more; those whose rows are recorded of no other node
        stay, and are bad. Returns how many of each node these are."""
        if not nodes:
            return {}
        c, other = t.replicas.c, t.replicas.alias()
        mine = (c.database == database, c.node.in_(sorted(nodes)))
        keys = ("database", "table", "chunk", "is_overlap", "transaction_id")
        same = [c[key] == other.c[key] for key in keys]
        with self._writer.begin() as connection:
            tables = {str(one) for one in connection.scalars(sa.select(c.table).where(*mine).distinct())}
            elsewhere = other.c.node.not_in(sorted(nodes))
            connection.execute(sa.delete(t.replicas).where(*mine, *same, elsewhere))
            bad = {"state": ReplicaState.BAD, "fault": "its node belongs to the cluster no more"}
            connection.execute(sa.update(t.replicas).where(*mine).values(**bad))
            left = connection.execute(sa.select(c.node, sa.func.count()).where(*mine).group_by(c.node)).all()
            chunk_entries.renew(connection, database, tables, BRINGS_NOTHING)
            generation.advance(connection)
        return {str(node): int(count) for node, count in left}

    def forget_places(self, nodes: Collection[str]) -> None:
        """Forget that chunks are to be on nodes that are none of these: those of higher ranks move up."""
        c = t.placements.c
        with self._writer.begin() as connection:
            others = connection.execute(sa.select(c.family, c.chunk).where(c.node.not_in(sorted(nodes))).distinct())
            chunks: dict[str, list[int]] = {}
            for family, chunk in others:
                chunks.setdefault(str(family), []).append(int(chunk))
            for family, some in chunks.items():
                placed: dict[int, list[str]] = {chunk: [] for chunk in some}
                here = (c.family == family, c.chunk.in_(some), c.node.in_(sorted(nodes)))
                for chunk, node in connection.execute(sa.select(c.chunk, c.node).where(*here).order_by(c.rank)):
                    placed[int(chunk)].append(str(node))
                _place(connection, family, placed)


def _refused(
    connection: sa.Connection, moves: Iterable[PlannedMove], tables: Iterable[MovedTables]
) -> dict[int, str]:  # fmt: skip
    """Chunks that a node gets which is not to have them; the states of nodes stay to the end of the transaction."""
    new = {(move.chunk, node) for move in moves for node in move.came}
    got = new | {(known.replica.chunk, known.replica.node) for one in tables for known in one.came}
    states = node_locks.locked_states(connection, {node for _, node in got})
    return {
        chunk: f"{node} is {states[node]}"
        for chunk, node in sorted(got)
        if states[node] not in (TAKING if (chunk, node) in new else HOLDING)
    }


def _too_few_good(connection: sa.Connection, tables: Iterable[MovedTables]) -> dict[int, str]:
    """Chunks with rows that would be good on fewer nodes than now, and than they are to be; their replicas are locked.

    A replica that stays may have been marked bad since the chunk was read.
    """
    found: dict[int, str] = {}
    for one in tables:
        came, left = _nodes_by_rows(one.came), _nodes_by_rows(one.left)
        good = _good(connection, one.database, left)
        for rows, nodes in left.items():
            stays = (good[rows] - nodes) | came[rows]
            level = 1 if rows[1] == WHOLE else one.level
            if len(stays) < min(len(good[rows]), level):
                name = next(known.replica.name for known in one.left if _rows(known) == rows)
                found[rows[1]] = (
                    f"{one.database}.{name} would be good on {len(stays)} nodes; run skyshard replicas repair"
                )  # fmt: skip
    return found


def _rows(known: KnownReplica) -> _Rows:
    return (*known.replica.target, known.transaction)


def _nodes_by_rows(replicas: Iterable[KnownReplica]) -> defaultdict[_Rows, set[str]]:
    found: defaultdict[_Rows, set[str]] = defaultdict(set)
    for known in replicas:
        found[_rows(known)].add(known.replica.node)
    return found


def _good(connection: sa.Connection, database: str, wanted: Collection[_Rows]) -> defaultdict[_Rows, set[str]]:
    """The nodes on which rows are good now, as the last one that changed a replica has committed."""
    found: defaultdict[_Rows, set[str]] = defaultdict(set)
    if not wanted:
        return found
    c = t.replicas.c
    query = sa.select(c.table, c.chunk, c.is_overlap, c.transaction_id, c.node).where(
        c.database == database, c.table.in_(sorted({rows[0] for rows in wanted})),
        c.chunk.in_(sorted({rows[1] for rows in wanted})), c.state == ReplicaState.GOOD,
    )  # fmt: skip
    for table, chunk, is_overlap, transaction, node in connection.execute(query.with_for_update()):
        found[str(table), int(chunk), bool(is_overlap), int(transaction)].add(str(node))
    return found


def _move(
    connection: sa.Connection,
    family: str,
    placed: Mapping[int, Sequence[str]],
    tables: Collection[MovedTables],
    now: float,
) -> None:
    for one in tables:
        _add(connection, one, now)
        _remove(connection, one, now)
    _place(connection, family, placed)
    for one in tables:
        changed = {known.replica.table for known in (*one.came, *one.left)}
        chunk_entries.renew(connection, one.database, changed, BRINGS_NOTHING)
    generation.advance(connection)


def _add(connection: sa.Connection, one: MovedTables, now: float) -> None:
    """New replicas; tables under their names are not given up any more."""
    if not one.came:
        return
    rows = [
        {
            "database": one.database, "transaction_id": known.transaction, **fields_of(known.replica),
            "state": ReplicaState.GOOD, "verified_s": now, "fault": "",
        }
        for known in one.came
    ]  # fmt: skip
    statement = upsert(t.replicas)
    names = ("state", "rows", "bytes", "digest", "part", "verified_s", "fault")
    changed = {name: statement.inserted[name] for name in names}
    connection.execute(statement.on_duplicate_key_update(**changed), rows)
    c = t.retired.c
    for node in {known.replica.node for known in one.came}:
        kept = {known.replica.name for known in one.came if known.replica.node == node}
        connection.execute(
            sa.delete(t.retired).where(c.server == node, c.database == one.database, c.name.in_(sorted(kept)))
        )  # fmt: skip


def _remove(connection: sa.Connection, one: MovedTables, now: float) -> None:
    c = t.replicas.c
    for known in one.left:
        table, chunk, is_overlap = known.replica.target
        connection.execute(
            sa.delete(t.replicas).where(
                c.database == one.database, c.table == table, c.chunk == chunk, c.is_overlap == is_overlap,
                c.node == known.replica.node, c.transaction_id == known.transaction,
            )
        )  # fmt: skip
    rows = [
        {"server": node, "database": one.database, "name": name, "since_s": now}
        for node, names in one.retired.items()
        for name in sorted(names)
    ]
    if rows:
        statement = upsert(t.retired)
        connection.execute(statement.on_duplicate_key_update(since_s=statement.inserted.since_s), rows)


def _place(connection: sa.Connection, family: str, placed: Mapping[int, Sequence[str]]) -> None:
    if not placed:
        return
    c = t.placements.c
    connection.execute(sa.delete(t.placements).where(c.family == family, c.chunk.in_(sorted(placed))))
    rows = [
        {"family": family, "chunk": chunk, "rank": rank, "node": node}
        for chunk, nodes in placed.items()
        for rank, node in enumerate(nodes)
    ]
    if rows:
        connection.execute(sa.insert(t.placements), rows)
