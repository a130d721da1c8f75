"""The registry behind one czar's server: its subjects, each a class that reads and writes a few tables.

Rules: every method is a short SQL transaction; every state change goes through ``lifecycle.follow``; what queries see
changes in one transaction (``transactions.publish``); nothing here touches a node. What queries need is plain SQL text;
the subjects that SQLAlchemy writes are imported at first use, since it takes longer to import than a query takes.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from skyshard.basics.lazy import locked_property
from skyshard.db.connection import Connection, Endpoint, quote_name
from skyshard.registry.catalog.nodes import Nodes
from skyshard.registry.catalog.published import Published
from skyshard.registry.history.heartbeats import Heartbeats
from skyshard.registry.history.query_history import QueryHistory
from skyshard.registry.schema.registry_lock import (
    REGISTRY_LOCK,
    WAIT_S,
    HeldLocks,
    exclusive,
    ingest_lock,
    is_moving,
    moving,
)
from skyshard.registry.schema.schema_version import (
    BEING_MADE,
    CURRENT,
    REGISTRY,
    SCHEMA_VERSION,
    read_versions,
    require_current,
    write_versions,
)
from skyshard.registry.stored.database_names import INDEX_DATABASE, REGISTRY_DATABASE
from skyshard.registry.stored.store import Engines

if TYPE_CHECKING:
    from skyshard.registry.access.tokens import Tokens
    from skyshard.registry.backup.records import NodeRecords
    from skyshard.registry.catalog.database_life import DatabaseLife
    from skyshard.registry.catalog.databases import Databases
    from skyshard.registry.catalog.index_parts import IndexParts
    from skyshard.registry.catalog.mutable_chunks import MutableChunks
    from skyshard.registry.catalog.replicas import Placements, Replicas
    from skyshard.registry.catalog.replication_index import ReplicationIndex
    from skyshard.registry.history.measures import Measures
    from skyshard.registry.history.story_rows import StoryRows
    from skyshard.registry.jobs.job_table import Jobs
    from skyshard.registry.jobs.moved_chunks import MovedChunks
    from skyshard.registry.transactions.contributions import Contributions
    from skyshard.registry.transactions.input_files import InputFiles
    from skyshard.registry.transactions.transactions import Transactions

MAKING_WAIT_S = 60
"""So long a process waits for another one that makes the registry at the same time."""


class Registry:
    """One attribute a subject; ``published`` is what queries read. ``folder`` is the cluster's, for what errors say."""

    def __init__(self, czar: Endpoint, folder: Path = Path(".skyshard")) -> None:
        self._czar = czar
        self._folder = folder
        self._engines = Engines(czar)
        self.published = Published(self._engines, czar)
        self.history = QueryHistory(self._engines.plain)
        self.heartbeats = Heartbeats(self._engines.plain)
        self.nodes = Nodes(self._engines)

    @locked_property
    def databases(self) -> Databases:
        from skyshard.registry.catalog.databases import Databases

        return Databases(self._engines)

    @locked_property
    def life(self) -> DatabaseLife:
        from skyshard.registry.catalog.database_life import DatabaseLife

        return DatabaseLife(self._engines)

    @locked_property
    def transactions(self) -> Transactions:
        from skyshard.registry.transactions.transactions import Transactions

        return Transactions(self._engines)

    @locked_property
    def contributions(self) -> Contributions:
        from skyshard.registry.transactions.contributions import Contributions

        return Contributions(self._engines)

    @locked_property
    def input_files(self) -> InputFiles:
        from skyshard.registry.transactions.input_files import InputFiles

        return InputFiles(self._engines)

    @locked_property
    def jobs(self) -> Jobs:
        from skyshard.registry.jobs.job_table import Jobs

        return Jobs(self._engines)

    @locked_property
    def moved_chunks(self) -> MovedChunks:
        from skyshard.registry.jobs.moved_chunks import MovedChunks

        return MovedChunks(self._engines)

    @locked_property
    def replicas(self) -> Replicas:
        from skyshard.registry.catalog.replicas import Replicas

        return Replicas(self._engines)

    @locked_property
    def replication(self) -> ReplicationIndex:
        from skyshard.registry.catalog.replication_index import ReplicationIndex

        return ReplicationIndex(self._engines)

    @locked_property
    def placements(self) -> Placements:
        from skyshard.registry.catalog.replicas import Placements

        return Placements(self._engines)

    @locked_property
    def mutable_chunks(self) -> MutableChunks:
        from skyshard.registry.catalog.mutable_chunks import MutableChunks

        return MutableChunks(self._engines)

    @locked_property
    def index_parts(self) -> IndexParts:
        from skyshard.registry.catalog.index_parts import IndexParts

        return IndexParts(self._engines)

    @locked_property
    def records(self) -> NodeRecords:
        from skyshard.registry.backup.records import NodeRecords

        return NodeRecords(self._engines)

    @locked_property
    def measures(self) -> Measures:
        from skyshard.registry.history.measures import Measures

        return Measures(self._engines.plain)

    @locked_property
    def tokens(self) -> Tokens:
        from skyshard.registry.access.tokens import Tokens

        return Tokens(self._engines)

    @locked_property
    def story_rows(self) -> StoryRows:
        from skyshard.registry.history.story_rows import StoryRows

        return StoryRows(self._engines)

    def prepare(self) -> None:
        """Check the registry's versions before anything else of it is read; make it where there is none.

        Raises:
            UserError: another release wrote it; says how to upgrade the cluster, or what to install.
        """
        with self._engines.plain.single() as admin:
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
        from skyshard.registry.stored.make_tables import make_tables

        for name in (REGISTRY_DATABASE, INDEX_DATABASE):
            admin.execute(f"CREATE DATABASE IF NOT EXISTS {quote_name(name)}")
        write_versions(admin, {**CURRENT, REGISTRY: BEING_MADE})
        make_tables(self._engines.writer)
        write_versions(admin, {REGISTRY: SCHEMA_VERSION})

    def close(self) -> None:
        self._engines.close()

    def ingesting(self, database: str) -> AbstractContextManager[None]:
        """Hold a database, by its stored name, against other ingests and whatever else changes its tables.

        Raises:
            ClusterError: another process holds it (retryable); says what people call it.
        """
        called = self.published.names().shown(database)
        return exclusive(self._czar, ingest_lock(database), called=f"ingest of {called}")

    def moving(self) -> AbstractContextManager[HeldLocks]:
        """Hold the right to work on a job; gives the session whose locks hold databases meanwhile.

        Raises:
            ClusterError: another process works on one (retryable).
        """
        return moving(self._czar)

    def is_moving(self) -> bool:
        """Whether a process works on a job."""
        return is_moving(self._czar)

    def naming(self) -> AbstractContextManager[None]:
        """Hold the names of databases against other changes of names."""
        return exclusive(self._czar, "naming of databases", wait_s=MAKING_WAIT_S)

    def exclusive(self, what: str, *, wait_s: int = WAIT_S) -> AbstractContextManager[None]:
        """Hold a lock that dies with this process: one ingest a database, one placement a family at a time.

        Raises:
            ClusterError: another process holds it (retryable).
        """
        return exclusive(self._czar, what, wait_s=wait_s)
