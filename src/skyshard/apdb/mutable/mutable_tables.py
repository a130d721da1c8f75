"""Mutable tables on a node as SQL: one table a node, clustered by chunk, a partition a month. Text only, no I/O.

A row has, beside the columns of ``apdb.tables``, its chunk and sub-chunk, its month, and the store that wrote it last.
Sources are in the chunk of their own position, versions of an object in that of its first one.
Partitions are by LIST: a month is added whichever months are there (times may come out of order), and dropped in one
step. A month that is not there takes no row.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from skyshard.apdb.model import TableName
from skyshard.apdb.tables.apdb_tables import TABLE_NAMES, apdb_table
from skyshard.catalog.ddl import create_table
from skyshard.catalog.engines import TableEngine
from skyshard.catalog.layout import Layout, Role, TableLayout
from skyshard.catalog.schema import CHUNK_COLUMN, SUB_CHUNK_COLUMN, Column, Key, Table
from skyshard.db.connection import Connection, quote_name
from skyshard.registry.catalog.mutable_chunks import GONE_OBJECTS, LAST_VERSION, STORED_BY
from skyshard.rowimage.sqltype import parse_type

MONTH = "month"
DROPPED_TABLES: tuple[TableName, ...] = ("DiaSource", "DiaForcedSource")
"""The tables whose months are dropped; DiaObject keeps every version."""
_NO_MONTH = -(2**31)
"""A table needs a partition before it has a month."""


def shown_table(name: TableName) -> Table:
    """A table as the registry knows it: its columns, without those that only nodes need."""
    return apdb_table(name).table


def shown_layout() -> TableLayout:
    """How queries find rows: by position alone. Rows of one object may be in several chunks, so no key decides."""
    return TableLayout(role=Role.DIRECTOR, position=("ra", "dec"))


def node_table(name: TableName) -> Table:
    """A table as nodes have it."""
    kind = apdb_table(name)
    full = kind.table.with_chunk_columns()
    more: tuple[Column, ...] = (Column(STORED_BY, parse_type("bigint(20)"), is_nullable=False),)
    places: tuple[str, ...] = (CHUNK_COLUMN, SUB_CHUNK_COLUMN)
    if kind.is_monthly:
        more, places = (Column(MONTH, parse_type("int(11)"), is_nullable=False), *more), (*places, MONTH)
    keys = full.keys if kind.is_monthly else (*full.keys, Key("by_object", kind.key, is_unique=True))
    return replace(full, columns=full.columns + more, primary_key=(*places, *kind.key), keys=keys)


def node_statements(layout: Layout) -> list[str]:
    """The statements that make the tables of a database on a node; no-ops where they are."""
    made = [_create(node_table(name), layout.table_engine, apdb_table(name).is_monthly) for name in TABLE_NAMES]
    engine = layout.table_engine
    gone = (
        f"CREATE TABLE IF NOT EXISTS {quote_name(GONE_OBJECTS)} (`diaObjectId` BIGINT NOT NULL PRIMARY KEY, "
        f"{quote_name(LAST_VERSION)} DOUBLE NOT NULL) ENGINE={engine.sql_name} DEFAULT CHARSET=latin1"
        f"{engine.options(has_blob=False)}"
    )
    return [*made, gone]


def _create(table: Table, engine: TableEngine, is_monthly: bool) -> str:
    text = create_table(table, table.name, engine=engine).replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1)
    if not is_monthly:
        return text
    return f"{text} PARTITION BY LIST ({quote_name(MONTH)}) ({_partition(_NO_MONTH)})"


def partition_name(month: int) -> str:
    """The partition of a month.

    >>> partition_name(2000), partition_name(-3)
    ('m2000', 'm_3')
    """
    return f"m{month}".replace("-", "_")


def month_named(partition: str) -> int | None:
    """The month of a partition; None for the one that has none.

    >>> month_named("m2000"), month_named(partition_name(-2**31))
    (2000, None)
    """
    month = int(partition[1:].replace("_", "-"))
    return None if month == _NO_MONTH else month


def _partition(month: int) -> str:
    return f"PARTITION {partition_name(month)} VALUES IN ({month})"


def add_month(name: TableName, month: int) -> str:
    """The statement that gives a table a month; a no-op where it has it."""
    return f"ALTER TABLE {quote_name(name)} ADD PARTITION IF NOT EXISTS ({_partition(month)})"


def has_month(connection: Connection, name: TableName, month: int) -> bool:
    """Whether a table has a month: asked first, for even a change that changes nothing waits for all who use it."""
    there = connection.value(
        "SELECT COUNT(*) FROM information_schema.PARTITIONS "
        "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND PARTITION_NAME = %s",
        [name, partition_name(month)],
    )
    return bool(there)


def drop_months(name: TableName, months: Iterable[int]) -> str:
    """The statement that drops months of a table, in one step; a no-op where they are gone."""
    return f"ALTER TABLE {quote_name(name)} DROP PARTITION IF EXISTS {', '.join(map(partition_name, months))}"
