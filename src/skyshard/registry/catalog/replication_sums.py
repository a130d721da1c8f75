"""Sums over all replicas of a database, made of columns: an object for each of millions would take minutes. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
CHUNK, OVERLAP, TRANSACTION, COUNTS, ROWS, BYTES, VERIFIED = range(7)
"""Places of the numbers of a replica."""
NAMED_CHUNKS = 20
"""Chunks of a level that are named."""


@dataclass(frozen=True, slots=True)
class LevelCount:
    """So many chunks of a database (its stored name) are whole and verified on ``level`` nodes."""

    database: str
    is_whole: bool
    """Of the regular tables, which count as one chunk and are on every node."""
    level: int
    chunks: int
    first: tuple[int, ...]
    """The numbers of the first of them, ascending."""


@dataclass(frozen=True, slots=True)
class NodeSum:
    """What the index says of one node."""

    node: str
    chunks: int
    tables: int
    rows: int
    bytes: int
    faulty: int
    """Tables that do not count: not good, or never verified."""
    oldest_s: int
    """The oldest verification, in whole seconds since 1970; 0 where a table was never verified."""


@dataclass(frozen=True, slots=True, eq=False)
class ReplicaNumbers:
    """All replicas of a database: a row of ``numbers`` each, the number of its table, the place of its node."""

    database: str
    numbers: Numbers
    table: Numbers
    node: Numbers

    def levels(self) -> list[LevelCount]:
        """Chunks by how many nodes hold all of their tables, good and verified."""
        chunks, of_chunk = np.unique(self.numbers[:, CHUNK], return_inverse=True)
        transactions, made_by = np.unique(self.numbers[:, TRANSACTION], return_inverse=True)
        kind = (self.table * 2 + self.numbers[:, OVERLAP]) * len(transactions) + made_by
        kinds = int(kind.max(initial=0)) + 1
        wanted = np.bincount(np.unique(of_chunk * kinds + kind) // kinds, minlength=len(chunks))
        counts = self.numbers[:, COUNTS] == 1
        places = of_chunk[counts]
        nodes = int(self.node.max(initial=0)) + 1
        held, tables = np.unique(places * nodes + self.node[counts], return_counts=True)
        whole = held[tables == wanted[held // nodes]] // nodes
        level = np.bincount(whole, minlength=len(chunks))
        found = []
        for is_whole in (False, True):
            mine = (chunks < 0) == is_whole
            for one in np.unique(level[mine]).tolist():
                those = chunks[mine & (level == one)]
                first = tuple(those[:NAMED_CHUNKS].tolist())
                found.append(LevelCount(self.database, is_whole, one, len(those), first))
        return found


def node_sums(databases: Sequence[ReplicaNumbers], names: Sequence[str]) -> list[NodeSum]:
    """Sums of each node, over databases; ``names`` are those of the nodes' places."""
    found = []
    for place, name in enumerate(names):
        mine = [one.numbers[one.node == place] for one in databases]
        together = np.concatenate(mine) if mine else np.zeros((0, 7), np.int64)
        if len(together):
            chunks = sum(len(np.unique(numbers[numbers[:, CHUNK] >= 0, CHUNK])) for numbers in mine)
            found.append(
                NodeSum(
                    name, chunks, len(together), int(together[:, ROWS].sum()), int(together[:, BYTES].sum()),
                    int((together[:, COUNTS] == 0).sum()), int(together[:, VERIFIED].min()),
                )
            )  # fmt: skip
    return found
