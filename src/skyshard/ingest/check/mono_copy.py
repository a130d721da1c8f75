"""Copies a database to the mono server: the same rows in one MariaDB, each table whole.

Rows come from the nodes' own tables, whose digests ``verify`` holds against the input; the sum of the digests must
come out again. Keys are not unique there: one that occurs twice, in two chunks, is no reason to have no oracle.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from skyshard.basics.errors import ClusterError
from skyshard.basics.progress import Progress, Watcher, unwatched
from skyshard.catalog.ddl import create_table, stored_table
from skyshard.catalog.engines import MYISAM
from skyshard.catalog.schema import Table
from skyshard.ingest.on_nodes.bounded_futures import answer
from skyshard.ingest.on_nodes.carried_slices import carried
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.moved_blocks import HERE
from skyshard.ingest.on_nodes.part_tables import one_of_each
from skyshard.ingest.plan.ingest_plan import loader_of
from skyshard.node.host_files import HostFiles
from skyshard.node.messages import BuildOrder, BundleSlice, ExportOrder, Loader, TableBuild
from skyshard.node.node_loader import NodeLoader
from skyshard.node.server.server_files import ServerFiles
from skyshard.registry.catalog.mono_state import CREATE, ORACLE_DATABASE, Load, forget_text, record_text
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.registry.stored.records import WHOLE, Replica
from skyshard.rowimage.digest import RowDigest
from skyshard.runtime.base import Handle


@dataclass(frozen=True, slots=True)
class MonoCopy:
    """Copies a published database to the mono server."""

    site: Site
    mono: Handle[NodeLoader]
    data_dirs: Mapping[str, Path]
    """The nodes' data folders, as their own hosts see them."""
    exchange: Path
    """A folder of this host for rows on their way."""

    def load(self, database: str, watcher: Watcher = unwatched) -> dict[str, int]:
        """Make every table whole; returns table → rows. Until all of them are, the oracle does not answer for any.

        Raises:
            ClusterError: a table came out with other rows than the nodes hold, or another process loads the database.
        """
        with self.site.registry.exclusive(f"oracle of {database}"):
            # first: rows that come now are then newer than what is recorded
            catalog = self.site.registry.published.stored_catalog(database)
            self.mono.call(NodeLoader.make_database, ORACLE_DATABASE).result()
            self.mono.call(NodeLoader.run, ORACLE_DATABASE, [CREATE, forget_text(database)]).result()
            try:
                rows = self._copy(catalog, watcher)
            finally:
                self._forget_exports(database)
            self.mono.call(NodeLoader.settle, database).result()
            load = Load(catalog.transaction, time.time_ns())
            self.mono.call(NodeLoader.run, ORACLE_DATABASE, [record_text(database, load)]).result()
        return rows

    def _forget_exports(self, database: str) -> None:
        """A host that does not answer keeps them until the next time."""
        gone = []
        for host, away in self.site.away.items():
            with suppress(ClusterError):  # it may have left before a process for its files was asked for
                gone.append(away.files.call(HostFiles.remove, [str(self._exported(host, database))]))
        for call in gone:
            with suppress(ClusterError):
                call.result()

    def _exported(self, host: str, database: str) -> Path:
        """Where a host puts the rows that cannot be read from its nodes' files."""
        return self.site.staging_on(host) / ".mono" / database if host else self.exchange

    def _copy(self, catalog: Catalog, watcher: Watcher) -> dict[str, int]:
        replicas = self.site.registry.replicas.all(catalog.database)
        self.mono.call(NodeLoader.drop_database, catalog.database).result()
        self.mono.call(NodeLoader.make_database, catalog.database).result()
        rows: dict[str, int] = {}
        for done, name in enumerate(catalog.tables, 1):
            order, blocks = carried(self._order(catalog, name, replicas), "", str(self.exchange / name))
            self.site.mover.move(blocks, "")
            rows[name] = self.mono.call(NodeLoader.build, order).result()[0].rows
            HERE.remove([place.path for block in blocks for place in block.places])
            watcher(Progress("load mono", done, len(catalog.tables), sum(rows.values())))
        return rows

    def _order(self, catalog: Catalog, name: str, replicas: Sequence[Replica]) -> BuildOrder:
        entry = catalog.tables[name]
        stored = stored_table(entry.table, entry.layout)
        loader, _ = loader_of(stored)
        sources = self._sources(catalog.database, name, replicas)
        total = sum((RowDigest.parse(replica.digest) for replica in sources), RowDigest(0, 0))
        slices: list[BundleSlice] = []
        for replica in sources:
            if replica.rows:
                slices += self._slices(catalog, stored, replica, is_image=loader is Loader.IMAGE)
        build = TableBuild(
            name, name, WHOLE, False, 0, create_table(stored, name, unique=False), tuple(slices), total.rows, str(total)
        )
        return BuildOrder(catalog.database, stored, loader, (build,))

    def _sources(self, database: str, name: str, replicas: Sequence[Replica]) -> list[Replica]:
        """A replica of each part of a table, on a node that answers."""
        chosen = one_of_each(name, [replica for replica in replicas if replica.node in self.site.nodes])
        found = {(replica.chunk, replica.part) for replica in chosen}
        lost = [one for one in one_of_each(name, replicas) if (one.chunk, one.part) not in found]
        if lost:
            nodes = ", ".join(sorted({one.node for one in lost}))
            raise ClusterError(
                f"{len(lost)} chunk tables of {database}.{name} are on nodes that do not answer: {nodes}",
                remedy="start these, then load again",
                retryable=True,
            )
        return chosen

    def _slices(self, catalog: Catalog, stored: Table, replica: Replica, *, is_image: bool) -> list[BundleSlice]:
        """The node's data file itself; of other engines a copy of its rows as records, or, with BLOBs, as Arrow."""
        database, name, host = catalog.database, replica.name, self.site.host_of(replica.node)
        if is_image and catalog.layout.engine == MYISAM.name:
            path = ServerFiles(self.data_dirs[replica.node]).data_file(database, name)
            if not host and not path.is_file():
                raise ClusterError(f"node '{replica.node}' has no '{path.name}'", remedy="run skyshard verify")
            return [BundleSlice(str(path), 0, replica.rows, host=host)]
        path = self._exported(host, database) / f"{replica.node}-{database}-{name}.{'rows' if is_image else 'arrow'}"
        order = ExportOrder(database, stored, name, str(path), as_records=is_image)
        counts = answer(replica.node, self.site.nodes[replica.node].call(NodeLoader.export, order))
        return [BundleSlice(str(path), number, count, host=host) for number, count in enumerate(counts)]
