"""What a scrub reads at a time: chunk tables with all their parts, oldest verification first. No I/O."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from skyshard.node.messages import ShownTable
from skyshard.node.shown_tables import shown_tables
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.registry.stored.lifecycle import ReplicaState

BATCH_BYTES = 32 << 20
BATCH_TABLES = 64
"""Tables read in one call at most; one table alone may have more bytes."""


@dataclass(frozen=True, slots=True)
class ScrubBatch:
    """Tables of one kind on one node."""

    table: str
    is_overlap: bool
    known: tuple[KnownReplica, ...]
    shown: tuple[ShownTable, ...]
    """The tables that queries read of them: each part, or several as one."""

    @property
    def bytes(self) -> int:
        return sum(one.replica.bytes for one in self.known)

    @property
    def rows(self) -> int:
        return sum(one.replica.rows for one in self.known)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.replica.name for one in self.known)


def batches_of(known: Sequence[KnownReplica], *, before_s: float) -> Iterator[ScrubBatch]:
    """The chunk tables of one node of which a part was verified before a time, in batches.

    Args:
        known: all replicas of the node, oldest verification first; parts of a chunk table need not be together.
    """
    targets: dict[tuple[str, int, bool], list[KnownReplica]] = {}
    for one in known:
        if one.replica.state is not ReplicaState.BUILDING:
            targets.setdefault(one.replica.target, []).append(one)
    waiting: list[KnownReplica] = []
    shown: list[ShownTable] = []
    kind, size = ("", False), 0
    for target, parts in targets.items():
        if parts[0].verified_s >= before_s:
            break  # and so were all that follow
        mine = sum(part.replica.bytes for part in parts)
        is_full = size + mine > BATCH_BYTES or len(waiting) + len(parts) > BATCH_TABLES
        if waiting and ((target[0], target[2]) != kind or is_full):
            yield ScrubBatch(*kind, tuple(waiting), tuple(shown))
            waiting, shown, size = [], [], 0
        kind, size = (target[0], target[2]), size + mine
        waiting += parts
        shown += shown_tables(part.replica for part in parts)
    if waiting:
        yield ScrubBatch(*kind, tuple(waiting), tuple(shown))
