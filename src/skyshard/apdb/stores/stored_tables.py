"""Tables as a store keeps them: the columns that place a row before those of the schema, and the key that clusters.

Every table is clustered by chunk, sub-chunk, month (where it is parted by month) and its own key. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import pyarrow as pa

from skyshard.apdb.model import TableName
from skyshard.apdb.tables.apdb_tables import TABLE_NAMES, ApdbTable, apdb_table

CHUNK, SUB_CHUNK, MONTH, STORED_BY = "chunkId", "subChunkId", "month", "storedBy"
_PLACE = (pa.field(CHUNK, pa.int32(), nullable=False), pa.field(SUB_CHUNK, pa.int64(), nullable=False))
LEDGER = "TileLedger"


@dataclass(frozen=True, slots=True)
class StoredTable:
    """One of the four tables in a store."""

    kind: ApdbTable
    has_writer: bool
    """Rows name the store that wrote them in ``storedBy``, so that readers can leave out those not yet whole."""
    schema: pa.Schema = field(init=False, repr=False)
    """All columns: those that place a row, then the schema's."""

    def __post_init__(self) -> None:
        place = [*_PLACE, *([pa.field(MONTH, pa.int32(), nullable=False)] if self.is_monthly else [])]
        writer = [pa.field(STORED_BY, pa.int64(), nullable=False)] if self.has_writer else []
        object.__setattr__(self, "schema", pa.schema([*place, *writer, *self.kind.schema]))

    @property
    def name(self) -> TableName:
        return self.kind.name

    @property
    def is_monthly(self) -> bool:
        return self.kind.is_monthly

    @property
    def key(self) -> tuple[str, ...]:
        """The primary key."""
        month = (MONTH,) if self.is_monthly else ()
        return (CHUNK, SUB_CHUNK, *month, *self.kind.key)

    @property
    def unique(self) -> tuple[str, ...]:
        """What identifies a row besides, where there is an index of it: an object has one row in DiaObjectLast."""
        return () if self.is_monthly else self.kind.key


@cache
def stored_tables(has_writer: bool) -> dict[TableName, StoredTable]:
    """All four, by name.

    >>> stored_tables(has_writer=False)["DiaForcedSource"].key
    ('chunkId', 'subChunkId', 'month', 'diaObjectId', 'visit', 'detector')
    """
    return {name: StoredTable(apdb_table(name), has_writer) for name in TABLE_NAMES}
