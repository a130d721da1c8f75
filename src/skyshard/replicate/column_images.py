"""Column images of whole databases: made for the replicas that have none, dropped, counted, made again where damaged.

Rules: a segment is written whole or not at all, so a build that is killed is run again and goes on where it was. What
no good replica is behind any more is removed. Regular tables have no images: they are whole on every node, and small.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.columns.imaged_columns import NO_BLOBS, NOT_ASKED
from skyshard.columns.segment_folder import columns_folder
from skyshard.node.columns.column_orders import column_orders, row_bytes
from skyshard.node.host_files import HostFiles
from skyshard.node.messages import ColumnsOrder, SegmentFacts
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.stored.records import Replica
from skyshard.replicate.image_work import ColumnImages, ImageWork, Kind, NodeWork, OnNode, TableImages, Wanted
from skyshard.replicate.place import ReplicaPlace

_KEPT_SHARE = 0.5
"""A segment of which less than this share of rows is valid is removed, and what was valid is made again."""


def image_status(place: ReplicaPlace, database: str) -> ColumnImages:
    """What images there are of a database, by its stored name; changes nothing."""
    return ImageWork(place, database, None, unwatched).run(_look)


def drop_images(place: ReplicaPlace, database: str) -> ColumnImages:
    """Remove all images of a database; what comes to it later has none.

    Raises:
        ClusterError: an ingest of it, or what else changes its tables, is under way (retryable).
    """
    with place.registry.ingesting(database):
        place.registry.databases.set_columns(database, "none")
        return ImageWork(place, database, None, unwatched).run(_drop)


def build_images(
    place: ReplicaPlace,
    database: str,
    *,
    tables: Sequence[str] = (),
    columns: Sequence[str] = (),
    watcher: Watcher = unwatched,
) -> ColumnImages:
    """Write the images that good replicas of a database lack, and remove those that no replica is behind. Without
    ``tables`` what comes to the database later has images, too.

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
        done = ImageWork(place, database, wanted, watcher).run(_build)
        if not tables:
            place.registry.databases.set_columns(database, tuple(columns) or "all")
        return done


def mend_images(place: ReplicaPlace, database: str, *, watcher: Watcher = unwatched) -> ColumnImages | None:
    """Make the images that the layout asks for and replicas lack, and those of segments that are damaged, with the
    columns that these had; None where nothing is asked for, and nothing damaged.

    Raises:
        ClusterError: an ingest of it is under way (retryable), or a node's disk has not the room.
    """
    with place.registry.ingesting(database):
        damaged: set[str] = set()
        held: dict[str, set[str] | None] = {}
        look = ImageWork(place, database, None, unwatched)
        look.run((lambda on: _note_damaged(on, damaged, held),))
        layout = place.registry.databases.layout(database)
        asked = _wanted(place, database, (), layout.imaged or ()) if layout and layout.has_images else {}
        kept = {name: None if (found := held.get(name)) is None else tuple(sorted(found)) for name in damaged}
        wanted = {**kept, **asked}
        return ImageWork(place, database, wanted, watcher).run(_build) if wanted else None


def _note_damaged(on: OnNode, damaged: set[str], held: dict[str, set[str] | None]) -> None:
    """The tables that have damaged segments, and the columns of all their segments; None for all that there can be."""
    for one in on.segments():
        with on.work.lock:
            if one.fault and one.table in on.work.definitions:
                damaged.add(one.table)
            if one.index is not None and NOT_ASKED not in one.index.left_out.values():
                held[one.table] = None
            elif one.index is not None and (known := held.setdefault(one.table, set())) is not None:
                known |= {column.name for column in one.index.columns}


def _wanted(place: ReplicaPlace, database: str, tables: Sequence[str], columns: Sequence[str]) -> Wanted:
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


def _count(on: OnNode) -> None:
    """What there is, into what the work has come to."""
    found = on.segments()
    on.faulty(found)
    by_kind: dict[Kind, list[SegmentFacts]] = defaultdict(list)
    for one in found:
        if one.index is not None and not one.fault:
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
    on.at.loader.call(NodeLoader.drop_drafts, on.work.database).result()
    for one in on.segments():
        index = one.index
        good = on.valid(index) if index is not None else []
        rows = sum(piece.rows for piece in good)
        if one.fault or index is None or rows < _KEPT_SHARE * index.rows or not good:
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
    _require_room(on, sum(one.rows * row_bytes(on.work.table((one.table, one.is_overlap))) for one in missing))
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
        yield from column_orders(on.work.database, on.work.table(kind), kind[0], on.work.columns(kind), replicas)


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
