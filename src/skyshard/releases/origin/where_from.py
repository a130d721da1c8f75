"""Says which file, row and transaction rows of a table come from.

Where rows keep that themselves (provenance), it is read of them and of the registry. Elsewhere what can be said is
said, and no more: the files that brought rows to the chunk, by the transaction that the row's part is of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import pyarrow as pa

from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.schema import CHUNK_COLUMN, FILE_COLUMN, ROW_COLUMN, Table
from skyshard.db.connection import quote_name
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import ContributionState, ReplicaState, TransactionState
from skyshard.registry.stored.records import COMPACTION, DROPPED_ROWS, WHOLE, InputFile, Replica
from skyshard.releases.origin.row_key import row_keys


@dataclass(frozen=True, slots=True)
class RowOrigin:
    """One row: where it is stored, and where it comes from.

    ``row`` and ``file`` are None where the table has no provenance; ``candidates`` are then the files that may have
    brought it.
    """

    chunks: tuple[int, ...]
    """Where it is stored; two of a ref-match row between chunks, none of a regular table."""
    file: InputFile | None
    row: int | None
    transactions: tuple[int, ...]
    """The one that brought it; several where a compaction has merged what they brought."""
    candidates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowOrigins:
    """What is known of the rows with one key."""

    database: str
    table: str
    key: str
    """The columns and values that were looked for."""
    has_provenance: bool
    rows: tuple[RowOrigin, ...]


class CountRows(Protocol):
    """What a statement of one number gives on one node."""

    def __call__(self, node: str, database: str, sql: str, /) -> int: ...


def where_from(
    registry: Registry, ask: Callable[[str, str], pa.Table], count: CountRows, database: str, table: str, key: str
) -> RowOrigins:
    """The origin of every row with a key.

    Args:
        ask: answers a statement over a database, by its name.
        key: as ``row_key.row_keys`` reads it.

    Raises:
        UserError: an unknown database, table or column, or a value that the column cannot hold.
    """
    catalog = registry.published.catalog(database)
    entry = catalog.tables.get(table)
    if entry is None:
        raise UserError(f"database '{database}' has no table '{table}'", remedy=f"it has {', '.join(catalog.tables)}")
    has_provenance = entry.table.find(FILE_COLUMN) is not None
    asking = partial(ask, catalog.called)  # an alias may name another database by then
    find = _Numbered(registry, asking) if has_provenance else _Candidates(registry, asking, count)
    ways = row_keys(entry.table, entry.layout, key)
    rows: tuple[RowOrigin, ...] = ()
    way = ways[0]
    for one in ways:
        rows = find.rows(catalog, entry, one.condition)
        if rows:
            way = one
            break
    return RowOrigins(catalog.called, table, way.text, has_provenance, rows)


@dataclass(frozen=True, slots=True)
class _Numbered:
    """Rows that say their file and their row in it."""

    registry: Registry
    ask: Callable[[str], pa.Table]

    def rows(self, catalog: Catalog, entry: CatalogTable, condition: str) -> tuple[RowOrigin, ...]:
        is_chunked = entry.layout.role.is_chunked
        columns = [FILE_COLUMN, ROW_COLUMN, *([CHUNK_COLUMN] if is_chunked else [])]
        found = _select(self.ask, columns, entry.table, condition)
        files = {file.number: file for file in self.registry.input_files.all(catalog.database)} if found else {}
        places: dict[tuple[int, int], list[int]] = {}
        for number, row, *chunk in found:
            places.setdefault((int(number), int(row)), []).extend(map(int, chunk))
        return tuple(
            RowOrigin(tuple(sorted(set(chunks))), (file := files.get(number)), row, (file.transaction,) if file else ())
            for (number, row), chunks in sorted(places.items())
        )


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Rows of which only chunk and part are known."""

    registry: Registry
    ask: Callable[[str], pa.Table]
    count: CountRows

    def rows(self, catalog: Catalog, entry: CatalogTable, condition: str) -> tuple[RowOrigin, ...]:
        name, is_chunked = entry.table.name, entry.layout.role.is_chunked
        if entry.layout.flag:  # a ref-match row that is stored twice is one
            condition = f"{condition} AND {quote_name(entry.layout.flag)} <> 2"
        columns = [CHUNK_COLUMN] if is_chunked else [entry.table.columns[0].name]
        found = _select(self.ask, columns, entry.table, condition)
        if not found:
            return ()
        chunks = sorted({int(chunk) for (chunk,) in found}) if is_chunked else [WHOLE]
        replicas = self.registry.replicas.all(catalog.database, name)
        brought, merged = self._brought(catalog.database, name), self._merged(catalog.database)
        rows: list[RowOrigin] = []
        for chunk in chunks:
            parts: dict[int, list[Replica]] = {}
            for one in replicas:
                if one.chunk == chunk and not one.is_overlap:
                    parts.setdefault(one.part, []).append(one)
            for part, held in sorted(parts.items()):
                those = {t: p for t, p in brought.get(chunk, {}).items() if part_of(t, list(parts), merged) == part}
                paths = sorted({path for listed in those.values() for path in listed})
                origin = RowOrigin((chunk,) if is_chunked else (), None, None, tuple(sorted(those)), tuple(paths))
                rows += [origin] * self._count(catalog.database, held, condition)
        return tuple(rows)

    def _count(self, database: str, held: Sequence[Replica], condition: str) -> int:
        """The rows of one part, of a good replica on a node that answers."""
        good = [one for one in held if one.state is ReplicaState.GOOD]
        failed = ClusterError(f"no node has a good replica of {held[0].name}", remedy="run `skyshard replicas repair`")
        for one in good:
            try:
                return self.count(one.node, database, f"SELECT COUNT(*) FROM {quote_name(one.name)} WHERE {condition}")
            except ClusterError as error:
                failed = error
        raise failed

    def _brought(self, database: str, table: str) -> Mapping[int, Mapping[int, list[str]]]:
        """Chunk → transaction → files that brought rows."""
        found: dict[int, dict[int, list[str]]] = {}
        for row in self.registry.contributions.all(database):
            is_there = row["state"] == ContributionState.LOADED and row["rows"] and not row["is_overlap"]
            if row["table"] == table and is_there:
                found.setdefault(int(row["chunk"]), {}).setdefault(row["transaction_id"], []).append(str(row["part"]))
        return found

    def _merged(self, database: str) -> frozenset[int]:
        """The transactions whose parts hold what earlier ones brought."""
        rows, merging = self.registry.transactions.all(database), (COMPACTION, DROPPED_ROWS)
        return frozenset(
            row["id"] for row in rows if row["plan"] in merging and row["state"] == TransactionState.FINISHED
        )


def known_files(registry: Registry, database: str) -> list[InputFile]:
    """The files that a database was ingested from; without provenance what contributions say of them, number 0."""
    database = registry.published.names().fixed(database)
    numbered = registry.input_files.all(database)
    known = {(file.transaction, file.table, file.path) for file in numbered}
    others: dict[tuple[int, str, str], dict[str, int]] = defaultdict(dict)
    for row in registry.contributions.all(database):
        key = (int(row["transaction_id"]), str(row["table"]), str(row["part"]))
        if key not in known and row["state"] == ContributionState.LOADED:
            others[key][str(row["part_digest"])] = int(row["part_rows"])
    return [*numbered, *(_contributed(*key, others[key]) for key in sorted(others))]


def _contributed(transaction: int, table: str, path: str, slices: Mapping[str, int]) -> InputFile:
    """A file by its slices, digest → rows; of one that was read in several no digest is known."""
    digest = next(iter(slices)) if len(slices) == 1 else ""
    return InputFile(0, table, path, 0, 0, digest=digest, rows=sum(slices.values()), transaction=transaction)


def part_of(transaction: int, parts: Sequence[int], merged: Iterable[int]) -> int:
    """The part of a chunk table that holds what a transaction brought.

    >>> part_of(3, [0, 3, 5], []), part_of(1, [0, 3, 5], []), part_of(3, [4, 5], [4])
    (3, 0, 4)
    """
    if transaction in parts:
        return transaction
    return min((part for part in parts if part in set(merged) and part > transaction), default=0)


def _select(
    ask: Callable[[str], pa.Table], columns: Sequence[str], table: Table, condition: str
) -> list[tuple[Any, ...]]:
    listed = ", ".join(map(quote_name, columns))
    found = ask(f"SELECT {listed} FROM {quote_name(table.name)} WHERE {condition}")
    return list(zip(*(column.to_pylist() for column in found.columns), strict=True))
