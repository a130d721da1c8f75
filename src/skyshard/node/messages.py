"""What a node's loader is asked for and what it answers. Frozen values that can be pickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from skyshard.basics.array_types import RowIndexes
from skyshard.catalog.schema import Table


class Loader(StrEnum):
    """How rows become tables."""

    IMAGE = "image"
    LOAD_DATA = "load-data"


@dataclass(frozen=True, slots=True)
class BundleSlice:
    """Rows of one bundle that go into one table."""

    bundle: str
    """A path that the loader's host must see: bundles are in a folder that hosts share."""
    offset: int
    """Bytes in a bundle of row images, record batches in a bundle of Arrow batches."""
    rows: int
    is_own: bool = False
    """The file has these rows only and is for this table only: it may become the table's data file."""


@dataclass(frozen=True, slots=True)
class TableBuild:
    """One table to make on a node: its text, the slices that fill it, and the digest that must come out."""

    name: str
    base: str
    """The table of the catalog that it is a chunk of."""
    chunk: int
    """-1 for a regular table."""
    is_overlap: bool
    part: int
    """0 for the first rows of a chunk table, else the transaction's number."""
    create: str
    """The text that creates it."""
    slices: tuple[BundleSlice, ...]
    rows: int
    digest: str
    merged: tuple[str, ...] = ()
    """Tables of the same database whose rows it takes, besides those of its slices."""
    leave_out: tuple[int, ...] = ()
    """Numbers of the input files whose rows are not taken from the tables that it merges."""
    brings: tuple[int, ...] = ()
    """Numbers of the input files of its slices, where it merges tables too: none of their rows may repeat a key."""


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """Tables of one kind to build in one database; they share a column list."""

    database: str
    table: Table
    loader: Loader
    builds: tuple[TableBuild, ...]
    engine: str = "MyISAM"
    """The engine of the tables, as layouts call it."""


@dataclass(frozen=True, slots=True)
class BuiltTable:
    """A table that a node has made, counted and checked. ``bytes`` are those of its files."""

    name: str
    rows: int
    bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class MergeTableOrder:
    """Tables of one kind that show several parts as one."""

    database: str
    table: Table
    engine: str
    """The engine of the parts."""
    parts: Mapping[str, tuple[str, ...]]
    """Name → the parts' names, oldest first."""


@dataclass(frozen=True, slots=True)
class RepairOrder:
    """MyISAM tables whose indexes are to be made again."""

    database: str
    names: tuple[str, ...]
    source: Literal["index", "definition"]
    """What the server goes by: what the index file says of itself, or the definition where that is gone."""


@dataclass(frozen=True, slots=True)
class DigestOrder:
    """Tables of one kind to count and digest; they share a column list."""

    database: str
    table: Table
    names: tuple[str, ...]
    leave_out: tuple[str, ...] = ()
    """The last columns, where they do not count."""


@dataclass(frozen=True, slots=True)
class TableDigest:
    """A table as it is now."""

    name: str
    rows: int
    digest: str
    """Empty where the table could not be read."""
    error: str = ""
    """Why it could not be read."""


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """The columns of ``table`` of the table ``name``, to be written to a file that the loader's host makes."""

    database: str
    table: Table
    name: str
    path: str
    as_records: bool = False
    """As packed records, one behind the other; else as an Arrow file."""
    leave_out: tuple[int, ...] = ()
    """Numbers of the input files whose rows are left out."""


@dataclass(frozen=True, eq=False, slots=True)
class RowsOrder:
    """Some columns and rows of tables that share a column list, one behind the other."""

    database: str
    table: Table
    names: tuple[str, ...]
    columns: tuple[str, ...]
    """In the order in which they come."""
    rows: RowIndexes | None = None
    """Numbers of the wanted rows, from 0, over all the tables; None: all."""


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table under the name by which queries read it: one part itself, or several, and their rows together."""

    name: str
    parts: tuple[str, ...]
    rows: int
