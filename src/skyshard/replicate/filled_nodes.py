"""Gives a node what every node has of each database: itself, the tables of the dummy chunk, and regular tables whole.

Rules: a copy is ``building`` first, and ``good`` when it was built, counted, digested as the registry has it, and is on
the disk; killed anywhere, it is gone on with. A database that is being ingested is left for later, and named.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from skyshard.basics.errors import InUse
from skyshard.basics.progress import Progress, Watcher, unwatched
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.registry.stored.lifecycle import DatabaseState, Event, ReplicaState
from skyshard.replicate.mend_node import NodeMender
from skyshard.replicate.place import ReplicaPlace
from skyshard.replicate.repair_plan import RepairStep
from skyshard.replicate.shared_rate import SharedRate

STAGE = "copy regular tables"


@dataclass(slots=True)
class Filled:
    """What a node was given."""

    node: str
    databases: int = 0
    """That it was made ready for."""
    tables: int = 0
    """Parts of regular tables that were copied."""
    bytes: int = 0
    left: dict[str, str] = field(default_factory=dict)
    """Databases that it was not made ready for, by the names that people call them, and why: no chunk of them comes to
    it until it is enabled again."""


def fill_node(
    place: ReplicaPlace, node: str, sources: Sequence[str], *, rate_bytes_s: float = 0.0, watcher: Watcher = unwatched
) -> Filled:
    """Give a node what it lacks of what every node has, of all published databases.

    Args:
        sources: nodes that answer, from which regular tables are copied.
        rate_bytes_s: bytes a second that each node gives and gets at most, on average; 0 for as fast as it can.

    Raises:
        ClusterError: the node, or a source, does not answer, or has no room.
    """
    done = Filled(node)
    work = _Fill(place, node, sources, done, rate_bytes_s, watcher)
    mutable = place.registry.published.names().mutable_stored
    for row in place.registry.life.rows():
        if row.state is DatabaseState.PUBLISHED and row.stored not in mutable:
            try:
                with place.registry.ingesting(row.stored):
                    work.fill(row.stored, row.shown)
            except InUse as error:
                done.left[row.shown] = error.what
    return done


class _Fill:
    """One node, one database after another."""

    def __init__(
        self,
        place: ReplicaPlace,
        node: str,
        sources: Sequence[str],
        done: Filled,
        rate_bytes_s: float,
        watcher: Watcher,
    ) -> None:
        self._place, self._node, self._sources, self._done = place, node, sources, done
        self._watcher = watcher
        self._rate = SharedRate(rate_bytes_s, self._count)
        self._given: Counter[str] = Counter()
        self._begun_s = time.monotonic()

    def _count(self, size: int) -> None:
        self._done.bytes += size

    def fill(self, database: str, shown: str) -> None:
        """One database, which is held."""
        index = self._place.registry.replication
        steps = list(self._begun(database, index.whole(database), shown))
        mender = NodeMender(self._place, database, self._place.node(self._node), self._rate)
        with mender.held():
            mender.prepare()
            for number, step in enumerate(steps, 1):
                mender.mend(step)
                elapsed_s = time.monotonic() - self._begun_s
                self._watcher(Progress(STAGE, number, len(steps), step.known.replica.rows, self._done.bytes, elapsed_s))
            mender.settle()
        index.move(database, [step.known for step in steps], Event.BUILT)
        self._done.databases += 1
        self._done.tables += len(steps)

    def _begun(self, database: str, whole: Sequence[KnownReplica], shown: str) -> list[RepairStep]:
        """The copies to be made, which the registry has as being made."""
        rows: dict[tuple[str, int], list[KnownReplica]] = {}
        for one in whole:
            rows.setdefault((one.replica.table, one.transaction), []).append(one)
        steps = []
        for (table, transaction), those in sorted(rows.items()):
            good = {one.replica.node: one for one in those if one.replica.state is ReplicaState.GOOD}
            if self._node in good:
                continue
            sources = [name for name in good if name in self._sources]
            if not sources:
                self._done.left[shown] = f"no node that answers has a good copy of {table}"
                continue
            source = min(sources, key=lambda name: (self._given[name], name))
            self._given[source] += good[source].replica.bytes
            mine = replace(good[source].replica, node=self._node, state=ReplicaState.BUILDING)
            self._place.registry.replicas.add(database, transaction, [mine])
            steps.append(RepairStep(KnownReplica(mine, transaction, 0.0), source))
        return steps
