"""A catalog as one consistent read of the registry: only what finished transactions brought is in it.

All statements run in one InnoDB transaction, so that a transaction that is published meanwhile is seen wholly or not
at all.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from skyshard.catalog.layout import Layout, TableLayout, split_director
from skyshard.catalog.schema import Table
from skyshard.db.connection import Connection
from skyshard.registry.catalog.chunk_entries import NO_CHUNKS, ChunkEntries
from skyshard.registry.catalog.database_names import DatabaseGone, DatabaseNames
from skyshard.registry.catalog.mutable_chunks import EXPECTED_ROWS, placed_entries, read_placed
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable, Mutable
from skyshard.registry.stored import chunk_entries, plain_sql
from skyshard.registry.stored.entry_columns import EntryColumns
from skyshard.registry.stored.lifecycle import DatabaseState, ReplicaState
from skyshard.registry.stored.records import WHOLE, Replica, load_table

_DRIFT_DEG = 60 / 3600
"""An object stays in the chunk of its first position, and may be so far outside of it."""
_MUTABLE = {
    "DiaObject": Mutable(drift_deg=_DRIFT_DEG),
    "DiaObjectLast": Mutable("DiaObject", ("diaObjectId", "validityStartMjdTai"), _DRIFT_DEG),
}
"""What is so of a mutable table, by name; of others nothing."""
Made = Mapping[str, tuple[int, EntryColumns]]
"""Table → the generation in which its rows were read, and the entries that were made of them."""


def read_replicas(
    connection: Connection,
    database: str,
    *,
    transaction: int | None = None,
    after: int | None = None,
    table: str = "",
) -> list[Replica]:
    """Replicas of finished transactions, or of one transaction whatever its state; with ``after`` of a range."""
    text = plain_sql.REPLICAS
    arguments: list[str | int] = [database]
    if transaction is not None:
        which = plain_sql.OF_TRANSACTION if after is None else plain_sql.OF_TRANSACTIONS_BETWEEN
        text = plain_sql.REPLICAS_OF + which
        arguments += [number for number in (after, transaction) if number is not None]
    if table:
        text, arguments = text + plain_sql.OF_TABLE, [*arguments, table]
    rows = connection.rows(plain_sql.LONG_TEXTS + text + plain_sql.BY_TABLE, arguments)
    return [replica for row in rows for replica in _replicas(*row)]


def _replicas(table: str, count: int, numbers: str, nodes: str, states: str, digests: str) -> list[Replica]:
    """Replicas of one table from the lists of their values; equal names are one object."""
    state_of = {str(state): state for state in ReplicaState}
    known: dict[str, str] = {}
    return [
        Replica(
            table, chunk, bool(is_overlap), known.setdefault(node, node), rows, size, digest, part, state_of[state]
        )
        for (chunk, is_overlap, part, rows, size), node, state, digest in zip(
            chunk_entries.numbers_of(numbers, count).tolist(), nodes.split(","), states.split(","), digests.split(","),
            strict=True,
        )
    ]  # fmt: skip


def read_catalog(connection: Connection, database: str, names: DatabaseNames) -> tuple[Catalog, Made]:
    """The catalog of a published database, by its stored name; ``names`` say what people call it.

    Returns:
        The catalog, and the entries of tables for which none were kept: they took long to make.

    Raises:
        DatabaseGone: there is none of that name.
    """
    found = connection.rows(plain_sql.DATABASE, [database])
    if not found or found[0][0] != DatabaseState.PUBLISHED:
        raise DatabaseGone(f"no database '{names.shown(database)}'", remedy="it was dropped just now")
    layout = Layout.model_validate_json(found[0][1])
    if layout.mutable:
        return _mutable_catalog(connection, database, layout, names), {}
    entries, made = _entries(connection, database)
    strayed = _chunks_by_table(connection, plain_sql.STRAY_CHUNKS, database)
    spread = _spread_directors(connection)
    tables: dict[str, CatalogTable] = {}
    for row, columns in entries:
        name = row.table.name
        table = _catalog_table(row, columns, frozenset(strayed[name]))
        tables[name] = replace(table, spread_keys=_spread_keys(database, table, spread)) if spread else table
    nodes = {node for _, columns in entries for node in columns.nodes}
    catalog = Catalog(
        database, layout, tables, tuple(sorted(nodes)), last_transaction(connection, database), names.shown(database),
        names.aliases(database),
    )  # fmt: skip
    return catalog, made


def _mutable_catalog(connection: Connection, database: str, layout: Layout, names: DatabaseNames) -> Catalog:
    """Tables that visits change: all of them have the chunks that were placed, and no replicas."""
    placed = read_placed(connection, database)
    chunks = placed_entries(placed)
    tables = {
        row.table.name: CatalogTable(
            row.table.with_chunk_columns(), row.layout, EXPECTED_ROWS * len(chunks), chunks,
            mutable=_MUTABLE.get(row.table.name, Mutable()),
        )
        for row in _read_tables(connection, database)
    }  # fmt: skip
    nodes = tuple(sorted(set(placed.values())))
    called, aliases = names.shown(database), names.aliases(database)
    return Catalog(database, layout, tables, nodes, last_transaction(connection, database), called, aliases)


def _entries(connection: Connection, database: str) -> tuple[list[tuple[_TableRow, EntryColumns]], Made]:
    """The published tables with the entries of their chunks, and what of these was not kept."""
    rows = connection.rows(plain_sql.TABLES_WITH_ENTRIES, [database])
    tables = [_table_row(*row[:3]) for row in rows]
    names = [table.table.name for table in tables]
    found = {name: chunk_entries.read_kept(row[4]) for name, row in zip(names, rows, strict=True)}
    missing = [name for name, columns in found.items() if columns is None]
    made = chunk_entries.made_entries(connection.rows, database, missing)
    generations = {name: int(row[3]) for name, row in zip(names, rows, strict=True)}
    known = {**found, **made}
    listed = [(table, columns) for table in tables if (columns := known[table.table.name]) is not None]
    return listed, {name: (generations[name], columns) for name, columns in made.items()}


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
    return [_table_row(*row) for row in connection.rows(plain_sql.TABLES, [database, transaction])]


def _table_row(definition: str, layout: str, is_local: int) -> _TableRow:
    return _TableRow(load_table(json.loads(definition)), TableLayout.model_validate_json(layout), bool(is_local))


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


def _catalog_table(row: _TableRow, columns: EntryColumns, strayed: frozenset[int]) -> CatalogTable:
    table, layout, is_local = row
    chunks, rows = ChunkEntries(columns), int(columns.rows.sum())
    if not layout.role.is_chunked:
        if WHOLE not in chunks:
            return CatalogTable(table, layout, rows, NO_CHUNKS)
        whole = chunks[WHOLE]
        return CatalogTable(table, layout, rows, NO_CHUNKS, suffix=whole.suffix, holders=whole.nodes)
    apart = strayed.union(columns.orphans.tolist())  # some lost their director after they came
    return CatalogTable(
        table.with_chunk_columns(), layout, rows, chunks, apart, stray_chunks=strayed, position_is_local=is_local
    )


def parts_of(replicas: Iterable[Replica]) -> dict[tuple[str, int, bool], list[int]]:
    """The parts of each chunk table, in order."""
    parts: dict[tuple[str, int, bool], set[int]] = defaultdict(set)
    for replica in replicas:
        parts[replica.target].add(replica.part)
    return {target: sorted(numbers) for target, numbers in parts.items()}
