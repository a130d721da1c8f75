"""Reads and writes of the registry, each a short SQL transaction.

Rules: every state change goes through ``lifecycle.follow``; what queries see changes in one transaction
(``publish``); nothing here touches a node.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import sqlalchemy as sa
import xxhash
from sqlalchemy.dialects.mysql import insert as upsert
from sqlalchemy.schema import CreateIndex, CreateTable

from skyshard.db.connection import Account, Endpoint, connect, quote_name, sqlalchemy_engine
from skyshard.errors import ClusterError, UserError
from skyshard.layout import Layout, TableLayout
from skyshard.registry import tables as t
from skyshard.registry.catalog import Catalog, CatalogTable, ChunkEntry
from skyshard.registry.lifecycle import (
    ContributionState,
    DatabaseState,
    Event,
    ReplicaState,
    TransactionState,
    follow,
)
from skyshard.rowimage.digest import RowDigest
from skyshard.rowimage.sqltype import parse_type
from skyshard.schema import Column, Key, Table


@dataclass(frozen=True, slots=True)
class Contribution:
    """One part's rows in one chunk table; ``chunk`` is -1 for a regular table."""

    table: str
    part: str
    part_digest: str
    chunk: int
    is_overlap: bool
    rows: int
    digest: str
    orphans: int = 0


@dataclass(frozen=True, slots=True)
class Replica:
    """One chunk table on one node."""

    table: str
    chunk: int
    is_overlap: bool
    node: str
    rows: int
    bytes: int
    digest: str
    state: ReplicaState = ReplicaState.GOOD


WHOLE = -1
"""Chunk number under which the registry keeps regular tables, which are whole on every node."""


class Registry:
    """The registry behind one czar's server; it is also the ``CatalogSource`` of queries."""

    def __init__(self, czar: Endpoint) -> None:
        self._czar = czar
        self._engine = sqlalchemy_engine(czar, Account.ADMIN, t.REGISTRY_DATABASE)

    def prepare(self) -> None:
        """Make the registry's databases and tables where they are missing."""
        with connect(self._czar, Account.ADMIN) as connection:
            sql = "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s"
            is_there = connection.value(sql, [t.REGISTRY_DATABASE]) == len(t.metadata.tables)
            for name in () if is_there else (t.REGISTRY_DATABASE, t.INDEX_DATABASE):
                connection.execute(f"CREATE DATABASE IF NOT EXISTS {quote_name(name)}")
        if is_there:
            return
        with self._engine.begin() as registry:
            for table in t.metadata.sorted_tables:
                registry.execute(CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    registry.execute(CreateIndex(index, if_not_exists=True))

    def close(self) -> None:
        self._engine.dispose()

    # databases and tables

    def database_state(self, database: str) -> DatabaseState | None:
        with self._engine.connect() as connection:
            state = connection.scalar(sa.select(t.databases.c.state).where(t.databases.c.name == database))
        return DatabaseState(state) if state else None

    def add_database(self, database: str, layout: Layout, source: str) -> None:
        """Register a database that is about to be ingested, or check that it is the same one.

        Raises:
            UserError: it is published already, or it was begun with another layout.
        """
        with self._engine.begin() as connection:
            row = connection.execute(
                sa.select(t.databases.c.state, t.databases.c.family).where(t.databases.c.name == database)
            ).first()
            if row is None:
                connection.execute(
                    sa.insert(t.databases).values(
                        name=database, family=layout.striping.family, state=DatabaseState.INGESTING,
                        layout=layout.model_dump(mode="json"), source=source, created_s=time.time(),
                    )
                )  # fmt: skip
                return
        if row.state == DatabaseState.PUBLISHED:
            raise UserError(f"database '{database}' is published already", remedy="ingest under another --database")
        if row.family != layout.striping.family:
            raise UserError(
                f"database '{database}' was begun with striping {row.family}, not {layout.striping.family}",
                remedy="ingest under another --database",
            )

    def forget_database(self, database: str) -> None:
        """Remove a database that was never published, with all that is recorded of it."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.delete(t.databases).where(
                    t.databases.c.name == database, t.databases.c.state != DatabaseState.PUBLISHED
                )
            )

    def add_table(self, database: str, table: Table, layout: TableLayout, loader: str, truth: int | None) -> None:
        values = {
            "database": database, "name": table.name, "definition": _dump_table(table),
            "layout": layout.model_dump(mode="json"), "loader": loader, "truth_rows": truth,
        }  # fmt: skip
        with self._engine.begin() as connection:
            connection.execute(upsert(t.tables).values(**values).on_duplicate_key_update(**values))

    def mark_scattered(self, database: str, table: str) -> None:
        """Note that a dependent's copied positions do not tell its chunk."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(t.tables)
                .where(t.tables.c.database == database, t.tables.c.name == table)
                .values(position_is_local=False)
            )

    # transactions and contributions

    def open_transaction(self, database: str, source: str) -> int:
        """Begin a transaction, or find the one of the same source that was interrupted."""
        with self._engine.begin() as connection:
            found = connection.execute(
                sa.select(t.transactions.c.id).where(
                    t.transactions.c.database == database,
                    t.transactions.c.state.in_([TransactionState.STARTED, TransactionState.COMMITTING]),
                )
            ).first()
            if found is not None:
                return int(found.id)
            made = connection.execute(
                sa.insert(t.transactions).values(
                    database=database, state=TransactionState.STARTED, source=source, begun_s=time.time()
                )
            )
            return int(made.lastrowid)

    def move_transaction(self, transaction: int, event: Event, *, error: str = "", report: Any = None) -> None:
        with self._engine.begin() as connection:
            self._move(connection, transaction, event, error=error, report=report)

    def _move(self, connection: sa.Connection, transaction: int, event: Event, **values: Any) -> None:
        where = t.transactions.c.id == transaction
        state = connection.scalar(sa.select(t.transactions.c.state).where(where).with_for_update())
        after = follow(TransactionState(str(state)), event)
        changes = {key: value for key, value in values.items() if value}
        if not isinstance(after, TransactionState):
            raise ClusterError(f"transaction {transaction} has no state after '{event}'")
        if after in (TransactionState.FINISHED, TransactionState.ABORTED):
            changes["ended_s"] = time.time()
        connection.execute(sa.update(t.transactions).where(where).values(state=after, **changes))

    def transactions(self, database: str = "") -> list[dict[str, Any]]:
        query = sa.select(t.transactions).order_by(t.transactions.c.id)
        if database:
            query = query.where(t.transactions.c.database == database)
        return self._dicts(query)

    def contributions(self, database: str) -> list[dict[str, Any]]:
        query = (
            sa.select(t.contributions)
            .join(t.transactions, t.transactions.c.id == t.contributions.c.transaction_id)
            .where(t.transactions.c.database == database)
            .order_by(t.contributions.c.table, t.contributions.c.chunk, t.contributions.c.is_overlap)
        )
        return self._dicts(query)

    def _dicts(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._engine.connect() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def add_contributions(self, transaction: int, contributions: Sequence[Contribution]) -> None:
        """Record what a part brings to each chunk table; the same record again changes nothing."""
        rows = [
            {"transaction_id": transaction, "state": ContributionState.PARTITIONED, **asdict(item)}
            for item in contributions
        ]
        if rows:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(t.contributions).prefix_with("IGNORE"), rows)

    # replicas

    def add_replicas(self, database: str, transaction: int, replicas: Iterable[Replica]) -> None:
        rows = [{"database": database, "transaction_id": transaction, **asdict(replica)} for replica in replicas]
        if not rows:
            return
        statement = upsert(t.replicas)
        changed = {name: statement.inserted[name] for name in ("transaction_id", "state", "rows", "bytes", "digest")}
        with self._engine.begin() as connection:
            connection.execute(statement.on_duplicate_key_update(**changed), rows)

    def replicas(self, database: str, table: str = "") -> list[Replica]:
        where = [t.replicas.c.database == database]
        if table:
            where.append(t.replicas.c.table == table)
        with self._engine.connect() as connection:
            rows = connection.execute(sa.select(t.replicas).where(*where)).mappings()
            return [
                Replica(
                    row["table"], int(row["chunk"]), bool(row["is_overlap"]), row["node"], int(row["rows"]),
                    int(row["bytes"]), row["digest"], ReplicaState(row["state"]),
                )
                for row in rows
            ]  # fmt: skip

    def placed_chunks(self, family: str) -> dict[int, tuple[str, ...]]:
        """Chunks that any database of a family has placed: chunk → nodes."""
        query = (
            sa.select(t.replicas.c.chunk, t.replicas.c.node)
            .join(t.databases, t.databases.c.name == t.replicas.c.database)
            .where(t.databases.c.family == family, t.replicas.c.chunk >= 0)
            .distinct()
            .order_by(t.replicas.c.chunk, t.replicas.c.node)
        )
        placed: dict[int, tuple[str, ...]] = {}
        with self._engine.connect() as connection:
            for chunk, node in connection.execute(query):
                placed[int(chunk)] = (*placed.get(int(chunk), ()), str(node))
        return placed

    def data_digest(self, database: str) -> str:
        """One number for all rows of a database, whatever nodes and chunks they are on: its tables' digests, summed."""
        query = (
            sa.select(t.contributions.c.table, t.contributions.c.digest)
            .join(t.transactions, t.transactions.c.id == t.contributions.c.transaction_id)
            .where(t.transactions.c.database == database, t.contributions.c.is_overlap.is_(False))
        )
        sums: dict[str, RowDigest] = {}
        with self._engine.connect() as connection:
            for table, digest in connection.execute(query):
                sums[table] = sums.get(table, RowDigest(0, 0)) + RowDigest.parse(digest)
        text = "\n".join(f"{table} {total}" for table, total in sorted(sums.items()))
        return xxhash.xxh3_128_hexdigest(text.encode())

    def publish(self, database: str, transaction: int, report: Mapping[str, Any]) -> None:
        """Make a transaction and its database visible to queries: one SQL transaction."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(t.contributions)
                .where(t.contributions.c.transaction_id == transaction)
                .values(state=ContributionState.LOADED)
            )
            self._move(connection, transaction, Event.COMMITTED, report=dict(report))
            connection.execute(
                sa.update(t.databases)
                .where(t.databases.c.name == database)
                .values(state=follow(DatabaseState.INGESTING, Event.COMMITTED))
            )

    # what queries read

    def databases(self) -> list[str]:
        query = sa.select(t.databases.c.name).where(t.databases.c.state == DatabaseState.PUBLISHED)
        with self._engine.connect() as connection:
            return sorted(str(name) for (name,) in connection.execute(query))

    def catalog(self, database: str) -> Catalog:
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(t.databases).where(t.databases.c.name == database)).mappings().first()
            if row is None or row["state"] != DatabaseState.PUBLISHED:
                known = ", ".join(self.databases()) or "none is published"
                raise UserError(f"no database '{database}'", remedy=f"published: {known}")
            definitions = (
                connection.execute(sa.select(t.tables).where(t.tables.c.database == database).order_by(t.tables.c.name))
                .mappings()
                .all()
            )
            orphans = connection.execute(
                sa.select(t.contributions.c.table, t.contributions.c.chunk)
                .join(t.transactions, t.transactions.c.id == t.contributions.c.transaction_id)
                .where(t.transactions.c.database == database, t.contributions.c.orphans > 0)
                .distinct()
            ).all()  # fmt: skip
        replicas = self.replicas(database)
        found = {
            item["name"]: _catalog_table(
                item, [replica for replica in replicas if replica.table == item["name"]],
                frozenset(int(chunk) for table, chunk in orphans if table == item["name"]),
            )
            for item in definitions
        }  # fmt: skip
        nodes = tuple(sorted({replica.node for replica in replicas}))
        return Catalog(database, Layout.model_validate(row["layout"]), found, nodes)

    def truth_rows(self, database: str) -> dict[str, int]:
        query = sa.select(t.tables.c.name, t.tables.c.truth_rows).where(t.tables.c.database == database)
        with self._engine.connect() as connection:
            return {str(name): int(rows) for name, rows in connection.execute(query) if rows is not None}

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, tuple[int, int]]:
        wanted = [int(key) for key in keys if -(2**63) <= int(key) < 2**63]
        if not wanted:
            return {}
        marks = ",".join(["%s"] * len(wanted))
        sql = f"SELECT `key`, chunkId, subChunkId FROM {index_table(database, director)} WHERE `key` IN ({marks})"
        with connect(self._czar, Account.READER) as connection:
            return {int(key): (int(chunk), int(sub)) for key, chunk, sub in connection.rows(sql, wanted)}

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        bounds = [("`key` >= %s", low), ("`key` <= %s", high)]
        where = " AND ".join(text for text, value in bounds if value is not None) or "TRUE"
        sql = f"SELECT DISTINCT chunkId FROM {index_table(database, director)} WHERE {where}"
        with connect(self._czar, Account.READER) as connection:
            return {int(chunk) for (chunk,) in connection.rows(sql, [v for _, v in bounds if v is not None])}


def index_table(database: str, director: str) -> str:
    """Quoted name of a director's index table on the czar's server."""
    return f"{quote_name(t.INDEX_DATABASE)}.{quote_name(index_table_name(database, director))}"


def index_table_name(database: str, director: str) -> str:
    return f"{database}__{director}"


def _catalog_table(row: Any, replicas: list[Replica], orphan_chunks: frozenset[int]) -> CatalogTable:
    layout = TableLayout.model_validate(row["layout"])
    if not row["position_is_local"]:
        layout = layout.model_copy(update={"position": None})
    table = _load_table(row["definition"])
    if not layout.role.is_chunked:
        return CatalogTable(table, layout, max((replica.rows for replica in replicas), default=0), {})
    chunks: dict[int, ChunkEntry] = {}
    for replica in replicas:
        entry = chunks.get(replica.chunk, ChunkEntry(0, 0, ()))
        good = replica.state is ReplicaState.GOOD
        rows, overlap_rows = (entry.rows, replica.rows) if replica.is_overlap else (replica.rows, entry.overlap_rows)
        nodes = (*entry.nodes, replica.node) if good and replica.node not in entry.nodes else entry.nodes
        chunks[replica.chunk] = ChunkEntry(rows, overlap_rows, tuple(sorted(nodes)), entry.bytes + replica.bytes)
    rows = sum(entry.rows for entry in chunks.values())
    return CatalogTable(table.with_chunk_columns(), layout, rows, chunks, orphan_chunks)


def _dump_table(table: Table) -> dict[str, Any]:
    columns = [[c.name, c.type.text, c.is_nullable, c.default] for c in table]
    keys = [[key.name, list(key.columns), key.is_unique] for key in table.keys]
    return {"name": table.name, "columns": columns, "primary_key": list(table.primary_key), "keys": keys}


def _load_table(definition: Mapping[str, Any]) -> Table:
    columns = tuple(
        Column(name, parse_type(text), bool(nullable), default)
        for name, text, nullable, default in definition["columns"]
    )
    keys = tuple(Key(name, tuple(names), bool(unique)) for name, names, unique in definition["keys"])
    return Table(definition["name"], columns, tuple(definition["primary_key"]), keys)
