"""Digests of tables as they are: from the data file where rows are fixed records, or can be made so; else as text."""

from __future__ import annotations

import errno
from collections.abc import Collection, Sequence
from dataclasses import replace

from skyshard.basics.errors import Bug, ClusterError, UserError
from skyshard.catalog.schema import Table
from skyshard.db.connection import Connection, quote_name
from skyshard.db.server_errors import is_passing
from skyshard.node.messages import DigestOrder, TableDigest
from skyshard.node.read.copied_rows import copied_digests
from skyshard.node.read.record_groups import record_groups
from skyshard.node.read.spelled_rows import spelled_digest
from skyshard.node.server.server_files import ServerFiles
from skyshard.node.server.server_sessions import OpenSession
from skyshard.rowimage.digest import RowDigest
from skyshard.rowimage.record import RecordLayout

COUNTED_AT_ONCE = 64
_OF_THE_WORKER = {
    errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR, errno.EACCES, errno.EPERM, errno.ESTALE,
}  # fmt: skip
"""What keeps a worker from a file and says nothing of what is in it; a device's error (EIO) is the file's."""
_MEND = "run it as the server's user, with the server's umask and enough files"


def current_digests(opened: OpenSession, data: ServerFiles, order: DigestOrder) -> list[TableDigest]:
    """The tables of an order as they are now; one that cannot be read does not hide the others."""
    with opened() as connection:
        try:
            found = table_digests(connection, data, order.database, order.table, order.names, leave_out=order.leave_out)
            counts = row_counts(connection, order.names)
            return [_compared(name, one, counts[name]) for name, one in zip(order.names, found, strict=True)]
        except (ClusterError, UserError, OSError) as error:
            if not isinstance(error, OSError) and is_passing(error):
                raise
            if isinstance(error, OSError) and error.errno in _OF_THE_WORKER:
                raise ClusterError(f"the worker beside '{data.path}': {error}", remedy=_MEND, retryable=True) from error
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
    connection: Connection,
    data: ServerFiles,
    database: str,
    table: Table,
    names: Sequence[str],
    *,
    leave_out: Collection[str] = (),
) -> list[RowDigest]:
    """Digests of tables that share a column list, in the order of the names.

    Args:
        connection: in the tables' database, allowed to flush.
        data: the server's data folder.
        leave_out: columns at the table's end that do not count.

    Raises:
        ClusterError: a table that is missing or cannot be read.
    """
    counted = table.columns[: len(table.columns) - len(leave_out)]
    if [column.name for column in table.columns[len(counted) :]] != list(leave_out):
        raise Bug(f"table {table.name} does not end with {', '.join(leave_out)}")
    if table.has_blob or not RecordLayout.is_packable(table):
        read = replace(table, columns=counted)
        return [spelled_digest(connection, data, database, read, name) for name in names]
    files = [data.data_file(database, name) for name in names]
    if not all(file.exists() for file in files):
        return copied_digests(connection, data, table, names, len(counted))
    if names:
        connection.execute("FLUSH TABLES " + ", ".join(map(quote_name, names)))
    layout = RecordLayout.of(table)
    return [found for group in record_groups(files, layout) for found in group.digests(len(counted))]


def row_counts(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """Rows of tables as the server counts them."""
    counts: dict[str, int] = {}
    for first in range(0, len(names), COUNTED_AT_ONCE):
        some = names[first : first + COUNTED_AT_ONCE]
        sql = " UNION ALL ".join(f"SELECT {i}, COUNT(*) FROM {quote_name(name)}" for i, name in enumerate(some))
        counts |= {some[int(i)]: int(count) for i, count in connection.rows(sql)}
    return counts
