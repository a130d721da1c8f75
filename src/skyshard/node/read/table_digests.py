"""Digests of tables as they are: from the data file where rows are fixed records, else through SQL.

Small tables of one column list are read together, so that the cost a column is paid once for many chunks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.errors import Bug, ClusterError, UserError
from skyshard.catalog.schema import Table
from skyshard.db.connection import Connection, quote_name
from skyshard.node.messages import DigestOrder, TableDigest
from skyshard.node.read.byte_batches import by_bytes
from skyshard.node.read.read_table import scan_blob_table
from skyshard.node.server.server_files import ServerFiles, file_name
from skyshard.node.server.server_sessions import OpenSession
from skyshard.rowimage.digest import RowDigest, digest_runs
from skyshard.rowimage.record import RecordLayout, Records
from skyshard.rowimage.record_digest import digest_records, record_lanes

GROUP_BYTES = 16 << 20
COUNTED_AT_ONCE = 64


def current_digests(opened: OpenSession, data: ServerFiles, order: DigestOrder) -> list[TableDigest]:
    """The tables of an order as they are now; one that cannot be read does not hide the others."""
    with opened() as connection:
        try:
            found = table_digests(
                connection, data.database(order.database), order.table, order.names, leave_out=order.leave_out
            )
            counts = row_counts(connection, order.names)
            return [_compared(name, one, counts[name]) for name, one in zip(order.names, found, strict=True)]
        except (ClusterError, UserError, OSError) as error:
            if len(order.names) == 1:
                return [TableDigest(order.names[0], 0, "", str(error))]
    alone = [replace(order, names=(name,)) for name in order.names]
    return [found for one in alone for found in current_digests(opened, data, one)]


def _compared(name: str, found: RowDigest, count: int) -> TableDigest:
    """What the file holds, unless the server counts otherwise: then its index is not of this file."""
    if count != found.rows:
        return TableDigest(name, count, "", f"the server counts {count} rows, the data file has {found.rows}")
    return TableDigest(name, found.rows, str(found))


def table_digests(
    connection: Connection, folder: Path, table: Table, names: Sequence[str], *, leave_out: Collection[str] = ()
) -> list[RowDigest]:
    """Digests of tables that share a column list, in the order of the names.

    Args:
        connection: in the tables' database, allowed to flush.
        folder: the database's folder in the server's data folder.
        leave_out: columns at the table's end that do not count.

    Raises:
        ClusterError: a table that is missing or cannot be read.
    """
    files = [folder / f"{file_name(name)}.MYD" for name in names]
    is_fixed = not table.has_blob and RecordLayout.is_packable(table) and all(file.exists() for file in files)
    counted = table.columns[: len(table.columns) - len(leave_out)]
    if [column.name for column in table.columns[len(counted) :]] != list(leave_out):
        raise Bug(f"table {table.name} does not end with {', '.join(leave_out)}")
    if not is_fixed:
        return [scan_blob_table(connection, replace(table, columns=counted), name) for name in names]
    if names:
        connection.execute("FLUSH TABLES " + ", ".join(map(quote_name, names)))
    layout = RecordLayout.of(table)
    return [found for group in record_groups(files, layout) for found in group.digests(len(counted))]


@dataclass(frozen=True, eq=False, slots=True)
class RecordGroup:
    """The records of some data files, one file after the other; deleted ones too."""

    layout: RecordLayout
    counts: Sequence[int]
    """Records of each file."""
    records: Records

    @property
    def each(self) -> list[Records]:
        """The records of each file."""
        return [self.records[first:last] for first, last in pairwise([0, *accumulate(self.counts)])]

    def digests(self, columns: int) -> list[RowDigest]:
        """The digest of each file's rows over the first columns."""
        if len(self.counts) == 1:
            return [digest_records(self.records, self.layout, columns)]
        lanes = record_lanes(self.records, self.layout, columns)
        if lanes.shape[1] != len(self.records):  # some are deleted
            return [digest_records(records, self.layout, columns) for records in self.each]
        filled = [i for i, count in enumerate(self.counts) if count]
        result = [RowDigest()] * len(self.counts)
        if filled:
            edges = [0, *accumulate(self.counts[i] for i in filled)]
            for i, found in zip(filled, digest_runs(lanes, edges), strict=True):
                result[i] = found
        return result


def record_groups(files: Sequence[Path], layout: RecordLayout) -> Iterator[RecordGroup]:
    """Read data files of one layout in their order, small ones together; a long one is mapped, not read.

    Raises:
        ClusterError: a file that ends within a record.
    """
    for group in by_bytes(files, _size, GROUP_BYTES):
        counts = [_records(file, layout) for file in group]
        size = sum(counts) * layout.length
        if len(group) == 1 and size > GROUP_BYTES:
            yield RecordGroup(layout, counts, np.memmap(group[0], layout.dtype, "r"))
        else:
            yield RecordGroup(layout, counts, _read(group, size).view(layout.dtype))


def _size(file: Path) -> int:
    return file.stat().st_size


def _read(files: Sequence[Path], size: int) -> NDArray[np.uint8]:
    """The bytes of all files, one after the other."""
    together = np.empty(size, np.uint8)
    room = together.data
    for file in files:
        with file.open("rb", buffering=0) as source:
            while count := source.readinto(room):
                room = room[count:]
    return together


def _records(file: Path, layout: RecordLayout) -> int:
    """Records in a file; a file that ends within one is torn."""
    count, rest = divmod(_size(file), layout.length)
    if rest:
        raise ClusterError(f"'{file}' ends within a record", remedy="run the ingest again")
    return count


def row_counts(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """Rows of tables as the server counts them."""
    counts: dict[str, int] = {}
    for first in range(0, len(names), COUNTED_AT_ONCE):
        some = names[first : first + COUNTED_AT_ONCE]
        sql = " UNION ALL ".join(f"SELECT {i}, COUNT(*) FROM {quote_name(name)}" for i, name in enumerate(some))
        counts |= {some[int(i)]: int(count) for i, count in connection.rows(sql)}
    return counts
