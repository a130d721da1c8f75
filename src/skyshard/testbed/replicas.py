"""What is done about replicas: part of the testbed, for all databases of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import skyshard.ingest
import skyshard.replicate
from skyshard.basics.progress import Watcher, unwatched
from skyshard.testbed.folder_marks import mark_folders
from skyshard.testbed.opened_sources import source_at
from skyshard.wiring import Wiring

if TYPE_CHECKING:
    from skyshard.registry.catalog.replication_index import KnownReplica


class Replicas:
    """The replication index of a running cluster, looked at and kept true."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring

    def status(self, database: str = "") -> skyshard.replicate.ReplicaStatus:
        """How many good, verified replicas there are of one database or all, and what each node holds."""
        return skyshard.replicate.read_status(self._wiring.registry, self._wiring.nodes, database)

    def explain(self, chunk: int, database: str = "") -> skyshard.replicate.ChunkExplanation:
        """Which nodes hold a chunk, in what state, and why others do not; asks all servers at once.

        Raises:
            UserError: no published database, or not this one, has the chunk.
        """
        registry = self._wiring.registry
        skyshard.replicate.look_at_nodes(registry, self._wiring.reached)
        return skyshard.replicate.explain_chunk(registry, self._wiring.nodes, chunk, database)

    def verify(
        self,
        database: str = "",
        *,
        rate_bytes_s: float = 0.0,
        nodes: Sequence[str] = (),
        watcher: Watcher = unwatched,
    ) -> list[skyshard.replicate.Scrubbed]:
        """Read the replicas of one database, or of all, and mark what is bad; an interrupted round goes on.

        Args:
            rate_bytes_s: bytes a second that each node reads at most, on average; 0 for as fast as it can.
            nodes: only these.

        Raises:
            UserError: an unknown database or node.
        """
        wanted = self._wanted(database)
        place = self._wiring.replica_place()
        for node in nodes:
            place.require_node(node)
        run = partial(skyshard.replicate.scrub_replicas, place, rate_bytes_s=rate_bytes_s, nodes=nodes, watcher=watcher)
        done = skyshard.replicate.scrub_all(place, wanted, run)
        names = self._wiring.registry.published.names()
        changed = [names.stored(one.database) for one in done if one.faults or one.mended]
        self._wiring.keep_records(*changed, anew=True)  # a rebuild shows no replica that is known to be bad
        return done

    def plan_repair(self, database: str = "") -> dict[str, skyshard.replicate.RepairPlan]:
        """What ``repair`` would do, by database; changes nothing."""
        place = self._wiring.replica_place()
        names = self._wiring.registry.published.names()
        return {names.shown(one): skyshard.replicate.make_repair_plan(place, one) for one in self._wanted(database)}

    def repair(
        self,
        database: str = "",
        *,
        rate_bytes_s: float = 0.0,
        sources: Sequence[skyshard.ingest.Source | str] = (),
        watcher: Watcher = unwatched,
    ) -> list[skyshard.replicate.Repaired]:
        """Make the replicas of one database, or of all, good again, then damaged column images; an interrupted repair
        goes on.

        Args:
            rate_bytes_s: bytes a second that each node gives and gets at most, on average; 0 for as fast as it can.
            sources: where the input of lost rows may be, besides the places that it was ingested from.

        Raises:
            UserError: an unknown database.
            ClusterError: another repair, an ingest, a compaction or a drop is under way (retryable); a node runs in
                another data folder.
        """
        mark_folders(self._wiring, self._wiring.nodes)
        place = replace(self._wiring.replica_place(), replay=self.replay(sources))
        wanted = self._wanted(database)
        done = [
            skyshard.replicate.repair_replicas(place, one, rate_bytes_s=rate_bytes_s, watcher=watcher) for one in wanted
        ]
        for one, what in zip(wanted, done, strict=True):
            images = skyshard.replicate.mend_images(place, one, watcher=watcher)
            what.images = images.made if images else 0
        mended = [one for one, what in zip(wanted, done, strict=True) if what.mended]
        self._wiring.keep_records(*mended, anew=True)
        self._wiring.keep_records(*(one for one in wanted if one not in mended))  # a node whose disk is new has none
        return done

    def drop_lost(self, database: str, lost: Sequence[skyshard.replicate.LostRows]) -> skyshard.ingest.DroppedRows:
        """Take rows that ``repair`` found lost out of a database; what a node has again meanwhile stays.

        Raises:
            UserError: an unknown database, or an unfinished ingest of it.
            ClusterError: a node is down, or something else is to be repaired first; nothing is changed then.
        """
        stored = self._wiring.registry.published.names().fixed(database)
        rows = [(one.table, one.chunk, one.is_overlap, one.transaction) for one in lost]
        return skyshard.ingest.drop_lost(self._wiring.site(), stored, rows)

    def replay(self, sources: Sequence[skyshard.ingest.Source | str] = ()) -> skyshard.replicate.Replayer:
        """How lost rows are had from the sources that their transactions named, or from others."""
        return partial(self._replayed, sources)

    def _replayed(
        self,
        sources: Sequence[skyshard.ingest.Source | str],
        database: str,
        lost: Sequence[KnownReplica],
        counted: Callable[[int], None],
    ) -> AbstractContextManager[skyshard.replicate.ReplayedRows]:
        given = {one if isinstance(one, str) else one.path: one for one in sources}
        return skyshard.ingest.replayed(
            self._wiring.site(), database, lost, open_source=lambda path: source_at(given.get(path, path)),
            elsewhere=list(given), counted=counted,
        )  # fmt: skip

    def plan_drain(self, node: str) -> skyshard.replicate.JobPlan:
        """What draining a node would do; changes nothing.

        Raises:
            UserError: no such node, or its chunks have no other node.
            ClusterError: it does not answer, and has chunks alone.
        """
        return skyshard.replicate.make_drain_plan(self._wiring.replica_place(), node)

    def plan_rebalance(self) -> skyshard.replicate.JobPlan:
        """What evening out the nodes that may get chunks would do; changes nothing."""
        return skyshard.replicate.make_even_plan(self._wiring.replica_place())

    def plan_fill(self, *, at_once: bool = False) -> skyshard.replicate.JobPlan:
        """What bringing every chunk to its level would do; changes nothing.

        Args:
            at_once: nodes that do not answer are not waited for; else only those that have been down for long.
        """
        return skyshard.replicate.make_fill_plan(self._wiring.replica_place(), at_once=at_once)

    def set_level(self, database: str, replicas: int) -> None:
        """Have a database ask for so many replicas; ``plan_fill`` says what that takes.

        Raises:
            UserError: an unknown database, or fewer than one replica.
            ClusterError: an ingest of it is under way (retryable).
        """
        skyshard.replicate.set_level(self._wiring.registry, database, replicas)
        self._wiring.keep_records(self._wiring.registry.published.names().stored(database))

    def _wanted(self, database: str) -> list[str]:
        names = self._wiring.registry.published.names()
        return [names.fixed(database)] if database else names.published_stored
