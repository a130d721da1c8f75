"""Digests of a sky's rows by the chunks of any layout, overlap copies too, from rows that are made again. No I/O."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Numbers
from skyshard.catalog.schema import Table
from skyshard.rowimage.digest import Lanes, RowDigest, digest_runs, row_lanes
from skyshard.synthetic.placed_rows import Placement

ByChunk = dict[int, RowDigest]


@dataclass(slots=True)
class SpreadDigests:
    """By table and chunk, without chunk numbers: a chunk's own rows, and the copies in its overlap table."""

    own: dict[str, ByChunk] = field(default_factory=dict)
    overlap: dict[str, ByChunk] = field(default_factory=dict)
    made: dict[str, RowDigest] = field(default_factory=dict)
    """All rows of a table."""


def spread_digests(placement: Placement, chunks: Iterable[int], names: Collection[str]) -> SpreadDigests:
    """Digests of the rows of some placeable tables that the generator makes for some of its chunks."""
    found = SpreadDigests({name: {} for name in names}, {}, dict.fromkeys(names, RowDigest()))
    for chunk in chunks:
        for name, placed in placement.rows(chunk, names):
            lanes = _lanes(placed.rows, placement.sky.specs[name].table)
            found.made[name] += sum(_add(found.own[name], lanes, placed.chunks).values(), RowDigest())
            if placed.copies is not None:
                copied = lanes[:, placed.copies.row]
                _add(found.overlap.setdefault(name, {}), copied, placed.copies.chunk_ids)
    return found


def digest_of(rows: pa.Table, table: Table) -> RowDigest:
    """The digest of some rows of a table."""
    return digest_runs(_lanes(rows, table), [0, rows.num_rows])[0] if rows.num_rows else RowDigest()


def _lanes(rows: pa.Table, table: Table) -> Lanes:
    batch = rows.combine_chunks()
    columns = ((place, column, _whole(batch.column(place))) for place, column in enumerate(table))
    return row_lanes(columns)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])


def _add(sums: ByChunk, lanes: Lanes, chunks: Numbers) -> Mapping[int, RowDigest]:
    """Add the rows to the sums of their chunks; returns what was added."""
    if not len(chunks):
        return {}
    order = np.argsort(chunks, kind="stable")
    sorted_chunks = chunks[order]
    edges = [0, *(np.flatnonzero(np.diff(sorted_chunks)) + 1).tolist(), len(chunks)]
    numbers = sorted_chunks[edges[:-1]].tolist()
    added = dict(zip(numbers, digest_runs(lanes[:, order], edges), strict=True))
    for chunk, one in added.items():
        sums[chunk] = sums.get(chunk, RowDigest()) + one
    return added
