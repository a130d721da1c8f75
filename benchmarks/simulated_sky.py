"""A catalog of the whole sky without its rows: sizes of chunks, placement, entries; for ``simulate.py``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from skyshard.catalog.layout import Layout, Role, Striping, TableLayout
from skyshard.catalog.placement import place
from skyshard.catalog.schema import Column, Table
from skyshard.chunking import Chunker
from skyshard.registry.catalog.chunk_entries import ChunkEntries
from skyshard.registry.catalog.published_catalog import Catalog, CatalogTable
from skyshard.registry.stored.entry_columns import EntryColumns, ReplicaColumns, entries_of
from skyshard.registry.stored.records import Replica
from skyshard.rowimage.sqltype import parse_type

DATABASE = "simulated"
STRIPING = Striping(stripes=340, substripes=3, overlap_deg=0.01667)
"""DR1's: 146,332 chunks."""
ROW_BYTES = {"Object": 1200, "ObjectExtra": 900, "Source": 450, "ForcedSource": 60}
ROWS_A_CHUNK = {"Object": 120_000, "ObjectExtra": 120_000, "Source": 3_000_000, "ForcedSource": 20_000_000}
"""Of the mean chunk: about DR1's."""
OVERLAP = 0.04
"""Overlap rows beside own ones."""


def layout_of(name: str) -> TableLayout:
    if name == "Object":
        return TableLayout(role=Role.DIRECTOR, key="objectId", position=("ra", "decl"))
    return TableLayout(role=Role.DEPENDENT, key="objectId", director="Object", position=("ra", "decl"))


def table_of(name: str) -> Table:
    columns = (("objectId", "bigint"), ("ra", "double"), ("decl", "double"), ("mag", "float"))
    return Table(name, tuple(Column(column, parse_type(kind)) for column, kind in columns))


@dataclass(frozen=True)
class SimulatedSky:
    """So many of the sky's chunks, of log-normal sizes, on so many nodes; each with ``level`` replicas."""

    chunks: int
    nodes: int
    level: int

    @cached_property
    def names(self) -> list[str]:
        return [f"node{number}" for number in range(1, self.nodes + 1)]

    @cached_property
    def numbers(self) -> list[int]:
        found: list[int] = Chunker(STRIPING.stripes, STRIPING.substripes, STRIPING.overlap_deg).chunk_ids().tolist()
        return found[: self.chunks]

    @cached_property
    def density(self) -> np.ndarray:
        """Of each chunk, 1 on average."""
        values = np.random.default_rng(1).lognormal(0.0, 1.0, self.chunks)
        return np.asarray(values / values.mean())

    @cached_property
    def sizes(self) -> dict[int, int]:
        """Chunk → bytes of all tables."""
        a_chunk = sum(ROW_BYTES[name] * rows for name, rows in ROWS_A_CHUNK.items())
        return dict(zip(self.numbers, (self.density * a_chunk).astype(int).tolist(), strict=True))

    @cached_property
    def placed(self) -> dict[int, tuple[str, ...]]:
        return place(self.sizes, self.names, self.level)

    def replicas(self, name: str) -> ReplicaColumns:
        """The replicas of one table, and of its overlap."""
        names = tuple(sorted(self.names))
        code = {node: number for number, node in enumerate(names)}
        node = np.array([code[one] for number in self.numbers for one in self.placed[number]])
        chunk = np.repeat(np.array(self.numbers), self.level)
        rows = np.repeat((self.density * ROWS_A_CHUNK[name]).astype(np.int64), self.level)
        flags = (False, True) if name == "Object" else (False,)
        over = np.repeat(flags, len(chunk))
        counts = np.concatenate([(rows * (OVERLAP if flag else 1)).astype(np.int64) for flag in flags])
        times = len(flags)
        return ReplicaColumns(
            np.tile(chunk, times), over, np.zeros(len(over), np.int64), counts, counts * ROW_BYTES[name],
            np.tile(node, times), np.ones(len(over), bool), names,
        )  # fmt: skip

    def entries(self) -> dict[str, EntryColumns]:
        return {name: entries_of(self.replicas(name)) for name in ROW_BYTES}

    def records(self, name: str) -> list[Replica]:
        """The replicas of one table as ingest records them."""
        found = self.replicas(name)
        columns = (found.chunk, found.is_overlap, found.node, found.rows, found.bytes)
        listed = zip(*(column.tolist() for column in columns), strict=True)
        return [
            Replica(name, chunk, is_overlap, found.nodes[node], rows, size, f"{rows}:{'5a' * 16}")
            for chunk, is_overlap, node, rows, size in listed
        ]


def catalog_of(entries: dict[str, EntryColumns], names: list[str]) -> Catalog:
    """The catalog that queries see."""
    tables = {
        name: CatalogTable(
            table_of(name).with_chunk_columns(), layout_of(name), int(columns.rows.sum()), ChunkEntries(columns)
        )
        for name, columns in entries.items()
    }
    return Catalog(DATABASE, Layout(striping=STRIPING, tables={}), tables, tuple(sorted(names)))
