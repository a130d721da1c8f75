"""Pairs of matched rows, kept on disk and given back by the chunk of the new side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyshard.node.read.byte_batches import by_bytes
from skyshard.releases.differences.outlines.row_outlines import by_chunk
from skyshard.releases.differences.reading.spill_file import Extent, SpillFile

PAIR = np.dtype([("new_chunk", np.int32), ("new_row", np.int32), ("old_chunk", np.int32), ("old_row", np.int32)])
Pairs = NDArray[np.void]
"""Records of ``PAIR``."""


@dataclass(slots=True)
class MatchedPairs:
    """All pairs of one table."""

    spill: SpillFile
    count: int = 0
    _extents: dict[int, list[Extent]] = field(default_factory=dict)

    def add(self, old: NDArray[np.void], new: NDArray[np.void]) -> None:
        """Outlines of matched rows, side by side; called by one thread at a time."""
        pairs = np.empty(len(old), PAIR)
        for name in ("chunk", "row"):
            pairs[f"new_{name}"], pairs[f"old_{name}"] = new[name], old[name]
        for chunk, places in by_chunk(pairs, "new_chunk"):
            self._extents.setdefault(chunk, []).append(self.spill.append(pairs[places]))
        self.count += len(pairs)

    @property
    def chunks(self) -> list[int]:
        """Chunks of the new side that have matched rows."""
        return sorted(self._extents)

    def batches(self, rows: int) -> list[tuple[list[int], int]]:
        """Neighbouring chunks of the new side that have about so many pairs together, and how many these are."""
        counts = [(chunk, sum(extent.count for extent in self._extents[chunk])) for chunk in self.chunks]
        found = [list(group) for group in by_bytes(counts, itemgetter(1), rows)]
        return [([chunk for chunk, _ in group], sum(count for _, count in group)) for group in found]

    def of_chunks(self, chunks: Sequence[int]) -> Pairs:
        """The pairs of some chunks of the new side, by chunk and row."""
        pairs: NDArray[Any] = self.spill.read_all((one for chunk in chunks for one in self._extents[chunk]), PAIR)
        return pairs[np.lexsort((pairs["new_row"], pairs["new_chunk"]))]
