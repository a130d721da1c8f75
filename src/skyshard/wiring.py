"""The parts of a running cluster, wired together: registry, runtimes, loaders, czar and oracle.

Rules: each part is made once, at first use, from any thread; ``close`` closes the parts that were made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from threading import RLock

import skyshard.backup
import skyshard.czar
import skyshard.ingest
import skyshard.node
import skyshard.registry
import skyshard.releases
import skyshard.replicate
from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.lazy import locked_property, made_of
from skyshard.cluster.cluster import CZAR_NAME, LOG_FOLDER, MONO_NAME, PUBLICATION_FOLDER, Cluster
from skyshard.cluster.folder_mark import MarkCheck
from skyshard.cluster.node import Node
from skyshard.czar.run.doubts import Doubt
from skyshard.db.connection import Endpoint
from skyshard.db.left_statements import Ending
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.node.server.server_files import ServerFiles
from skyshard.runtime import RuntimeKind, open_runtime
from skyshard.runtime.base import Handle, Runtime
from skyshard.runtime.late_actor import LateActor


class Wiring:
    """The parts that a testbed works with; opening them ends statements left by processes that have exited."""

    def __init__(self, cluster: Cluster, scan_threads: int | None = None) -> None:
        cluster.require_usable()
        self._scan_threads = scan_threads
        self.cluster = cluster
        cluster.folder_for(LOG_FOLDER)  # a cluster of 0.1.0 has none
        self._ending = Ending(cluster.running_endpoints(), cluster.events)
        self._lock = RLock()
        self._runtimes: dict[RuntimeKind, Runtime] = {}
        self._outgrown: list[Runtime] = []
        """Opened before nodes were added; what was begun with them goes on."""
        self._opened_for: dict[RuntimeKind, tuple[str, ...]] = {}
        self._files: dict[str, Handle[skyshard.node.HostFiles]] = {}
        self._loaders: dict[tuple[RuntimeKind, str], Handle[skyshard.node.NodeLoader]] = {}

    def close(self) -> None:
        """Close what was opened; the cluster goes on running."""
        for name in ("czar", "mono", "doubts", "recorder"):
            if (made := made_of(self, name)) is not None:
                made.close()
        with self._lock:
            for runtime in (*self._runtimes.values(), *self._outgrown):
                runtime.close()
            self._runtimes.clear()
        if (registry := made_of(self, "registry")) is not None:
            registry.close()
        self._ending.wait()

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that belong to the cluster, in order: none that is being added, or was removed."""
        return self.registry.nodes.members(self.cluster.node_names)

    @property
    def reached(self) -> dict[str, Endpoint]:
        """The nodes' servers, as they are reached from here."""
        return {name: node.sql for name, node in self.cluster.nodes.items()}

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
        """The runtime of a kind; Ray takes some seconds to start, or to join where it runs on the nodes' hosts."""
        with self._lock:
            if kind in self._runtimes and self._runtimes[kind].is_lost:
                self._runtimes.pop(kind).close()
                self._forget_actors(kind)
            if kind in self._runtimes and self._has_new_nodes(kind):
                self._outgrown.append(self._runtimes.pop(kind))
                self._forget_actors(kind)
            if kind not in self._runtimes:
                names = self._opened_for[kind] = self.cluster.node_names
                self._runtimes[kind] = open_runtime(kind, names, join=self.cluster.ray)
            return self._runtimes[kind]

    def _forget_actors(self, kind: RuntimeKind) -> None:
        """Those that live on a runtime which is another one from now on."""
        self._loaders = {key: loader for key, loader in self._loaders.items() if key[0] != kind}
        self._files.clear()

    def _has_new_nodes(self, kind: RuntimeKind) -> bool:
        """Whether nodes were added since a runtime was opened, and it is cheap to open another one."""
        is_cheap = kind == "inline" or self.cluster.ray is not None
        return is_cheap and not set(self.cluster.node_names).issubset(self._opened_for[kind])

    def loader(self, server: str, kind: RuntimeKind = "inline") -> Handle[skyshard.node.NodeLoader]:
        """The loader of a server: an actor on the node's host, or a thread here; for one that died a new one.

        That of a node whose files are not seen from here is always an actor.

        Raises:
            ClusterError: the host of the node has not joined, or no Ray runs on the nodes' hosts.
        """
        node = self.cluster.node(server) if server in self.cluster.node_names else None
        kind = kind if node is None or node.is_here else "ray"
        if node is not None and (node.is_here or self.cluster.ray is not None):
            self.runtime(kind)
            if server not in self._opened_for[kind]:  # it was added since, and a private Ray has no place for it
                kind = "inline"
                self.runtime(kind)
        key = (kind, server)
        with self._lock:
            if key not in self._loaders or self._loaders[key].is_dead:
                self._loaders[key] = self._new_loader(server, node, kind)
            return self._loaders[key]

    def _new_loader(self, server: str, node: Node | None, kind: RuntimeKind) -> Handle[skyshard.node.NodeLoader]:
        if node is None:
            endpoint, data, events = self.cluster.endpoint(server), self.cluster.data_dir(server), self.cluster.events
        else:
            endpoint, data = node.beside, node.data
            events = self.cluster.events if node.is_here else ONLY_LOGGED  # the files of events are the czar's host's
            if not node.is_here and self.cluster.ray is None:
                raise ClusterError(
                    f"node {server} is on another host, and the cluster file names no Ray",
                    remedy="give it `ray`, and run `skyshard node run` on each host",
                )
        made = partial(skyshard.node.MariaDBLoader, server, endpoint, str(data), events)
        return self.runtime(kind).actor(f"loader-{server}", made, node=server if node else "")

    def loaders(
        self, kind: RuntimeKind = "inline", only: Sequence[str] | None = None
    ) -> dict[str, Handle[skyshard.node.NodeLoader]]:
        """The loader of each node, or of some."""
        return {node: self.loader(node, kind) for node in (self.nodes if only is None else only)}

    def nodes_there(self) -> tuple[str, ...]:
        """The nodes that can be worked with now: servers that answer, on hosts that belong to the Ray, if away."""
        answering = self.cluster.answering()
        away = {name for name, node in self.cluster.nodes.items() if not node.is_here}
        lost = away - self.runtime("ray").joined() if away and self.cluster.ray else frozenset()
        return tuple(name for name in self.nodes if name in answering and name not in lost)

    def site(
        self, kind: RuntimeKind = "inline", only: Sequence[str] | None = None, *, drained: bool = False
    ) -> skyshard.ingest.Site:
        """The parts of the cluster that an ingest works with; where nodes are on other hosts, on the Ray there.

        Args:
            only: some of the nodes, for what reads replicas and can do without the others.
            drained: also the nodes that hold nothing any more.
        """
        if only is None:
            nodes, names = self.registry.nodes, self.cluster.node_names
            only = nodes.members(names) if drained else nodes.holding(names)
        away = {name: node for name, node in self.cluster.nodes.items() if not node.is_here and name in only}
        kind = "ray" if away else kind
        return skyshard.ingest.Site(
            self.registry,
            self.runtime(kind),
            self.cluster.endpoint(CZAR_NAME),
            self.loader(CZAR_NAME),
            self.loaders(kind, only),
            self.folders,
            self.cluster.events,
            here=self.runtime("inline" if away else kind),
            away={name: self._away(name, node) for name, node in away.items()},
            reached=self.reached,
        )

    def _away(self, name: str, node: Node) -> skyshard.ingest.AwayHost:
        """The host of a node whose files are not seen from here; no process for them before one is asked for."""
        with self._lock:
            runtime = self.runtime("ray")  # another one, maybe, on which none of them lives
            if name not in self._files or self._files[name].is_dead:
                self._files[name] = LateActor(
                    partial(runtime.actor, f"files-{name}", skyshard.node.HostFiles, node=name)
                )
            return skyshard.ingest.AwayHost(self._files[name], node.staging, node.data)

    def replica_place(self) -> skyshard.replicate.ReplicaPlace:
        """The parts of the cluster that verifying and repairing replicas works with."""
        return skyshard.replicate.ReplicaPlace(
            self.registry, self.nodes, self._node_place, self.cluster.folder, self.cluster.events
        )

    def _node_place(self, name: str) -> skyshard.replicate.NodePlace:
        node = self.cluster.node(name)
        files = self._files_here() if node.is_here else self._away(name, node).files
        return skyshard.replicate.NodePlace(name, self.loader(name), files, node.data, node.staging, node.is_here)

    def _files_here(self) -> Handle[skyshard.node.HostFiles]:
        with self._lock:
            if "" not in self._files:
                self._files[""] = self.runtime("inline").actor("files", skyshard.node.HostFiles)
            return self._files[""]

    def backup_place(self) -> skyshard.backup.BackupPlace:
        """The parts of the cluster that a dump, a restore and a rebuild of the registry work with."""
        cluster, czar = self.cluster, self.cluster.endpoint(CZAR_NAME)
        data = cluster.data_dir(CZAR_NAME)
        return skyshard.backup.BackupPlace(
            cluster.folder, self.registry, czar, data, self.reached, self.folders, partial(self.site, drained=True)
        )

    def keep_records(self, *databases: str, anew: bool = False) -> None:
        """Have every node keep what a registry needs that has lost its rows of databases, by their stored names."""
        from skyshard.node.record_keeper import keep_on_nodes  # it needs SQLAlchemy, which a query does not import

        for database in dict.fromkeys(filter(None, databases)):
            keep_on_nodes(self.registry, self.reached, database, self.cluster.events, anew=anew)

    def life_place(self) -> skyshard.releases.LifePlace:
        """The parts of the cluster that dropping a database works with."""
        copies = ServerFiles(self.cluster.data_dir(MONO_NAME))
        return skyshard.releases.LifePlace(
            self.site(drained=True),
            has_copy=lambda database: copies.database(database).is_dir(),
            oracle=self._oracle_awake,
            passed_through=(self.cluster.folder / "exchange", self.cluster.folder / PUBLICATION_FOLDER),
        )

    @contextmanager
    def _oracle_awake(self) -> Iterator[Handle[skyshard.node.NodeLoader]]:
        """The oracle's loader; a server that does not run is started, and stopped at the end."""
        has_run = MONO_NAME in self.cluster.answering()
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
            self.cluster.nodes,
            self.cluster.data_dir(CZAR_NAME),
            scan_threads=self._scan_threads,
            silence_s=self.cluster.silence_s,
            on_end=self.recorder.add,
            beats=self.registry.heartbeats,
            take_doubt=self._take_doubt,
            find_nodes=lambda: self.cluster.nodes,
            check_session=MarkCheck(self.registry.nodes.marks),
            watch=lambda: skyshard.replicate.watch_nodes(self.registry, lambda: self.reached),
            find_replicas=lambda database, table: self.registry.replicas.all(database, table),
            events=self.cluster.events,
            scan=self.cluster.chosen.scan,
        )

    def _take_doubt(self, doubt: Doubt) -> None:
        self.doubts.take(doubt.node, doubt.tables, doubt.chunks)

    @locked_property
    def doubts(self) -> skyshard.replicate.DoubtKeeper:
        """What queries could not read, looked at beside them."""
        return skyshard.replicate.DoubtKeeper(self.registry, _Reached(self.cluster), self.cluster.events)

    @locked_property
    def mono(self) -> skyshard.czar.MonoTarget:
        """The oracle; ``load_mono`` starts its server."""
        try:
            endpoint = self.cluster.endpoint(MONO_NAME)
        except UserError:
            raise UserError("the mono server is not running", remedy="run skyshard mono load DATABASE") from None
        catalogs = skyshard.registry.CatalogCache(self.registry, self.cluster.endpoint(CZAR_NAME))
        return skyshard.czar.MonoTarget(catalogs, endpoint, self.cluster.data_dir(MONO_NAME))


class _Reached(Mapping[str, Endpoint]):
    """Where the nodes are reached, as the cluster has them now."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def __getitem__(self, name: str) -> Endpoint:
        return self._cluster.node(name).sql

    def __iter__(self) -> Iterator[str]:
        return iter(self._cluster.node_names)

    def __len__(self) -> int:
        return len(self._cluster.node_names)
