"""A cluster, private or named: what everything above it sees. The servers of a private one are our own, in one folder
of this host (``private_cluster``); those of a named one run on hosts that its cluster file names (``named_cluster``).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from skyshard.basics.errors import UserError
from skyshard.basics.scan_way import ScanWay
from skyshard.cluster.cluster_folder import exclusive, is_named, private_folder
from skyshard.cluster.node import Node
from skyshard.cluster.run_servers import Report, silent
from skyshard.cluster.settings_file import Chosen, read_chosen, write_chosen
from skyshard.db.connection import Endpoint
from skyshard.log.event_log import EventLog
from skyshard.runtime.ray_address import RayAddress

if TYPE_CHECKING:
    from skyshard.cluster.server_status import NodeStatus

CZAR_NAME = "czar"
MONO_NAME = "mono"
LOG_FOLDER = "log"
PUBLICATION_FOLDER = "replica-chunks"
"""Of rows that leave a mutable database for its published copy."""
_KINDS = {
    False: ("skyshard.cluster.private_cluster", "PrivateCluster"),
    True: ("skyshard.cluster.named_cluster", "NamedCluster"),
}
"""Where the kinds are, by whether the record is one of a named cluster: both are made on this module."""


def run_by_others(name: str) -> UserError:
    """The error of who wants to do to a server what only those may do who run it."""
    return UserError(f"others run the server of {name}", remedy="do it on its host, where `skyshard node run` runs it")


class Cluster(ABC):
    """The cluster in a folder, whether it exists yet or not; constructing one touches nothing."""

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder).resolve()
        self.events = EventLog(self.folder / LOG_FOLDER)

    @staticmethod
    def at(folder: Path | str) -> Cluster:
        """The cluster in a folder, of the kind that its record says; a private one where there is none yet."""
        module, name = _KINDS[is_named(Path(folder))]
        kind: type[Cluster] = getattr(import_module(module), name)
        return kind(folder)

    @abstractmethod
    def start(self, nodes: int | None = None, settings: Sequence[str] = (), *, report: Report = silent) -> None:
        """Have every server run: start those that are ours, or make sure that those of others answer.

        Args:
            nodes: their number; None for as many as there are.
            settings: ``[SERVER:]NAME=VALUE``, on top of those chosen before.
        """

    @property
    @abstractmethod
    def exists(self) -> bool:
        """Whether the folder holds a cluster."""

    @property
    @abstractmethod
    def node_names(self) -> tuple[str, ...]:
        """The nodes in order, without czar and mono. UserError when there is no cluster here."""

    @abstractmethod
    def node(self, name: str) -> Node:
        """One node, whether its server runs or not. UserError for another name."""

    @property
    @abstractmethod
    def nodes(self) -> dict[str, Node]:
        """Every node by its name, in order."""

    @abstractmethod
    def endpoint(self, name: str) -> Endpoint:
        """Where a node, ``czar`` or ``mono`` is reached from here. UserError for a private server that is down."""

    @abstractmethod
    def data_dir(self, name: str) -> Path:
        """The data folder of a server as this host sees it: ``data_dir("node1") / database / "Object_6630.MYD"``.

        Raises:
            UserError: a server of another host.
        """

    @property
    @abstractmethod
    def is_running(self) -> bool:
        """True when the czar and every node run, as far as this host can tell without asking others."""

    @abstractmethod
    def require_running(self) -> None:
        """UserError unless :attr:`is_running`."""

    def require_usable(self) -> None:
        """UserError unless the czar runs, and a node, as far as this host can tell without asking others."""
        self.require_running()

    @abstractmethod
    def running_endpoints(self) -> list[Endpoint]:
        """Where every server listens that runs or may run, mono too."""

    @abstractmethod
    def status(self) -> list[NodeStatus]:
        """One entry for the czar, every node, and mono once it has been started."""

    def answering(self) -> frozenset[str]:
        """The names of the servers that answer, czar and mono among them; without all else that ``status`` looks at."""
        return frozenset(server.name for server in self.status() if server.state == "running")

    @abstractmethod
    def start_mono(self, *, report: Report = silent) -> Endpoint:
        """Start the unsharded server of this host, made at its first start, and say where it listens."""

    @abstractmethod
    def stop(self, *, report: Report = silent) -> None:
        """Stop every server of this folder; the data stays. No-op when nothing runs."""

    @abstractmethod
    def destroy(self, *, report: Report = silent) -> None:
        """Stop every server of this folder, and remove the folder and all that is in it."""

    def stop_server(self, name: str) -> None:
        """Stop one server, for drills and maintenance; ``start`` brings it back. UserError for one that others run."""
        raise run_by_others(name)

    def kill_server(self, name: str) -> None:
        """Kill one server without a proper stop, for drills; ``start`` brings it back. Errors as of ``stop_server``."""
        raise run_by_others(name)

    def start_server(self, name: str, variables: Mapping[str, str] | None = None) -> None:
        """Start one server, if it does not run, and wait until it answers; errors as of ``stop_server``.

        Args:
            variables: of the environment of its process, besides those of this one.
        """
        raise run_by_others(name)

    def freeze_server(self, name: str) -> None:
        """Stop the process of one server (SIGSTOP): its sessions stay open, and nothing is answered."""
        raise run_by_others(name)

    def thaw_server(self, name: str) -> None:
        """Let the process of one server go on. No-op when it runs, or there is none."""
        raise run_by_others(name)

    def change_settings(self, settings: Sequence[str], *, report: Report = silent) -> None:
        """Choose settings, ``[SERVER:]NAME=VALUE``. UserError where others run the servers."""
        raise run_by_others("all nodes")

    def log_file(self, name: str) -> Path:
        """The log of a server; it is kept until the cluster is destroyed. UserError for a server that others run."""
        raise run_by_others(name)

    @property
    def ray(self) -> RayAddress | None:
        """The Ray cluster whose workers are beside the nodes; None where each command opens one of its own."""
        return None

    @property
    def silence_s(self) -> float | None:
        """Seconds after which a server without a word counts as silent; None: as the environment says."""
        return None

    @property
    def chosen(self) -> Chosen:
        """What users chose for its servers, and what an interrupted change went for."""
        return read_chosen(self.folder)

    def choose_scan(self, way: ScanWay) -> None:
        """Choose how scans are answered where a query does not say: by processes that open the cluster from now on."""
        with exclusive(self.folder):
            write_chosen(self.folder, self.chosen.model_copy(update={"scan": way}))

    def folder_for(self, what: str) -> Path:
        """The folder below the cluster's for results, keys and the like; only its owner may enter it."""
        return private_folder(self.folder / what)
