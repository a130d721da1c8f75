"""The testbed: one object that wires cluster, registry, runtime, loaders, czar and oracle.

The commands are thin shells around it, and so is the Python API:

    with Testbed("folder") as testbed:
        testbed.ingest("catalog/")
        testbed.query("SELECT COUNT(*) FROM Object", database="catalog").table
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import skyshard.czar
import skyshard.ingest
import skyshard.releases
import skyshard.synthetic
from skyshard.basics.errors import UserError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.cluster.cluster import MONO_NAME
from skyshard.runtime import RuntimeKind
from skyshard.testbed.backup import Backup
from skyshard.testbed.before_ingest import check_on_server
from skyshard.testbed.columns import Columns
from skyshard.testbed.folder_marks import mark_folders
from skyshard.testbed.jobs import Jobs
from skyshard.testbed.opened_sources import source_at
from skyshard.testbed.published_databases import PublishedDatabases
from skyshard.testbed.replicas import Replicas
from skyshard.testbed.unique_values import require_unique

if TYPE_CHECKING:
    import skyshard.node
    import skyshard.registry
    from skyshard.catalog.layout import Layout
    from skyshard.testbed.apdb import Apdb
    from skyshard.testbed.node_life import NodeLife
    from skyshard.testbed.obscore import ObsCoreReport


class Testbed(PublishedDatabases):
    """A running cluster and all operations on it; ``close`` leaves the cluster running.

    Opening one ends statements left by processes that have exited. Several threads may share a testbed.
    """

    __test__ = False

    @property
    def replicas(self) -> Replicas:
        """The replication index at work: ``status``, ``explain``."""
        return Replicas(self.wiring)

    @property
    def columns(self) -> Columns:
        """Column images beside rows: ``build``, ``drop``, ``status``."""
        return Columns(self.wiring)

    @property
    def apdb(self) -> Apdb:
        """Mutable databases: ``create``, ``open``, ``status``, ``publish``, ``drop_month``."""
        from skyshard.testbed.apdb import Apdb

        def ingest(mapping: Path, database: str) -> None:
            self.ingest(mapping, database=database)

        return Apdb(self.wiring, ingest)

    @property
    def jobs(self) -> Jobs:
        """What moves chunks: ``begin``, ``run``, ``show``, ``pause``, ``cancel``."""
        return Jobs(self.wiring)

    @property
    def backup(self) -> Backup:
        """Backups of the registry: ``dump``, ``restore``, ``rebuild``."""
        return Backup(self.wiring)

    @property
    def node_life(self) -> NodeLife:
        """Nodes that come and go: ``listed``, ``add``, ``remove``, ``read_only``, ``enable``."""
        from skyshard.testbed.node_life import NodeLife

        return NodeLife(self.wiring)

    def plan(
        self,
        source: Path | str | skyshard.ingest.Source,
        *,
        database: str = "",
        tables: Sequence[str] | None = None,
        layout: Layout | None = None,
        loader: skyshard.node.Loader | None = None,
        replicas: int | None = None,
        columns: Literal["all", "none"] | Sequence[str] | None = None,
    ) -> skyshard.ingest.IngestPlan:
        """What ``ingest`` with the same arguments would do; changes nothing."""
        opened = source_at(source, tables=tables)
        name = database or opened.database
        known = self.registry.databases.table_definitions(self._to_ingest(name, layout))
        opened = skyshard.ingest.with_kept_columns(opened, name, known)
        made = skyshard.ingest.make_plan(
            opened, database=database, tables=tables, loader=loader, replicas=replicas, columns=columns,
            override=layout,
        )  # fmt: skip
        check_on_server(made, self.cluster.folder)
        return made

    def ingest(
        self,
        source: Path | str | skyshard.ingest.Source,
        *,
        database: str = "",
        tables: Sequence[str] | None = None,
        layout: Layout | None = None,
        loader: skyshard.node.Loader | None = None,
        replicas: int | None = None,
        columns: Literal["all", "none"] | Sequence[str] | None = None,
        replace: Sequence[str] = (),
        runtime: RuntimeKind | None = None,
        watcher: Watcher = unwatched,
    ) -> skyshard.ingest.IngestReport:
        """Ingest a source and publish it; after an interruption, call it again to go on.

        Args:
            source: a recipe, a synth folder, a mapping file, a Qserv test catalog, or a folder with metadata.json.
            database: its name; the source's own if empty.
            tables: only these; all of the source if None.
            layout: how the catalog is spread, instead of the source's own layout.
            loader: how rows become tables; row images where they can be if None.
            replicas: copies of each chunk, on different nodes; as the layout says if None.
            columns: that have column images, too; as the layout says if None.
            replace: files, by path or dataset, and numbers of tracts: nothing but these is ingested, in place of the
                rows that are there of them.
            runtime: where the work runs; as the testbed was opened if None.
            watcher: is called with the progress of each stage.

        Raises:
            UserError: the source, a name or an option is wrong; nothing was published.
            ClusterError: a node failed; run it again to go on.
        """
        opened = source_at(source, tables=tables)
        self.finish_drops()
        mark_folders(self.wiring, self.wiring.nodes)
        name = database or opened.database
        known = self.registry.databases.table_definitions(self._to_ingest(name, layout))
        opened = skyshard.ingest.with_kept_columns(opened, name, known)
        plan = skyshard.ingest.make_plan(
            opened, database=database, tables=tables, loader=loader, replicas=replicas, columns=columns,
            override=layout, known=tuple(known),
        )  # fmt: skip
        site = self.wiring.site(runtime or self._runtime_kind)
        return skyshard.ingest.Ingest(plan, site, watcher, replace, names_tables=bool(tables)).run()

    def _to_ingest(self, name: str, layout: Layout | None) -> str:
        """The stored name of a database that is to be ingested into; empty where there is none yet.

        Raises:
            UserError: it, or the layout, is mutable.
        """
        names = self.registry.published.names()
        names.require_fixed(name)
        if layout is not None and layout.mutable:
            raise UserError("nothing is ingested into mutable tables", remedy="`skyshard apdb create` makes them")
        return names.find(name)

    def verify(self, database: str) -> list[skyshard.ingest.VerifyCheck]:
        """Read a database back and check it; every check is listed, good or not."""
        fixed = self._fixed(database)
        endpoints = {node: self.cluster.endpoint(node) for node in self.nodes}
        ask = partial(self._table, database)
        verifier = skyshard.ingest.Verifier(self.wiring.site(), endpoints, ask, self.known(database))
        return verifier.run(fixed)

    def known(self, database: str, *, by_chunk: bool = True) -> skyshard.ingest.Known | None:
        """What the generator of a database knows about its rows; None for data from other sources.

        Args:
            by_chunk: also in which chunks they are, for which rows are made again.
        """
        catalog = self.registry.published.catalog(database)
        stored = catalog.database
        content = skyshard.ingest.read_known(self.registry, self.wiring.folders.truth / stored, stored)
        if content is None:
            return None
        layouts = {name: entry.layout for name, entry in catalog.tables.items()}
        return skyshard.synthetic.known_truth(content, catalog.layout.striping, layouts, by_chunk=by_chunk)

    def compact(
        self, database: str, *, fewest: int = 2, grace_s: float = 3600.0, watcher: Watcher = unwatched
    ) -> skyshard.ingest.Compacted:
        """Merge the parts that transactions added; queries continue meanwhile.

        Args:
            fewest: chunk tables of fewer parts stay as they are.
            grace_s: seconds for which the old parts are kept, for queries that still read them.

        Raises:
            UserError: an unknown database, or an ingest of it that has not finished.
            ClusterError: a node failed; the next run undoes what was done.
        """
        stored = self._fixed(database)
        return skyshard.ingest.compact(self.wiring.site(), stored, fewest=fewest, grace_s=grace_s, watcher=watcher)

    def drop_table(self, database: str, table: str) -> int:
        """Drop a table of a published database from all servers; returns the number of the transaction.

        Queries that are reading it fail, or end with its rows. After an interruption, call it again to go on.

        Raises:
            UserError: there is no such table, or tables follow it, of this or another database; a transaction of the
                database has not ended.
            ClusterError: it is in use (retryable), or a server is down: nothing was changed, or what no query sees any
                more is removed by the next call, or the next ingest of the database.
        """
        return skyshard.ingest.drop_table(self.wiring.site(), self._fixed(database), table)

    def add_index(
        self,
        database: str,
        table: str,
        name: str,
        columns: Sequence[str],
        *,
        unique: bool = False,
        grace_s: float = 3600.0,
        watcher: Watcher = unwatched,
    ) -> skyshard.ingest.Compacted:
        """Give a published table an index; queries continue meanwhile. Nothing is done where it is there already.

        Args:
            columns: each ``name``, or ``name(10)`` for the beginning of a text.
            unique: no two rows of the whole table have the same values, NULL left out; it takes no more rows then.
            grace_s: seconds for which the old tables are kept, for queries that still read them.

        Raises:
            UserError: no such table or column, the name is another index's, or values of a unique one occur twice.
            ClusterError: a node failed, or a replica is not good; the next run undoes what was done.
        """
        stored = self._fixed(database)
        require = partial(require_unique, self.query, database, table, columns) if unique else None
        return skyshard.ingest.add_index(
            self.wiring.site(), stored, table, name, columns, require_unique=require, grace_s=grace_s, watcher=watcher
        )

    def drop_index(
        self, database: str, table: str, name: str, *, grace_s: float = 3600.0, watcher: Watcher = unwatched
    ) -> skyshard.ingest.Compacted:
        """Take an index from a published table that :meth:`add_index` gave it."""
        stored = self._fixed(database)
        return skyshard.ingest.drop_index(self.wiring.site(), stored, table, name, grace_s=grace_s, watcher=watcher)

    def indexes(self, database: str, table: str, *, overlap: bool = False) -> list[skyshard.ingest.TableIndex]:
        """The indexes of a published table, or of its overlap tables.

        Raises:
            UserError: there is no such table.
        """
        self._fixed(database)
        tables = self.registry.published.catalog(database).tables
        if table not in tables:
            raise UserError(f"there is no table {database}.{table}", remedy="skyshard databases lists databases")
        return skyshard.ingest.indexes_of(tables[table], overlap=overlap)

    def abort_transaction(self, number: int) -> str:
        """Abort an unfinished transaction and undo all that it did; returns its database."""
        return skyshard.ingest.abort(self.wiring.site(), number)

    def rebuild_indexes(self, database: str, *, watcher: Watcher = unwatched) -> dict[str, int]:
        """Make the director indexes of a database again from its chunk tables; returns director → keys.

        Damaged indexes of tables are made again first; replicas that were marked bad for theirs are read again.
        """
        keys = skyshard.ingest.rebuild_indexes(self.wiring.site(), self._fixed(database), watcher)
        if doubtful := [one.node for one in self.replicas.status(database).nodes if one.faulty]:
            self.replicas.verify(database, nodes=doubtful)
        return keys

    def load_mono(self, database: str, *, watcher: Watcher = unwatched) -> dict[str, int]:
        """Copy a database, unsharded, to the mono server, which is started if necessary.

        Nodes that do not answer are done without, where others have replicas of their rows.
        """
        stored = self._fixed(database)
        self.cluster.start_mono()
        exchange = self.cluster.folder_for("exchange") / stored
        shutil.rmtree(exchange, ignore_errors=True)
        exchange.mkdir(parents=True)
        folders = {name: node.data for name, node in self.cluster.nodes.items()}
        site = self.wiring.site(only=self.wiring.nodes_there())
        copy = skyshard.ingest.MonoCopy(site, self.wiring.loader(MONO_NAME), folders, exchange)
        try:
            return copy.load(stored, watcher)
        finally:
            shutil.rmtree(exchange)

    def obscore(
        self,
        *databases: str,
        into: str = "ivoa",
        constants: str | Mapping[str, str] = "",
        bad_regions: Literal["refuse", "skip"] = "refuse",
        grace_s: float = 3600.0,
        is_plan: bool = False,
    ) -> ObsCoreReport:
        """Make the table of observations of releases, in place of what it was before; or say what it would be.

        Args:
            databases: releases with the detectors of their visits (VisitDetector, CcdVisit or Science_Ccd_Exposure).
            into: the database that gets the table ``ObsCore``, and no other.
            constants: what is constant for a camera: a shipped name or a file, of all or by database; by the filters
                used if empty.
            bad_regions: what becomes of an image whose polygon is none.
            grace_s: seconds for which a replaced table stays, for queries that began before.

        Raises:
            UserError: a database is not there or has no such table, a polygon is none, or a name is taken.
            ClusterError: a node failed; call it again to go on.
        """
        from skyshard.testbed.obscore import ObsCoreMaker, ObsCoreOrder

        maker = ObsCoreMaker(self, ObsCoreOrder(databases, into, constants, bad_regions, grace_s))
        return maker.plan() if is_plan else maker.run()
