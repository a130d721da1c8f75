"""Counts of fates, where on the sky they are, and the keys of some. Zones may come in any order."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Floats, Integers
from skyshard.chunking import Chunker
from skyshard.releases.differences.matching.match_by_key import FREE
from skyshard.releases.differences.matching.match_by_position import Events, ZoneFates
from skyshard.releases.differences.matching.object_fates import Fate
from skyshard.releases.differences.outlines.key_words import Coding
from skyshard.releases.differences.outlines.row_outlines import Outlines

NAMED = 100
"""Objects of each fate that are named, those of the lowest keys."""
Place = tuple[int, ...]


@dataclass(slots=True)
class CellCounts:
    """Rows in one cell of the sky."""

    old: int = 0
    new: int = 0
    lost: int = 0
    appeared: int = 0
    matched: int = 0
    changed: int = 0


@dataclass(slots=True)
class FateTally:
    """The sums of one table."""

    is_signed: bool | None
    """Whether keys are signed, if they are single whole numbers."""
    lost: int = 0
    lost_near: int = 0
    """Of these, rows with a neighbour that belongs to another object."""
    appeared: int = 0
    appeared_near: int = 0
    by_position: int = 0
    split: int = 0
    split_keyed: int = 0
    """Of these, rows that are matched by key, too."""
    parts: int = 0
    merged: int = 0
    merged_keyed: int = 0
    sources: int = 0
    lost_keys: list[int] = field(default_factory=list)
    new_keys: list[int] = field(default_factory=list)
    splits: list[tuple[int, Place]] = field(default_factory=list)
    merges: list[tuple[int, Place]] = field(default_factory=list)
    cells: dict[int, CellCounts] = field(default_factory=dict)

    def add(self, zone: ZoneFates, chunker: Chunker) -> None:
        """Take in one zone; called by one thread at a time."""
        old, new = zone.old_fates, zone.new_fates
        lost, appeared = old == Fate.ALONE, new == Fate.ALONE
        self.lost += int(lost.sum())
        self.lost_near += int((lost & zone.old_near).sum())
        self.appeared += int(appeared.sum())
        self.appeared_near += int((appeared & zone.new_near).sum())
        self.by_position += len(zone.matched[0])
        self.parts += int((new == Fate.SPLIT).sum())
        self.sources += int((old == Fate.MERGED).sum())
        self.split += len(zone.split.one)
        self.split_keyed += int(zone.split.is_keyed.sum())
        self.merged += len(zone.merged.one)
        self.merged_keyed += int(zone.merged.is_keyed.sum())
        self.lost_keys = self._lowest(self.lost_keys, zone.old[lost])
        self.new_keys = self._lowest(self.new_keys, zone.new[appeared])
        self.splits = self._events(self.splits, zone.split)
        self.merges = self._events(self.merges, zone.merged)
        self._count_cells(zone, chunker)

    def keys(self, outlines: Outlines) -> Integers:
        """Whole numbers, as Python's or NumPy's."""
        words = np.ascontiguousarray(outlines["words"][:, 0])
        return words.view(np.int64) if self.is_signed else words.astype(object)

    def _lowest(self, known: Sequence[int], more: Outlines) -> list[int]:
        if self.is_signed is None:
            return []
        return heapq.nsmallest(NAMED, [*known, *heapq.nsmallest(NAMED, self.keys(more).tolist())])

    def _events(self, known: Sequence[tuple[int, Place]], events: Events) -> list[tuple[int, Place]]:
        if self.is_signed is None:
            return []
        keys = self.keys(events.one).tolist()
        order = sorted(range(len(keys)), key=keys.__getitem__)[:NAMED]
        members = [events.members[slice(*events.bounds[i])] for i in order]
        found = [(keys[i], tuple(sorted(self.keys(some).tolist()))) for i, some in zip(order, members, strict=True)]
        return sorted([*known, *found])[:NAMED]

    def _count_cells(self, zone: ZoneFates, chunker: Chunker) -> None:
        """Lost and new rows by cell."""
        for outlines, fates, name in ((zone.old, zone.old_fates, "lost"), (zone.new, zone.new_fates, "appeared")):
            self.count_cells(cell_of(outlines["ra"], outlines["dec"], chunker)[fates == Fate.ALONE], name)

    def count_cells(self, cells: Integers, name: str) -> None:
        """Add rows to a count of their cells."""
        for cell, count in zip(*np.unique(cells, return_counts=True), strict=True):
            counts = self.cells.setdefault(int(cell), CellCounts())
            setattr(counts, name, getattr(counts, name) + int(count))

    def add_marked(self, outlines: Outlines, marks: NDArray[np.int8], *, is_old: bool) -> None:
        """Take in rows that are matched by key alone: those that are left over are lost, or new."""
        alone = outlines[marks == FREE]
        if is_old:
            self.lost, self.lost_keys = self.lost + len(alone), self._lowest(self.lost_keys, alone)
        else:
            self.appeared, self.new_keys = self.appeared + len(alone), self._lowest(self.new_keys, alone)


def cell_of(ra_deg: Floats, dec_deg: Floats, chunker: Chunker) -> Integers:
    """The chunk of a striping in which each position is."""
    ra = np.mod(ra_deg, 360.0)
    ra[ra >= 360.0] = 0.0
    return chunker.locate(ra, dec_deg)[0].astype(np.int64)


def signed_keys(codings: Sequence[Coding], *, is_unsigned: bool) -> bool | None:
    """Whether keys are signed, if they are single whole numbers; None if they are not."""
    if len(codings) != 1 or codings[0] is Coding.TEXT:
        return None
    return not is_unsigned
