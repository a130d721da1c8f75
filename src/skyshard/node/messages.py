"""What ingest tells a node's loader and what it hears back. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from skyshard.catalog.schema import Table


class Loader(StrEnum):
    """How rows become tables."""

    IMAGE = "image"
    LOAD_DATA = "load-data"


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows of one bundle that go into one table.

    ``offset`` counts bytes in a bundle of row images, record batches in a bundle of Arrow batches. ``is_own`` says that
    the file has these rows only and is for this table only: it may become the table's data file.
    """

    bundle: str
    offset: int
    rows: int
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class TableBuild:
    """One table to make on a node: its text, the slices that fill it, and the digest that must come out.

    ``base``, ``chunk``, ``is_overlap`` and ``part`` say what the table is; ``chunk`` is -1 for a regular table.
    ``merged`` names tables beside it on the node whose rows it takes, where it has no slices.
    """

    name: str
    base: str
    chunk: int
    is_overlap: bool
    part: int
    create: str
    slices: tuple[Slice, ...]
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
    """A table that stands on a node, counted and checked."""

    name: str
    rows: int
    bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class ScannedTable:
    """A table as it is now; ``error`` says why it could not be read."""

    name: str
    rows: int
    digest: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table under the name by which queries read it: one part itself, or several, and their rows together."""

    name: str
    parts: tuple[str, ...]
    rows: int
