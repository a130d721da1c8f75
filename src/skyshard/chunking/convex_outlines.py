"""Many convex polygons at once, as tables keep them: edge normals, bounds, circles around them, and faults of some.

Rules: corners in degrees, edges are great circles; a polygon that is no convex one on less than a hemisphere has a
fault by name, and NaN wherever it would have numbers. Pure and vectorised, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags, Floats
from skyshard.chunking.sphere import DEG_PER_RAD, unit_vectors

MOST_CORNERS = 16
_SAME_CORNER = 1e-9
"""Radians within which two corners in a row are one (0.2 mas; a corner of six decimals is known to 1.8 mas)."""
_THIN = 1e-9
_DENT = 3e-8
"""Radians: corners of six decimals on a straight side are that far off it."""
_PAD_DEG = 1e-9
_LEAST_COSINE = 1e-6


class OutlineFault(StrEnum):
    """Why a polygon is none."""

    NONE = ""
    NOT_FINITE = "a corner is NaN, NULL or beyond a pole"
    NO_CORNERS = "it is no polygon of corners in ICRS"
    FEW_CORNERS = "fewer than three different corners"
    MANY_CORNERS = f"more than {MOST_CORNERS} corners"
    HEMISPHERE = "it reaches over a hemisphere"
    FLAT = "its corners lie on one great circle"
    CROSSING = "its sides cross"
    DENTED = "it is not convex"


FAULTS = tuple(OutlineFault)
_CODE = {fault: code for code, fault in enumerate(FAULTS)}


@dataclass(frozen=True, slots=True)
class Outlines:
    """``n`` polygons whose edges are stored as ``k`` normals each, counter-clockwise as seen from outside.

    A polygon with fewer corners has edges without length at its sharpest corner, so that all have ``k``.
    """

    normals: Floats
    """(n, k, 3): unit vectors; a point is inside where its product with each is not negative."""
    corner_sum: Floats
    """(n, 3): the sum of the corners' unit vectors, as sciSQL keeps it."""
    counts: NDArray[np.int64]
    """(n,): different corners."""
    centre: Floats
    """(n, 2): right ascension and declination of the centre of mass, in degrees."""
    radius_deg: Floats
    """(n,): the circle about the centre through the farthest corner."""
    bounds: Floats
    """(n, 4): least ra, least dec, greatest ra, greatest dec, padded; least ra > greatest ra leads over 0, and (0, 360)
    is the full circle, as around a pole."""
    faults: NDArray[np.int8]
    """(n,): places in ``FAULTS``; 0 for a good polygon."""
    is_turned: Flags
    """(n,): its corners came clockwise."""

    def __len__(self) -> int:
        return len(self.faults)

    def fault(self, row: int) -> OutlineFault:
        return FAULTS[int(self.faults[row])]


def outlines(ra: Floats, dec: Floats, counts: NDArray[np.int64] | None = None, edges: int = 4) -> Outlines:
    """Polygons from their corners, shape (n, m) each; of a row with fewer corners than ``m`` the first ``counts`` are.

    Args:
        edges: normals to be stored at least; more where a polygon has more corners.

    >>> found = outlines(np.array([[10.0, 11, 11, 10], [0, 1, 2, 1]]), np.array([[0.0, 0, 1, 1], [0, 0, 0, 0]]))
    >>> found.normals.shape, [found.fault(row).value for row in (0, 1)], found.centre[0].round(3).tolist()
    ((2, 4, 3), ['', 'its corners lie on one great circle'], [10.5, 0.5])
    """
    ra, dec = np.atleast_2d(np.asarray(ra, np.float64)), np.atleast_2d(np.asarray(dec, np.float64))
    rows, most = ra.shape
    counts = np.full(rows, most) if counts is None else np.asarray(counts, np.int64)
    is_given: Flags = np.asarray(np.arange(most) < counts[:, None])
    is_finite: Flags = np.asarray((~is_given | (np.isfinite(ra) & (np.abs(dec) <= 90.0))).all(axis=1))
    vectors = unit_vectors(np.where(is_given, ra, 0.0), np.where(is_given & is_finite[:, None], dec, 0.0))
    vectors = np.where(is_finite[:, None, None], vectors, 0.0)
    faults = np.where(is_finite, 0, _CODE[OutlineFault.NOT_FINITE]).astype(np.int8)
    faults[counts == 0] = _CODE[OutlineFault.NO_CORNERS]
    vectors, counts = _without_repeats(vectors, counts)
    faults[(faults == 0) & (counts < 3)] = _CODE[OutlineFault.FEW_CORNERS]
    faults[(faults == 0) & (counts > MOST_CORNERS)] = _CODE[OutlineFault.MANY_CORNERS]
    is_open = faults == 0
    width = max(edges, int(counts[is_open].max(initial=3)))
    made = Outlines(
        np.full((rows, width, 3), np.nan), np.full((rows, 3), np.nan), counts, np.full((rows, 2), np.nan),
        np.full(rows, np.nan), np.full((rows, 4), np.nan), faults, np.zeros(rows, np.bool_),
    )  # fmt: skip
    for count in np.unique(counts[is_open]):
        _fill(made, np.flatnonzero(is_open & (counts == count)), vectors, int(count))
    return made


def _without_repeats(vectors: Floats, counts: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    """Corners without those that repeat the one before, which closes many polygons; moved to the front."""
    most = vectors.shape[1]
    place = np.arange(most)
    last = np.maximum(counts - 1, 0)
    before = np.where(place == 0, last[:, None], place - 1)
    step = np.linalg.norm(vectors - np.take_along_axis(vectors, before[:, :, None], axis=1), axis=2)
    is_kept = (place < counts[:, None]) & ((step > _SAME_CORNER) | (counts[:, None] == 1))
    order = np.argsort(~is_kept, axis=1, kind="stable")
    return np.take_along_axis(vectors, order[:, :, None], axis=1), is_kept.sum(axis=1)


def _fill(made: Outlines, rows: NDArray[np.intp], vectors: Floats, count: int) -> None:
    """The polygons of one number of corners."""
    corners = vectors[rows, :count]
    normals, lengths = _edges(corners)
    middle = corners.sum(axis=1)
    heights = np.einsum("nic,njc->nij", normals, corners)
    is_clockwise = np.einsum("nc,nic->n", middle, normals) < 0
    normals = np.where(is_clockwise[:, None, None], -normals, normals)
    heights = np.where(is_clockwise[:, None, None], -heights, heights)
    reach = np.einsum("nc,njc->nj", _unit(middle), corners).min(axis=1)
    turns = np.einsum("nic,nic->ni", normals, np.roll(corners, -2, axis=1))
    is_flat = (np.abs(heights).max(axis=2) <= _THIN).any(axis=1)
    is_bad = heights.min(axis=(1, 2)) < -_DENT
    named = (OutlineFault.FLAT, OutlineFault.HEMISPHERE, OutlineFault.CROSSING, OutlineFault.DENTED)
    tests = [is_flat, is_bad & (reach < _LEAST_COSINE), is_bad & _is_crossed(turns), is_bad]
    faults = np.select(tests, [_CODE[fault] for fault in named], 0)
    made.faults[rows] = faults
    good = faults == 0
    where, corners, normals = rows[good], corners[good], normals[good]
    clockwise = is_clockwise[good]
    made.is_turned[where] = clockwise
    made.corner_sum[where] = middle[good]
    mass = _unit(np.einsum("ni,nic->nc", lengths[good], normals))
    made.centre[where] = _positions(mass)
    made.radius_deg[where] = _farthest_deg(mass, corners)
    made.bounds[where] = _bounds(corners, normals)
    in_turn = np.where(clockwise[:, None, None], normals[:, ::-1], normals)
    made.normals[where] = _filled_up(in_turn, made.normals.shape[1])


def _edges(corners: Floats) -> tuple[Floats, Floats]:
    """Unit normals of the great circles from each corner to the next, and the angles between them in radians."""
    following = np.roll(corners, -1, axis=1)
    crossed = np.cross(following + corners, following - corners)
    sizes = np.linalg.norm(crossed, axis=2)
    lengths = 2.0 * np.arctan2(np.linalg.norm(following - corners, axis=2), np.linalg.norm(following + corners, axis=2))
    return crossed / np.maximum(sizes, 1e-300)[:, :, None], lengths


def _is_crossed(turns: Floats) -> Flags:
    """Of a quadrangle, whether two sides cross: it turns left twice and right twice. Of others that is not asked."""
    return np.asarray((turns.shape[1] == 4) & ((turns < 0).sum(axis=1) == 2))


def _filled_up(normals: Floats, width: int) -> Floats:
    """More edges for polygons that have too few: great circles that touch the sharpest corner and no other point.

    They lie between the two edges that meet there, so they cut nothing off, and have no length.
    """
    count = normals.shape[1]
    if count == width:
        return normals
    sharp = np.einsum("nic,nic->ni", normals, np.roll(normals, -1, axis=1)).argmin(axis=1)
    order = (np.arange(count) + sharp[:, None] + 1) % count
    normals = np.take_along_axis(normals, order[:, :, None], axis=1)
    share = np.linspace(0, 1, width - count + 2)[1:-1, None]
    between = (1 - share) * normals[:, None, -1] + share * normals[:, None, 0]
    return np.concatenate([normals, between / np.linalg.norm(between, axis=2, keepdims=True)], axis=1)


def _unit(vectors: Floats) -> Floats:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-300))


def _positions(vectors: Floats) -> Floats:
    """Right ascension in [0, 360) and declination of unit vectors, in degrees."""
    x, y, z = vectors.T
    ra = np.arctan2(y, x) * DEG_PER_RAD % 360.0
    return np.stack([np.where(ra == 360.0, 0.0, ra), np.arctan2(z, np.hypot(x, y)) * DEG_PER_RAD], axis=1)


def _farthest_deg(centre: Floats, corners: Floats) -> Floats:
    chord = np.linalg.norm(corners - centre[:, None], axis=2).max(axis=1, initial=0.0)
    return np.asarray(2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0)) * DEG_PER_RAD)


def _bounds(corners: Floats, normals: Floats) -> Floats:
    """The smallest boxes around corners and edges, padded."""
    up = normals[:, :, 2]
    is_north, is_south = (up >= -1e-12).all(axis=1), (up <= 1e-12).all(axis=1)
    north = np.where(is_north, 90.0, _extreme_dec(corners, normals, 1.0) + _PAD_DEG)
    south = np.where(is_south, -90.0, -_extreme_dec(corners, normals, -1.0) - _PAD_DEG)
    north, south = np.minimum(north, 90.0), np.maximum(south, -90.0)
    ra = np.arctan2(corners[:, :, 1], corners[:, :, 0]) * DEG_PER_RAD
    along = ra[:, :1] + np.concatenate([np.zeros((len(ra), 1)), np.cumsum(_steps(ra), axis=1)], axis=1)
    pad = _PAD_DEG / np.maximum(np.cos(np.maximum(-south, north) / DEG_PER_RAD), 1e-15)
    low, high = along.min(axis=1, initial=np.inf) - pad, along.max(axis=1, initial=-np.inf) + pad
    is_full = (high - low >= 360.0) | (north == 90.0) | (south == -90.0)
    low, high = np.where(is_full, 0.0, low % 360.0), np.where(is_full, 360.0, high % 360.0)
    return np.stack([low, south, high, north], axis=1)


def _steps(ra: Floats) -> Floats:
    """Differences of right ascension from corner to corner, the short way round."""
    steps = np.diff(ra, axis=1)
    return np.asarray(steps - 360.0 * np.round(steps / 360.0))


def _extreme_dec(corners: Floats, normals: Floats, sign: float) -> Floats:
    """The greatest ``sign`` times declination, in degrees, of corners and of the edges between them."""
    highest = (sign * corners[:, :, 2]).max(axis=1, initial=-1.0)
    up = normals[:, :, 2]
    tops = sign * (np.array([0.0, 0.0, 1.0]) - up[:, :, None] * normals)
    is_on_edge = (np.einsum("nic,njc->nij", tops, normals) >= -1e-12).all(axis=2)
    on_edges = np.where(is_on_edge, np.linalg.norm(tops, axis=2), -1.0).max(axis=1, initial=-1.0)
    return np.asarray(np.arcsin(np.clip(np.maximum(highest, on_edges), -1.0, 1.0)) * DEG_PER_RAD)
