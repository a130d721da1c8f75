"""The registry behind one czar's server: its subjects, each a class that reads and writes a few tables.

Rules: every method is a short SQL transaction; every state change goes through ``lifecycle.follow``; what queries see
changes in one transaction (``transactions.publish``); nothing here touches a node.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy.schema import CreateIndex, CreateTable

from skyshard.db.connection import Account, Connection, Endpoint, connect, quote_name, sqlalchemy_engine
from skyshard.registry.catalog.databases import Databases
from skyshard.registry.catalog.index_parts import IndexParts
from skyshard.registry.catalog.published import Published
from skyshard.registry.catalog.replicas import Placements, Replicas
from skyshard.registry.history.query_history import QueryHistory
from skyshard.registry.history.story_rows import StoryRows
from skyshard.registry.schema.registry_lock import REGISTRY_LOCK, exclusive
from skyshard.registry.schema.schema_version import (
    BEING_MADE,
    CURRENT,
    REGISTRY,
    SCHEMA_VERSION,
    read_versions,
    require_current,
    write_versions,
)
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.store import Engines
from skyshard.registry.transactions.contributions import Contributions
from skyshard.registry.transactions.transactions import Transactions

MAKING_WAIT_S = 60
"""So long a process waits for another one that makes the registry at the same time."""


class Registry:
    """One attribute a subject; ``published`` is what queries read. ``folder`` is the cluster's, for what errors say."""

    def __init__(self, czar: Endpoint, folder: Path = Path(".skyshard")) -> None:
        self._czar = czar
        self._folder = folder
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
        self.story_rows = StoryRows(self._engines)

    def prepare(self) -> None:
        """Check the registry's versions before anything else of it is read; make it where there is none.

        Raises:
            UserError: another release wrote it; says how to upgrade the cluster, or what to install.
        """
        with connect(self._czar, Account.ADMIN) as admin:
            found = read_versions(admin)
            if found.is_whole:
                require_current(found, self._folder)
                return
            with exclusive(self._czar, REGISTRY_LOCK, wait_s=MAKING_WAIT_S):
                if not read_versions(admin).is_whole:
                    self._make(admin)
            require_current(read_versions(admin), self._folder)

    def _make(self, admin: Connection) -> None:
        """Make the databases and tables; the version is written last, so that a registry half made is made on."""
        for name in (t.REGISTRY_DATABASE, t.INDEX_DATABASE):
            admin.execute(f"CREATE DATABASE IF NOT EXISTS {quote_name(name)}")
        write_versions(admin, {**CURRENT, REGISTRY: BEING_MADE})
        with self._engines.writer.begin() as registry:
            for table in t.metadata.sorted_tables:
                registry.execute(CreateTable(table, if_not_exists=True))
                for index in table.indexes:
                    registry.execute(CreateIndex(index, if_not_exists=True))
        write_versions(admin, {REGISTRY: SCHEMA_VERSION})

    def close(self) -> None:
        self._engines.reader.dispose()
        self._engines.writer.dispose()

    def exclusive(self, what: str) -> AbstractContextManager[None]:
        """Hold a lock that dies with this process: one ingest a database, one placement a family at a time.

        Raises:
            ClusterError: another process holds it (retryable).
        """
        return exclusive(self._czar, what)
