"""A published catalog as queries see it: tables, roles, chunks and where their replicas are.

Pure values, no I/O; ``CatalogSource`` is the seam behind which they are read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from skyshard.catalog.layout import Layout, TableLayout
from skyshard.catalog.schema import Table
from skyshard.registry.catalog.chunk_entries import NO_CHUNKS, ChunkEntries

Chunks = frozenset[int]


@dataclass(frozen=True, slots=True)
class Mutable:
    """What queries have to know of a table that visits change: one a node, with the rows of all its chunks.

    ``history``: of a table with newest versions only, the one that has every version, and ``version`` the columns there
    with an object's key and the beginning of a version. ``drift_deg``: how far rows may be outside of their chunk.
    """

    history: str = ""
    version: tuple[str, str] = ("", "")
    drift_deg: float = 0.0


@dataclass(frozen=True, slots=True)
class CatalogTable:
    """One table of a catalog.

    ``table`` carries ``chunkId`` and ``subChunkId`` when the table is chunked; ``rows`` counts own rows, never
    overlap; ``chunks`` is empty for a regular table. ``orphan_chunks`` are the chunks that hold dependent rows whose
    director key was not in the director index when they came, ``stray_chunks`` those of them that hold rows whose
    director came to another chunk later.
    """

    table: Table
    layout: TableLayout
    rows: int
    chunks: ChunkEntries = NO_CHUNKS
    orphan_chunks: frozenset[int] = frozenset()
    suffix: str = ""
    """Of a regular table's name in this generation."""
    stray_chunks: frozenset[int] = frozenset()
    spread_keys: frozenset[str] = frozenset()
    """The key columns (``layout.key``, ``layout.key2``) whose director has rows of one key in several chunks."""
    position_is_local: bool = True
    """False where rows of a dependent are in another chunk than that of the positions that they carry."""
    holders: tuple[str, ...] | None = None
    """Of a regular table: the nodes that hold it, good; None where all do."""
    mutable: Mutable | None = None

    def is_on(self, node: str) -> bool:
        """Whether a node can read the table, as far as it is whole: chunks have nodes of their own."""
        return self.holders is None or node in self.holders


@dataclass(frozen=True, slots=True)
class Catalog:
    """A published database: its layout, its tables by name, and the nodes that serve it.

    ``database`` is its stored name, by which servers know it. ``transaction`` is the last one that brought rows; 0
    where none is known.
    """

    database: str
    layout: Layout
    tables: Mapping[str, CatalogTable]
    nodes: tuple[str, ...]
    transaction: int = 0
    shown: str = ""
    """What people call it; empty where that is the stored name."""
    aliases: tuple[str, ...] = ()

    @property
    def called(self) -> str:
        """Its name for people."""
        return self.shown or self.database

    @property
    def names(self) -> frozenset[str]:
        """The names that a statement may give it."""
        return frozenset((self.called, *self.aliases))


class CatalogSource(Protocol):
    """Where the czar reads catalogs and the director index from; the index by the stored names of databases."""

    def databases(self) -> list[str]:
        """Names of published databases, aliases among them."""

    def catalog(self, name: str) -> Catalog:
        """The catalog of a published database, by its shown name or an alias; ``UserError`` if there is none."""

    def locate_keys(self, database: str, director: str, keys: Sequence[int]) -> dict[int, Chunks]:
        """Director index: key → chunks that have rows of it, for the keys it knows."""

    def locate_key_range(self, database: str, director: str, low: int | None, high: int | None) -> set[int]:
        """Chunks that hold a key in [low, high]; None is unbounded."""
