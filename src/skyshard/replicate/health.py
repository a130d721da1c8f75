"""How whole databases and how even nodes are, as values. No I/O.

Rules: only good, verified replicas count; a chunk is at level n when n nodes hold all of its tables so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from skyshard.registry.catalog.replication_index import FaultyReplica
from skyshard.registry.catalog.replication_sums import LevelCount, NodeSum


@dataclass(frozen=True, slots=True)
class WantedLevel:
    """What a database is called, and how many replicas its layout asks for."""

    shown: str
    replicas: int
    dropped_rows: int = 0
    """That were lost and taken out."""
    dropped_s: float = 0.0
    """When the last of them were, in seconds since 1970."""


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """One database against the level that its layout asks for."""

    database: str
    wanted: int
    levels: Mapping[int, int]
    """Level → chunks at it."""
    under: int
    """Chunks below the wanted level, lost ones among them."""
    lost: int
    """Chunks at level 0: no node can answer for all of their tables."""
    first_under: tuple[int, ...]
    """The first chunks below the level, those with the fewest replicas first."""
    whole_on: int | None
    """Nodes on which the regular tables are whole; None where there are no regular tables."""
    nodes: int
    """Nodes that regular tables are to be on."""
    dropped_rows: int = 0
    """Rows that were lost and taken out; copies in overlap tables not counted."""
    dropped_s: float = 0.0
    """When that was done last, in seconds since 1970; 0 for never."""

    @property
    def chunks(self) -> int:
        return sum(self.levels.values())

    @property
    def is_whole(self) -> bool:
        return not self.under and (self.whole_on is None or self.whole_on >= self.nodes)


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """What one node holds; ``share`` is its bytes against the mean of all nodes."""

    node: str
    chunks: int
    tables: int
    rows: int
    bytes: int
    share: float
    faulty: int
    oldest_s: int


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """The replication index at one moment; times are seconds since 1970, 0 for never."""

    databases: tuple[DatabaseHealth, ...]
    nodes: tuple[NodeHealth, ...]
    faulty: tuple[FaultyReplica, ...]
    """The first replicas that do not count."""
    skew: float
    """Bytes of the fullest node against the mean; 1 where nothing is stored."""

    @property
    def is_whole(self) -> bool:
        return all(one.is_whole for one in self.databases)


def health_of(
    wanted: Mapping[str, WantedLevel],
    counts: Iterable[LevelCount],
    sums: Iterable[NodeSum],
    nodes: Iterable[str],
    faulty: Iterable[FaultyReplica] = (),
    holding: int | None = None,
) -> ReplicaStatus:
    """The index as people look at it.

    Args:
        wanted: databases by their stored names; counts of others are passed over.
        nodes: all nodes of the cluster, those that hold nothing among them.
        holding: how many of them regular tables are to be on; None for all.
    """
    names = list(nodes)
    by_database: dict[str, list[LevelCount]] = defaultdict(list)
    for count in counts:
        by_database[count.database].append(count)
    databases = [
        _database(one, by_database[name], len(names) if holding is None else holding) for name, one in wanted.items()
    ]
    held = {one.node: one for one in sums}
    shown = [held.get(name, NodeSum(name, 0, 0, 0, 0, 0, 0)) for name in dict.fromkeys([*names, *held])]
    mean = sum(one.bytes for one in shown) / len(shown) if shown else 0.0
    listed = [
        NodeHealth(
            one.node, one.chunks, one.tables, one.rows, one.bytes, one.bytes / mean if mean else 1.0, one.faulty,
            one.oldest_s,
        )
        for one in shown
    ]  # fmt: skip
    skew = max((one.share for one in listed), default=1.0)
    return ReplicaStatus(tuple(sorted(databases, key=lambda one: one.database)), tuple(listed), tuple(faulty), skew)


def _database(wanted: WantedLevel, counts: Iterable[LevelCount], nodes: int) -> DatabaseHealth:
    listed = sorted(counts, key=lambda one: one.level)
    levels = {one.level: one.chunks for one in listed if not one.is_whole}
    under = [one for one in listed if not one.is_whole and one.level < wanted.replicas]
    return DatabaseHealth(
        wanted.shown,
        wanted.replicas,
        levels,
        sum(one.chunks for one in under),
        levels.get(0, 0),
        tuple(chunk for one in under for chunk in one.first),
        next((one.level for one in listed if one.is_whole), None),
        nodes,
        wanted.dropped_rows,
        wanted.dropped_s,
    )
