"""Where the time of a query went: by node, by unit of chunks, and how evenly. Values, no I/O."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import Any

from skyshard.czar.result.answer import QueryStats
from skyshard.czar.result.query_progress import Running, UnitTime
from skyshard.czar.result.server_plan import ServerPlan

SLOWEST = 5


@dataclass(frozen=True, slots=True)
class NodeTime:
    """What one node did; ``elapsed_s`` is the sum over its units, of all its threads."""

    node: str
    units: int
    chunks: int
    rows: int
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Analysis:
    """A query as it was answered.

    ``slowest``: the units that took longest for each of their chunks. ``node_skew`` is the busiest node's time in means
    of all nodes, ``chunk_skew`` the slowest chunk's in means of all chunks (a unit's time is shared out evenly).
    """

    stats: QueryStats
    nodes: tuple[NodeTime, ...]
    slowest: tuple[UnitTime, ...]
    node_skew: float
    chunk_skew: float
    retried: int
    servers: tuple[ServerPlan, ...] = ()
    """What nodes said of their slowest statements, when they were asked."""
    as_text_nodes: Mapping[str, str] = field(default_factory=dict)
    """Node → why its rows came as text, where images would be faster."""
    column_chunks: int = 0
    column_bytes: int = 0
    """Chunks that were read by columns, and the bytes of these columns."""
    not_by_columns: tuple[str, ...] = ()
    """Why others were read as rows after all."""

    def as_dict(self) -> dict[str, Any]:
        stats = self.stats
        servers: dict[str, Any] = {"servers": [one.as_dict() for one in self.servers]} if self.servers else {}
        servers |= {"rows_as_text": dict(self.as_text_nodes)} if self.as_text_nodes else {}
        columns: dict[str, Any] = {"column_chunks": self.column_chunks, "column_bytes": self.column_bytes}
        columns |= {"not_by_columns": list(self.not_by_columns)} if self.not_by_columns else {}
        return servers | (columns if self.column_chunks or self.not_by_columns else {}) | {
            "elapsed_s": stats.elapsed_s, "planned_s": stats.planned_s, "rows": stats.rows, "bytes": stats.bytes,
            "coverage": stats.coverage, "retried_chunks": self.retried, "node_skew": self.node_skew,
            "chunk_skew": self.chunk_skew,
            "nodes": [asdict(one) for one in self.nodes],
            "slowest": [asdict(one) for one in self.slowest],
        }  # fmt: skip

    def as_text(self) -> str:
        """Lines for a terminal."""
        stats = self.stats
        lines = [
            f"took    {stats.elapsed_s:.4f} s, {stats.planned_s:.4f} s of it planning; {stats.rows:,} rows, "
            f"{stats.bytes:,} bytes from nodes"
        ]
        lines += [
            f"node    {one.node}: {one.elapsed_s:.4f} s, {one.chunks} chunks in {one.units} units, {one.rows:,} rows"
            for one in self.nodes
        ]
        if self.column_chunks:
            lines.append(f"columns {self.column_chunks} chunks, {self.column_bytes / 1e6:,.3g} MB of columns read")
        lines += [f"rows    some chunks were read as rows after all: {why}" for why in self.not_by_columns]
        lines += [
            f"slow    {_chunks(one.chunks)} on {one.node}: {one.elapsed_s:.4f} s, {one.rows:,} rows"
            for one in self.slowest
        ]
        if self.nodes:
            lines.append(f"skew    nodes {self.node_skew:.2f}, chunks {self.chunk_skew:.2f} (slowest in means)")
        if self.retried:
            lines.append(f"again   {self.retried} chunks were read on another replica")
        lines += [f"text    {node}: rows travel as text, {why}" for node, why in sorted(self.as_text_nodes.items())]
        return "\n".join([*lines, *(one.as_text() for one in self.servers)])


def _chunks(chunks: Sequence[int]) -> str:
    return f"chunk {chunks[0]}" if len(chunks) == 1 else f"chunks {chunks[0]} to {chunks[-1]} ({len(chunks)})"


def analysis_of(stats: QueryStats, running: Running, servers: tuple[ServerPlan, ...] = ()) -> Analysis:
    """Sum up the units of a query."""
    by_node: dict[str, list[UnitTime]] = {}
    for unit in running.units:
        by_node.setdefault(unit.node, []).append(unit)
    nodes = tuple(
        NodeTime(
            node, len(units), sum(len(unit.chunks) for unit in units), sum(unit.rows for unit in units),
            sum(unit.elapsed_s for unit in units),
        )
        for node, units in sorted(by_node.items())
    )  # fmt: skip
    slowest = sorted(running.units, key=_per_chunk, reverse=True)
    return Analysis(
        stats, nodes, tuple(slowest[:SLOWEST]), _skew([one.elapsed_s for one in nodes]),
        _skew([_per_chunk(unit) for unit in running.units for _ in unit.chunks]), running.retried, servers,
        running.as_text, running.column_chunks, running.column_bytes, tuple(running.not_by_columns),
    )  # fmt: skip


def _per_chunk(unit: UnitTime) -> float:
    return unit.elapsed_s / len(unit.chunks)


def _skew(times: Sequence[float]) -> float:
    return max(times) / fmean(times) if times and sum(times) else 1.0
