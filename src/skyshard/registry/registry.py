"""Reads and writes of the registry, each a short SQL transaction.

Rules: every state change goes through ``lifecycle.follow``; what queries see changes in one transaction
(``publish``); nothing here touches a node.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from typing import Any

import sqlalchemy as sa
import xxhash
from sqlalchemy.dialects.mysql import insert as upsert
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from skyshard.catalog.layout import Layout, TableLayout
from skyshard.catalog.schema import Table
from skyshard.db.connection import Account, Endpoint, connect, quote_name, sqlalchemy_engine
from skyshard.db.lock_names import key_of, lock_name
from skyshard.errors import ClusterError, UserError
from skyshard.registry import director_index, generation, snapshot, transactions
from skyshard.registry import retired_tables as retired
from skyshard.registry import sql_tables as t
from skyshard.registry import stray_rows as strays
from skyshard.registry.lifecycle import ContributionState, DatabaseState, Event, TransactionState
from skyshard.registry.published_catalog import Catalog, Chunks
from skyshard.registry.query_history import QueryHistory
from skyshard.registry.records import Contribution, IndexPart, OpenTransaction, Replica, dump_table, load_table
from skyshard.rowimage.digest import RowDigest


class Registry:
    """The registry behind one czar's server; it is also the ``CatalogSource`` of queries."""

    def __init__(self, czar: Endpoint) -> None:
        self._czar = czar
        self._engine = sqlalchemy_engine(czar, Account.ADMIN, t.REGISTRY_DATABASE)
        # Reads see one state throughout; writes lock the rows that they touch, not the gaps between them.
        self._writer = sqlalchemy_engine(czar, Account.ADMIN, t.REGISTRY_DATABASE, isolation="READ COMMITTED")

    def prepare(self) -> None:
        """Make the registry's databases, tables and columns where they are missing."""
        with connect(self._czar, Account.ADMIN) as connection:
            sql = "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s"
            wanted = sum(len(table.columns) for table in t.metadata.tables.values())
            is_there = connection.value(sql, [t.REGISTRY_DATABASE]) == wanted
            for name in () if is_there else (t.REGISTRY_DATABASE, t.INDEX_DATABASE):
                connection.execute(f"CREATE DATABASE IF NOT EXISTS {quote_name(name)}")
        if is_there:
            return
        with self._writer.begin() as registry:
            for table in t.metadata.sorted_tables:
                registry.execute(CreateTable(table, if_not_exists=True))
                for column in table.columns:
                    text = str(CreateColumn(column).compile(dialect=self._engine.dialect))
                    registry.exec_driver_sql(f"ALTER TABLE {quote_name(table.name)} ADD COLUMN IF NOT EXISTS {text}")
                for index in table.indexes:
                    registry.execute(CreateIndex(index, if_not_exists=True))

    def close(self) -> None:
        self._engine.dispose()
        self._writer.dispose()

    @contextmanager
    def exclusive(self, what: str) -> Iterator[None]:
        """Hold a lock that dies with this process: one ingest a database, one placement a family at a time.

        Raises:
            ClusterError: somebody else holds it (retryable).
        """
        with connect(self._czar, Account.ADMIN) as connection:
            name = lock_name(key_of(connection), what)
            if connection.value("SELECT GET_LOCK(%s, 5)", [name]) != 1:
                raise ClusterError(f"{what} is under way elsewhere", remedy="wait for it to end", retryable=True)
            try:
                yield
            finally:
                with suppress(ClusterError):  # a connection that died has taken its lock along
                    connection.value("SELECT RELEASE_LOCK(%s)", [name])

    # databases and tables

    def database_state(self, database: str) -> DatabaseState | None:
        with self._engine.connect() as connection:
            state = connection.scalar(sa.select(t.databases.c.state).where(t.databases.c.name == database))
        return DatabaseState(state) if state else None

    def layout(self, database: str) -> Layout | None:
        with self._engine.connect() as connection:
            found = connection.scalar(sa.select(t.databases.c.layout).where(t.databases.c.name == database))
        return Layout.model_validate(found) if found else None

    def add_table(self, database: str, table: Table, layout: TableLayout, loader: str, transaction: int) -> None:
        """Register a table, or check that it is the same one.

        Raises:
            UserError: it exists with other columns, keys or another role.
        """
        values = {"definition": dump_table(table), "layout": layout.model_dump(mode="json")}
        where = (t.tables.c.database == database) & (t.tables.c.name == table.name)
        with self._writer.begin() as connection:
            row = connection.execute(sa.select(t.tables).where(where).with_for_update()).mappings().first()
            if row is None:
                made = sa.insert(t.tables).values(
                    database=database, name=table.name, loader=loader, transaction_id=transaction, **values
                )
                connection.execute(made)
            elif row["definition"] != values["definition"] or TableLayout.model_validate(row["layout"]) != layout:
                raise UserError(
                    f"table '{database}.{table.name}' has other columns, keys or another role than the source",
                    remedy="ingest under another --database",
                )

    def table_definitions(self, database: str, *, transaction: int = 0) -> dict[str, tuple[Table, TableLayout]]:
        """Tables and their layouts: those that are published, and those that one transaction brings."""
        with self._engine.connect() as connection:
            return {
                row["name"]: (load_table(row["definition"]), TableLayout.model_validate(row["layout"]))
                for row in snapshot.read_tables(connection, database, transaction=transaction)
            }

    def loaders(self, database: str) -> dict[str, str]:
        """How each table of a database was loaded at first."""
        query = sa.select(t.tables.c.name, t.tables.c.loader).where(t.tables.c.database == database)
        with self._engine.connect() as connection:
            return {str(name): str(loader) for name, loader in connection.execute(query)}

    def mark_scattered(self, database: str, table: str) -> None:
        """Note that a dependent's copied positions do not tell its chunk."""
        self._mark(database, table, position_is_local=False)

    def mark_spread(self, database: str, director: str) -> None:
        """Note that rows of one key of a director stand in several chunks."""
        self._mark(database, director, keys_are_spread=True)

    def _mark(self, database: str, table: str, **values: bool) -> None:
        where = (t.tables.c.database == database) & (t.tables.c.name == table)
        with self._writer.begin() as connection:
            connection.execute(sa.update(t.tables).where(where).values(**values))
            generation.advance(connection)

    # transactions and contributions

    def open_transaction(self, database: str) -> OpenTransaction | None:
        """The transaction of a database that was interrupted, or is under way."""
        with self._engine.connect() as connection:
            return transactions.find_open(connection, database)

    def begin(self, database: str, layout: Layout, source: str, plan: str) -> OpenTransaction:
        """Start a transaction; the database is registered with it.

        Raises:
            UserError: the database is published with another striping.
        """
        with self._writer.begin() as connection:
            return transactions.begin(connection, database, layout, source, plan)

    def take_over(self, found: OpenTransaction) -> OpenTransaction:
        """Go on with an interrupted transaction; whoever had it can do no more with it."""
        with self._writer.begin() as connection:
            return transactions.take_over(connection, found)

    def move_transaction(self, mine: OpenTransaction, event: Event, **values: Any) -> None:
        with self._writer.begin() as connection:
            transactions.move(connection, mine, event, **values)

    def publish(self, database: str, mine: OpenTransaction, report: Mapping[str, Any]) -> None:
        """Make a transaction and its database visible to queries: one SQL transaction."""
        with self._writer.begin() as connection:
            transactions.publish(connection, database, mine, report)
            generation.advance(connection)

    def publish_merged(
        self, database: str, mine: OpenTransaction, report: Mapping[str, Any], names: Mapping[str, Iterable[str]]
    ) -> None:
        """Publish a transaction whose tables take the place of what earlier ones made: one SQL transaction.

        Args:
            names: server → tables that nothing shows any more.
        """
        with self._writer.begin() as connection:
            transactions.publish(connection, database, mine, report)
            retired.retire(connection, database, mine.id, names)
            generation.advance(connection)

    def retired(self, database: str) -> dict[str, set[str]]:
        """Server → tables that stand for queries which began before a merging."""
        with self._engine.connect() as connection:
            return retired.read(connection, database)

    def forget_retired(self, database: str, grace_s: float) -> None:
        """Give up the tables that were retired so many seconds ago or earlier."""
        with self._writer.begin() as connection:
            retired.forget(connection, database, grace_s)

    def take_back(self, database: str, mine: OpenTransaction) -> None:
        """Forget what an aborted transaction did, and a database that was never published: one SQL transaction."""
        with self._writer.begin() as connection:
            transactions.take_back(connection, database, mine)
            generation.advance(connection)

    def transactions(self, database: str = "") -> list[dict[str, Any]]:
        query = sa.select(t.transactions).order_by(t.transactions.c.id)
        if database:
            query = query.where(t.transactions.c.database == database)
        return self._dicts(query)

    def transaction(self, number: int) -> dict[str, Any] | None:
        """One transaction by its number; None if there is none."""
        return next(iter(self._dicts(sa.select(t.transactions).where(t.transactions.c.id == number))), None)

    def transaction_sizes(self, database: str = "") -> dict[int, tuple[int, int]]:
        """What transactions brought so far: id → rows, overlap copies not counted, and stored bytes of all replicas."""
        sums = (
            sa.select(table.c.transaction_id, sa.func.sum(column).label("total"))
            .where(*where)
            .group_by(table.c.transaction_id)
            .subquery()
            for table, column, where in (
                (t.contributions, t.contributions.c.rows, [~t.contributions.c.is_overlap]),
                (t.replicas, t.replicas.c.bytes, []),
            )
        )
        rows, size = sums
        query = (
            sa.select(t.transactions.c.id, rows.c.total, size.c.total)
            .outerjoin(rows, rows.c.transaction_id == t.transactions.c.id)
            .outerjoin(size, size.c.transaction_id == t.transactions.c.id)
        )
        if database:
            query = query.where(t.transactions.c.database == database)
        with self._engine.connect() as connection:
            return {int(i): (int(n or 0), int(b or 0)) for i, n, b in connection.execute(query)}

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
            {"transaction_id": transaction, "state": ContributionState.PARTITIONED, **_fields(item)}
            for item in contributions
        ]
        if rows:
            with self._writer.begin() as connection:
                connection.execute(sa.insert(t.contributions).prefix_with("IGNORE"), rows)

    # replicas, placements, index parts

    def add_replicas(self, database: str, transaction: int, replicas: Iterable[Replica]) -> None:
        rows = [{"database": database, "transaction_id": transaction, **_fields(replica)} for replica in replicas]
        if not rows:
            return
        statement = upsert(t.replicas)
        changed = {name: statement.inserted[name] for name in ("state", "rows", "bytes", "digest", "part")}
        with self._writer.begin() as connection:
            connection.execute(statement.on_duplicate_key_update(**changed), rows)
            generation.advance(connection, if_finished=transaction)

    def forget_replicas(self, database: str, transaction: int, replicas: Iterable[Replica]) -> None:
        """Take back the record of tables that are not what it says."""
        with self._writer.begin() as connection:
            for replica in replicas:
                table, chunk, is_overlap = replica.target
                key = {"table": table, "chunk": chunk, "is_overlap": is_overlap, "node": replica.node}
                key |= {"database": database, "transaction_id": transaction}
                connection.execute(sa.delete(t.replicas).filter_by(**key))
            generation.advance(connection, if_finished=transaction)

    def replicas(
        self, database: str, table: str = "", *, transaction: int | None = None, after: int | None = None
    ) -> list[Replica]:
        """Replicas of finished transactions, or of one transaction whatever its state.

        Args:
            after: with it, of all transactions that came after this one, up to ``transaction``.
        """
        with self._engine.connect() as connection:
            return snapshot.read_replicas(connection, database, table=table, transaction=transaction, after=after)

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
            with self._writer.begin() as connection:
                connection.execute(sa.insert(t.placements).prefix_with("IGNORE"), rows)

    def add_index_part(self, database: str, transaction: int, part: IndexPart) -> None:
        values = {"database": database, "transaction_id": transaction, **_fields(part)}
        with self._writer.begin() as connection:
            connection.execute(upsert(t.index_parts).values(**values).on_duplicate_key_update(rows=part.rows))
            generation.advance(connection, if_finished=transaction)

    def index_parts(self, database: str, director: str = "") -> list[IndexPart]:
        with self._engine.connect() as connection:
            return director_index.read_parts(connection, database, director)

    def index_transactions(self, database: str) -> list[tuple[int, IndexPart]]:
        """The parts of all director indexes with the finished transactions that brought them, oldest first."""
        with self._engine.connect() as connection:
            return director_index.read_transactions(connection, database)

    def orphans(self) -> list[tuple[str, str, int]]:
        """Database, table and finished transaction of all dependent rows that came before their director."""
        with self._engine.connect() as connection:
            return strays.read_orphans(connection)

    def add_strays(self, transaction: int, found: Iterable[strays.Stray]) -> None:
        with self._writer.begin() as connection:
            strays.add(connection, transaction, found)

    @property
    def history(self) -> QueryHistory:
        """The queries that were asked."""
        return QueryHistory(self._writer)

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

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, Chunks]:
        table, layout = self.table_definitions(database)[director]
        held = director_index.key_range(table, layout)
        with connect(self._czar, Account.READER) as connection:
            return director_index.find_keys(connection, self.index_table(database, director), keys, held)

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        table, layout = self.table_definitions(database)[director]
        held = director_index.key_range(table, layout)
        with connect(self._czar, Account.READER) as connection:
            return director_index.find_range(connection, self.index_table(database, director), low, high, held)


def _fields(value: Contribution | Replica | IndexPart) -> dict[str, Any]:
    """The fields of a flat value; ``asdict`` would copy each of them."""
    return {field.name: getattr(value, field.name) for field in fields(value)}
