"""Mends the replicas of one node, one at a time: copies, or what can be done with what is there. Knows no schedule."""

from __future__ import annotations

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.catalog.engines import MYISAM
from skyshard.db.server_errors import is_passing
from skyshard.node.messages import RepairOrder
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.registry.stored.lifecycle import Event
from skyshard.registry.stored.records import Replica
from skyshard.replicate.look import Look
from skyshard.replicate.place import NodePlace, ReplayedRows, ReplicaPlace
from skyshard.replicate.repair_plan import RepairStep
from skyshard.replicate.shared_rate import SharedRate
from skyshard.replicate.tables_on_node import TablesOnNode


class Unmended(ClusterError):
    """A replica that stays as it is: the others of the node are gone on with."""


class NodeMender(TablesOnNode):
    """The replicas of one database on one node."""

    def __init__(self, place: ReplicaPlace, database: str, node: NodePlace, rate: SharedRate) -> None:
        super().__init__(place, database, node, rate)
        self._place = place
        self._look = Look(database, self.definitions)
        self._parts: dict[tuple[str, int, bool], list[int]] = {}
        for one in place.registry.replication.of_node(database, node.name):
            self._parts.setdefault(one.replica.target, []).append(one.replica.part)
        self._there: set[str] = set()

    def prepare(self) -> set[str]:
        self._there = super().prepare()
        return self._there

    def mend(self, step: RepairStep) -> None:
        """Have the rows of a replica on the node, as the registry has them.

        Raises:
            Unmended: it did not work out for this one.
            ClusterError: the node, or its source, does not answer, or has no room.
        """
        if step.source:
            self._copy(step)
        else:
            self._reindex(step.known)
        self._show(step.known.replica)

    def replay(self, known: KnownReplica, rows: ReplayedRows) -> None:
        """Have the rows of a lost replica on the node, from the input that brought them.

        Raises:
            Unmended: the input does not have them any more, or they did not come out as they were.
            ClusterError: the node does not answer, or has no room.
        """
        if why := rows.why_not(known):
            raise self._given_up(known, why)
        try:
            rows.build(known)
        except SkyshardError as error:
            if is_passing(error):
                raise
            raise self._given_up(known, f"from its input: {error.what}") from error
        self._show(known.replica)

    def _show(self, replica: Replica) -> None:
        """Lists of parts that are there; the last part that comes makes those that waited for it."""
        self._there.add(replica.name)
        self.show_parts(replica, self._parts.get(replica.target, ()), self._there)

    def _copy(self, step: RepairStep) -> None:
        try:
            self.copier.copy(self.order(step.known.replica), self._place.node(step.source))
        except ClusterError as error:
            if is_passing(error):
                raise
            raise self._given_up(step.known, f"from {step.source}: {error.what}") from error

    def _reindex(self, known: KnownReplica) -> None:
        """The last resort: rows that are right under an index that is not.

        The server may write the rows anew, so where records are missing the last copy stays as it is.
        """
        name, fault = known.replica.name, self._look.alone(self.node.loader, known)
        if not fault:  # its server, or an operator, has mended it
            return
        is_hopeful = self.engine.name == MYISAM.name and self.copier.has_all_records(self.order(known.replica))
        for source in ("index", "definition") if is_hopeful else ():
            try:
                self.node.loader.call(NodeLoader.repair, RepairOrder(self.database, (name,), source)).result()
                fault = self._look.alone(self.node.loader, known)
            except SkyshardError as error:
                if is_passing(error):
                    raise
            if not fault:
                return
        raise self._given_up(known, fault)

    def _given_up(self, known: KnownReplica, fault: str) -> Unmended:
        self._place.registry.replication.move(self.database, [known], Event.BROKEN, fault=fault)
        return Unmended(fault)
