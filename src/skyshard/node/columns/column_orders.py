"""Which tables go into which segment: replicas of one kind on one node, by chunk and part. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from skyshard.catalog.schema import Table
from skyshard.node.messages import ColumnsOrder, ImagedTable
from skyshard.node.read.byte_batches import by_bytes
from skyshard.registry.stored.records import Replica
from skyshard.rowimage.record import RecordLayout

SEGMENT_BYTES = 128 << 20
"""Of rows that go into one segment; a larger chunk table has one of its own."""
SEGMENT_TABLES = 4096
_BYTES_A_BLOB_ROW = 512


def column_orders(
    database: str,
    table: Table,
    base: str,
    columns: Sequence[str],
    replicas: Sequence[Replica],
    *,
    is_new: bool = False,
) -> Iterator[ColumnsOrder]:
    """Orders for the images of replicas of one kind on one node, a segment each.

    Args:
        table: as the replicas are stored.
        base: the catalog's name of it.
        is_new: they were made by a transaction that is under way, which settles the database before it ends.
    """
    width, least = row_bytes(table), SEGMENT_BYTES // SEGMENT_TABLES
    placed = sorted(replicas, key=lambda one: (one.chunk, one.part))
    for some in by_bytes(placed, lambda one: max(one.rows * width, least), SEGMENT_BYTES):
        listed = tuple(ImagedTable(one.name, one.chunk, one.part, one.rows, one.digest) for one in some)
        yield ColumnsOrder(database, base, table, some[0].is_overlap, tuple(columns), listed, not is_new, is_new)


def row_bytes(table: Table) -> int:
    """Bytes of a row in a segment, about."""
    return _BYTES_A_BLOB_ROW if table.has_blob else RecordLayout.of(table).length
