"""Digests of tables whose files are not read here: the server copies them into a table of fixed records, which are.

A tenth of the time that a SELECT through the driver takes; values come as the engine gives them, in the same bytes.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from skyshard.basics.errors import ClusterError
from skyshard.catalog.schema import Table
from skyshard.db.connection import Connection, quote_name
from skyshard.node.messages import ExportOrder
from skyshard.node.read.record_groups import RecordGroup, mapped_records
from skyshard.node.server.scratch_tables import scratch_table
from skyshard.node.server.server_files import ServerFiles
from skyshard.rowimage.digest import RowDigest
from skyshard.rowimage.record import RecordLayout

COPIED_BYTES = 128 << 20
"""Bytes of rows after which what was copied is read."""


def copied_digests(
    connection: Connection, data: ServerFiles, table: Table, names: Sequence[str], columns: int
) -> list[RowDigest]:
    """Digests over the first columns of tables that share a column list, in the order of the names."""
    layout, found, counts = RecordLayout.of(table), [], []
    with scratch_table(connection, data, table) as scratch:
        for place, name in enumerate(names, 1):
            counts.append(connection.execute(f"INSERT INTO {scratch.name} SELECT * FROM {quote_name(name)}"))
            if place == len(names) or sum(counts) * layout.length >= COPIED_BYTES:
                scratch.close(connection)
                records = mapped_records(scratch.data, layout)
                if len(records) != sum(counts):
                    raise ClusterError(f"'{scratch.data}' has not the rows that were copied", remedy="run it again")
                found += RecordGroup(layout, counts, records).digests(columns)
                scratch.empty(connection)
                counts = []
    return found


def copy_records(connection: Connection, data: ServerFiles, order: ExportOrder) -> int:
    """Write a table's rows to a file as packed records; returns how many there are."""
    with scratch_table(connection, data, order.table) as scratch:
        count = connection.execute(f"INSERT INTO {scratch.name} SELECT * FROM {quote_name(order.name)}")
        scratch.close(connection)
        shutil.copyfile(scratch.data, order.path)
    return count
