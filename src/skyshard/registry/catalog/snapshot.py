"""A catalog as one consistent read of the registry: only what finished transactions brought is in it.

All statements run in one InnoDB transaction, so that a transaction that is published meanwhile is seen wholly or not
at all.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from skyshard.catalog.ddl import shown_suffix
from skyshard.catalog.layout import Layout, TableLayout, split_director
from skyshard.catalog.schema import Table
from skyshard.db.connection import Connection
from skyshard.registry.catalog.database_names import DatabaseGone, DatabaseNames
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable, ChunkEntry
from skyshard.registry.stored import plain_sql
from skyshard.registry.stored.lifecycle import DatabaseState, ReplicaState
from skyshard.registry.stored.records import Replica, load_table


def read_replicas(
    connection: Connection,
    database: str,
    *,
    transaction: int | None = None,
    after: int | None = None,
    table: str = "",
) -> list[Replica]:
    """Replicas of finished transactions, or of one transaction whatever its state; with ``after`` of a range."""
    which = plain_sql.OF_FINISHED
    arguments: list[str | int] = [database]
    if transaction is not None:
        which = plain_sql.OF_TRANSACTION if after is None else plain_sql.OF_TRANSACTIONS_BETWEEN
        arguments += [number for number in (after, transaction) if number is not None]
    if table:
        which, arguments = which + plain_sql.OF_TABLE, [*arguments, table]
    return [
        Replica(name, int(chunk), bool(is_overlap), node, int(rows), int(size), digest, int(part), ReplicaState(state))
        for name, chunk, is_overlap, node, rows, size, digest, part, state in connection.rows(
            plain_sql.REPLICAS + which, arguments
        )
    ]


def read_catalog(connection: Connection, database: str, names: DatabaseNames) -> Catalog:
    """The catalog of a published database, by its stored name; ``names`` say what people call it.

    Raises:
        DatabaseGone: there is none of that name.
    """
    found = connection.rows(plain_sql.DATABASE, [database])
    if not found or found[0][0] != DatabaseState.PUBLISHED:
        raise DatabaseGone(f"no database '{names.shown(database)}'", remedy="it was dropped just now")
    by_table: dict[str, list[Replica]] = defaultdict(list)
    nodes = set()
    for replica in read_replicas(connection, database):
        by_table[replica.table].append(replica)
        nodes.add(replica.node)
    orphans = _chunks_by_table(connection, plain_sql.ORPHAN_CHUNKS, database)
    strayed = _chunks_by_table(connection, plain_sql.STRAY_CHUNKS, database)
    spread = _spread_directors(connection)
    tables: dict[str, CatalogTable] = {}
    for row in _read_tables(connection, database):
        name = row.table.name
        apart = orphans[name] | strayed[name]  # some lost their director after they came
        table = replace(_catalog_table(row, by_table[name], apart), stray_chunks=frozenset(strayed[name]))
        tables[name] = replace(table, spread_keys=_spread_keys(database, table, spread)) if spread else table
    layout = Layout.model_validate_json(found[0][1])
    return Catalog(
        database, layout, tables, tuple(sorted(nodes)), last_transaction(connection, database), names.shown(database),
        names.aliases(database),
    )  # fmt: skip


def last_transaction(connection: Connection, database: str) -> int:
    """The last finished transaction that brought rows; a compaction brings none."""
    return int(connection.value(plain_sql.LAST_TRANSACTION, [database]) or 0)


def table_definitions(
    connection: Connection, database: str, *, transaction: int = 0
) -> dict[str, tuple[Table, TableLayout]]:
    """The tables that finished transactions brought, and those that one transaction brings."""
    rows = _read_tables(connection, database, transaction=transaction)
    return {row.table.name: (row.table, row.layout) for row in rows}


class _TableRow(NamedTuple):
    """A row of the registry's table of tables."""

    table: Table
    layout: TableLayout
    position_is_local: bool


def _read_tables(connection: Connection, database: str, *, transaction: int = 0) -> list[_TableRow]:
    return [
        _TableRow(load_table(json.loads(definition)), TableLayout.model_validate_json(layout), bool(is_local))
        for definition, layout, is_local in connection.rows(plain_sql.TABLES, [database, transaction])
    ]


def _chunks_by_table(connection: Connection, sql: str, database: str) -> dict[str, set[int]]:
    chunks: dict[str, set[int]] = defaultdict(set)
    for table, chunk in connection.rows(sql, [database]):
        chunks[str(table)].add(int(chunk))
    return chunks


def _spread_directors(connection: Connection) -> set[tuple[str, str]]:
    """Database and name of the directors that have rows of one key in several chunks."""
    return {(str(database), str(name)) for database, name in connection.rows(plain_sql.SPREAD_DIRECTORS)}


def _spread_keys(database: str, table: CatalogTable, spread: set[tuple[str, str]]) -> frozenset[str]:
    layout = table.layout
    followed = ((layout.key, layout.director or table.table.name), (layout.key2, layout.director2))
    return frozenset(key for key, director in followed if key and split_director(director, database) in spread)


def _catalog_table(row: _TableRow, replicas: Sequence[Replica], orphans: Iterable[int]) -> CatalogTable:
    table, layout, is_local = row
    parts = parts_of(replicas)
    if not layout.role.is_chunked:
        one_node = min((replica.node for replica in replicas), default="")
        rows = sum(replica.rows for replica in replicas if replica.node == one_node)
        suffix = shown_suffix(next(iter(parts.values()), []))
        return CatalogTable(table, layout, rows, {}, frozenset(), suffix)
    chunks = _chunk_entries(replicas, parts)
    rows = sum(entry.rows for entry in chunks.values())
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
