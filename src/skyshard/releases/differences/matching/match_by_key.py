"""Matches rows by equal keys, partition by partition, and says whether keys last.

Of rows of one key, the first in right ascension and declination is matched with the first of the other side, the
second with the second; one that has no counterpart is a further copy.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags, Words
from skyshard.releases.differences.matching.key_pairs import doubled, numbered, pair_equal
from skyshard.releases.differences.matching.matched_pairs import MatchedPairs
from skyshard.releases.differences.matching.near_pairs import separations, unit_vectors
from skyshard.releases.differences.outlines.row_outlines import Outlines, SideOutlines, by_chunk
from skyshard.releases.differences.reading.spill_file import SpillFile

LASTING_SHARE = 0.9
"""Keys last if at least this share of equal keys has positions within the radius."""
FREE, KEYED, COPY = 0, 1, 2
"""Of a row: its key is on this side only; it is matched by key; its key is on both sides, but it is left over."""
Marks = dict[int, NDArray[np.int8]]
"""By chunk: one of these for each row."""


@dataclass(slots=True)
class KeyMatch:
    """What equal keys gave."""

    pairs: MatchedPairs
    old: Marks
    new: Marks
    doubled_old: int = 0
    doubled_new: int = 0
    equal: int = 0
    near: int = 0
    """Pairs within the radius."""
    farthest_arcsec: float = 0.0

    @property
    def near_share(self) -> float:
        """Of equal keys the share whose positions are within the radius."""
        return self.near / self.equal if self.equal else 0.0


def match_by_key(
    old: SideOutlines, new: SideOutlines, rows: tuple[dict[int, int], dict[int, int]], spill: SpillFile, radius: float
) -> KeyMatch:
    """Match partition after partition."""
    first, second = ({chunk: np.zeros(count, np.int8) for chunk, count in side.items()} for side in rows)
    match = KeyMatch(MatchedPairs(spill), first, second)
    is_placed = old.columns.position is not None and new.columns.position is not None
    for number in range(old.partitions):
        sides = old.partition(spill, number), new.partition(spill, number)
        _match_partition(match, *sides, radius if is_placed else None)
    return match


def _match_partition(match: KeyMatch, old: Outlines, new: Outlines, radius: float | None) -> None:
    extra = [doubled(words_in(side)) for side in (old, new)]
    if any(extra) and radius is not None:
        old, new = (side[np.lexsort((side["dec"], side["ra"]))] for side in (old, new))
    first, second = pair_equal(words_in(old), words_in(new))
    match.doubled_old += extra[0]
    match.doubled_new += extra[1]
    match.pairs.add(old[first], new[second])
    match.equal += len(first)
    if radius is not None and len(first):
        apart = separations(*(unit_vectors(side["ra"], side["dec"]) for side in (old[first], new[second])))
        match.near += int(np.count_nonzero(apart <= radius))
        match.farthest_arcsec = max(match.farthest_arcsec, float(apart.max()))
    for marks, side, paired, other in ((match.old, old, first, new), (match.new, new, second, old)):
        found = np.full(len(side), FREE, np.int8)
        if any(extra):
            found[_has_key(side, other)] = COPY
        found[paired] = KEYED
        _mark(marks, side, found)


def _mark(marks: Marks, side: Outlines, found: NDArray[np.int8]) -> None:
    for chunk, places in by_chunk(side):
        marks[chunk][side["row"][places]] = found[places]


def _has_key(side: Outlines, other: Outlines) -> Flags:
    """Rows whose key is on the other side too."""
    return np.isin(*numbered(words_in(side), words_in(other)))


def words_in(outlines: Outlines) -> list[Words]:
    """The words of the keys, one array a word."""
    return [np.ascontiguousarray(outlines["words"][:, place]) for place in range(outlines["words"].shape[1])]
