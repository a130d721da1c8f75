"""The registry behind one czar's server: its subjects, each a class that reads and writes a few tables.

Rules: every method is a short SQL transaction; every state change goes through ``lifecycle.follow``; what queries see
changes in one transaction (``transactions.publish``); nothing here touches a node.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

from skyshard.db.connection import Account, Endpoint, connect, quote_name, sqlalchemy_engine
from skyshard.db.lock_names import key_of, lock_name
from skyshard.errors import ClusterError
from skyshard.registry import sql_tables as t
from skyshard.registry.contributions import Contributions
from skyshard.registry.databases import Databases
from skyshard.registry.index_parts import IndexParts
from skyshard.registry.published import Published
from skyshard.registry.query_history import QueryHistory
from skyshard.registry.replicas import Placements, Replicas
from skyshard.registry.store import Engines
from skyshard.registry.transactions import Transactions


class Registry:
    """One attribute a subject; ``published`` is what queries read."""

    def __init__(self, czar: Endpoint) -> None:
        self._czar = czar
        self._engines = Engines(
            sqlalchemy_engine(czar, Account.ADMIN, t.REGISTRY_DATABASE),
            sqlalchemy_engine(czar, Account.ADMIN, t.REGISTRY_DATABASE, isolation="READ COMMITTED"),
        )
        self.databases = Databases(self._engines)
        self.transactions = Transactions(self._engines)
        self.contributions = Contributions(self._engines)
        self.replicas = Replicas(self._engines)
        self.placements = Placements(self._engines)
        self.index_parts = IndexParts(self._engines)
        self.published = Published(self._engines, czar)
        self.history = QueryHistory(self._engines.writer)

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
        with self._engines.writer.begin() as registry:
            for table in t.metadata.sorted_tables:
                registry.execute(CreateTable(table, if_not_exists=True))
                for column in table.columns:
                    text = str(CreateColumn(column).compile(dialect=self._engines.writer.dialect))
                    registry.exec_driver_sql(f"ALTER TABLE {quote_name(table.name)} ADD COLUMN IF NOT EXISTS {text}")
                for index in table.indexes:
                    registry.execute(CreateIndex(index, if_not_exists=True))

    def close(self) -> None:
        self._engines.reader.dispose()
        self._engines.writer.dispose()

    @contextmanager
    def exclusive(self, what: str) -> Iterator[None]:
        """Hold a lock that dies with this process: one ingest a database, one placement a family at a time.

        Raises:
            ClusterError: another process holds it (retryable).
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
