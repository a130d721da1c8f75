"""What a node's loader is told and what it answers. Frozen values that can be pickled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from skyshard.catalog.schema import Table


class Loader(StrEnum):
    """How rows become tables."""

    IMAGE = "image"
    LOAD_DATA = "load-data"


@dataclass(frozen=True, slots=True)
class BundleSlice:
    """Rows of one bundle that go into one table.

    ``bundle`` is a path that the loader's host must see: bundles are in a folder that hosts share. ``offset`` counts
    bytes in a bundle of row images, record batches in a bundle of Arrow batches. ``is_own`` says that the file has
    these rows only and is for this table only: it may become the table's data file.
    """

    bundle: str
    offset: int
    rows: int
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class TableBuild:
    """One table to make on a node: its text, the slices that fill it, and the digest that must come out.

    ``base``, ``chunk``, ``is_overlap`` and ``part`` say what the table is; ``chunk`` is -1 for a regular table.
    ``merged`` names tables of the same database whose rows it takes, where it has no slices.
    """

    name: str
    base: str
    chunk: int
    is_overlap: bool
    part: int
    create: str
    slices: tuple[BundleSlice, ...]
    rows: int
    digest: str
    merged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuildOrder:
    """Tables of one kind to build in one database; they share a column list."""

    database: str
    table: Table
    loader: Loader
    builds: tuple[TableBuild, ...]


@dataclass(frozen=True, slots=True)
class BuiltTable:
    """A table that a node has made, counted and checked. ``bytes`` are those of its files."""

    name: str
    rows: int
    bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class MergeTableOrder:
    """Tables of one kind that show several parts as one: name → the parts' names, oldest first."""

    database: str
    table: Table
    engine: str
    parts: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class RepairOrder:
    """MyISAM tables whose indexes are to be made again.

    ``source`` is what the server goes by: what the index file says of itself, or the definition where that is gone.
    """

    database: str
    names: tuple[str, ...]
    source: Literal["index", "definition"]


@dataclass(frozen=True, slots=True)
class DigestOrder:
    """Tables of one kind to count and digest; they share a column list, of which ``leave_out`` are the last ones."""

    database: str
    table: Table
    names: tuple[str, ...]
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TableDigest:
    """A table as it is now; ``error`` says why it could not be read, and ``digest`` is empty then."""

    name: str
    rows: int
    digest: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """The columns of ``table`` of the table ``name``, to be written to a file that the loader's host makes."""

    database: str
    table: Table
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table under the name by which queries read it: one part itself, or several, and their rows together."""

    name: str
    parts: tuple[str, ...]
    rows: int
