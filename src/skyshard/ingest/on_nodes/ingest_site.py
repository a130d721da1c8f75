"""Where an ingest happens (registry, czar, nodes, folders), and what is done to all nodes at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, fields
from functools import partial
from pathlib import Path

from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.ddl import overlap_prototype
from skyshard.catalog.engines import MYISAM, TableEngine
from skyshard.catalog.layout import Role
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.cluster.cluster_folder import private_folder
from skyshard.db.connection import Account, Endpoint, connect
from skyshard.host.write_back import write_back
from skyshard.ingest.on_nodes.bounded_futures import answer, answers
from skyshard.ingest.on_nodes.moved_blocks import HERE, AwayHost, BlockMover
from skyshard.ingest.plan.ingest_plan import PlannedTable, prototypes
from skyshard.ingest.plan.server_check import make_table, require_engine, require_made
from skyshard.log.event_log import ONLY_LOGGED, EventLog
from skyshard.node.host_files import HostFiles
from skyshard.node.kept_records import held_records
from skyshard.node.messages import BuildOrder, BuiltTable
from skyshard.node.node_loader import NodeLoader
from skyshard.node.record_keeper import ask_nodes, keep_on_nodes
from skyshard.registry.backup.records import STATE
from skyshard.registry.catalog.director_index import index_table_name
from skyshard.registry.registry import Registry
from skyshard.registry.stored.sql_tables import INDEX_DATABASE
from skyshard.runtime.base import Handle, Runtime

_OF_EVERY_SERVER = ("MyISAM", "Aria", "InnoDB")


@dataclass(frozen=True, slots=True)
class SiteFolders:
    """What ingest keeps in files, below a cluster's folder; only its owner may enter."""

    staging: Path
    """Bundles while an ingest runs, a folder a database and transaction."""
    keys: Path
    """Sorted director keys, for later transactions to check against: a folder a database, director and transaction."""
    truth: Path
    """What generators know of ingested rows, a folder a database."""
    quarantine: Path
    """Rows that were left out, a Parquet file a table: a folder a database and transaction."""
    quality: Path
    """What ingested rows hold, a folder a database."""

    def of_database(self, database: str) -> list[Path]:
        """All folders of one database."""
        return [getattr(self, field.name) / database for field in fields(self)]

    @staticmethod
    def of(cluster: Path) -> SiteFolders:
        """The folders of a cluster; those that are missing are made."""
        return SiteFolders(
            *(private_folder(cluster / name) for name in ("staging", "director-keys", "truth", "quarantine", "quality"))
        )


@dataclass(frozen=True, slots=True)
class Site:
    """What every ingest of a cluster works with."""

    registry: Registry
    runtime: Runtime
    czar: Endpoint
    czar_loader: Handle[NodeLoader]
    nodes: Mapping[str, Handle[NodeLoader]]
    folders: SiteFolders
    events: EventLog = ONLY_LOGGED
    away: Mapping[str, AwayHost] = field(default_factory=dict)
    """The hosts of the nodes whose files this process does not see, by the nodes' names."""
    here: Runtime | None = None
    """Carries out what has to be done on this host; None for ``runtime``."""
    reached: Mapping[str, Endpoint] = field(default_factory=dict)
    """The nodes' servers as they are reached from here, for the records that they keep."""

    def require_unknown(self, database: str) -> None:
        """Refuse a new database of which nodes keep rows: the registry has lost it, and an ingest would remove them.

        Raises:
            UserError: names a node.
        """
        held, _ = ask_nodes(self.reached, partial(held_records, database=database))
        for node, records in held.items():
            if any(number != STATE for _, number in records):
                raise UserError(
                    f"node '{node}' keeps rows of a database '{database}' that the registry does not know",
                    remedy="bring the registry back with `skyshard registry restore` or `rebuild`, or ingest under "
                    "another --database",
                )

    def keep_records(self, database: str, *, over_later: bool = False) -> None:
        """Have every node keep what a registry needs that has lost its rows of a database.

        Args:
            over_later: also where nodes know transactions that the registry lacks: what they brought is swept.
        """
        keep_on_nodes(self.registry, self.reached, database, self.events, over_later=over_later)

    @property
    def tasks_here(self) -> Runtime:
        """Runs tasks on this host, whose files they see."""
        return self.here or self.runtime

    @property
    def mover(self) -> BlockMover:
        return BlockMover(self.runtime, self.away)

    def host_of(self, node: str) -> str:
        """Where a node's files are: the node's name where its host is away, else nothing, as for this host."""
        return node if node in self.away else ""

    def staging_on(self, host: str) -> Path:
        """The staging folder of a host."""
        return self.away[host].staging if host else self.folders.staging

    def clear_staging(self, database: str, kept: str = "") -> None:
        """Remove what ingests of a database have under way, on every host; all but the transaction ``kept``.

        Raises:
            ClusterError: a host that does not answer.
        """
        folders = {host: str(away.staging / database) for host, away in self.away.items()}
        calls = {host: self.nodes[host].call(NodeLoader.clear_staging, folders[host], kept) for host in folders}
        HERE.keep_only(str(self.folders.staging / database), kept)
        answers(calls)

    @contextmanager
    def held(self, database: str, *, makes_room: bool = False) -> Iterator[None]:
        """Inside, no other ingest's loader can change the database on any node.

        Args:
            makes_room: it is held to remove something.

        Raises:
            ClusterError: one is still at work, or a node is down; its disk is full (unless that makes room).
        """
        try:
            answers(
                {node: at.call(NodeLoader.hold, database, makes_room=makes_room) for node, at in self.nodes.items()}
            )
            yield
        finally:
            for future in [handle.call(NodeLoader.release, database) for handle in self.nodes.values()]:
                with suppress(ClusterError):  # a loader that died has let go
                    future.result()

    def started_s(self) -> dict[str, float]:
        """When each node's server was started, as it says."""
        return answers({node: handle.call(NodeLoader.started_s) for node, handle in self.nodes.items()})

    def prepare_hosts(self) -> None:
        """Have every host's worker at work, with the folder for what it keeps on the way; no-op where that is.

        Raises:
            ClusterError: a host that does not answer.
        """
        answers({host: away.files.call(HostFiles.prepare, str(away.staging)) for host, away in self.away.items()})

    def prepare_database(self, database: str) -> None:
        """Make the database on every node and on the czar, and the place of director indexes; no-op where they are."""
        answers({node: handle.call(NodeLoader.make_database, database) for node, handle in self.nodes.items()})
        for name in (database, INDEX_DATABASE):
            answer("czar", self.czar_loader.call(NodeLoader.make_database, name))

    def require_engine(self, engine: TableEngine) -> None:
        """Refuse an engine that a node does not have.

        Raises:
            UserError: names the node.
        """
        if engine.name in _OF_EVERY_SERVER:
            return
        found = answers({node: handle.call(NodeLoader.engines) for node, handle in self.nodes.items()})
        require_engine({f"node '{node}'": names for node, names in found.items()}, engine)

    def require_made(self, tables: Iterable[PlannedTable], engine: TableEngine) -> None:
        """Have a node make every stored table, and drop it at once.

        Raises:
            UserError: the server refuses one.
        """
        node, handle = next(iter(self.nodes.items()))
        require_made(
            lambda statements: answer(node, handle.call(NodeLoader.run, SCRATCH_DATABASE, statements)), tables, engine
        )

    def write_logs(self, database: str, engine: str) -> None:
        """Have engines that keep rows in logs first write these to the disk, whatever a server's settings are."""
        if engine != MYISAM.name:
            flush = ["FLUSH ENGINE LOGS"]
            answers({node: handle.call(NodeLoader.run, database, flush) for node, handle in self.nodes.items()})

    def write_back(self) -> None:
        """Have written what waits for a disk, so that less is left for ``settle``."""
        calls = {host: away.files.call(HostFiles.write_back, str(away.data)) for host, away in self.away.items()}
        write_back(self.folders.keys)
        answers(calls)

    def settle(self, database: str) -> None:
        """Everything of a database to the disks: its tables on nodes and czar, its indexes, what is kept in files.

        Raises:
            ClusterError: a node did not answer, or a disk did not take everything.
        """
        calls = {node: handle.call(NodeLoader.settle, database) for node, handle in self.nodes.items()}
        of_czar = [self.czar_loader.call(NodeLoader.settle, name) for name in (database, INDEX_DATABASE)]
        write_back(self.folders.keys)
        answers(calls)
        for call in of_czar:
            answer("czar", call)

    def build(self, node: str, order: BuildOrder) -> Future[list[BuiltTable]]:
        """Have a node build an order that needs nothing of other hosts."""
        return self.nodes[node].call(NodeLoader.build, order)

    def make_prototypes(self, database: str, tables: Iterable[PlannedTable]) -> None:
        """Empty tables on the czar, from which queries learn types; those that are there stay."""
        with connect(self.czar, Account.ADMIN, database) as connection:
            present = {str(name) for (name,) in connection.rows("SHOW TABLES")}
            for table in tables:
                for stored in prototypes(table.source):
                    if stored.name not in present:
                        make_table(connection, stored)

    def drop_database(self, database: str, directors: Iterable[str]) -> None:
        """Remove a database that was never published from the nodes and the czar, with its director indexes."""
        answers({node: handle.call(NodeLoader.drop_database, database) for node, handle in self.nodes.items()})
        names = [index_table_name(database, name) for name in directors]
        answer("czar", self.czar_loader.call(NodeLoader.drop_database, database))
        answer("czar", self.czar_loader.call(NodeLoader.make_database, INDEX_DATABASE))
        answer("czar", self.czar_loader.call(NodeLoader.drop_tables, INDEX_DATABASE, names))
        for name in names:
            answer("czar", self.czar_loader.call(NodeLoader.remove_leftover_files, INDEX_DATABASE, name))


def prototype_names(table: str, role: Role) -> list[str]:
    """Names of the empty tables that the czar keeps of one table."""
    return [table, overlap_prototype(table)] if role is Role.DIRECTOR else [table]
