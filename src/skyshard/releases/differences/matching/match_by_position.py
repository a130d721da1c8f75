"""Matches rows by position, zone by zone of declination, and tells the fates of all rows.

A zone is judged with the rows of both sides up to ``HALO_RADII`` radii beyond its edges, so that no pair is missed: not
at edges of chunks, not at right ascension 0, not at a pole. Zones have about ``ZONE_ROWS`` rows, whatever the striping.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags, Floats, RowIndexes
from skyshard.releases.differences.matching.match_by_key import COPY, FREE, KEYED, Marks, words_in
from skyshard.releases.differences.matching.near_pairs import NearPairs, pairs_within, unit_vectors
from skyshard.releases.differences.matching.object_fates import Fate, Fates, Judged, Sides, judge
from skyshard.releases.differences.outlines.row_outlines import DEC_BINS, Outlines, SideOutlines, by_chunk
from skyshard.releases.differences.reading.spill_file import Extent, SpillFile

ZONE_ROWS = 1 << 20
HALO_RADII = 3
"""What decides a row's fate: its nearest row, the others whose nearest that is, and the nearest ones of those."""


@dataclass(frozen=True, slots=True)
class ZoneRows:
    """The rows of one side in one zone and around it, by key, then position."""

    outlines: Outlines
    marks: NDArray[np.int8]
    is_home: Flags
    """Within the zone itself."""


@dataclass(frozen=True, slots=True)
class ZoneFates:
    """What was found in one zone. Arrays are of home rows only, except the members of events."""

    old: Outlines
    old_fates: Fates
    old_near: Flags
    """With a row of the other side within the radius."""
    new: Outlines
    new_fates: Fates
    new_near: Flags
    matched: tuple[Outlines, Outlines]
    """Old and new rows that are matched by position."""
    split: Events
    merged: Events


@dataclass(frozen=True, slots=True)
class Events:
    """Rows that became several, or that several became: one outline each, and the rows of the other side."""

    one: Outlines
    is_keyed: Flags
    """Those that are matched by key, too."""
    members: Outlines
    bounds: RowIndexes
    """(n, 2): which members are those of each."""


@dataclass(slots=True)
class Zones:
    """The zones of both sides, on disk."""

    edges: Floats
    """Declinations between zones, in degrees; zone i is from ``edges[i]`` to before ``edges[i + 1]``."""
    halo_deg: float
    is_grouped: bool = False
    """Rows are of one object only within one group."""
    parts: tuple[list[list[Extent]], list[list[Extent]]] = field(init=False)

    def __post_init__(self) -> None:
        self.parts = tuple([[] for _ in range(len(self))] for _ in range(2))  # type: ignore[assignment]

    def __len__(self) -> int:
        return len(self.edges) - 1

    def add(self, side: int, outlines: Outlines, spill: SpillFile) -> None:
        """Put rows of one side into every zone that needs them."""
        first = np.searchsorted(self.edges, outlines["dec"] - self.halo_deg, side="right") - 1
        last = np.searchsorted(self.edges, outlines["dec"] + self.halo_deg, side="right") - 1
        first, last = (np.clip(zone, 0, len(self) - 1) for zone in (first, last))
        for zone in range(int(first.min(initial=0)), int(last.max(initial=-1)) + 1):
            wanted = (first <= zone) & (zone <= last)
            if wanted.any():
                self.parts[side][zone].append(spill.append(outlines[wanted]))

    def rows(self, side: int, zone: int, dtype: np.dtype[np.void], marks: Marks, spill: SpillFile) -> ZoneRows:
        """The rows of one side that a zone needs."""
        found = spill.read_all(self.parts[side][zone], dtype)
        words = words_in(found)
        found = found[np.lexsort((found["row"], found["chunk"], found["dec"], found["ra"], *reversed(words)))]
        low, high = self.edges[zone], self.edges[zone + 1]
        is_home = (found["dec"] >= low) & (found["dec"] < high)
        return ZoneRows(found, marks_of(found, marks), is_home)


def make_zones(old: SideOutlines, new: SideOutlines, radius_arcsec: float, most_rows: int) -> Zones:
    """Zones of about as many rows each as ``most_rows``, and at least four radii high."""
    counts = old.dec_counts + new.dec_counts
    fewest_bins = max(1, int(np.ceil(4 * radius_arcsec / 3600 / (180.0 / DEC_BINS))))
    edges, rows, since = [-np.inf], 0, 0
    for place in range(DEC_BINS):
        if rows and rows + int(counts[place]) > most_rows and since >= fewest_bins:
            edges.append(-90.0 + place * 180.0 / DEC_BINS)
            rows = since = 0
        rows, since = rows + int(counts[place]), since + 1
    return Zones(np.array([*edges, np.inf]), HALO_RADII * radius_arcsec / 3600 + 1e-9)


def match_zones(
    sides: tuple[SideOutlines, SideOutlines], marks: tuple[Marks, Marks], radius: float, spill: SpillFile, zones: Zones
) -> Iterator[partial[ZoneFates]]:
    """The work of each zone, to be called by any thread."""
    for number, side in enumerate(sides):
        for block in side.blocks(spill):
            zones.add(number, block, spill)
    for zone in range(len(zones)):
        yield partial(judge_zone, zones, zone, sides, marks, radius, spill)


def judge_zone(
    zones: Zones, zone: int, sides: tuple[SideOutlines, SideOutlines], marks: tuple[Marks, Marks], radius: float,
    spill: SpillFile,
) -> ZoneFates:  # fmt: skip
    """The fates of the rows of one zone."""
    old, new = (zones.rows(side, zone, sides[side].columns.record, marks[side], spill) for side in range(2))
    return fates_of(old, new, radius, is_grouped=zones.is_grouped)


def fates_of(old: ZoneRows, new: ZoneRows, radius: float, *, is_grouped: bool = False) -> ZoneFates:
    """The fates of the home rows of two sides. Further copies of matched keys take no part."""
    old_here, new_here = np.flatnonzero(old.marks != COPY), np.flatnonzero(new.marks != COPY)
    keyed = old.marks[old_here] == KEYED, new.marks[new_here] == KEYED
    pairs = _free_pairs(old.outlines[old_here], new.outlines[new_here], keyed, radius, is_grouped=is_grouped)
    judged = judge(Sides(np.arange(len(old_here)), np.arange(len(new_here)), *keyed), pairs)
    old_fates, new_fates = (np.full(len(side.marks), Fate.COPY, np.int8) for side in (old, new))
    old_fates[old_here], new_fates[new_here] = judged.old, judged.new
    near = [np.zeros(len(side.marks), np.bool_) for side in (old, new)]
    near[0][old_here], near[1][new_here] = judged.has_neighbour
    mine = np.flatnonzero((judged.partner >= 0) & new.is_home[new_here])
    partners = old.outlines[old_here[judged.partner[mine]]], new.outlines[new_here[mine]]
    return ZoneFates(
        old.outlines[old.is_home], old_fates[old.is_home], near[0][old.is_home],
        new.outlines[new.is_home], new_fates[new.is_home], near[1][new.is_home],
        partners, *_events(old, new, old_here, new_here, judged),
    )  # fmt: skip


def _free_pairs(
    old: Outlines, new: Outlines, keyed: tuple[Flags, Flags], radius: float, *, is_grouped: bool
) -> NearPairs:
    """Pairs within the radius in which at least one row is not matched by key."""
    numbers = np.unique(np.concatenate([old["group"], new["group"]]), return_inverse=True)[1]
    groups = (numbers[: len(old)], numbers[len(old) :]) if is_grouped else None
    first, second = (unit_vectors(side["ra"], side["dec"]) for side in (old, new))
    free_old, free_new = np.flatnonzero(~keyed[0]), np.flatnonzero(~keyed[1])
    if len(free_old) == len(old):
        return pairs_within(first, second, radius, groups)
    some = pairs_within(first[free_old], second, radius, groups and (groups[0][free_old], groups[1]))
    more = pairs_within(first, second[free_new], radius, groups and (groups[0], groups[1][free_new]))
    is_further = keyed[0][more.old]  # those of free old rows are among the first
    return NearPairs(
        np.concatenate([free_old[some.old], more.old[is_further]]),
        np.concatenate([some.new, free_new[more.new[is_further]]]),
        np.concatenate([some.arcsec, more.arcsec[is_further]]),
    )


def _events(
    old: ZoneRows, new: ZoneRows, old_here: RowIndexes, new_here: RowIndexes, judged: Judged
) -> tuple[Events, Events]:
    """Splits of home old rows, and merged home new rows, with those they became or came of."""
    split = np.flatnonzero(judged.split & old.is_home[old_here])
    merged = np.flatnonzero(judged.merged & new.is_home[new_here])
    return (
        _with_members(old, old_here[split], split, new.outlines[new_here], judged.parent),
        _with_members(new, new_here[merged], merged, old.outlines[old_here], judged.heir),
    )


def _with_members(side: ZoneRows, rows: RowIndexes, ones: RowIndexes, other: Outlines, owner: RowIndexes) -> Events:
    """Rows, and those of the other side that name one of them as their owner."""
    order = np.argsort(owner, kind="stable")
    bounds = np.stack([np.searchsorted(owner[order], ones, side=edge) for edge in ("left", "right")], axis=-1)
    return Events(side.outlines[rows], side.marks[rows] == KEYED, other[order], bounds)


def marks_of(outlines: Outlines, marks: Marks) -> NDArray[np.int8]:
    """The mark of each row."""
    found = np.full(len(outlines), FREE, np.int8)
    for chunk, places in by_chunk(outlines):
        found[places] = marks[chunk][outlines["row"][places]]
    return found
