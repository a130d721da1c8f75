"""The testbed: one object that wires cluster, registry, runtime, loaders, czar and oracle.

The commands are thin shells around it, and so is the Python API:

    with Testbed("folder") as testbed:
        testbed.ingest("catalog/")
        testbed.query("SELECT COUNT(*) FROM Object", database="catalog").table
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Collection
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from skyshard.cluster.private_cluster import CZAR_NAME, LOG_FOLDER, MONO_NAME, Cluster
from skyshard.db.left_statements import Ending
from skyshard.errors import ClusterError, UserError
from skyshard.node.base import NodeLoader
from skyshard.node.mariadb_loader import MariaDBLoader
from skyshard.progress import Watcher, unwatched
from skyshard.registry.registry import Registry
from skyshard.runtime import RuntimeKind, open_runtime
from skyshard.runtime.base import Handle, Runtime

if TYPE_CHECKING:
    import pyarrow as pa

    from skyshard.czar.czar import Czar, QueryResult
    from skyshard.czar.explain import Explanation
    from skyshard.czar.mono import MonoTarget
    from skyshard.czar.submitted_queries import Recorder, Submitted
    from skyshard.ingest.check.check_truth import Check
    from skyshard.ingest.estimate import Survey
    from skyshard.ingest.on_nodes.ingest_site import Site
    from skyshard.ingest.plan.ingest_plan import IngestPlan
    from skyshard.ingest.source import Source
    from skyshard.ingest.transaction.ingest_report import IngestReport
    from skyshard.ingest.transaction.kept_truth import Known
    from skyshard.ingest.upkeep.compaction import Compacted
    from skyshard.synth.write.synth_manifest import Shrink

TargetName = Literal["czar", "mono"]


class Testbed:
    """A running cluster and all that Skyshard does with it; closes what it opened, leaves the cluster running.

    Opening one ends the statements that processes left which are gone.
    """

    __test__ = False

    def __init__(self, cluster: Path | str, *, runtime: RuntimeKind = "inline") -> None:
        self.cluster = Cluster.at(cluster)
        self.cluster.require_running()
        self._runtime_kind = runtime
        self._runtimes: dict[RuntimeKind, Runtime] = {}
        self.cluster.folder_for(LOG_FOLDER)  # a cluster of 0.1.0 has none
        self._ending = Ending(self.cluster.running_endpoints(), self.cluster.events)
        self._handles: dict[tuple[RuntimeKind, str], Handle[NodeLoader]] = {}

    def __enter__(self) -> Testbed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        if "czar" in self.__dict__:
            self.czar.close()
        if "mono" in self.__dict__:
            self.mono.close()
        if "_recorder" in self.__dict__:
            self._recorder.close()
        for runtime in self._runtimes.values():
            runtime.close()
        self._runtimes.clear()
        if "registry" in self.__dict__:
            self.registry.close()
        self._ending.wait()

    @cached_property
    def registry(self) -> Registry:
        registry = Registry(self.cluster.endpoint(CZAR_NAME))
        registry.prepare()
        return registry

    @property
    def nodes(self) -> tuple[str, ...]:
        return self.cluster.node_names

    def _runtime(self, kind: RuntimeKind) -> Runtime:
        if kind not in self._runtimes:
            self._runtimes[kind] = open_runtime(kind, self.nodes)
        return self._runtimes[kind]

    def _loader(self, server: str, kind: RuntimeKind) -> Handle[NodeLoader]:
        """The loader beside a server: an actor on the node's host, or a thread here."""
        key = (kind, server)
        if key not in self._handles:
            where = server if server in self.nodes else ""
            endpoint, data = self.cluster.endpoint(server), str(self.cluster.data_dir(server))
            made = partial(MariaDBLoader, server, endpoint, data, self.cluster.events)
            self._handles[key] = self._runtime(kind).actor(f"loader-{server}", made, node=where)
        return self._handles[key]

    # ingest

    def plan(self, source: Path | str, **options: Any) -> IngestPlan:
        """What ``ingest`` would do; touches nothing. Options as of ``ingest.plan.make_plan``."""
        from skyshard.ingest.plan.ingest_plan import make_plan

        made = make_plan(open_any(source, tables=options.get("tables")), **options)
        check_on_server(made, self.cluster.folder)
        return made

    def ingest(
        self,
        source: Path | str | Source,
        *,
        runtime: RuntimeKind | None = None,
        watcher: Watcher = unwatched,
        **options: Any,
    ) -> IngestReport:
        """Ingest a source and publish it; run again after an interruption, it goes on."""
        from skyshard.ingest.plan.ingest_plan import make_plan
        from skyshard.ingest.transaction.ingest_run import Ingest

        opened = open_any(source, tables=options.get("tables"))
        known = self.registry.databases.table_definitions(options.get("database") or opened.database)
        plan = make_plan(opened, known=tuple(known), **options)
        return Ingest(plan, self._site(runtime or self._runtime_kind), watcher).run()

    def _site(self, kind: RuntimeKind) -> Site:
        from skyshard.ingest.on_nodes.ingest_site import Site, SiteFolders

        return Site(
            self.registry,
            self._runtime(kind),
            self.cluster.endpoint(CZAR_NAME),
            self._loader(CZAR_NAME, "inline"),
            {node: self._loader(node, kind) for node in self.nodes},
            SiteFolders.of(self.cluster.folder),
            self.cluster.events,
        )

    def verify(self, database: str) -> list[Check]:
        """Read a database back and check it; every check is listed, good or not."""
        from skyshard.ingest.check.verify import Verifier

        endpoints = {node: self.cluster.endpoint(node) for node in self.nodes}
        ask = partial(self._table, database)
        return Verifier(self._site("inline"), endpoints, ask, self.known(database)).run(database)

    def _table(self, database: str, sql: str) -> pa.Table:
        return self.query(sql, database=database).table

    def known(self, database: str) -> Known | None:
        """What the generator of a database knows of its rows; None for data of other sources."""
        from skyshard.ingest.on_nodes.ingest_site import SiteFolders
        from skyshard.ingest.transaction.kept_truth import read_known
        from skyshard.synthetic.generator_truth import known_truth

        content = read_known(self.registry, SiteFolders.of(self.cluster.folder).truth / database, database)
        if content is None:
            return None
        catalog = self.registry.published.catalog(database)
        layouts = {name: entry.layout for name, entry in catalog.tables.items()}
        return known_truth(content, catalog.layout.striping, layouts)

    def compact(self, database: str, *, watcher: Watcher = unwatched, **options: Any) -> Compacted:
        """Merge the parts that transactions brought; options as of ``ingest.compact.compact``."""
        from skyshard.ingest.upkeep.compaction import compact

        return compact(self._site("inline"), database, watcher=watcher, **options)

    def abort_transaction(self, number: int) -> str:
        """Take a transaction back that did not come to its end; returns its database."""
        from skyshard.ingest.transaction.ending import abort

        return abort(self._site("inline"), number)

    def rebuild_indexes(self, database: str, *, watcher: Watcher = unwatched) -> dict[str, int]:
        """Make the director indexes of a database anew from its chunk tables; returns director → keys."""
        from skyshard.ingest.upkeep.index_rebuild import rebuild_indexes

        return rebuild_indexes(self._site("inline"), database, watcher)

    def load_mono(self, database: str, *, watcher: Watcher = unwatched) -> dict[str, int]:
        """Copy a database, unsharded, to the mono server, which is started when it does not run."""
        from skyshard.ingest.check.mono_copy import MonoCopy

        self.registry.published.catalog(database)
        self.cluster.start_mono()
        exchange = self.cluster.folder_for("exchange") / database
        shutil.rmtree(exchange, ignore_errors=True)
        exchange.mkdir(parents=True)
        copy = MonoCopy(
            self._site("inline"),
            self._loader(MONO_NAME, "inline"),
            {node: self.cluster.data_dir(node) for node in self.nodes},
            exchange,
        )
        try:
            return copy.load(database, watcher)
        finally:
            shutil.rmtree(exchange)

    # queries

    @cached_property
    def czar(self) -> Czar:
        from skyshard.czar.czar import Czar
        from skyshard.registry.catalog_cache import KeptCatalogs

        return Czar(
            KeptCatalogs(self.registry, self.cluster.endpoint(CZAR_NAME)),
            self.cluster.endpoint(CZAR_NAME),
            {node: self.cluster.endpoint(node) for node in self.nodes},
            {name: self.cluster.data_dir(name) for name in (CZAR_NAME, *self.nodes)},
            on_end=self._recorder.add,
            events=self.cluster.events,
        )

    @cached_property
    def _recorder(self) -> Recorder:
        from skyshard.czar.submitted_queries import Recorder

        return Recorder(self.registry.history)

    @property
    def submitted(self) -> Submitted:
        """Queries that are answered later: ``submit``, ``status``, ``result``, ``cancel``."""
        from skyshard.czar.submitted_queries import Submitted

        return Submitted(self.registry.history, self.cluster.folder_for("results"))

    def submit(self, sql: str, *, database: str = "") -> int:
        """Have a statement answered by a process of its own; returns the query's number."""
        number = self.submitted.submit(sql, database)
        command = [sys.executable, "-m", "skyshard.cli.app", "run-query", str(number), "--cluster"]
        # The shell ends at once, so that the process is no one's child and outlives this one.
        text = '"$@" </dev/null >/dev/null 2>&1 &'
        subprocess.run(["sh", "-c", text, "sh", *command, str(self.cluster.folder)], check=True, start_new_session=True)
        return number

    def query(self, sql: str, *, database: str = "", target: TargetName = "czar") -> QueryResult:
        """Answer one statement: by the sharded cluster, or by the unsharded oracle."""
        if target == "mono":
            return self.mono.execute(sql, database)
        return self.czar.execute(sql, database)

    def explain(self, sql: str, *, database: str = "") -> Explanation:
        return self.czar.explain(sql, database)

    @cached_property
    def mono(self) -> MonoTarget:
        """The oracle; its server runs from ``load_mono`` on."""
        from skyshard.czar.mono import MonoTarget

        try:
            endpoint = self.cluster.endpoint(MONO_NAME)
        except UserError:
            raise UserError("the mono server is not running", remedy="run skyshard mono load DATABASE") from None
        return MonoTarget(self.registry.published, endpoint, self.cluster.data_dir(MONO_NAME))


def open_any(
    source: Path | str | Source,
    *,
    fraction: float = 1.0,
    shrink: Shrink = "coverage",
    tables: Collection[str] | None = None,
) -> Source:
    """A source by its path: files as they are handed over, or a recipe, whose rows are made where they are loaded.

    Args:
        tables: those that are asked for; other files need not be there.

    Raises:
        UserError: nothing that Skyshard knows, or a fraction of something that is no recipe.
    """
    if not isinstance(source, Path | str):
        return source
    from skyshard.ingest.sources.open_source import open_source
    from skyshard.synthetic.recipe_source import is_recipe, open_recipe

    path = Path(source)
    if is_recipe(path):
        return open_recipe(path, fraction=fraction, shrink=shrink)
    if fraction != 1.0:
        raise UserError(f"'{path}' is no recipe, a fraction of it cannot be made", remedy="leave --fraction out")
    return open_source(path, tables or None)


def check_on_server(plan: IngestPlan, cluster: Path) -> None:
    """Ask the cluster's server whether it makes the tables of a plan; where none answers, what is known has to do.

    Raises:
        UserError: it refuses one.
    """
    from skyshard.ingest.plan.server_check import require_makeable

    found = Cluster.at(cluster)
    if found.exists:
        with contextlib.suppress(ClusterError):
            require_makeable(found.endpoint(CZAR_NAME), plan.tables, plan.layout.engine)


def survey_source(plan: IngestPlan, cluster: Path, nodes: int = 0, watcher: Watcher = unwatched) -> Survey:
    """Read what an ingest will come to, on ``nodes`` nodes, or those of the cluster if there is one, else one."""
    from skyshard.ingest.estimate import survey

    found = Cluster.at(cluster)
    names = found.node_names if found.exists and not nodes else tuple(f"node{i + 1}" for i in range(max(nodes, 1)))
    with open_runtime("inline", names) as runtime:
        return survey(plan, names, runtime, watcher)
