"""Writes the columns of chunk tables as one segment, from their rows as they are now.

Rules: a table whose rows have another digest than the registry says is left out and named. Rows come by chunk, part and
sub-chunk. Tables of fixed records are read from their data files; those of other engines by way of a table of fixed
records; those with BLOBs through the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import RowIndexes
from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.schema import SUB_CHUNK_COLUMN, Column, Table
from skyshard.columns.block_figures import BlockFigures
from skyshard.columns.imaged_columns import imaged_columns
from skyshard.columns.segment_file import BATCH_ROWS, write_segment
from skyshard.columns.segment_folder import SegmentFolder
from skyshard.columns.segment_index import Piece, SegmentIndex
from skyshard.db.connection import Connection, quote_name
from skyshard.db.server_errors import is_passing
from skyshard.node.columns.column_orders import SEGMENT_BYTES
from skyshard.node.messages import ColumnsOrder, ImagedTable, MadeColumns
from skyshard.node.read.record_groups import GROUP_BYTES, RecordGroup, mapped_records, record_groups
from skyshard.node.read.spelled_rows import spelled_batches
from skyshard.node.server.scratch_tables import scratch_table
from skyshard.node.server.server_files import ServerFiles
from skyshard.rowimage.digest import RowDigest, digest
from skyshard.rowimage.record import RecordLayout, Records
from skyshard.rowimage.record_digest import digest_records
from skyshard.rowimage.unpack import live_records, unpack_columns

HELD_BYTES = 256 << 20
"""Of records whose batches are held in memory; those of longer tables are unpacked twice instead."""


@dataclass(slots=True)
class _Rows:
    """The rows of the tables that are good, in the order of the tables."""

    records: list[Records] = field(default_factory=list)
    """Of one table or of several, one after the other."""
    batches: list[pa.Table] = field(default_factory=list)
    """Instead of records where a table has BLOBs: the columns that are written."""
    tables: list[ImagedTable] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)

    def is_right(self, one: ImagedTable, found: RowDigest) -> bool:
        """Note a table: as one of the segment, or its fault."""
        if str(found) == one.digest:
            self.tables.append(one)
            return True
        self.faults[one.name] = f"its rows have digest {found}, not {one.digest}"
        return False


def build_segment(connection: Connection, data: ServerFiles, folder: SegmentFolder, order: ColumnsOrder) -> MadeColumns:
    """Write the segment of an order; the session is in the tables' database, and may flush.

    Raises:
        ClusterError: the server does not answer, or the disk is full.
    """
    columns, left_out = imaged_columns(order.table, order.columns)
    tables = sorted(order.tables, key=lambda one: (one.chunk, one.part))
    rows = _read(connection, data, replace(order, tables=tuple(tables)), columns)
    firsts = np.cumsum([0, *(one.rows for one in rows.tables)]).tolist()
    pieces = tuple(
        Piece(one.chunk, one.part, first, one.rows, one.digest) for one, first in zip(rows.tables, firsts, strict=False)
    )
    if not pieces:
        return MadeColumns("", 0, 0, rows.faults)
    nothing = BlockFigures.of((), len(columns))
    index = SegmentIndex(order.base, order.is_overlap, columns, left_out, pieces, (), nothing)
    path = folder.new_path(order.base, is_overlap=order.is_overlap)
    made = write_segment(path, index, _batches(rows, order.table, columns), is_settled=order.is_settled)
    return MadeColumns(str(path), made.rows, path.stat().st_size, rows.faults)


def _read(connection: Connection, data: ServerFiles, order: ColumnsOrder, columns: Sequence[Column]) -> _Rows:
    """The rows of the tables; one that cannot be read does not hide the others."""
    rows = _Rows()
    present = [one for one in order.tables if data.data_file(order.database, one.name).exists()]
    if order.table.has_blob or not RecordLayout.is_packable(order.table):
        _each(order.tables, rows, lambda one: _spelled(connection, data, order, one, columns, rows))
    elif len(present) < len(order.tables):
        _each(order.tables, rows, lambda one: _copied(connection, data, order, one, rows))
    else:
        _from_files(connection, data, order, rows)
    return rows


def _each(tables: Sequence[ImagedTable], rows: _Rows, read: object) -> None:
    assert callable(read)
    for one in tables:
        try:
            read(one)
        except (ClusterError, UserError) as error:
            if is_passing(error):
                raise
            rows.faults[one.name] = error.what


def _from_files(connection: Connection, data: ServerFiles, order: ColumnsOrder, rows: _Rows) -> None:
    names = [one.name for one in order.tables]
    if not names:
        return
    try:
        connection.execute("FLUSH TABLES " + ", ".join(map(quote_name, names)))
        _take_files(data, order, rows)
    except (ClusterError, UserError) as error:
        if is_passing(error) or len(names) == 1:
            if is_passing(error):
                raise
            rows.faults[names[0]] = error.what
            return
        rows.records, rows.tables, rows.faults = [], [], {}
        for one in order.tables:
            _from_files(connection, data, replace(order, tables=(one,)), part := _Rows())
            rows.records += part.records
            rows.tables += part.tables
            rows.faults |= part.faults


def _take_files(data: ServerFiles, order: ColumnsOrder, rows: _Rows) -> None:
    layout, waiting = RecordLayout.of(order.table), iter(order.tables)
    files = [data.data_file(order.database, one.name) for one in order.tables]
    for group in record_groups(files, layout, SEGMENT_BYTES if order.is_known else GROUP_BYTES):
        tables = tuple(islice(waiting, len(group.counts)))
        if order.is_known and _is_as_ordered(group, tables):
            rows.tables += tables
            rows.records.append(group.records)
            continue
        for one, records, found in zip(tables, group.each, group.digests(len(layout.slots)), strict=True):
            if rows.is_right(one, found):
                rows.records.append(live_records(records, layout))


def _is_as_ordered(group: RecordGroup, tables: Sequence[ImagedTable]) -> bool:
    """Whether no row is deleted, and each table has as many as the registry says."""
    counts = [one.rows for one in tables]
    return counts == list(group.counts) and len(live_records(group.records, group.layout)) == sum(counts)


def _copied(connection: Connection, data: ServerFiles, order: ColumnsOrder, one: ImagedTable, rows: _Rows) -> None:
    """By way of a table of fixed records, which the server fills."""
    layout = RecordLayout.of(order.table)
    with scratch_table(connection, data, order.table) as scratch:
        connection.execute(f"INSERT INTO {scratch.name} SELECT * FROM {quote_name(one.name)}")
        scratch.close(connection)
        live = live_records(mapped_records(scratch.data, layout), layout)
        records = np.array(live.view(f"V{layout.length}")).view(layout.dtype) if len(live) else live
    if rows.is_right(one, digest_records(records, layout)):
        rows.records.append(records)


def _spelled(
    connection: Connection,
    data: ServerFiles,
    order: ColumnsOrder,
    one: ImagedTable,
    columns: Sequence[Column],
    rows: _Rows,
) -> None:
    """By way of a text: all columns for the digest, some of them kept."""
    names = [column.name for column in columns]
    total = RowDigest()
    kept = [pa.schema([(column.name, column.type.arrow) for column in columns]).empty_table()]
    for batch in spelled_batches(connection, data, order.database, order.table, one.name):
        total += digest(batch, order.table.columns)
        kept.append(pa.Table.from_batches([batch.select(names)]))
    if rows.is_right(one, total):
        rows.batches.append(pa.concat_tables(kept))


def _batches(rows: _Rows, table: Table, columns: Sequence[Column]) -> Iterable[pa.RecordBatch]:
    """All rows as batches; those of a long table are made again each time, so that they are never there together."""
    if not rows.records:
        return list(_sorted_batches(rows.batches))
    names, counts = tuple(column.name for column in columns), [one.rows for one in rows.tables]
    unpacked = _Unpacked(rows.records, counts, RecordLayout.of(table), names)
    return list(unpacked) if unpacked.size <= HELD_BYTES else unpacked


class _Unpacked:
    """Records of all tables as batches of some columns, sorted by sub-chunk within each table."""

    def __init__(
        self, records: Sequence[Records], counts: Sequence[int], layout: RecordLayout, names: tuple[str, ...]
    ) -> None:
        """Of so many rows of each table."""
        self.size = sum(len(some) for some in records) * layout.length
        self._layout = layout
        by_name = {slot.name: slot for slot in layout.slots}
        self._slots = [by_name[name] for name in names]
        raw = [some.view(f"V{layout.length}") for some in records if len(some)]
        self._records = raw[0] if len(raw) == 1 else np.concatenate(raw) if raw else None
        self._order = _by_sub_chunk(records, counts, layout)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        records = self._records
        for start in range(0, 0 if records is None else len(records), BATCH_ROWS):
            assert records is not None
            stop = start + BATCH_ROWS
            order = None if self._order is None else self._order[start:stop]
            some = records[start:stop] if order is None else records
            arrays = unpack_columns(some.view(self._layout.dtype), self._layout, self._slots, order)
            yield pa.RecordBatch.from_arrays(arrays, names=[slot.name for slot in self._slots])


def _by_sub_chunk(records: Sequence[Records], counts: Sequence[int], layout: RecordLayout) -> RowIndexes | None:
    """The rows of all tables in their order; None where they have it already."""
    slot = next((one for one in layout.slots if one.name.lower() == SUB_CHUNK_COLUMN.lower()), None)
    if slot is None:
        return None
    numbers = np.concatenate([slot.target(some) for some in records])
    tables = np.repeat(np.arange(len(counts)), counts)
    is_sorted = (numbers[1:] >= numbers[:-1]) | (tables[1:] > tables[:-1])
    return None if is_sorted.all() else _stable_order(tables, numbers)


def _stable_order(tables: RowIndexes, numbers: RowIndexes) -> RowIndexes:
    """Rows by table, then by number, then as they are; few different pairs are sorted by counting, which is faster.

    >>> _stable_order(np.array([0, 0, 0, 1]), np.array([9, 7, 9, 2])).tolist()
    [1, 0, 2, 3]
    """
    least = int(numbers.min())
    width = int(numbers.max()) - least + 1
    keys = tables * width + (numbers.astype(np.int64) - least)
    small = keys.astype(np.uint16) if (int(tables[-1]) + 1) * width <= 1 << 16 else keys
    return np.argsort(small, kind="stable")


def _sorted_batches(tables: Sequence[pa.Table]) -> Iterator[pa.RecordBatch]:
    placed = [_sorted(table) for table in tables]
    yield from pa.concat_tables(placed).combine_chunks().to_batches(max_chunksize=BATCH_ROWS)


def _sorted(table: pa.Table) -> pa.Table:
    place = next((i for i, name in enumerate(table.schema.names) if name.lower() == SUB_CHUNK_COLUMN.lower()), None)
    if place is None or not table.num_rows:
        return table
    numbers = table.column(place).to_numpy()
    return table.take(pa.array(np.argsort(numbers, kind="stable")))
