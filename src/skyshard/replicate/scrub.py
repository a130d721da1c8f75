"""Verifies replicas: every table is read beside its data, counted, digested, its index held against its rows.

Rules: oldest verification first, nodes side by side, each at its rate. What differs from the registry is read once
more before it counts as bad: a server that went down meanwhile says nothing about a table. Bad replicas are left by
queries at once; good ones are dated; what was merged, replaced or made again meanwhile is left alone. A round that
was interrupted goes on where it was.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Progress, Watcher, unwatched
from skyshard.log.events import IMAGES_BAD, REPLICA_BAD, REPLICA_GOOD_AGAIN
from skyshard.registry.catalog.replication_index import FaultyReplica, KnownReplica
from skyshard.registry.stored.lifecycle import ReplicaState
from skyshard.replicate.dummy_tables import dummy_faults
from skyshard.replicate.look import Look
from skyshard.replicate.place import ReplicaPlace
from skyshard.replicate.scrub_batches import ScrubBatch, batches_of
from skyshard.replicate.scrub_images import scrub_images
from skyshard.replicate.scrub_round import begin_round, end_round
from skyshard.replicate.throttle import TokenBucket

STAGE = "verify replicas"


@dataclass(slots=True)
class Scrubbed:
    """What a scrub of one database has read; bytes are those of the tables' files."""

    database: str
    tables: int = 0
    rows: int = 0
    bytes: int = 0
    faults: list[FaultyReplica] = field(default_factory=list)
    """Replicas that are bad."""
    mended: int = 0
    """Replicas that are good and were bad before, or were until their server made an index again when it met it."""
    unread: dict[str, str] = field(default_factory=dict)
    """Nodes that did not answer to the end, and why."""
    elapsed_s: float = 0.0
    images: int = 0
    """Segments of column images that were read."""
    image_faults: dict[str, str] = field(default_factory=dict)
    """``node: file`` of segments that are damaged, or of other rows than the registry says; they are out of use."""

    @property
    def is_good(self) -> bool:
        return not self.faults and not self.image_faults and not self.unread


def scrub_replicas(
    place: ReplicaPlace,
    database: str,
    *,
    rate_bytes_s: float = 0.0,
    nodes: Sequence[str] = (),
    watcher: Watcher = unwatched,
) -> Scrubbed:
    """Read the replicas of a published database and mark what is good and what is bad.

    Args:
        database: its stored name.
        rate_bytes_s: bytes a second that each node reads at most, on average; 0 for as fast as it can.
        nodes: only these; all of the cluster if there are none.
    """
    started, wanted = time.monotonic(), list(nodes or place.nodes)
    shown = place.registry.published.names().shown(database)
    done = Scrubbed(shown)
    index = place.registry.replication
    begun_s = begin_round(place.folder, database, wanted, index.now_s())
    queues = {node: list(batches_of(index.of_node(database, node), before_s=begun_s[node])) for node in wanted}
    total = sum(len(batch.known) for queue in queues.values() for batch in queue)
    look = Look(database, place.registry.databases.table_definitions(database))
    work = _Scrub(place, database, look, done, rate_bytes_s, watcher, total)
    with ThreadPoolExecutor(max(1, len(wanted)), "scrub") as pool:
        list(pool.map(work.read_node, queues, queues.values()))
    end_round(place.folder, database, set(wanted) - done.unread.keys())
    done.elapsed_s = time.monotonic() - started
    return done


@dataclass(slots=True, eq=False)
class _Scrub:
    """One run over one database; its counts are added to from a thread of each node."""

    place: ReplicaPlace
    database: str
    look: Look
    done: Scrubbed
    rate_bytes_s: float
    watcher: Watcher
    total: int
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _begun_s: float = field(default_factory=time.monotonic)

    def read_node(self, node: str, batches: Sequence[ScrubBatch]) -> None:
        bucket = TokenBucket(self.rate_bytes_s, self.rate_bytes_s, time.monotonic())
        try:
            for batch in batches:
                self._read(node, batch)
                time.sleep(bucket.take(batch.bytes, time.monotonic()))
            self._read_dummies(node)
            self._read_images(node, bucket)
        except (ClusterError, UserError) as error:
            with self._lock:
                self.done.unread[node] = str(error)

    def _read(self, node: str, batch: ScrubBatch) -> None:
        loader = self.place.node(node).loader
        first = faults = self.look.faults(loader, batch)
        if faults:  # a second look: what has passed is no fault of a table any more
            faults = self.look.faults(loader, batch)
        good = [one for one in batch.known if one not in faults]
        told = self.place.registry.replication.mark(self.database, good, faults)
        good, faults = [one for one in good if one in told], {one: faults[one] for one in faults if one in told}
        mended = [one for one in good if one in first or one.replica.state is ReplicaState.BAD]
        self._tell(node, mended, faults)
        with self._lock:
            done = self.done
            done.tables, done.rows, done.bytes = (
                done.tables + len(batch.known), done.rows + batch.rows, done.bytes + batch.bytes
            )  # fmt: skip
            done.mended += len(mended)
            done.faults += [_faulty(done.database, one, fault) for one, fault in faults.items()]
            elapsed_s = time.monotonic() - self._begun_s
            self.watcher(Progress(STAGE, done.tables, self.total, done.rows, done.bytes, elapsed_s))

    def _read_dummies(self, node: str) -> None:
        """The tables of the dummy chunk, of which the registry keeps nothing."""
        faults = dummy_faults(self.look, self.place.node(node).loader, node)
        with self._lock:
            self.done.faults += [_faulty(self.done.database, one, fault) for one, fault in faults.items()]

    def _read_images(self, node: str, bucket: TokenBucket) -> None:
        """Column images, in the round of their rows; what is at fault is set aside, and no query reads it."""
        loader = self.place.node(node).loader
        replicas = [one.replica for one in self.place.registry.replication.of_node(self.database, node)]
        for facts, fault in scrub_images(loader, self.database, replicas):
            time.sleep(bucket.take(facts.bytes, time.monotonic()))
            with self._lock:
                self.done.images += 1
                self.done.bytes += facts.bytes
                if fault:
                    self.done.image_faults[f"{node}: {facts.path}"] = fault
            if fault:
                self.place.events.about(node=node).tell(IMAGES_BAD, file=facts.path, error=fault)

    def _tell(self, node: str, mended: Sequence[KnownReplica], faults: Mapping[KnownReplica, str]) -> None:
        events = self.place.events.about(node=node)
        for one, fault in faults.items():
            if one.replica.state is ReplicaState.GOOD:
                events.tell(REPLICA_BAD, table=f"{self.database}.{one.replica.name}", error=fault)
        for one in mended:
            events.tell(REPLICA_GOOD_AGAIN, table=f"{self.database}.{one.replica.name}")


def _faulty(database: str, one: KnownReplica, fault: str) -> FaultyReplica:
    replica = one.replica
    return FaultyReplica(
        database, replica.table, replica.chunk, replica.is_overlap, replica.part, replica.node, ReplicaState.BAD, fault
    )


def scrub_all(place: ReplicaPlace, databases: Sequence[str], run: Callable[[str], Scrubbed]) -> list[Scrubbed]:
    """Several databases, the one that was verified longest ago first."""
    oldest = {
        name: min((one.oldest_s for one in place.registry.replication.sums(name)[1]), default=0) for name in databases
    }
    return [run(name) for name in sorted(databases, key=lambda name: (oldest[name], name))]
