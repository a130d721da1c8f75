"""Where replicas are verified and repaired: registry, nodes, folder."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from skyshard.basics.errors import ClusterError, UserError
from skyshard.log.event_log import ONLY_LOGGED, EventLog
from skyshard.node.host_files import HostFiles
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.registry.registry import Registry
from skyshard.runtime.base import Handle


@dataclass(frozen=True, slots=True)
class NodePlace:
    """One node: what works beside it, and its folders as its own host sees them."""

    name: str
    loader: Handle[NodeLoader]
    files: Handle[HostFiles]
    data: Path
    """Of its server."""
    staging: Path
    is_here: bool
    """Its files are of this process's host."""


class ReplayedRows(Protocol):
    """Rows that the input of a database brings again."""

    def why_not(self, known: KnownReplica) -> str:
        """Why the rows of a replica cannot be had again; empty where they can."""
        ...

    def build(self, known: KnownReplica) -> None:
        """Make the table of a replica on its node, counted and digested; ClusterError or UserError where it fails."""
        ...


Replayer = Callable[[str, Sequence[KnownReplica], Callable[[int], None]], AbstractContextManager[ReplayedRows]]
"""Stored name of a database, lost replicas, and what is told of the bytes that are read → their rows from the input."""


@dataclass(frozen=True, slots=True)
class ReplicaPlace:
    """What every work on the replicas of a cluster needs."""

    registry: Registry
    nodes: Sequence[str]
    node: Callable[[str], NodePlace]
    """A node by its name; ClusterError where its host is away."""
    folder: Path
    """Of the cluster: what a round that was interrupted leaves to go on with."""
    events: EventLog = ONLY_LOGGED
    replay: Replayer | None = None
    """How rows that no node has any more are had from the input; None where that is not tried."""

    def require_node(self, name: str) -> None:
        """UserError for a node that there is not."""
        if name not in self.nodes:
            raise UserError(f"no node '{name}'", remedy=f"the cluster has {', '.join(self.nodes)}")

    def answers(self, name: str) -> bool:
        """Whether a node can be read and written now."""
        with suppress(ClusterError):
            self.node(name).loader.call(NodeLoader.started_s).result()
            return True
        return False

    def answering(self) -> tuple[str, ...]:
        """The nodes that can be read and written now, in their order."""
        return self.where(self.answers)

    def where(self, is_so: Callable[[str], bool]) -> tuple[str, ...]:
        """The nodes of which something is so, in their order; all are asked at once."""
        with ThreadPoolExecutor(max(1, len(self.nodes)), "nodes") as pool:
            found = list(pool.map(is_so, self.nodes))
        return tuple(name for name, is_there in zip(self.nodes, found, strict=True) if is_there)
