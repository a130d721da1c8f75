"""The four tables that visits read and write: columns, keys, place and time of a row, as Arrow and as SQL types.

Columns, types and nullability are those of ``apdb.yaml`` in ``lsst-sdm-schemas``. What a backend adds to place a row
(chunk, sub-chunk, month) is not part of them. No I/O but reading that file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import get_args

import pyarrow as pa

from skyshard.apdb.model import TableName
from skyshard.catalog.felis_schemas import read_schema
from skyshard.catalog.schema import Column, Key, Table
from skyshard.rowimage.sqltype import TypeClass

TABLE_NAMES: tuple[TableName, ...] = get_args(TableName)
MOST_DAYS = 1e9
"""Times are less than this, before and after MJD 0; others are no MJD in days, and have no month."""
MONTH_DAYS = 30.0
"""Length of a partition in time (``time_partition_days``): months are counted from MJD 0."""


@dataclass(frozen=True, slots=True)
class ApdbTable:
    """One table; every row has its position in ``ra`` and ``dec``, degrees, ICRS."""

    table: Table
    """Columns in the schema's order, with MariaDB's types, the primary key and the schema's secondary keys."""
    schema: pa.Schema
    """The same columns in Arrow: flags are int8, text is string."""
    time: str
    """The column, MJD TAI, that says when a row is from, and so which month it belongs to."""
    is_monthly: bool
    """Parted by month; DiaObjectLast is not, for it has one row an object."""
    needed: tuple[str, ...]
    """Columns that the association of a visit reads (``columns: needed``), in the schema's order."""
    required: tuple[int, ...] = field(init=False)
    """Places of the columns that must have a value."""
    floating: tuple[tuple[int, ...], ...] = field(init=False)
    """Places of the columns of each type of floating-point numbers."""

    def __post_init__(self) -> None:
        places = range(len(self.schema))
        required = tuple(place for place in places if not self.schema.field(place).nullable)
        by_type = (tuple(k for k in places if self.schema.types[k] == kind) for kind in (pa.float32(), pa.float64()))
        object.__setattr__(self, "required", required)
        object.__setattr__(self, "floating", tuple(some for some in by_type if some))

    @property
    def name(self) -> TableName:
        return next(name for name in TABLE_NAMES if name == self.table.name)

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that identify a row."""
        return self.table.primary_key

    def chosen(self, columns: tuple[str, ...] | None) -> pa.Schema:
        """The schema of some columns, in the schema's order; None: all."""
        return self.schema if columns is None else pa.schema([field for field in self.schema if field.name in columns])


def month_of(time: float) -> int:
    """Number of the month that holds a time, MJD TAI.

    >>> month_of(60000.0), month_of(60029.9), month_of(60030.0)
    (2000, 2000, 2001)
    """
    return int(time // MONTH_DAYS)


@cache
def apdb_table(name: TableName) -> ApdbTable:
    """One of the four tables."""
    columns = next(item.table.columns for item in read_schema("apdb") if item.table.name == name)
    key, others, time, needed = _FACTS[name]
    table = Table(name, columns, key, tuple(Key(f"by_{'_'.join(index)}", index) for index in others))
    schema = pa.schema([_field(column) for column in columns])
    return ApdbTable(table, schema, time, name != "DiaObjectLast", tuple(n for n in table.column_names if n in needed))


def _field(column: Column) -> pa.Field:
    is_text = column.type.type_class is TypeClass.BYTES
    return pa.field(column.name, pa.string() if is_text else column.type.arrow, nullable=column.is_nullable)


_Facts = tuple[tuple[str, ...], tuple[tuple[str, ...], ...], str, frozenset[str]]
_OBJECT_NEEDED = frozenset(
    {"diaObjectId", "validityStartMjdTai", "lastDiaSourceMjdTai", "ra", "dec", "firstDiaSourceMjdTai", "nDiaSources"}
)
_SOURCE_NEEDED = frozenset(
    {"diaSourceId", "diaObjectId", "visit", "detector", "ra", "dec", "midpointMjdTai", "band", "psfFlux", "psfFluxErr"}
    | {"scienceFlux", "scienceFluxErr"}
)
_FORCED_NEEDED = (_SOURCE_NEEDED - {"diaSourceId"}) | {"diaForcedSourceId"}
_FACTS: dict[TableName, _Facts] = {
    "DiaObject": (
        ("diaObjectId", "validityStartMjdTai"), (("validityStartMjdTai",),), "validityStartMjdTai", _OBJECT_NEEDED,
    ),
    "DiaObjectLast": (("diaObjectId",), (), "validityStartMjdTai", _OBJECT_NEEDED),
    "DiaSource": (
        ("diaSourceId",), (("visit", "detector"), ("diaObjectId",), ("ssObjectId",)), "midpointMjdTai", _SOURCE_NEEDED,
    ),
    "DiaForcedSource": (
        ("diaObjectId", "visit", "detector"), (("visit", "detector"),), "midpointMjdTai", _FORCED_NEEDED,
    ),
}  # fmt: skip
"""Primary key, secondary keys, column of time, needed columns."""
