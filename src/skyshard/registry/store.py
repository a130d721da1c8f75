"""Reads and writes of the registry, each a short SQL transaction.

Rules: every state change goes through ``lifecycle.follow``; what queries see changes in one transaction
(``publish``); nothing here touches a node.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa
import xxhash
from sqlalchemy.dialects.mysql import insert as upsert
from sqlalchemy.schema import CreateIndex, CreateTable

from skyshard.db.connection import Account, Endpoint, connect, quote_name, sqlalchemy_engine
from skyshard.errors import Bug, ClusterError, UserError
from skyshard.layout import Layout, TableLayout
from skyshard.registry import director_index, snapshot
from skyshard.registry import tables as t
from skyshard.registry.catalog import Catalog
from skyshard.registry.lifecycle import ContributionState, DatabaseState, Event, TransactionState, follow
from skyshard.registry.values import Contribution, IndexPart, Replica, dump_table, load_table
from skyshard.rowimage.digest import RowDigest
from skyshard.schema import Table

_OPEN = (TransactionState.STARTED, TransactionState.COMMITTING, TransactionState.ABORTING)


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

    @contextmanager
    def exclusive(self, what: str) -> Iterator[None]:
        """Hold a lock that dies with this process: one ingest a database, one placement a family at a time.

        Raises:
            ClusterError: somebody else holds it (retryable).
        """
        with connect(self._czar, Account.ADMIN) as connection:
            if connection.value("SELECT GET_LOCK(%s, 5)", [f"skyshard {what}"]) != 1:
                raise ClusterError(f"{what} is under way elsewhere", remedy="wait for it to end", retryable=True)
            try:
                yield
            finally:
                if connection.is_open:
                    connection.value("SELECT RELEASE_LOCK(%s)", [f"skyshard {what}"])

    # databases and tables

    def database_state(self, database: str) -> DatabaseState | None:
        with self._engine.connect() as connection:
            state = connection.scalar(sa.select(t.databases.c.state).where(t.databases.c.name == database))
        return DatabaseState(state) if state else None

    def add_database(self, database: str, layout: Layout, source: str) -> None:
        """Register a database, or check that it is of the same family and add the tables that are new to it.

        Raises:
            UserError: it exists with another striping.
        """
        family = layout.striping.family
        with self._engine.begin() as connection:
            where = t.databases.c.name == database
            row = connection.execute(sa.select(t.databases).where(where).with_for_update()).mappings().first()
            if row is None:
                connection.execute(
                    sa.insert(t.databases).values(
                        name=database, family=family, state=DatabaseState.INGESTING,
                        layout=layout.model_dump(mode="json"), source=source, created_s=time.time(),
                    )
                )  # fmt: skip
            elif row["family"] != family:
                raise UserError(
                    f"database '{database}' has striping {row['family']}, the source {family}",
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

    def layout(self, database: str) -> Layout | None:
        with self._engine.connect() as connection:
            found = connection.scalar(sa.select(t.databases.c.layout).where(t.databases.c.name == database))
        return Layout.model_validate(found) if found else None

    def add_table(self, database: str, table: Table, layout: TableLayout, loader: str) -> None:
        """Register a table, or check that it is the same one.

        Raises:
            UserError: it exists with other columns, keys or another role.
        """
        values = {"definition": dump_table(table), "layout": layout.model_dump(mode="json")}
        where = (t.tables.c.database == database) & (t.tables.c.name == table.name)
        with self._engine.begin() as connection:
            row = connection.execute(sa.select(t.tables).where(where).with_for_update()).mappings().first()
            if row is None:
                connection.execute(
                    sa.insert(t.tables).values(database=database, name=table.name, loader=loader, **values)
                )
            elif row["definition"] != values["definition"] or row["layout"] != values["layout"]:
                raise UserError(
                    f"table '{database}.{table.name}' has other columns, keys or another role than the source",
                    remedy="ingest under another --database",
                )

    def table_definitions(self, database: str) -> dict[str, tuple[Table, TableLayout]]:
        """Tables and their layouts, as they were registered, published or not."""
        query = sa.select(t.tables).where(t.tables.c.database == database)
        with self._engine.connect() as connection:
            return {
                row["name"]: (load_table(row["definition"]), TableLayout.model_validate(row["layout"]))
                for row in connection.execute(query).mappings()
            }

    def mark_scattered(self, database: str, table: str) -> None:
        """Note that a dependent's copied positions do not tell its chunk."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(t.tables)
                .where(t.tables.c.database == database, t.tables.c.name == table)
                .values(position_is_local=False)
            )

    # transactions and contributions

    def open_transaction(self, database: str, source: str) -> tuple[int, TransactionState]:
        """Begin a transaction, or find the one that was interrupted."""
        with self._engine.begin() as connection:
            found = connection.execute(
                sa.select(t.transactions.c.id, t.transactions.c.state).where(
                    t.transactions.c.database == database, t.transactions.c.state.in_(_OPEN)
                )
            ).first()
            if found is not None:
                return int(found.id), TransactionState(found.state)
            made = connection.execute(
                sa.insert(t.transactions).values(
                    database=database, state=TransactionState.STARTED, source=source, begun_s=time.time()
                )
            )
            return int(made.lastrowid), TransactionState.STARTED

    def move_transaction(self, transaction: int, event: Event, *, error: str = "") -> None:
        with self._engine.begin() as connection:
            self._move(connection, transaction, event, error=error)

    def _move(self, connection: sa.Connection, transaction: int, event: Event, **values: Any) -> None:
        where = t.transactions.c.id == transaction
        state = connection.scalar(sa.select(t.transactions.c.state).where(where).with_for_update())
        after = follow(TransactionState(str(state)), event)
        if not isinstance(after, TransactionState):
            raise Bug(f"transaction {transaction} becomes a {type(after).__name__}")
        changes = {key: value for key, value in values.items() if value}
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

    def ingested_parts(self, database: str) -> dict[tuple[str, str], str]:
        """What finished transactions took in: (table, path of the part) → digest of the part."""
        query = (
            sa.select(t.contributions.c.table, t.contributions.c.part, t.contributions.c.part_digest)
            .join(t.transactions, t.transactions.c.id == t.contributions.c.transaction_id)
            .where(t.transactions.c.database == database, t.transactions.c.state == TransactionState.FINISHED)
            .distinct()
        )
        with self._engine.connect() as connection:
            return {(str(table), str(part)): str(digest) for table, part, digest in connection.execute(query)}

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

    # replicas, placements, index parts

    def add_replicas(self, database: str, transaction: int, replicas: Iterable[Replica]) -> None:
        rows = [{"database": database, "transaction_id": transaction, **asdict(replica)} for replica in replicas]
        if not rows:
            return
        statement = upsert(t.replicas)
        changed = {name: statement.inserted[name] for name in ("state", "rows", "bytes", "digest", "part")}
        with self._engine.begin() as connection:
            connection.execute(statement.on_duplicate_key_update(**changed), rows)

    def replicas(self, database: str, table: str = "", *, transaction: int | None = None) -> list[Replica]:
        """Replicas of finished transactions, or of one transaction whatever its state."""
        with self._engine.connect() as connection:
            return snapshot.read_replicas(connection, database, table=table, transaction=transaction)

    def placements(self, family: str) -> dict[int, tuple[str, ...]]:
        """Where the chunks of a family are: chunk → nodes, by rank; a database of R replicas uses the first R."""
        query = sa.select(t.placements.c.chunk, t.placements.c.node).where(t.placements.c.family == family)
        placed: dict[int, tuple[str, ...]] = {}
        with self._engine.connect() as connection:
            for chunk, node in connection.execute(query.order_by(t.placements.c.chunk, t.placements.c.rank)):
                placed[int(chunk)] = (*placed.get(int(chunk), ()), str(node))
        return placed

    def add_placements(self, family: str, nodes_of: Mapping[int, Sequence[str]]) -> None:
        rows = [
            {"family": family, "chunk": chunk, "rank": rank, "node": node}
            for chunk, nodes in nodes_of.items()
            for rank, node in enumerate(nodes)
        ]
        if rows:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(t.placements).prefix_with("IGNORE"), rows)

    def add_index_part(self, database: str, transaction: int, part: IndexPart) -> None:
        values = {"database": database, "transaction_id": transaction, **asdict(part)}
        with self._engine.begin() as connection:
            connection.execute(upsert(t.index_parts).values(**values).on_duplicate_key_update(rows=part.rows))

    def index_parts(self, database: str, director: str = "") -> list[IndexPart]:
        with self._engine.connect() as connection:
            return director_index.read_parts(connection, database, director)

    def publish(self, database: str, transaction: int, report: Mapping[str, Any]) -> None:
        """Make a transaction and its database visible to queries: one SQL transaction."""
        with self._engine.begin() as connection:
            connection.execute(
                sa.update(t.contributions)
                .where(t.contributions.c.transaction_id == transaction)
                .values(state=ContributionState.LOADED)
            )
            self._move(connection, transaction, Event.COMMITTED, report=dict(report))
            where = t.databases.c.name == database
            state = DatabaseState(str(connection.scalar(sa.select(t.databases.c.state).where(where))))
            after = follow(state, Event.COMMITTED)
            connection.execute(sa.update(t.databases).where(where).values(state=after))

    # what queries read

    def databases(self) -> list[str]:
        with self._engine.connect() as connection:
            return snapshot.published_names(connection)

    def catalog(self, database: str) -> Catalog:
        with self._engine.connect() as connection:
            return snapshot.read_catalog(connection, database)

    def truth_rows(self, database: str) -> dict[str, int]:
        """Rows that the sources of finished transactions said they have, by table."""
        sums: dict[str, int] = {}
        for row in self.transactions(database):
            if row["state"] == TransactionState.FINISHED:
                for name, rows in (row["report"] or {}).get("truth", {}).items():
                    sums[name] = sums.get(name, 0) + int(rows)
        return sums

    def data_digest(self, database: str) -> str:
        """One number for all rows of a database, whatever nodes they are on: the digests of its tables, summed."""
        sums: dict[str, RowDigest] = {}
        for row in self.contributions(database):
            if not row["is_overlap"] and row["state"] == ContributionState.LOADED:
                sums[row["table"]] = sums.get(row["table"], RowDigest(0, 0)) + RowDigest.parse(row["digest"])
        text = "\n".join(f"{table} {total}" for table, total in sorted(sums.items()))
        return xxhash.xxh3_128_hexdigest(text.encode())

    def index_table(self, database: str, director: str) -> str:
        """Quoted name of the table that shows a director's index; empty when it has none."""
        return director_index.visible_table(database, director, self.index_parts(database, director))

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, tuple[int, int]]:
        return director_index.find_keys(self._czar, self.index_table(database, director), keys)

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        return director_index.find_range(self._czar, self.index_table(database, director), low, high)
