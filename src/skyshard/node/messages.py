"""What a node's loader is asked for and what it answers. Frozen values that can be pickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from skyshard.basics.array_types import RowIndexes
from skyshard.catalog.schema import Table
from skyshard.columns.segment_index import SegmentIndex


class Loader(StrEnum):
    """How rows become tables."""

    IMAGE = "image"
    LOAD_DATA = "load-data"


@dataclass(frozen=True, slots=True)
class BundleSlice:
    """Rows of one bundle that go into one table."""

    bundle: str
    """A path on its host; an order that a loader gets has slices of that loader's host only."""
    offset: int
    """Bytes in a bundle of row images, record batches in a bundle of Arrow batches."""
    rows: int
    is_own: bool = False
    """The file has these rows only and is for this table only: it may become the table's data file."""
    host: str = ""
    """A node's name; empty for the host of the process that ingests, and of the nodes whose files it sees."""


@dataclass(frozen=True, slots=True)
class MadeFiles:
    """Files of a table that a node has made of row images: another node of its host can have the same by copying."""

    data: str
    """Path of the data file; of the other files only the suffix differs."""
    data_digest: str
    """XXH3 of its bytes, 128 bits, taken when its rows were found to be the right ones."""
    index_digest: str
    """The same of its index file; empty where the server made that."""


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
    made: MadeFiles | None = None
    """What another node of the host has made of the same slices, which are read only if those files have changed."""


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
    files: MadeFiles | None = None
    """By which it can be copied; None where that is not possible, or is no less work than making it."""


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
    """The columns of ``table`` of the table ``name``, to be written to a file of the loader's host."""

    database: str
    table: Table
    name: str
    path: str
    as_records: bool = False
    """As packed records, one behind the other; else as an Arrow file."""


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


@dataclass(frozen=True, slots=True)
class ImagedTable:
    """A part of a chunk table whose columns are to be written, with what the registry has of it."""

    name: str
    chunk: int
    part: int
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class ColumnsOrder:
    """One segment of column images to write: tables of one kind, which share a column list."""

    database: str
    base: str
    """The table of the catalog."""
    table: Table
    """As the tables are stored."""
    is_overlap: bool
    columns: tuple[str, ...]
    tables: tuple[ImagedTable, ...]
    is_settled: bool = True
    """It is on the disk when the call returns; else ``NodeLoader.settle`` comes before anybody counts on it."""
    is_known: bool = False
    """The same transaction has made, counted and digested the tables: their data files are not digested once more."""


@dataclass(frozen=True, slots=True)
class MadeColumns:
    """A segment that was written; none, with an empty path, where no table could be read."""

    path: str
    rows: int
    bytes: int
    faults: Mapping[str, str]
    """Tables that are not in it, and why."""


@dataclass(frozen=True, slots=True)
class SegmentFacts:
    """A segment as a node has it; there is no index where it cannot be read."""

    path: str
    table: str
    bytes: int
    fault: str = ""
    index: SegmentIndex | None = None


@dataclass(frozen=True, slots=True)
class HelloOrder:
    """What a worker is to prove and to tell."""

    nonce: str
    """Up to 32 letters and digits that were never used before."""
    staging: str
    """Where its host keeps what an ingest has under way."""


@dataclass(frozen=True, slots=True)
class Hello:
    """What a worker says of itself, its host and its server."""

    skyshard: str
    """Versions: of this package, of Python, of Ray where it is installed, of the server."""
    python: str
    ray: str
    server: str
    user: str
    umask: int
    data_dir: str
    """As the server says it."""
    data_free_bytes: int
    staging_free_bytes: int
    cores: int
    """That the worker may use."""
    memory_bytes: int
    clock_s: float
    """Seconds since 1970 by the host's clock, when it was asked."""
    started_s: float
    """When the server was started: seconds since 1970."""
    kernel: str
    cpu_model: str
    key: str
    """Of the data folder; two that have the same one are one folder, or one is a copy."""
    faults: tuple[str, ...] = ()
    """What is wrong, a sentence with its remedy for each; empty where folder and rights were proved."""
