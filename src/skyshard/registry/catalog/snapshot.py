"""A catalog as one consistent read of the registry: only what finished transactions brought is in it.

All statements run in one InnoDB transaction, so that a transaction that is published meanwhile is seen wholly or not
at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import shown_suffix
from skyshard.catalog.layout import Layout, TableLayout, split_director
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable, ChunkEntry
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored import stray_rows as strays
from skyshard.registry.stored.lifecycle import DatabaseState, ReplicaState, TransactionState
from skyshard.registry.stored.records import COMPACTION, Replica, load_table


def read_replicas(
    connection: sa.Connection,
    database: str,
    *,
    transaction: int | None = None,
    after: int | None = None,
    table: str = "",
) -> list[Replica]:
    """Replicas of finished transactions, or of one transaction whatever its state; with ``after`` of a range."""
    query = sa.select(t.replicas).join(t.transactions, t.transactions.c.id == t.replicas.c.transaction_id)
    query = query.where(t.replicas.c.database == database)
    if transaction is None:
        query = query.where(t.transactions.c.state == TransactionState.FINISHED)
    elif after is None:
        query = query.where(t.replicas.c.transaction_id == transaction)
    else:
        query = query.where(t.replicas.c.transaction_id > after, t.replicas.c.transaction_id <= transaction)
    if table:
        query = query.where(t.replicas.c.table == table)
    return [
        Replica(
            row["table"], int(row["chunk"]), bool(row["is_overlap"]), row["node"], int(row["rows"]), int(row["bytes"]),
            row["digest"], int(row["part"]), ReplicaState(row["state"]),
        )
        for row in connection.execute(query).mappings()
    ]  # fmt: skip


def read_catalog(connection: sa.Connection, database: str) -> Catalog:
    """The catalog of a published database.

    Raises:
        UserError: there is none of that name.
    """
    row = connection.execute(sa.select(t.databases).where(t.databases.c.name == database)).mappings().first()
    if row is None or row["state"] != DatabaseState.PUBLISHED:
        known = ", ".join(published_names(connection)) or "none is published"
        raise UserError(f"no database '{database}'", remedy=f"published: {known}")
    by_table: dict[str, list[Replica]] = defaultdict(list)
    nodes = set()
    for replica in read_replicas(connection, database):
        by_table[replica.table].append(replica)
        nodes.add(replica.node)
    orphans, strayed = _orphan_chunks(connection, database), strays.read_chunks(connection, database)
    spread, found = _spread_directors(connection), {}
    for item in read_tables(connection, database):
        name = item["name"]
        table = replace(_catalog_table(item, by_table[name], orphans[name]), stray_chunks=frozenset(strayed[name]))
        found[name] = replace(table, spread_keys=_spread_keys(database, table, spread)) if spread else table
    layout, last = Layout.model_validate(row["layout"]), last_transaction(connection, database)
    return Catalog(database, layout, found, tuple(sorted(nodes)), last)


def last_transaction(connection: sa.Connection, database: str) -> int:
    """The last finished transaction that brought rows; a compaction brings none."""
    query = sa.select(sa.func.max(t.transactions.c.id)).where(
        t.transactions.c.database == database,
        t.transactions.c.state == TransactionState.FINISHED,
        t.transactions.c.plan != COMPACTION,
    )
    return int(connection.scalar(query) or 0)


def read_tables(connection: sa.Connection, database: str, *, transaction: int = 0) -> list[Any]:
    """Rows of the tables that finished transactions brought, and of those that one transaction brings."""
    unfinished = sa.exists().where(
        t.transactions.c.id == t.tables.c.transaction_id,
        t.transactions.c.id != transaction,
        t.transactions.c.state != TransactionState.FINISHED,
    )
    query = sa.select(t.tables).where(t.tables.c.database == database, ~unfinished).order_by(t.tables.c.name)
    return list(connection.execute(query).mappings())


def published_names(connection: sa.Connection) -> list[str]:
    query = sa.select(t.databases.c.name).where(t.databases.c.state == DatabaseState.PUBLISHED)
    return sorted(str(name) for (name,) in connection.execute(query))


def _orphan_chunks(connection: sa.Connection, database: str) -> dict[str, set[int]]:
    query = (
        sa.select(t.contributions.c.table, t.contributions.c.chunk)
        .join(t.transactions, t.transactions.c.id == t.contributions.c.transaction_id)
        .where(
            t.transactions.c.database == database,
            t.transactions.c.state == TransactionState.FINISHED,
            t.contributions.c.orphans > 0,
        )
        .distinct()
    )
    chunks: dict[str, set[int]] = defaultdict(set)
    for table, chunk in connection.execute(query):
        chunks[str(table)].add(int(chunk))
    return chunks


def _spread_directors(connection: sa.Connection) -> set[tuple[str, str]]:
    """Database and name of the directors that have rows of one key in several chunks."""
    query = sa.select(t.tables.c.database, t.tables.c.name).where(t.tables.c.keys_are_spread)
    return {(str(database), str(name)) for database, name in connection.execute(query)}


def _spread_keys(database: str, table: CatalogTable, spread: set[tuple[str, str]]) -> frozenset[str]:
    layout = table.layout
    followed = ((layout.key, layout.director or table.table.name), (layout.key2, layout.director2))
    return frozenset(key for key, director in followed if key and split_director(director, database) in spread)


def _catalog_table(row: Any, replicas: Sequence[Replica], orphans: Iterable[int]) -> CatalogTable:
    layout = TableLayout.model_validate(row["layout"])
    table = load_table(row["definition"])
    parts = parts_of(replicas)
    if not layout.role.is_chunked:
        one_node = min((replica.node for replica in replicas), default="")
        rows = sum(replica.rows for replica in replicas if replica.node == one_node)
        suffix = shown_suffix(next(iter(parts.values()), []))
        return CatalogTable(table, layout, rows, {}, frozenset(), suffix)
    chunks = _chunk_entries(replicas, parts)
    rows = sum(entry.rows for entry in chunks.values())
    is_local = bool(row["position_is_local"])
    return CatalogTable(
        table.with_chunk_columns(), layout, rows, chunks, frozenset(orphans), position_is_local=is_local
    )


def parts_of(replicas: Iterable[Replica]) -> dict[tuple[str, int, bool], list[int]]:
    """The parts of each chunk table, in order."""
    parts: dict[tuple[str, int, bool], set[int]] = defaultdict(set)
    for replica in replicas:
        parts[replica.target].add(replica.part)
    return {target: sorted(numbers) for target, numbers in parts.items()}


def _chunk_entries(replicas: Sequence[Replica], parts: dict[tuple[str, int, bool], list[int]]) -> dict[int, ChunkEntry]:
    """Rows counted once however many replicas there are; a node holds a chunk when it holds every part of it."""
    rows: dict[tuple[int, bool], dict[int, int]] = defaultdict(dict)
    holders: dict[int, dict[tuple[bool, int], set[str]]] = defaultdict(lambda: defaultdict(set))
    size: dict[int, int] = defaultdict(int)
    for replica in replicas:
        rows[replica.chunk, replica.is_overlap][replica.part] = replica.rows
        size[replica.chunk] += replica.bytes
        if replica.state is ReplicaState.GOOD:
            holders[replica.chunk][replica.is_overlap, replica.part].add(replica.node)
    entries: dict[int, ChunkEntry] = {}
    for (_, chunk, is_overlap), numbers in parts.items():
        entry = entries.get(chunk, ChunkEntry(0, 0, (), size[chunk]))
        total, suffix = sum(rows[chunk, is_overlap].values()), shown_suffix(numbers)
        entries[chunk] = (
            replace(entry, overlap_rows=total, overlap_suffix=suffix)
            if is_overlap
            else replace(entry, rows=total, suffix=suffix)
        )
    return {
        chunk: replace(entry, nodes=tuple(sorted(set.intersection(*holders[chunk].values()))) if holders[chunk] else ())
        for chunk, entry in sorted(entries.items())
    }
