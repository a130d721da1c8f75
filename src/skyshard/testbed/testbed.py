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
from types import TracebackType
from typing import TYPE_CHECKING, Literal

import skyshard.czar
import skyshard.ingest
import skyshard.releases
import skyshard.synthetic
from skyshard.basics.errors import UserError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.basics.scan_way import ScanWay
from skyshard.cluster.cluster import MONO_NAME, Cluster
from skyshard.db.connection import Account, connect
from skyshard.runtime import RuntimeKind
from skyshard.testbed.backup import Backup
from skyshard.testbed.before_ingest import check_on_server
from skyshard.testbed.columns import Columns
from skyshard.testbed.detached import start_detached
from skyshard.testbed.folder_marks import mark_folders
from skyshard.testbed.jobs import Jobs
from skyshard.testbed.opened_sources import source_at
from skyshard.testbed.replicas import Replicas
from skyshard.wiring import Wiring

if TYPE_CHECKING:
    import pyarrow as pa

    import skyshard.node
    import skyshard.registry
    from skyshard.catalog.layout import Layout
    from skyshard.testbed.apdb import Apdb
    from skyshard.testbed.node_life import NodeLife
    from skyshard.testbed.obscore import ObsCoreReport

TargetName = Literal["czar", "mono"]


class Testbed:
    """A running cluster and all operations on it; ``close`` leaves the cluster running.

    Opening one ends statements left by processes that have exited. Several threads may share a testbed.
    """

    __test__ = False

    def __init__(
        self, cluster: Path | str, *, runtime: RuntimeKind = "inline", scan_threads: int | None = None
    ) -> None:
        """Open the cluster in a folder.

        Args:
            cluster: the folder, as ``skyshard cluster start --cluster`` made it.
            runtime: where ingest runs by default: in threads of this process, or on Ray.
            scan_threads: of each node's scan lane; a share of the host's cores if None.

        Raises:
            UserError: there is no cluster.
            ClusterError: one of its servers is not running.
        """
        self.wiring = Wiring(Cluster.at(cluster), scan_threads)
        self._runtime_kind = runtime

    def __enter__(self) -> Testbed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened; the cluster goes on running."""
        self.wiring.close()

    @property
    def cluster(self) -> Cluster:
        """The cluster's servers and folders."""
        return self.wiring.cluster

    @property
    def nodes(self) -> tuple[str, ...]:
        """The names of the nodes, in order."""
        return self.wiring.nodes

    @property
    def registry(self) -> skyshard.registry.Registry:
        """The registry: databases, tables, transactions and replicas."""
        return self.wiring.registry

    @property
    def czar(self) -> skyshard.czar.Czar:
        """The query service, which reads from all nodes; its ``open`` yields rows as they arrive."""
        return self.wiring.czar

    @property
    def mono(self) -> skyshard.czar.MonoTarget:
        """The unsharded oracle; ``load_mono`` starts its server."""
        return self.wiring.mono

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

    def schema_diff(self, old: str, new: str) -> skyshard.releases.SchemaDifference:
        """What the second of two schemas has otherwise: files, a Felis schema, a mapping or a database each.

        Raises:
            UserError: nothing of a name, or two things of it (``db:``, ``felis:`` and ``file:`` tell them apart).
            ClusterError: a node failed.
        """
        databases = skyshard.releases.ClusterTables(self.registry, self._table)
        sides = (skyshard.releases.open_side(name, databases) for name in (old, new))
        return skyshard.releases.compare_schemas(*sides)

    # ingest

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

    def _stored(self, database: str) -> str:
        """The stored name of a published database, from its name or an alias."""
        return self.registry.published.names().stored(database)

    def _fixed(self, database: str) -> str:
        """The same; of one that no visit changes."""
        return self.registry.published.names().fixed(database)

    def _table(self, database: str, sql: str) -> pa.Table:
        return self.query(sql, database=database).table

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

    def add_index(
        self,
        database: str,
        table: str,
        name: str,
        columns: Sequence[str],
        *,
        grace_s: float = 3600.0,
        watcher: Watcher = unwatched,
    ) -> skyshard.ingest.Compacted:
        """Give a published table an index; queries continue meanwhile. Nothing is done where it is there already.

        Args:
            columns: each ``name``, or ``name(10)`` for the beginning of a text.
            grace_s: seconds for which the old tables are kept, for queries that still read them.

        Raises:
            UserError: no such table or column, or the name is another index's.
            ClusterError: a node failed, or a replica is not good; the next run undoes what was done.
        """
        stored = self._fixed(database)
        return skyshard.ingest.add_index(
            self.wiring.site(), stored, table, name, columns, grace_s=grace_s, watcher=watcher
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

    # releases

    def diff(
        self,
        new: str,
        old: str,
        *,
        radius_arcsec: float = 0.5,
        match: Literal["auto", "key", "position"] = "auto",
        tables: Sequence[str] | None = None,
        renamed: Mapping[str, Mapping[str, str]] | None = None,
        watcher: Watcher = unwatched,
    ) -> skyshard.releases.DatabaseDifference:
        """What changed from the old database to the new one, whatever their striping.

        Args:
            radius_arcsec: up to which separation two positions are of one object.
            match: objects by key, by position, or by key where keys last.
            tables: only these; all that both have if None.
            renamed: by table, new column → old column.
            watcher: is called with the progress of each table.

        Raises:
            UserError: an unknown database or table, or one that cannot be matched as asked.
            ClusterError: a node failed.
        """
        request = skyshard.releases.DiffRequest(new, old, radius_arcsec, match, tables, renamed or {})
        folder = self.cluster.folder_for("staging")
        return skyshard.releases.compare_databases(request, self.wiring.site(), folder, watcher)

    # databases

    def databases(self) -> list[skyshard.releases.DatabaseFacts]:
        """What there is, with sizes, states, names, sources and times; those that are being dropped, too."""
        return skyshard.releases.list_databases(self.registry)

    def aliases(self) -> dict[str, str]:
        """Alias → the database that it names."""
        return skyshard.releases.list_aliases(self.registry)

    def alias(self, name: str, database: str) -> str:
        """Make ``name`` an alias of a database, or move it there, in one step; returns the database's own name."""
        before = self.registry.published.names().by_name.get(name)
        named = skyshard.releases.set_alias(self.registry, name, database)
        self.wiring.keep_records(before.stored if before else "", self._stored(named))
        return named

    def remove_alias(self, name: str) -> str:
        """Forget an alias; returns the database that it named."""
        named = skyshard.releases.remove_alias(self.registry, name)
        self.wiring.keep_records(self._stored(named))
        return named

    def rename(self, database: str, name: str) -> None:
        """Give a published database another name, in one step; queries that are under way finish."""
        skyshard.releases.rename(self.registry, database, name)
        self.wiring.keep_records(self._stored(name))

    def drop(self, database: str, *, with_aliases: bool = False, grace_s: float = 0.0) -> skyshard.releases.Dropped:
        """Drop a database from all servers; after an interruption, call it again to go on.

        Args:
            with_aliases: drop the aliases that name it, too; else they forbid it.
            grace_s: seconds for which its tables stay, for queries that began before; a later call removes them.

        Raises:
            UserError: it is being ingested, or an alias or tables of another database need it.
            ClusterError: a server is down; the error says whether anything was changed.
        """
        return skyshard.releases.drop(self.wiring.life_place(), database, with_aliases=with_aliases, grace_s=grace_s)

    def old_releases(self, prefix: str, keep: int) -> skyshard.releases.KeptReleases:
        """Which databases of a prefix ``drop`` may take when only the newest few are to stay; changes nothing."""
        return skyshard.releases.old_releases(self.registry, prefix, keep)

    def obscore(
        self,
        *databases: str,
        into: str = "ivoa",
        constants: str = "",
        bad_regions: Literal["refuse", "skip"] = "refuse",
        grace_s: float = 3600.0,
        is_plan: bool = False,
    ) -> ObsCoreReport:
        """Make the table of observations of releases, in place of what it was before; or say what it would be.

        Args:
            databases: releases with the detectors of their visits (VisitDetector, CcdVisit or Science_Ccd_Exposure).
            into: the database that gets the table ``ObsCore``, and no other.
            constants: what is constant for a camera: a shipped name or a file; by the filters used if empty.
            bad_regions: what becomes of an image whose polygon is none.
            grace_s: seconds for which a replaced table stays, for queries that began before.

        Raises:
            UserError: a database is not there or has no such table, a polygon is none, or a name is taken.
            ClusterError: a node failed; call it again to go on.
        """
        from skyshard.testbed.obscore import ObsCoreMaker, ObsCoreOrder

        maker = ObsCoreMaker(self, ObsCoreOrder(databases, into, constants, bad_regions, grace_s))
        return maker.plan() if is_plan else maker.run()

    def finish_drops(self) -> list[str]:
        """End drops that were interrupted, as far as servers answer; returns the databases that are gone now."""
        return skyshard.releases.finish_drops(self.wiring.life_place())

    def where_from(self, database: str, table: str, key: str) -> skyshard.releases.RowOrigins:
        """Which file, row and transaction the rows with a key come from.

        Args:
            key: of the row or of its director: a value, or one for each column of the primary key with commas; or
                ``column=value,...``.

        Raises:
            UserError: an unknown database, table or column, or a value that the column cannot hold.
        """
        self._fixed(database)
        return skyshard.releases.where_from(self.registry, self._table, self._count_on, database, table, key)

    def _count_on(self, node: str, database: str, sql: str) -> int:
        with connect(self.cluster.endpoint(node), Account.READER, database) as connection:
            return int(connection.value(sql))

    def input_files(self, database: str) -> list[skyshard.InputFile]:
        """The files that a database was ingested from, those whose rows were replaced among them."""
        return skyshard.releases.known_files(self.registry, database)

    def quality(self, database: str) -> skyshard.releases.DatabaseQuality:
        """What the rows of a database hold, as ingests of a mapping counted it.

        Raises:
            UserError: an unknown database, or one of which nothing was counted.
        """
        stored = self._fixed(database)
        found = skyshard.releases.quality_of(self.registry, self.wiring.folders.quality / stored, stored)
        return found.model_copy(update={"database": database})

    # queries

    @property
    def submitted(self) -> skyshard.czar.Submitted:
        """Queries that run in the background: ``status``, ``open``, ``cancel``."""
        return skyshard.czar.Submitted(self.registry.history, self.cluster.folder_for("results"))

    def submit(self, sql: str, *, database: str = "") -> int:
        """Start a statement in a background process; returns the query's number."""
        number = self.submitted.submit(sql, database)
        start_detached("run-query", str(number), "--cluster", str(self.cluster.folder))
        return number

    def query(
        self, sql: str, *, database: str = "", target: TargetName = "czar", scan: ScanWay | None = None
    ) -> skyshard.czar.QueryResult:
        """Answer one statement: by the sharded cluster, or by the unsharded oracle.

        Args:
            sql: one statement, in MariaDB's dialect.
            database: the database of names that give none.
            scan: how the cluster scans: as rows, from column images where these are, or (auto) as is best; if
                None, as was chosen for the cluster.

        Raises:
            Refusal: a statement that is not answered, with its reason and a rewrite that works.
            UserError: an unknown table or column, or wrong SQL.
            ClusterError: a node failed.
        """
        if target == "mono":
            return self.mono.execute(sql, database)
        return self.czar.execute(sql, database, scan=scan)

    def explain(self, sql: str, *, database: str = "", scan: ScanWay | None = None) -> skyshard.czar.Explanation:
        """How a statement would be answered: chunks and why, statements, merge; by columns or not, and why not."""
        return self.czar.explain(sql, database, scan=scan)
