"""Nodes that come and go: part of the testbed.

Rules: the registry says first what is to be, then it is done, then the registry says that it is done; whatever is
killed in between is gone on with by asking for the same again. Queries, and ingests of other databases, go on.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import skyshard.replicate
from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.catalog.cluster_file import describe_cluster
from skyshard.cluster.named_cluster import NamedCluster
from skyshard.cluster.named_description import NamedDescription
from skyshard.cluster.node import Node
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.cluster.run_servers import Report, silent
from skyshard.log.events import NODE_STATE
from skyshard.registry.catalog.nodes import NodeRow
from skyshard.registry.stored.lifecycle import HOLDING, MEMBERS, NodeEvent, NodeState
from skyshard.testbed.check.check_cluster import check_nodes
from skyshard.testbed.folder_marks import mark_folders
from skyshard.wiring import Wiring


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """One node; times are seconds since 1970, 0 for never."""

    name: str
    state: NodeState
    place: str
    """Where its server is reached."""
    answers: bool
    seen_s: float
    """When its server answered last, as far as anybody looked."""
    down_s: float
    """Since when it is known not to answer; 0 where it answers."""
    outages: int
    """That began in the last 24 hours; more than one: it flaps."""
    chunks: int
    tables: int
    rows: int
    bytes: int
    free_bytes: int | None
    """On the disk of its data folder; None where that is not seen from here."""
    version: str
    """Of its server; empty where that does not answer."""


class NodeLife:
    """The nodes of a running cluster."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._nodes = wiring.registry.nodes

    def listed(self) -> list[NodeInfo]:
        """Every node, as it is decided of, held and seen; asks all servers at once, and keeps what that showed."""
        nodes = self._wiring.cluster.nodes
        said = self.look()
        rows = self._nodes.rows(nodes)
        held = {one.node: one for one in self._wiring.registry.replication.sums()[1]}
        found = []
        for name, node in nodes.items():
            row, mine = rows[name], held.get(name)
            place = node.sql.socket or f"{node.sql.host}:{node.sql.port}"
            found.append(
                NodeInfo(
                    name, row.state, place, name in said, row.seen_s, row.down_s, row.outages,
                    mine.chunks if mine else 0, mine.tables if mine else 0, mine.rows if mine else 0,
                    mine.bytes if mine else 0, _free_bytes(node), said.get(name, ""),
                )
            )  # fmt: skip
        return found

    def look(self) -> dict[str, str]:
        """Ask the servers of all nodes at once, and keep in the registry which answered; node → version of these."""
        return skyshard.replicate.look_at_nodes(self._wiring.registry, self._wiring.reached)

    def add(
        self,
        name: str = "",
        *,
        file: Path | None = None,
        again: bool = False,
        rate_bytes_s: float = 0.0,
        watcher: Watcher = unwatched,
        report: Report = silent,
    ) -> list[skyshard.replicate.Filled]:
        """Add a node: make and start one of a private cluster, or take those that a cluster file names anew.

        What an interrupted call began is gone on with.

        Args:
            name: only this one of the file; of a private cluster one that was being added.
            file: the cluster file of a cluster on many machines.
            again: also one whose name a removed node had.
            rate_bytes_s: bytes a second that regular tables are copied with at most; 0 for as fast as it can.

        Raises:
            UserError: a name that is taken, or was; a file that is none, or names no new node.
            ClusterError: a new node does not answer, or what is wrong with it.
        """
        cluster = self._wiring.cluster
        if isinstance(cluster, PrivateCluster):
            if file is not None:
                raise UserError("a private cluster has no cluster file of hosts", remedy="leave --file out")
            names = [self._begin_private(cluster, name, again=again, report=report)]
        else:
            assert isinstance(cluster, NamedCluster)
            names = self._begin_named(cluster, name, file, again=again, report=report)
        return [self._filled(one, NodeEvent.JOINED, rate_bytes_s, watcher) for one in names]

    def _begin_private(self, cluster: PrivateCluster, name: str, *, again: bool, report: Report) -> str:
        states = self._nodes.states()
        waiting = [one for one, state in states.items() if state is NodeState.JOINING]
        wanted = name or (sorted(waiting)[0] if waiting else cluster.next_node)
        if wanted not in waiting and wanted != cluster.next_node:
            known = wanted in cluster.node_names
            raise UserError(
                f"{wanted} is a node already" if known else f"the next node of this cluster is {cluster.next_node}",
                remedy="give no name",
            )
        self._nodes.join(wanted, again=again)
        self._tell(wanted, NodeState.JOINING)
        cluster.add_node(wanted, report=report)
        return wanted

    def _begin_named(
        self, cluster: NamedCluster, name: str, file: Path | None, *, again: bool, report: Report
    ) -> list[str]:
        before = cluster.description
        described = before if file is None else _described(file, before.name)
        states = self._nodes.states()
        members = {one for one in before.node_names if states.get(one, NodeState.ACTIVE) in MEMBERS}
        new = [one for one in described.node_names if one not in members]
        wanted = [one for one in new if name in ("", one)]
        if not wanted:
            what = f"node {name!r}" if name else "a node"
            raise UserError(
                f"{file or 'the cluster'} names no new node{f' {name!r}' if name else ''}",
                remedy=f"write {what} into the cluster file, and give it with --file",
            )
        missing = [one for one in before.node_names if one not in described.node_names]
        if missing:
            raise UserError(
                f"{file} does not name {missing[0]}, which is a node", remedy="`skyshard nodes remove` removes one"
            )
        faults = check_nodes(cluster, described, wanted)
        if faults:
            raise ClusterError(faults[0], remedy="see `skyshard cluster check`; nothing was added")
        for one in wanted:  # one with a state was in an earlier cluster file
            self._nodes.join(one, again=again or (one not in before.node_names and states.get(one) in MEMBERS))
            self._tell(one, NodeState.JOINING)
        kept = {*before.node_names, *wanted}
        nodes = tuple(node for node in described.nodes if node.name in kept)
        cluster.describe(described.model_copy(update={"nodes": nodes}), report=report)
        return wanted

    def _filled(self, name: str, event: NodeEvent, rate_bytes_s: float, watcher: Watcher) -> skyshard.replicate.Filled:
        """Give a node what every node has, and have it take chunks."""
        place = self._wiring.replica_place()
        said = self.look()
        if name not in said:
            raise ClusterError(f"node '{name}' does not answer", remedy="start its server, and run it again")
        mark_folders(self._wiring, [name])
        sources = self._nodes.in_states([one for one in said if one != name], HOLDING)
        done = skyshard.replicate.fill_node(place, name, sources, rate_bytes_s=rate_bytes_s, watcher=watcher)
        self._decide(name, event)
        self._wiring.keep_records(*self._wiring.registry.published.names().published_stored, anew=True)
        return done

    def read_only(self, name: str) -> NodeRow:
        """Let no new chunks come to a node: it serves queries, and gets rows of the chunks that it holds.

        Raises:
            UserError: no such node.
            ClusterError: its state does not allow it.
        """
        self._require(name)
        self._decide(name, NodeEvent.READ_ONLY)
        return self._nodes.rows([name])[name]

    def enable(
        self, name: str, *, rate_bytes_s: float = 0.0, watcher: Watcher = unwatched
    ) -> skyshard.replicate.Filled:
        """Let chunks come to a node again; what it lacks of what every node has is copied first.

        Raises:
            UserError: no such node.
            ClusterError: it does not answer.
        """
        self._require(name)
        return self._filled(name, NodeEvent.ENABLE, rate_bytes_s, watcher)

    def remove(self, name: str, *, keeps_data: bool = False, report: Report = silent) -> None:
        """Take a node that holds no chunk out of the cluster; queries that still ask it go on elsewhere.

        Run again, it goes on where it was. The nodes that stay get records without it.

        Args:
            keeps_data: of a private cluster, the data folder stays; that of another host always does.

        Raises:
            UserError: no such node; the only one; one that holds chunks, or that a job is at work on.
            ClusterError: an ingest has not ended (retryable).
        """
        cluster = self._wiring.cluster
        states = self._nodes.states()
        if states.get(name) is not NodeState.REMOVED:
            self._require(name, states=(*MEMBERS, NodeState.JOINING))
            others = [one for one in self._wiring.nodes if one != name]
            if not others and states.get(name) is not NodeState.JOINING:
                raise UserError(f"{name} is the only node", remedy="`skyshard cluster destroy` removes the cluster")
            self._decide_removal(name, states.get(name, NodeState.ACTIVE))
        if isinstance(cluster, PrivateCluster):
            cluster.remove_node(name, keeps_data=keeps_data, report=report)
        else:
            assert isinstance(cluster, NamedCluster)
            cluster.leave_out(name, report=report)
        self._wiring.keep_records(*self._wiring.registry.published.names().published_stored, anew=True)

    def _decide_removal(self, name: str, before: NodeState) -> None:
        """Say that a node is removed, if it holds nothing that others lack; else it stays what it was."""
        if before is NodeState.JOINING:
            self._nodes.remove(name)
            self._tell(name, NodeState.REMOVED)
            return
        self._wiring.registry.mutable_chunks.require_none_on(name)
        if count := self._nodes.chunks_on(name):
            raise UserError(f"{name} holds {count} chunks", remedy=f"run `skyshard replicas drain {name}` first")
        self._nodes.require_no_job(name)
        if before is not NodeState.DRAINED:
            self._decide(name, NodeEvent.DRAIN)  # no chunk comes to it from now on
        try:
            for family in self._nodes.families():
                with self._wiring.registry.exclusive(f"placement in {family}"):
                    pass  # whoever placed chunks before has placed them now
            self._nodes.require_settled()
            self._wiring.registry.mutable_chunks.require_none_on(name)
            if count := self._nodes.chunks_on(name):
                raise UserError(f"{name} holds {count} chunks", remedy=f"run `skyshard replicas drain {name}` first")
            self._nodes.remove(name)
            self._tell(name, NodeState.REMOVED)
        except SkyshardError:
            with suppress(SkyshardError):
                self._give_back(name, before)
            raise

    def _give_back(self, name: str, before: NodeState) -> None:
        events = {NodeState.ACTIVE: NodeEvent.ENABLE, NodeState.READ_ONLY: NodeEvent.READ_ONLY}
        if before in events:
            self._decide(name, events[before])

    def _decide(self, name: str, event: NodeEvent) -> None:
        """Move a node along its lifecycle, and have its story know it."""
        self._tell(name, self._nodes.set(name, event))

    def _tell(self, name: str, state: NodeState) -> None:
        self._wiring.cluster.events.about(node=name).tell(NODE_STATE, state=str(state))

    def _require(self, name: str, states: Sequence[NodeState] = tuple(MEMBERS)) -> None:
        names = self._nodes.in_states(self._wiring.cluster.node_names, states)
        if name not in names:
            listed = ", ".join(names[:10]) + (" ..." if len(names) > 10 else "")
            raise UserError(f"no node '{name}'", remedy=f"the cluster has {listed}")


def _described(file: Path, cluster: str) -> NamedDescription:
    described = describe_cluster(file)
    if not isinstance(described, NamedDescription):
        raise UserError(f"'{file}' is the file of a private cluster", remedy="give the cluster's own file")
    if described.name != cluster:
        raise UserError(f"'{file}' is of cluster {described.name!r}, not {cluster!r}", remedy="give its own file")
    return described


def _free_bytes(node: Node) -> int | None:
    with suppress(OSError):
        return shutil.disk_usage(node.data).free if node.is_here else None
    return None
