"""All pairs of two sets of positions within a radius, by zones: sorted arrays, no tree. Arrays in, blocks of pairs out.

Each group (a sub-chunk) is seen from above its centre: two coordinates of the unit vectors, between which no two points
are further apart than on the sphere, at the poles and across 0 degrees too. Zones are strips of the second coordinate
as high as the radius; a point's pairs are in its zone and the two beside it, within the radius in the first coordinate,
which is a range of the sorted array. So the number of candidates is known before any of them is made, and memory is
bounded however dense the field is. Source: J. Gray, M. Nieto-Santisteban, A. Szalay, The Zones Algorithm for Finding
Points-Near-a-Point or Cross-Matching Spatial Datasets, MSR-TR-2006-52; the projection instead of right ascensions is
ours. A k-d tree over unit vectors took 1.2 to 2.7 times as long, and up to 50 times the memory where it gives pairs
(docs/measurements/queries.md). No I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags, Floats, RowIndexes
from skyshard.chunking.sphere import unit_vectors
from skyshard.czar.pairs.separation_bound import (
    MOST_DEC_DEG,
    MOST_RA_DEG,
    SeparationLimit,
    decide,
    reach_rad,
)

BLOCK_PAIRS = 1 << 17
"""Candidates that are compared at once: what fits into a processor's cache."""
BLOCK_ROWS = 200_000
"""Groups are taken together up to so many rows of the second side."""
MOST_ZONES = 4096


class OutOfBounds(ValueError):
    """Positions for which the bound between two ways to compute a separation is not derived."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Positions in degrees, and a whole number for each: only those of one group make pairs. Arrays of one length."""

    ra: Floats
    dec: Floats
    group: NDArray[np.int64]

    def __post_init__(self) -> None:
        with np.errstate(invalid="ignore"):
            is_valid = (np.abs(self.ra) <= MOST_RA_DEG) & (np.abs(self.dec) <= MOST_DEC_DEG)
        if not is_valid.all():
            raise OutOfBounds(f"positions beyond {MOST_RA_DEG:g} degrees of right ascension, or NaN")


@dataclass(slots=True, eq=False)
class PairBlock:
    """Some pairs: candidates as places in sorted rows, and what is certain about them.

    ``first`` and ``second``: the rows of the two sides in that order.
    """

    first: RowIndexes
    second: RowIndexes
    start: int
    counts: RowIndexes
    partner: RowIndexes
    is_sure: Flags
    is_doubtful: Flags | None

    @property
    def sure_count(self) -> int:
        return int(np.count_nonzero(self.is_sure))

    def sure(self) -> tuple[RowIndexes, RowIndexes]:
        """Rows of both sides, pair by pair, for which all limits hold for certain."""
        return self._rows(self.is_sure)

    def doubtful(self) -> tuple[RowIndexes, RowIndexes]:
        """Rows of both sides, pair by pair, that only the server can decide."""
        nothing = np.empty(0, np.intp)
        return (nothing, nothing) if self.is_doubtful is None else self._rows(self.is_doubtful)

    def _rows(self, which: Flags) -> tuple[RowIndexes, RowIndexes]:
        own = np.repeat(self.first[self.start : self.start + len(self.counts)], self.counts)
        return own[which], self.second[self.partner[which]]


def pairs_within(one: Positions, other: Positions, limits: Sequence[SeparationLimit]) -> Iterator[PairBlock]:
    """The pairs of two sides of one group for which all limits hold, at least one of them an upper one, in blocks.

    A pair comes once. Blocks hold at most ``BLOCK_PAIRS`` candidates, or those of one row in one zone.

    >>> ra, dec, group = np.array([10.0, 10.0005, 359.9999]), np.zeros(3), np.zeros(3, np.int64)
    >>> sides = Positions(ra, dec, group), Positions(ra - 360, dec, group)
    >>> found = pairs_within(*sides, [SeparationLimit("<", 1e-3)])
    >>> sorted((int(i), int(j)) for block in found for i, j in zip(*block.sure()))
    [(0, 0), (0, 1), (1, 0), (1, 1), (2, 2)]
    """
    reach = reach_rad(limits)
    order, others = (np.argsort(side.group, kind="stable") for side in (one, other))
    groups, starts, ends = _runs(one.group[order], other.group[others])
    for low, high in _ranges(ends[1] - starts[1], BLOCK_ROWS):
        mine = order[starts[0][low] : ends[0][high - 1]]
        theirs = others[starts[1][low] : ends[1][high - 1]]
        is_met = np.isin(other.group[theirs], groups[low:high])
        yield from _zone_blocks(one, other, mine, theirs[is_met], groups[low:high], reach, limits)


def _runs(
    mine: NDArray[np.int64], theirs: NDArray[np.int64]
) -> tuple[NDArray[np.int64], tuple[RowIndexes, RowIndexes], tuple[RowIndexes, RowIndexes]]:
    """The groups that both sides have, and where the rows of each begin and end in both sorted sides."""
    groups = np.intersect1d(mine, theirs)
    starts = np.searchsorted(mine, groups), np.searchsorted(theirs, groups)
    ends = np.searchsorted(mine, groups, side="right"), np.searchsorted(theirs, groups, side="right")
    return groups, starts, ends


def _ranges(counts: RowIndexes, most: int) -> Iterator[tuple[int, int]]:
    """Ranges of elements whose counts are at most ``most`` together, at least one element each."""
    total = np.cumsum(counts)
    low = 0
    while low < len(counts):
        before = total[low] - counts[low]
        high = max(low + 1, int(np.searchsorted(total, before + most, side="right")))
        yield low, high
        low = high


def _zone_blocks(
    one: Positions, other: Positions, mine: RowIndexes, theirs: RowIndexes, groups: NDArray[np.int64],
    reach: float, limits: Sequence[SeparationLimit],
) -> Iterator[PairBlock]:  # fmt: skip
    """The pairs of some groups; ``mine`` and ``theirs`` are rows of these groups, sorted by them."""
    points, others = (unit_vectors(side.ra[at], side.dec[at]) for side, at in ((one, mine), (other, theirs)))
    places = np.searchsorted(groups, one.group[mine]), np.searchsorted(groups, other.group[theirs])
    axes = _axes(points, places[0], len(groups))
    near, far = (_seen(side, axes, place) for side, place in ((points, places[0]), (others, places[1])))
    sizes = _Strips.of(near, far, reach, len(groups))
    keys, other_keys = sizes.keys(near, places[0]), sizes.keys(far, places[1])
    order, other_order = np.argsort(keys), np.argsort(other_keys)
    keys, other_keys = keys[order], other_keys[other_order]
    mine, theirs = mine[order], theirs[other_order]
    vectors = np.ascontiguousarray(points[order].T), np.ascontiguousarray(others[other_order].T)
    for step in (-1, 0, 1):
        middle = keys + step * sizes.width
        starts = np.searchsorted(other_keys, middle - sizes.pad)
        counts = np.searchsorted(other_keys, middle + sizes.pad, side="right") - starts
        for low, high in _ranges(counts, BLOCK_PAIRS):
            yield _compared(one, other, mine, theirs, vectors, low, starts[low:high], counts[low:high], limits)


def _axes(points: Floats, place: RowIndexes, count: int) -> tuple[Floats, Floats]:
    """Two directions across the line of sight to the centre of each group, each of shape (groups, 3)."""
    centre = np.stack([np.bincount(place, points[:, axis], count) for axis in range(3)], axis=-1)
    is_polar = np.abs(centre[:, 2]) > 0.9 * np.linalg.norm(centre, axis=1)
    pole = np.where(is_polar[:, np.newaxis], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0])
    east = _unit(np.cross(pole, centre))
    return east, _unit(np.cross(centre, east))


def _unit(vectors: NDArray[Any]) -> Floats:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(length > 0, length, 1.0))


def _seen(points: Floats, axes: tuple[Floats, Floats], place: RowIndexes) -> tuple[Floats, Floats]:
    """The two coordinates of each point, seen from above its group's centre."""
    return np.einsum("ij,ij->i", points, axes[0][place]), np.einsum("ij,ij->i", points, axes[1][place])


@dataclass(frozen=True, slots=True)
class _Strips:
    """Zones in one number: (group, zone) times ``width``, and the first coordinate from ``left`` on."""

    left: float
    bottom: float
    height: float
    zones: int
    width: float
    pad: float

    @staticmethod
    def of(near: tuple[Floats, Floats], far: tuple[Floats, Floats], reach: float, groups: int) -> _Strips:
        """``pad`` is the reach and what the numbers lose by rounding; it never gets into the next zone's range."""
        (left, right), (bottom, top) = ((_least(near, far, axis), -_least(near, far, axis, -1.0)) for axis in (0, 1))
        height = max(reach, (top - bottom) / MOST_ZONES) * (1 + 1e-6) + 1e-15
        zones = int((top - bottom) / height) + 3
        width = (right - left) + 4 * reach + 1e-6
        pad = reach + 16 * float(np.spacing(width * zones * (groups + 1)))
        if 2 * pad >= width - (right - left):
            raise OutOfBounds("too many groups for one block")
        return _Strips(left, bottom, height, zones, width, pad)

    def keys(self, seen: tuple[Floats, Floats], place: RowIndexes) -> Floats:
        zone = ((seen[1] - self.bottom) / self.height).astype(np.int64) + 1
        return np.asarray((place * self.zones + zone) * self.width + (seen[0] - self.left))


def _least(near: tuple[Floats, Floats], far: tuple[Floats, Floats], axis: int, sign: float = 1.0) -> float:
    return float(min((sign * side[axis]).min(initial=np.inf) for side in (near, far)))


def _compared(
    one: Positions, other: Positions, mine: RowIndexes, theirs: RowIndexes, vectors: tuple[Floats, Floats],
    low: int, starts: RowIndexes, counts: RowIndexes, limits: Sequence[SeparationLimit],
) -> PairBlock:  # fmt: skip
    """The candidates of some rows, and which of them are pairs."""
    before = np.cumsum(counts) - counts
    partner = np.arange(int(counts.sum())) + np.repeat(starts - before, counts)
    chord2 = np.zeros(len(partner))
    for axis in range(3):
        gap = np.repeat(vectors[0][axis][low : low + len(counts)], counts)
        gap -= vectors[1][axis][partner]
        gap *= gap
        chord2 += gap
    is_sure, is_doubtful = decide(chord2, limits)
    if not is_doubtful.any():
        return PairBlock(mine, theirs, low, counts, partner, is_sure, None)
    block = PairBlock(mine, theirs, low, counts, partner, is_sure, is_doubtful)
    own, their = block.doubtful()
    is_same = (one.ra[own] == other.ra[their]) & (one.dec[own] == other.dec[their])
    places = np.flatnonzero(is_doubtful)[is_same]
    is_doubtful[places] = False
    is_sure[places] = all(limit.holds_for_same for limit in limits)
    return block
