"""Some columns and rows of tables as Arrow: from data files of fixed records, where there are, else through the server.

Rules: the tables are those of finished transactions, which never change, so that their files are read as they are. Rows
keep one order, so that their numbers mean the same in every call: that of the file, or of a scan of the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import RowIndexes
from skyshard.basics.errors import ClusterError
from skyshard.catalog.schema import Table
from skyshard.db.connection import Connection, quote_name
from skyshard.node.messages import RowsOrder
from skyshard.node.read.read_table import select_batches
from skyshard.node.read.record_groups import mapped_records
from skyshard.node.server.scratch_tables import scratch_table
from skyshard.node.server.server_files import ServerFiles
from skyshard.rowimage.record import RecordLayout, Records
from skyshard.rowimage.unpack import live_records, unpack_columns

BLOCK_BYTES = 32 << 20
"""Bytes of records that are unpacked together."""


def read_rows(connection: Connection, data: ServerFiles, order: RowsOrder) -> pa.Table:
    """The rows of an order; the session is in the tables' database.

    Raises:
        ClusterError: a table that is missing, or has fewer rows than are asked for.
    """
    wanted = None if order.rows is None else np.sort(order.rows)
    first, parts = 0, [_nothing(order)]
    for name in order.names:
        for source in _sources(connection, data, order, name):
            count = len(source)
            if wanted is None:
                parts += _picked(source, order, None)
            else:
                low, high = np.searchsorted(wanted, (first, first + count))
                parts += _picked(source, order, wanted[low:high] - first)
            first += count
    if wanted is None or order.rows is None:
        return pa.concat_tables(parts)
    if len(wanted) and wanted[-1] >= first:
        raise ClusterError(f"'{order.names[0]}' has {first} rows, not {wanted[-1] + 1}", remedy="run skyshard verify")
    found = pa.concat_tables(parts)
    if not (np.diff(order.rows) < 0).any():
        return found
    back = np.empty(len(wanted), np.intp)
    back[np.argsort(order.rows, kind="stable")] = np.arange(len(wanted))
    return found.take(pa.array(back))


def _sources(
    connection: Connection, data: ServerFiles, order: RowsOrder, name: str
) -> Iterator[Records | pa.RecordBatch]:
    """A table's rows, in one piece or several: records, or batches of the wanted columns."""
    table = order.table
    if table.has_blob or not RecordLayout.is_packable(table):
        narrow = Table(table.name, tuple(table.column(column) for column in order.columns))
        yield from select_batches(connection, narrow, name)
        return
    layout, file = RecordLayout.of(table), data.data_file(order.database, name)
    if file.exists():
        yield live_records(mapped_records(file, layout), layout)
        return
    with scratch_table(connection, data, table) as scratch:
        connection.execute(f"INSERT INTO {scratch.name} SELECT * FROM {quote_name(name)}")
        scratch.close(connection)
        yield live_records(mapped_records(scratch.data, layout), layout)


def _picked(source: Records | pa.RecordBatch, order: RowsOrder, rows: RowIndexes | None) -> Iterator[pa.Table]:
    """The wanted rows of one piece, as tables of bounded size."""
    if isinstance(source, pa.RecordBatch):
        yield pa.Table.from_batches([source if rows is None else source.take(pa.array(rows))])
        return
    layout = RecordLayout.of(order.table)
    by_name = {slot.name: slot for slot in layout.slots}
    slots = [by_name[name] for name in order.columns]
    step = max(1, BLOCK_BYTES // layout.length)
    count = len(source) if rows is None else len(rows)
    for start in range(0, count, step):
        some = source[start : start + step] if rows is None else _taken(source, layout, rows[start : start + step])
        arrays = unpack_columns(some, layout, slots)
        yield pa.Table.from_arrays(arrays, names=list(order.columns))


def _taken(records: Records, layout: RecordLayout, rows: RowIndexes) -> Records:
    """Records by their numbers; a run of neighbours is not copied."""
    if len(rows) and rows[-1] - rows[0] == len(rows) - 1:
        return records[rows[0] : rows[-1] + 1]
    taken: Records = records.view(f"V{layout.length}")[rows].view(layout.dtype)
    return taken


def _nothing(order: RowsOrder) -> pa.Table:
    kinds = {column.name: column.type.arrow for column in order.table}
    return pa.schema([(name, kinds[name]) for name in order.columns]).empty_table()
