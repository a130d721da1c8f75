"""Columns, keys and tables: what a table is. How it is spread over chunks is in the layout. No I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from skyshard.basics.errors import UserError
from skyshard.rowimage.sqltype import SqlType, parse_type

CHUNK_COLUMN = "chunkId"
SUB_CHUNK_COLUMN = "subChunkId"
FILE_COLUMN = "ingestFile"
"""The number of the input file that a row is from, where a table has provenance."""
ROW_COLUMN = "ingestRow"
"""The row's number in that file, from 1."""
ORIGIN_COLUMNS = (FILE_COLUMN, ROW_COLUMN)


def is_chunk_column(name: str) -> bool:
    """True for the columns that every chunked table gets when it is stored, in any case of letters."""
    return name.lower() in (CHUNK_COLUMN.lower(), SUB_CHUNK_COLUMN.lower())


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name and type as the server reads them.

    ``default`` is the SQL text after DEFAULT, or None.
    """

    name: str
    type: SqlType
    is_nullable: bool = True
    default: str | None = None


def origin_columns() -> tuple[Column, ...]:
    """The two columns that say which file and row of the input a row is."""
    return tuple(Column(name, parse_type("int unsigned"), is_nullable=False) for name in ORIGIN_COLUMNS)


@dataclass(frozen=True, slots=True)
class Key:
    """A secondary index; ``columns`` as the server reads them (``name`` or ``name(10)``)."""

    name: str
    columns: tuple[str, ...]
    is_unique: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """A table's columns in declared order, its primary key (may be empty) and its secondary keys."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    keys: tuple[Key, ...] = ()

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    @property
    def column_names(self) -> list[str]:
        return [column.name for column in self.columns]

    @property
    def has_blob(self) -> bool:
        """True when a row image cannot hold a row: the table loads through LOAD DATA."""
        return any(column.type.is_blob for column in self.columns)

    def column(self, name: str) -> Column:
        """Look a column up as SQL does, whatever the case of its letters.

        Raises:
            UserError: no such column.
        """
        found = self.find(name)
        if found is None:
            raise UserError(f"table '{self.name}' has no column '{name}'", remedy="skyshard schema show lists them")
        return found

    def find(self, name: str) -> Column | None:
        lowered = name.lower()
        return next((column for column in self.columns if column.name.lower() == lowered), None)

    def with_chunk_columns(self) -> Table:
        """The table with ``chunkId`` and ``subChunkId`` appended, unless it names them already."""
        have = {column.name.lower() for column in self.columns}
        extra = tuple(
            Column(name, parse_type("int(11)"), is_nullable=False)
            for name in (CHUNK_COLUMN, SUB_CHUNK_COLUMN)
            if name.lower() not in have
        )
        return replace(self, columns=self.columns + extra)
