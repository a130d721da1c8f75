"""The parts of a running cluster, wired together: registry, runtimes, loaders, czar and oracle.

Rules: each part is made once, at first use, from any thread; ``close`` closes the parts that were made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import RLock

import skyshard.czar
import skyshard.ingest
import skyshard.node
import skyshard.registry
import skyshard.releases
from skyshard.basics.errors import UserError
from skyshard.basics.lazy import locked_property, made_of
from skyshard.cluster.private_cluster import CZAR_NAME, LOG_FOLDER, MONO_NAME, Cluster
from skyshard.db.left_statements import Ending
from skyshard.node.server.server_files import ServerFiles
from skyshard.runtime import RuntimeKind, open_runtime
from skyshard.runtime.base import Handle, Runtime


class Wiring:
    """The parts that a testbed works with; opening them ends statements left by processes that have exited."""

    def __init__(self, cluster: Cluster, scan_threads: int | None = None) -> None:
        cluster.require_running()
        self._scan_threads = scan_threads
        self.cluster = cluster
        cluster.folder_for(LOG_FOLDER)  # a cluster of 0.1.0 has none
        self._ending = Ending(cluster.running_endpoints(), cluster.events)
        self._lock = RLock()
        self._runtimes: dict[RuntimeKind, Runtime] = {}
        self._loaders: dict[tuple[RuntimeKind, str], Handle[skyshard.node.NodeLoader]] = {}

    def close(self) -> None:
        """Close what was opened; the cluster goes on running."""
        for name in ("czar", "mono", "recorder"):
            if (made := made_of(self, name)) is not None:
                made.close()
        with self._lock:
            for runtime in self._runtimes.values():
                runtime.close()
            self._runtimes.clear()
        if (registry := made_of(self, "registry")) is not None:
            registry.close()
        self._ending.wait()

    @property
    def nodes(self) -> tuple[str, ...]:
        return self.cluster.node_names

    @property
    def folders(self) -> skyshard.ingest.SiteFolders:
        """The folders in which ingest keeps files for later transactions."""
        return skyshard.ingest.SiteFolders.of(self.cluster.folder)

    @locked_property
    def registry(self) -> skyshard.registry.Registry:
        registry = skyshard.registry.Registry(self.cluster.endpoint(CZAR_NAME), self.cluster.folder)
        registry.prepare()
        return registry

    def runtime(self, kind: RuntimeKind) -> Runtime:
        """The runtime of a kind; Ray takes some seconds to start."""
        with self._lock:
            if kind not in self._runtimes:
                self._runtimes[kind] = open_runtime(kind, self.nodes)
            return self._runtimes[kind]

    def loader(self, server: str, kind: RuntimeKind = "inline") -> Handle[skyshard.node.NodeLoader]:
        """The loader of a server: an actor on the node's host, or a thread here; for one that died a new one."""
        key = (kind, server)
        with self._lock:
            if key not in self._loaders or self._loaders[key].is_dead:
                where = server if server in self.nodes else ""
                endpoint, data = self.cluster.endpoint(server), str(self.cluster.data_dir(server))
                made = partial(skyshard.node.MariaDBLoader, server, endpoint, data, self.cluster.events)
                self._loaders[key] = self.runtime(kind).actor(f"loader-{server}", made, node=where)
            return self._loaders[key]

    def loaders(self, kind: RuntimeKind = "inline") -> dict[str, Handle[skyshard.node.NodeLoader]]:
        """The loader of each node."""
        return {node: self.loader(node, kind) for node in self.nodes}

    def site(self, kind: RuntimeKind = "inline") -> skyshard.ingest.Site:
        """The parts of the cluster that an ingest works with."""
        return skyshard.ingest.Site(
            self.registry,
            self.runtime(kind),
            self.cluster.endpoint(CZAR_NAME),
            self.loader(CZAR_NAME),
            self.loaders(kind),
            self.folders,
            self.cluster.events,
        )

    def life_place(self) -> skyshard.releases.LifePlace:
        """The parts of the cluster that dropping a database works with."""
        copies = ServerFiles(self.cluster.data_dir(MONO_NAME))
        return skyshard.releases.LifePlace(
            self.site(),
            has_copy=lambda database: copies.database(database).is_dir(),
            oracle=self._oracle_awake,
            exchange=self.cluster.folder / "exchange",
        )

    @contextmanager
    def _oracle_awake(self) -> Iterator[Handle[skyshard.node.NodeLoader]]:
        """The oracle's loader; a server that does not run is started, and stopped at the end."""
        has_run = MONO_NAME in [server.name for server in self.cluster.status() if server.state == "running"]
        self.cluster.start_mono()
        try:
            yield self.loader(MONO_NAME)
        finally:
            if not has_run:
                self.cluster.stop_server(MONO_NAME)

    @locked_property
    def recorder(self) -> skyshard.czar.Recorder:
        return skyshard.czar.Recorder(self.registry.history)

    @locked_property
    def czar(self) -> skyshard.czar.Czar:
        endpoint = self.cluster.endpoint(CZAR_NAME)
        return skyshard.czar.Czar(
            skyshard.registry.CatalogCache(self.registry, endpoint),
            endpoint,
            {node: self.cluster.endpoint(node) for node in self.nodes},
            {name: self.cluster.data_dir(name) for name in (CZAR_NAME, *self.nodes)},
            scan_threads=self._scan_threads,
            on_end=self.recorder.add,
            events=self.cluster.events,
        )

    @locked_property
    def mono(self) -> skyshard.czar.MonoTarget:
        """The oracle; ``load_mono`` starts its server."""
        try:
            endpoint = self.cluster.endpoint(MONO_NAME)
        except UserError:
            raise UserError("the mono server is not running", remedy="run skyshard mono load DATABASE") from None
        catalogs = skyshard.registry.CatalogCache(self.registry, self.cluster.endpoint(CZAR_NAME))
        return skyshard.czar.MonoTarget(catalogs, endpoint, self.cluster.data_dir(MONO_NAME))
