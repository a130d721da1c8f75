"""One piece of work on the column images of a database, node by node: what there is, what is asked for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from skyshard.basics.errors import ClusterError
from skyshard.basics.progress import Progress, Watcher
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.schema import Table
from skyshard.columns.imaged_columns import imaged_columns
from skyshard.columns.segment_index import Piece, SegmentIndex
from skyshard.node.messages import ColumnsOrder, MadeColumns, SegmentFacts
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.stored.lifecycle import ReplicaState
from skyshard.registry.stored.records import Replica
from skyshard.replicate.place import NodePlace, ReplicaPlace

STAGE = "column images"
Kind = tuple[str, bool]
"""A table of the catalog, and whether its overlap tables are meant."""
Wanted = Mapping[str, tuple[str, ...] | None]
"""Tables that are to have images, with the columns of each; None for all."""


@dataclass(frozen=True, slots=True)
class TableImages:
    """What a node has of one kind of table."""

    node: str
    table: str
    is_overlap: bool
    tables: int
    """Good replicas there are."""
    imaged: int
    """Of these, with a valid image of all columns that can have one, or of those that were asked for."""
    rows: int
    """In valid images."""
    bytes: int
    """Of the files."""
    segments: int
    stale: int
    """Segments that hold something which no good replica is behind."""
    left_out: Mapping[str, str]
    """Columns that are not in all of them, and why."""


@dataclass(slots=True)
class ColumnImages:
    """What a build, a drop or a look at a database's images has come to."""

    database: str
    tables: list[TableImages] = field(default_factory=list)
    made: int = 0
    """Images of chunk tables that were written now."""
    rows: int = 0
    bytes: int = 0
    """Of the files written now."""
    removed: int = 0
    """Segments that were removed: stale, damaged, or no longer wanted."""
    faults: dict[str, str] = field(default_factory=dict)
    """``node: table or file`` that has no image or is damaged, and why."""
    unread: dict[str, str] = field(default_factory=dict)
    """Nodes that did not answer, and why."""
    elapsed_s: float = 0.0


class ImageWork:
    """One run over the nodes of a database, side by side; a node that does not answer hides no other."""

    def __init__(
        self,
        place: ReplicaPlace,
        database: str,
        wanted: Wanted | None,
        watcher: Watcher,
    ) -> None:
        self.place = place
        self.database = database
        self.wanted = wanted
        self.definitions = place.registry.databases.table_definitions(database)
        self.done = ColumnImages(place.registry.published.names().shown(database))
        self.lock = threading.Lock()
        self._watcher = watcher
        self._total = self._ended = 0
        self._begun_s = time.monotonic()

    def run(self, work: NodeWork) -> ColumnImages:
        replicas: dict[str, list[Replica]] = {node: [] for node in self.place.nodes}
        for one in self.place.registry.replicas.all(self.database):
            if one.chunk >= 0 and one.state is ReplicaState.GOOD:
                replicas.setdefault(one.node, []).append(one)
        nodes = list(self.place.nodes)
        prepared = [OnNode(self, node, replicas[node]) for node in nodes]
        for stage in work:
            with ThreadPoolExecutor(max(1, len(nodes)), "columns") as pool:
                list(pool.map(partial(self._try, stage), prepared))
        self.done.tables.sort(key=lambda one: (one.table, one.is_overlap, one.node))
        self.done.elapsed_s = time.monotonic() - self._begun_s
        return self.done

    def _try(self, stage: NodeStage, one: OnNode) -> None:
        if one.node in self.done.unread:
            return
        try:
            stage(one)
        except ClusterError as error:
            if not error.retryable:
                raise
            with self.lock:
                self.done.unread[one.node] = str(error)

    def table(self, kind: Kind) -> Table:
        return stored_table(*self.definitions[kind[0]], overlap=kind[1])

    def columns(self, kind: Kind) -> tuple[str, ...]:
        """The columns that an image of a table has to hold to be one."""
        wanted = None if self.wanted is None else self.wanted.get(kind[0])
        return tuple(column.name for column in imaged_columns(self.table(kind), wanted)[0])

    def expect(self, tables: int) -> None:
        with self.lock:
            self._total += tables

    def made(self, node: str, order: ColumnsOrder, made: MadeColumns) -> None:
        with self.lock:
            self.done.made += len(order.tables) - len(made.faults)
            self.done.rows, self.done.bytes = self.done.rows + made.rows, self.done.bytes + made.bytes
            self.done.faults |= {f"{node}: {name}": why for name, why in made.faults.items()}
            self._ended += len(order.tables)
            elapsed_s = time.monotonic() - self._begun_s
            self._watcher(Progress(STAGE, self._ended, self._total, self.done.rows, self.done.bytes, elapsed_s))


class OnNode:
    """One node: the good replicas that it has, and the segments that are there."""

    def __init__(self, work: ImageWork, node: str, replicas: Sequence[Replica]) -> None:
        self.work = work
        self.node = node
        self.digests = {(*one.target, one.part): one.digest for one in replicas}
        self.replicas = replicas
        self.orders: list[ColumnsOrder] = []
        self.obsolete: list[str] = []
        """Segments that go when what they are replaced by is there."""

    @property
    def at(self) -> NodePlace:
        return self.work.place.node(self.node)

    def segments(self) -> list[SegmentFacts]:
        return self.at.loader.call(NodeLoader.segments, self.work.database).result()

    def drop(self, paths: Sequence[str] | None) -> None:
        self.at.loader.call(NodeLoader.drop_segments, self.work.database, paths).result()

    def valid(self, index: SegmentIndex) -> list[Piece]:
        """The pieces of a segment that a good replica is behind."""
        key = (index.table, index.is_overlap)
        return [one for one in index.pieces if self.digests.get((key[0], one.chunk, key[1], one.part)) == one.digest]

    def holds(self, index: SegmentIndex) -> bool:
        """Whether a segment has the columns that are asked for."""
        kind = (index.table, index.is_overlap)
        return index.table in self.work.definitions and index.holds(self.work.table(kind), self.work.columns(kind))

    def faulty(self, found: Sequence[SegmentFacts]) -> None:
        with self.work.lock:
            self.work.done.faults |= {f"{self.node}: {one.path}": one.fault for one in found if one.fault}


NodeStage = Callable[[OnNode], None]
NodeWork = tuple[NodeStage, ...]
"""Steps, each of which is done on every node before the next one begins."""
