"""The sky map of a catalog: chunks with their boxes, rows and nodes. No plotting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.errors import Bug


@dataclass(frozen=True, slots=True)
class SkyMap:
    """Chunks of one catalog; all sequences of one length, angles in degrees.

    A box whose ``ra_min`` exceeds ``ra_max`` crosses longitude 0.
    """

    chunk_ids: NDArray[np.int32]
    ra_min: NDArray[np.float64]
    ra_max: NDArray[np.float64]
    dec_min: NDArray[np.float64]
    dec_max: NDArray[np.float64]
    rows: NDArray[np.int64]
    """Rows of all chunked tables, without overlap."""
    nodes: Sequence[Sequence[str]]
    """Nodes that hold a replica, in the order in which they are asked."""
    bytes: NDArray[np.int64] | None = None
    """Bytes of one replica; None when not known."""
    scan_s: NDArray[np.float64] | None = None
    """Seconds that each chunk took in one scan after the trial, NaN where it was not read; None when not measured."""

    def __post_init__(self) -> None:
        lengths = {len(getattr(self, name)) for name in ("chunk_ids", "ra_min", "ra_max", "dec_min", "rows", "nodes")}
        if len(lengths) > 1:
            raise Bug(f"sky map columns differ in length: {sorted(lengths)}")

    def __len__(self) -> int:
        return len(self.chunk_ids)

    def to_table(self) -> pa.Table:
        columns = {name: np.asarray(getattr(self, name)) for name in _NUMBERS}
        columns["nodes"] = pa.array([list(names) for names in self.nodes], pa.list_(pa.string()))
        if self.bytes is not None:
            columns["bytes"] = np.asarray(self.bytes)
        if self.scan_s is not None:
            columns["scan_s"] = np.asarray(self.scan_s)
        return pa.table(columns)

    @classmethod
    def from_table(cls, table: pa.Table) -> SkyMap:
        numbers = {name: table[name].to_numpy() for name in _NUMBERS}
        more = {name: table[name].to_numpy() for name in ("bytes", "scan_s") if name in table.column_names}
        return cls(**numbers, nodes=table["nodes"].to_pylist(), **more)

    def with_times(self, seconds_by_chunk: Mapping[int, float]) -> SkyMap:
        """The same chunks, with the seconds that a scan needed for each."""
        times = [seconds_by_chunk.get(int(chunk), np.nan) for chunk in self.chunk_ids]
        return replace(self, scan_s=np.array(times, np.float64))


_NUMBERS = ("chunk_ids", "ra_min", "ra_max", "dec_min", "dec_max", "rows")


@dataclass(frozen=True, slots=True)
class NodeShare:
    """What one node holds, including replicas."""

    node: str
    chunks: int
    rows: int
    bytes: int | None


def node_shares(sky: SkyMap) -> list[NodeShare]:
    """Chunks, rows and bytes of each node, by node name."""
    names = [name for replicas in sky.nodes for name in replicas]
    chunk = np.repeat(np.arange(len(sky)), [len(replicas) for replicas in sky.nodes])
    order, inverse = np.unique(np.array(names, dtype=object).astype(str), return_inverse=True)
    chunks = np.bincount(inverse, minlength=len(order))
    rows = np.bincount(inverse, weights=np.asarray(sky.rows)[chunk], minlength=len(order))
    size = None if sky.bytes is None else np.bincount(inverse, weights=sky.bytes[chunk], minlength=len(order))
    return [
        NodeShare(str(name), int(chunks[i]), int(rows[i]), None if size is None else int(size[i]))
        for i, name in enumerate(order)
    ]


def chunk_of(sky: SkyMap, ra: NDArray[np.float64], decl: NDArray[np.float64]) -> NDArray[np.int64]:
    """The row of the sky map that holds each position; -1 where none does."""
    found = np.full(len(ra), -1, np.int64)
    width = (sky.ra_max - sky.ra_min) % 360.0
    width = np.where(width == 0.0, 360.0, width)
    for first in range(0, len(ra), 512):  # blocks, so that positions x chunks stay small
        part = slice(first, first + 512)
        inside = (ra[part, None] - sky.ra_min) % 360.0 < width
        inside &= (decl[part, None] >= sky.dec_min) & (decl[part, None] < sky.dec_max)
        found[part] = np.where(inside.any(axis=1), inside.argmax(axis=1), -1)
    return found
