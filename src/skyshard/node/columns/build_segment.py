"""Writes the columns of chunk tables as one segment, from their rows as they are now.

Rules: a table whose rows have another digest than the registry says is left out and named. Rows come by chunk, part and
sub-chunk. Tables of fixed records are read from their data files; those of other engines by way of a table of fixed
records; those with BLOBs through the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import compress, islice
from pathlib import Path

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import RowIndexes
from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.catalog.schema import SUB_CHUNK_COLUMN, Column, Table
from skyshard.columns.block_figures import BlockFigures
from skyshard.columns.imaged_columns import imaged_columns
from skyshard.columns.segment_file import BATCH_ROWS, write_segment, write_segment_once
from skyshard.columns.segment_folder import SegmentFolder
from skyshard.columns.segment_index import Piece, SegmentIndex
from skyshard.db.connection import Connection, quote_name
from skyshard.db.server_errors import is_passing
from skyshard.node.messages import ColumnsOrder, ImagedTable, MadeColumns
from skyshard.node.read.record_groups import mapped_records, read_files, record_groups
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
    order = replace(order, tables=tuple(sorted(order.tables, key=lambda one: (one.chunk, one.part))))
    columns, left_out = imaged_columns(order.table, order.columns)
    nothing = BlockFigures.of((), len(columns))
    index = SegmentIndex(order.base, order.is_overlap, columns, left_out, (), (), nothing)
    path = folder.new_path(order.base, is_overlap=order.is_overlap)
    if order.is_known and order.tables and (records := _known_records(connection, data, order, columns)):
        index = replace(index, pieces=_pieces(order.tables), batch_rows=records.batch_rows)
        with suppress(OtherRows):
            made = write_segment_once(path, index, records, records.size, is_settled=order.is_settled)
            return MadeColumns(str(path), made.rows, path.stat().st_size, {})
    rows = _read(connection, data, order, columns)
    if not rows.tables:
        return MadeColumns("", 0, 0, rows.faults)
    index = replace(index, pieces=_pieces(rows.tables), batch_rows=())
    made = write_segment(path, index, _batches(rows, order.table, columns), is_settled=order.is_settled)
    return MadeColumns(str(path), made.rows, path.stat().st_size, rows.faults)


def _pieces(tables: Sequence[ImagedTable]) -> tuple[Piece, ...]:
    firsts = np.cumsum([0, *(one.rows for one in tables)]).tolist()
    return tuple(
        Piece(one.chunk, one.part, first, one.rows, one.digest) for one, first in zip(tables, firsts, strict=False)
    )


class OtherRows(Exception):
    """A table has not the rows that the registry says, or deleted ones among them."""


def _known_records(
    connection: Connection, data: ServerFiles, order: ColumnsOrder, columns: Sequence[Column]
) -> KnownRecords | None:
    """The rows of an order whose tables are as they were registered, by the sizes of their data files; else None."""
    if order.table.has_blob or not RecordLayout.is_packable(order.table):
        return None
    layout, files = RecordLayout.of(order.table), [data.data_file(order.database, one.name) for one in order.tables]
    try:
        connection.execute("FLUSH TABLES " + ", ".join(quote_name(one.name) for one in order.tables))
        sizes = [file.stat().st_size for file in files]
    except (OSError, ClusterError, UserError) as error:
        if isinstance(error, SkyshardError) and is_passing(error):
            raise
        return None
    if sizes != [one.rows * layout.length for one in order.tables]:
        return None
    return KnownRecords(files, [one.rows for one in order.tables], layout, tuple(column.name for column in columns))


class KnownRecords:
    """The rows of data files as batches, read a batch at a time into memory that serves again for the next one: memory
    that a process has not had yet takes longer to get than to fill.

    Going through them raises OtherRows.
    """

    def __init__(self, files: Sequence[Path], counts: Sequence[int], layout: RecordLayout, names: tuple[str, ...]):
        self._files, self._counts, self._layout, self._names = files, counts, layout, names
        wanted = frozenset(names)
        width = layout.null_bytes + sum(slot.width for slot in layout.slots if slot.name in wanted)
        self.size = sum(counts) * width
        """Bytes of the batches, about."""
        self._groups = list(_groups(counts))

    @property
    def batch_rows(self) -> tuple[int, ...]:
        """Of each batch."""
        return tuple(
            min(BATCH_ROWS, rows - start)
            for group in self._groups
            for rows in (sum(self._counts[group]),)
            for start in range(0, rows, BATCH_ROWS)
        )

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        length = self._layout.length
        most = max((rows for group in self._groups if (rows := sum(self._counts[group])) <= BATCH_ROWS), default=0)
        room = np.empty(most * length, np.uint8)
        for group in self._groups:
            files, counts = self._files[group], self._counts[group]
            if sum(counts) > most:
                records = mapped_records(next(compress(files, counts)), self._layout)
            else:
                together = room[: sum(counts) * length]
                read_files(files, together)
                records = together.view(self._layout.dtype)
            if len(records) != sum(counts) or len(live_records(records, self._layout)) != len(records):
                raise OtherRows
            yield from _Unpacked([records], counts, self._layout, self._names)


def _groups(counts: Sequence[int]) -> Iterator[slice]:
    """Tables in order whose rows together are a batch, or one that is longer; those without rows go with others.

    >>> [(one.start, one.stop) for one in _groups([30_000, 30_000, 9_000, 100_000])]
    [(0, 2), (2, 3), (3, 4)]
    """
    first, rows = 0, 0
    for place, count in enumerate(counts):
        if rows and rows + count > BATCH_ROWS:
            yield slice(first, place)
            first, rows = place, 0
        rows += count
    if rows:
        yield slice(first, len(counts))


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
    for group in record_groups(files, layout):
        tables = tuple(islice(waiting, len(group.counts)))
        for one, records, found in zip(tables, group.each, group.digests(len(layout.slots)), strict=True):
            if rows.is_right(one, found):
                rows.records.append(live_records(records, layout))


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
            yield self._batch(some.view(self._layout.dtype), order)

    def _batch(self, records: Records, order: RowIndexes | None) -> pa.RecordBatch:
        arrays = unpack_columns(records, self._layout, self._slots, order)
        return pa.RecordBatch.from_arrays(arrays, names=[slot.name for slot in self._slots])


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
