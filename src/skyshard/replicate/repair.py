"""Makes replicas good again: from a good one on another node, else from what is there, else from the input that brought
the rows; says what is lost.

Rules: a replica that is made again is ``building`` first, and ``good`` when it was built, counted, digested as the
registry has it, and is on the disk; killed anywhere, the next repair goes on. Queries read the good ones meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Progress, Watcher, unwatched
from skyshard.log.events import REPLICA_GOOD_AGAIN, REPLICA_LOST
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.registry.stored.lifecycle import Event
from skyshard.replicate.copy_table import clear_way
from skyshard.replicate.dummy_tables import dummy_faults
from skyshard.replicate.look import Look
from skyshard.replicate.mend_node import NodeMender, Unmended
from skyshard.replicate.place import ReplayedRows, ReplicaPlace
from skyshard.replicate.repair_plan import RepairPlan, RepairStep, plan_repair
from skyshard.replicate.shared_rate import SharedRate

STAGE = "repair replicas"
SHOWN_EVERY_S = 5.0
"""What is good again is shown to queries together, so that their plans are not outdated by each table."""

BEGUN_AT_ONCE = 32
"""Replicas of a node that are said to be made again in one write."""


@dataclass(frozen=True, slots=True)
class LostRows:
    """Rows of a table that no node has any more."""

    database: str
    table: str
    chunk: int
    is_overlap: bool
    part: int
    rows: int
    nodes: tuple[str, ...]
    """That had them."""
    sources: tuple[str, ...]
    """The input parts that brought them."""
    transaction: int = 0
    """That brought them, or merged what several brought."""
    why: str = ""
    """Why the input does not bring them again; empty where that was not tried."""


@dataclass(slots=True)
class Repaired:
    """What a repair of one database did."""

    database: str
    mended: int = 0
    """Replicas that are good again, and tables of the dummy chunk."""
    copied: int = 0
    """Of these, from another node."""
    replayed: int = 0
    """Of these, from the input that brought their rows."""
    bytes: int = 0
    """That went from node to node, or were read of the input."""
    lost: list[LostRows] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """``node: table`` that is still to be made, and why."""
    waiting: dict[str, int] = field(default_factory=dict)
    """Nodes that do not answer, and how many replicas wait for each."""
    images: int = 0
    """Column images that were made in the place of damaged ones."""
    elapsed_s: float = 0.0

    @property
    def is_done(self) -> bool:
        return not (self.lost or self.failed or self.waiting)


def make_repair_plan(place: ReplicaPlace, database: str) -> RepairPlan:
    """What ``repair_replicas`` would do with a database, by its stored name; changes nothing."""
    index = place.registry.replication
    bad = index.not_good(database)
    return plan_repair(bad, index.holders_of_not_good(database), place.answering() if bad else ())


def repair_replicas(
    place: ReplicaPlace, database: str, *, rate_bytes_s: float = 0.0, watcher: Watcher = unwatched
) -> Repaired:
    """Make the replicas of a database good again.

    Args:
        database: its stored name.
        rate_bytes_s: bytes a second that each node gives and gets at most, on average; 0 for as fast as it can.

    Raises:
        ClusterError: another repair or an ingest of it, its compaction or its drop is under way (retryable).
    """
    begun_s = time.monotonic()
    done = Repaired(place.registry.published.names().shown(database))
    with place.registry.ingesting(database):
        plan = make_repair_plan(place, database)
        done.waiting = dict(plan.waiting)
        by_node: dict[str, list[RepairStep]] = defaultdict(list)
        for step in plan.steps:
            by_node[step.node].append(step)
        for node in _without_dummies(place, database):
            by_node.setdefault(node, [])
        work = _Repair(place, database, done, watcher, len(plan.steps), rate_bytes_s)
        with ThreadPoolExecutor(max(1, len(by_node)), "repair") as pool:
            list(pool.map(work.mend, by_node, by_node.values()))
        work.replay()
        if not (done.failed or done.waiting):
            _clear(place, database)
        done.lost = list(_lost_rows(place, database, done.database, work.lost))
    done.elapsed_s = time.monotonic() - begun_s
    return done


def _without_dummies(place: ReplicaPlace, database: str) -> tuple[str, ...]:
    """The nodes, of those that answer, whose dummy chunk is not as it should be."""
    look = Look(database, place.registry.databases.table_definitions(database))

    def is_wrong(node: str) -> bool:
        try:
            return bool(dummy_faults(look, place.node(node).loader, node))
        except (ClusterError, UserError):
            return False

    return place.where(is_wrong)


def _clear(place: ReplicaPlace, database: str) -> None:
    """Nothing is on the way any more: what interrupted repairs left is removed, also where only sources are."""

    def clear(node: str) -> None:
        with suppress(ClusterError):  # the next ingest, or the drop, clears it
            clear_way(place.node(node), database)

    with ThreadPoolExecutor(max(1, len(place.nodes)), "clear") as pool:
        list(pool.map(clear, place.nodes))


class _Repair:
    """One run over one database; a thread for each node that gets replicas."""

    def __init__(
        self, place: ReplicaPlace, database: str, done: Repaired, watcher: Watcher, total: int, rate_bytes_s: float
    ) -> None:
        self._place = place
        self._database = database
        self._done = done
        self._watcher = watcher
        self._total = total
        self._rate = SharedRate(rate_bytes_s, self._count)
        self._lock = threading.Lock()
        self._begun_s = time.monotonic()
        self._ended = self._rows = 0
        self.lost: dict[KnownReplica, str] = {}
        """Replicas whose rows no node has, and why the input does not bring them again."""

    def replay(self) -> None:
        """Have the rows that no node has any more from the input that brought them, as far as it is there."""
        lost, self.lost = list(self.lost), {}
        if not lost or self._place.replay is None:
            self.lost = dict.fromkeys(lost, "")
            return
        self._total += len(lost)
        by_node: dict[str, list[RepairStep]] = defaultdict(list)
        for one in lost:
            by_node[one.replica.node].append(RepairStep(one, ""))
        with (
            self._place.replay(self._database, lost, self._rate.took) as rows,
            ThreadPoolExecutor(len(by_node), "replay") as pool,
        ):
            list(pool.map(partial(self.mend, rows=rows), by_node, by_node.values()))

    def _count(self, size: int) -> None:
        self._done.bytes += size

    def mend(self, node: str, steps: Sequence[RepairStep], rows: ReplayedRows | None = None) -> None:
        """The replicas of one node, one after the other; a node that goes away leaves the rest of its own undone.

        Args:
            rows: what the input brings again; None for what nodes have.
        """
        try:
            mender = NodeMender(self._place, self._database, self._place.node(node), self._rate)
            with mender.held():
                mender.prepare()
                with self._lock:
                    self._done.mended += mender.made_dummies
                self._mend(mender, node, steps, rows)
        except (ClusterError, UserError) as error:
            with self._lock:
                self._done.failed[node] = str(error)

    def _mend(self, mender: NodeMender, node: str, steps: Sequence[RepairStep], rows: ReplayedRows | None) -> None:
        ready: list[KnownReplica] = []
        shown_s = time.monotonic()
        index = self._place.registry.replication
        for number, step in enumerate(steps):
            if number % BEGUN_AT_ONCE == 0:
                begun = [one.known for one in steps[number : number + BEGUN_AT_ONCE]]
                index.move(self._database, begun, Event.REBUILD)
            try:
                mender.mend(step) if rows is None else mender.replay(step.known, rows)
            except Unmended as error:
                self._note_unmended(step, "" if rows is None else error.what)
                if step.source:
                    self._done.failed[f"{node}: {step.known.replica.name}"] = str(error)
            else:
                ready.append(step.known)
                self._done.copied += bool(step.source)
                self._done.replayed += rows is not None
            if time.monotonic() - shown_s > SHOWN_EVERY_S:
                self._show(mender, node, ready)
                ready, shown_s = [], time.monotonic()
            self._report(step)
        self._show(mender, node, ready)

    def _note_unmended(self, step: RepairStep, why: str) -> None:
        with self._lock:
            self.lost |= {} if step.source else {step.known: why}

    def _show(self, mender: NodeMender, node: str, ready: Sequence[KnownReplica]) -> None:
        """Replicas that were built are on the disk, and then queries read them."""
        if not ready:
            return
        mender.settle()
        shown = self._place.registry.replication.move(self._database, ready, Event.BUILT)
        for one in shown:
            self._place.events.tell(REPLICA_GOOD_AGAIN, node=node, table=f"{self._database}.{one.replica.name}")
        with self._lock:
            self._done.mended += len(shown)

    def _report(self, step: RepairStep) -> None:
        with self._lock:
            self._ended, self._rows = self._ended + 1, self._rows + step.known.replica.rows
            elapsed_s = time.monotonic() - self._begun_s
            self._watcher(Progress(STAGE, self._ended, self._total, self._rows, self._done.bytes, elapsed_s))


def _lost_rows(place: ReplicaPlace, database: str, shown: str, lost: Mapping[KnownReplica, str]) -> Iterator[LostRows]:
    """What is lost, each chunk table's part once, with the input that brought it."""
    nodes: Mapping[tuple[object, ...], list[KnownReplica]] = defaultdict(list)
    for one in lost:
        nodes[(*one.replica.target, one.transaction)].append(one)
    for those in nodes.values():
        first, transaction = those[0].replica, those[0].transaction
        sources = place.registry.contributions.parts_of(database, transaction, *first.target)
        for one in those:
            place.events.tell(REPLICA_LOST, node=one.replica.node, table=f"{database}.{first.name}", rows=first.rows)
        yield LostRows(
            shown, first.table, first.chunk, first.is_overlap, first.part, first.rows,
            tuple(one.replica.node for one in those), tuple(sources), transaction, lost[those[0]],
        )  # fmt: skip
