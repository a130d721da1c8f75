"""Column images of whole databases: made for the replicas that have none, dropped, counted.

Rules: a segment is written whole or not at all, so a build that is killed is run again and goes on where it was. What
no good replica is behind any more is removed. Regular tables have no images: they are whole on every node, and small.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Progress, Watcher, unwatched
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.schema import Table
from skyshard.columns.segment_folder import columns_folder
from skyshard.columns.segment_index import Piece, SegmentIndex
from skyshard.node.columns.build_segment import NO_BLOBS, imaged_columns
from skyshard.node.host_files import HostFiles
from skyshard.node.messages import ColumnsOrder, ImagedTable, MadeColumns, SegmentFacts
from skyshard.node.node_loader import NodeLoader
from skyshard.node.read.byte_batches import by_bytes
from skyshard.registry.stored.lifecycle import ReplicaState
from skyshard.registry.stored.records import Replica
from skyshard.replicate.place import NodePlace, ReplicaPlace
from skyshard.rowimage.record import RecordLayout

STAGE = "column images"
SEGMENT_BYTES = 128 << 20
"""Of rows that go into one segment; a larger chunk table has one of its own."""
SEGMENT_TABLES = 4096
_BYTES_A_BLOB_ROW = 512
_KEPT_SHARE = 0.5
"""A segment of which less than this share of rows is valid is removed, and what was valid is made again."""
Kind = tuple[str, bool]
"""A table of the catalog, and whether its overlap tables are meant."""


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


def image_status(place: ReplicaPlace, database: str) -> ColumnImages:
    """What images there are of a database, by its stored name; changes nothing."""
    return _Work(place, database, None, unwatched).run(_look)


def drop_images(place: ReplicaPlace, database: str) -> ColumnImages:
    """Remove all images of a database.

    Raises:
        ClusterError: an ingest of it, or what else changes its tables, is under way (retryable).
    """
    with place.registry.ingesting(database):
        return _Work(place, database, None, unwatched).run(_drop)


def build_images(
    place: ReplicaPlace,
    database: str,
    *,
    tables: Sequence[str] = (),
    columns: Sequence[str] = (),
    watcher: Watcher = unwatched,
) -> ColumnImages:
    """Write the images that good replicas of a database lack, and remove those that no replica is behind.

    Args:
        database: its stored name.
        tables: only these; all chunked ones if there are none.
        columns: only these, of the tables that have them; all if there are none.

    Raises:
        UserError: there is no such table, it is a regular one, or no table has such a column.
        ClusterError: an ingest is under way (retryable), or a node's disk has not the room: nothing was written.
    """
    with place.registry.ingesting(database):
        wanted = _wanted(place, database, tables, columns)
        return _Work(place, database, wanted, watcher).run(_build)


def _wanted(
    place: ReplicaPlace, database: str, tables: Sequence[str], columns: Sequence[str]
) -> dict[str, tuple[str, ...] | None]:
    """The tables to build, with the columns of each; None for all."""
    definitions = place.registry.databases.table_definitions(database)
    for name in tables:
        if name not in definitions:
            raise UserError(f"there is no table '{name}'", remedy=f"the tables are {', '.join(sorted(definitions))}")
        if not definitions[name][1].role.is_chunked:
            raise UserError(f"'{name}' is a regular table", remedy="images are of chunk tables; leave it out")
    chosen = {
        name: one for name, one in definitions.items() if one[1].role.is_chunked and (name in (tables or (name,)))
    }
    if not columns:
        return dict.fromkeys(chosen)
    found = {
        name: tuple(column for column in columns if table.with_chunk_columns().find(column) is not None)
        for name, (table, _) in chosen.items()
    }
    unknown = [column for column in columns if not any(column in names for names in found.values())]
    if unknown:
        raise UserError(f"no table has a column '{unknown[0]}'", remedy="skyshard databases lists tables")
    return {name: names for name, names in found.items() if names}


class _Work:
    """One run over the nodes of a database, side by side; a node that does not answer hides no other."""

    def __init__(
        self,
        place: ReplicaPlace,
        database: str,
        wanted: Mapping[str, tuple[str, ...] | None] | None,
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

    def __init__(self, work: _Work, node: str, replicas: Sequence[Replica]) -> None:
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


def _count(on: OnNode) -> None:
    """What there is, into what the work has come to."""
    found = on.segments()
    on.faulty(found)
    by_kind: dict[Kind, list[SegmentFacts]] = defaultdict(list)
    for one in found:
        if one.index is not None:
            by_kind[one.index.table, one.index.is_overlap].append(one)
    replicas: dict[Kind, int] = defaultdict(int)
    for replica in on.replicas:
        replicas[replica.table, replica.is_overlap] += 1
    counted = [_counted(on, kind, count, by_kind.get(kind, [])) for kind, count in replicas.items()]
    with on.work.lock:
        on.work.done.tables += counted


def _counted(on: OnNode, kind: Kind, replicas: int, facts: Sequence[SegmentFacts]) -> TableImages:
    valid: dict[tuple[int, int], int] = {}
    left_out: dict[str, str] = {c.name: NO_BLOBS for c in on.work.table(kind) if c.type.is_blob}
    stale = 0
    for one in facts:
        assert one.index is not None
        good = on.valid(one.index)
        stale += len(good) < len(one.index.pieces)
        valid |= {(piece.chunk, piece.part): piece.rows for piece in good}
        left_out |= one.index.left_out if good else {}
    size = sum(one.bytes for one in facts)
    return TableImages(
        on.node, *kind, replicas, len(valid), sum(valid.values()), size, len(facts), stale, left_out
    )  # fmt: skip


def _remove_all(on: OnNode) -> None:
    found = on.segments()
    on.drop(None)
    with on.work.lock:
        on.work.done.removed += len(found)


def _prepare(on: OnNode) -> None:
    """Which segments go, which tables lack an image; room for what is to be written."""
    have: set[tuple[str, bool, int, int]] = set()
    wanted = on.work.wanted or {}
    on.drop([])  # drafts of builds that were killed
    for one in on.segments():
        index = one.index
        good = on.valid(index) if index is not None else []
        rows = sum(piece.rows for piece in good)
        if index is None or rows < _KEPT_SHARE * index.rows or not good:
            on.obsolete.append(one.path)
        elif index.table not in wanted or on.holds(index):
            have |= {(index.table, index.is_overlap, piece.chunk, piece.part) for piece in good}
        else:
            on.obsolete.append(one.path)
    missing = [
        one
        for one in on.replicas
        if one.table in wanted and (one.table, one.is_overlap, one.chunk, one.part) not in have
    ]
    on.orders = list(_orders(on, missing))
    _require_room(on, sum(one.rows * _row_bytes(on.work.table((one.table, one.is_overlap))) for one in missing))
    on.work.expect(len(missing))


def _require_room(on: OnNode, size: int) -> None:
    folder = str(columns_folder(on.at.data).parent)
    try:
        if size:
            on.at.files.call(HostFiles.require_room, folder, size).result()
    except ClusterError as error:
        remedy = "free disk space, or name fewer columns; nothing was written"
        raise ClusterError(f"node '{on.node}': {error.what}", remedy=remedy) from error


def _orders(on: OnNode, missing: Sequence[Replica]) -> Iterator[ColumnsOrder]:
    by_kind: dict[Kind, list[Replica]] = defaultdict(list)
    for one in missing:
        by_kind[one.table, one.is_overlap].append(one)
    for kind, replicas in sorted(by_kind.items()):
        yield from column_orders(on.work.database, on.work.table(kind), kind, on.work.columns(kind), replicas)


def column_orders(
    database: str, table: Table, kind: Kind, columns: Sequence[str], replicas: Sequence[Replica]
) -> Iterator[ColumnsOrder]:
    """Orders for the images of replicas of one kind on one node, a segment each, by chunk and part."""
    width = _row_bytes(table)
    placed = sorted(replicas, key=lambda one: (one.chunk, one.part))
    most = SEGMENT_BYTES // SEGMENT_TABLES
    for some in by_bytes(placed, lambda one: max(one.rows * width, most), SEGMENT_BYTES):
        listed = tuple(ImagedTable(one.name, one.chunk, one.part, one.rows, one.digest) for one in some)
        yield ColumnsOrder(database, kind[0], table, kind[1], tuple(columns), listed)


def _row_bytes(table: Table) -> int:
    """Bytes of a row in a segment, about."""
    return _BYTES_A_BLOB_ROW if table.has_blob else RecordLayout.of(table).length


def _make(on: OnNode) -> None:
    """Write what is missing; then what it takes the place of goes."""
    for order in on.orders:
        made = on.at.loader.call(NodeLoader.make_columns, order).result()
        on.work.made(on.node, order, made)
    if on.obsolete:
        on.drop(on.obsolete)
    with on.work.lock:
        on.work.done.removed += len(on.obsolete)


_look: NodeWork = (_count,)
_drop: NodeWork = (_remove_all, _count)
_build: NodeWork = (_prepare, _make, _count)
