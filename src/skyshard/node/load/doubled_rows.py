"""Finds rows that a primary or unique key does not allow, in a copy of their table without keys.

The server only says that an index could not be made, or names one value of a temporary file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.catalog.ddl import create_table
from skyshard.catalog.engines import TableEngine
from skyshard.catalog.schema import FILE_COLUMN, Table
from skyshard.db.connection import Connection, quote_name
from skyshard.node.messages import BuildOrder, TableBuild

_REFUSED = ("Duplicate entry", "must be inserted in primary key order", '"Operation not permitted" during COMMIT')
"""How servers refuse a second row of a key: as a rule, MyRocks of sorted rows, InnoDB of a whole table's."""


class NotIndexed(ClusterError):
    """The server could not make the indexes of a table that has its rows already."""


class DoubledRow(UserError):
    """Two rows with one value of a key: which table and chunk, and the key's values by column."""

    def __init__(self, build: TableBuild, values: dict[str, Any]) -> None:
        self.table, self.chunk, self.values = build.base, build.chunk, values
        shown = ", ".join(f"{name} {value}" for name, value in values.items())
        super().__init__(
            f"table '{build.base}': {shown} occurs twice, and is a primary or unique key",
            remedy="remove the duplicates, or take the key out of the table's description",
        )


def may_be_doubled(error: SkyshardError) -> bool:
    """True for an error that rows with one key may be behind."""
    return isinstance(error, NotIndexed) or any(words in error.what for words in _REFUSED)


def refuse_doubled(connection: Connection, order: BuildOrder, fill: Callable[[BuildOrder], object]) -> None:
    """Fill the tables of an order once more, without keys, and look for doubled rows; they are of no other use then.

    Raises:
        DoubledRow: the first one.
    """
    unique = [order.table.primary_key, *(key.columns for key in order.table.keys if key.is_unique)]
    bare = Table(order.table.name, order.table.columns)
    for build in order.builds if any(unique) else ():
        if build.rows:
            plain = replace(build, create=create_table(bare, build.name, engine=TableEngine(order.engine)))
            fill(replace(order, table=bare, builds=(plain,)))
            for columns in filter(None, unique):
                _look(connection, build, columns)


def refuse_repeated(connection: Connection, table: Table, build: TableBuild) -> None:
    """Look for rows of a build's new files that repeat a key of its table: merged tables are made without unique keys.

    Raises:
        DoubledRow: the first one.
    """
    if build.merged and build.brings and not build.is_overlap:
        numbers = ", ".join(map(str, build.brings))
        for columns in filter(None, (table.primary_key, *(key.columns for key in table.keys if key.is_unique))):
            _look(connection, build, columns, f" AND MAX({quote_name(FILE_COLUMN)} IN ({numbers}))")


def _look(connection: Connection, build: TableBuild, columns: tuple[str, ...], which: str = "") -> None:
    parts = [_part(column) for column in columns]
    is_there = " AND ".join(f"{part} IS NOT NULL" for part in parts)
    sql = (
        f"SELECT {', '.join(f'MIN({part})' for part in parts)} FROM {quote_name(build.name)} WHERE {is_there} "
        f"GROUP BY {', '.join(parts)} HAVING COUNT(*) > 1{which} LIMIT 1"
    )
    for row in connection.rows(sql):
        raise DoubledRow(build, {column.partition("(")[0]: value for column, value in zip(columns, row, strict=True)})


def _part(column: str) -> str:
    """The indexed part of a column: ``name(10)`` are its first ten characters."""
    name, bracket, length = column.partition("(")
    return f"LEFT({quote_name(name)}, {int(length.rstrip(')'))})" if bracket else quote_name(name)
