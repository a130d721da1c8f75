"""All pairs of two sets of positions within a radius, on the sphere. Pure: arrays in, arrays out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from skyshard.basics.array_types import Floats, RowIndexes

ARCSEC = np.pi / 180 / 3600
"""Radians."""
_DIGITS = 9
"""Separations are rounded to so many decimals of an arcsecond: what is equally far on paper is so here."""


@dataclass(frozen=True, slots=True)
class NearPairs:
    """Pairs as (row of the old side, row of the new side, separation); of no order."""

    old: RowIndexes
    new: RowIndexes
    arcsec: Floats


def unit_vectors(ra_deg: Floats, dec_deg: Floats) -> Floats:
    """Positions as (n, 3) unit vectors; a right ascension may be of any turn."""
    ra, dec = np.radians(ra_deg), np.radians(dec_deg)
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)], axis=-1)


def separations(old: Floats, new: Floats) -> Floats:
    """Arcseconds between unit vectors, row by row."""
    chord = np.linalg.norm(new - old, axis=-1)
    return np.asarray(np.round(2 * np.arcsin(np.minimum(chord / 2, 1.0)) / ARCSEC, _DIGITS))


def pairs_within(
    old: Floats, new: Floats, radius_arcsec: float, groups: tuple[RowIndexes, RowIndexes] | None = None
) -> NearPairs:
    """All pairs of unit vectors at most so far apart; with ``groups``, of old and new rows, only within one group."""
    nothing = np.empty(0, np.intp)
    if not len(old) or not len(new):
        return NearPairs(nothing, nothing, np.empty(0))
    chord = 2 * np.sin(min(radius_arcsec * ARCSEC, np.pi) / 2)
    reach = chord * (1 + 1e-9) + 1e-14
    sides = (old, new) if groups is None else (_apart(old, groups[0]), _apart(new, groups[1]))
    found = cKDTree(sides[0]).sparse_distance_matrix(cKDTree(sides[1]), reach, output_type="ndarray")
    first, second = found["i"].astype(np.intp), found["j"].astype(np.intp)
    arcsec = separations(old[first], new[second])
    within = arcsec <= radius_arcsec
    return NearPairs(first[within], second[within], arcsec[within])


def _apart(vectors: Floats, group: RowIndexes) -> Floats:
    """Unit vectors with a fourth coordinate, by which rows of two groups are farther apart than the sphere is wide."""
    return np.column_stack([vectors, 4.0 * group])


def nearest(rows: int, row: RowIndexes, other: RowIndexes, arcsec: Floats, rank: RowIndexes) -> RowIndexes:
    """For each of ``rows`` the nearest other one, or -1; of equally near ones that of the lowest ``rank``.

    Args:
        row, other, arcsec: the pairs.
        rank: by other row, all different: decides between equal separations.
    """
    order = np.lexsort((rank[other], arcsec, row))
    found = np.full(rows, -1, np.intp)
    first = np.ones(len(order), np.bool_)
    first[1:] = row[order[1:]] != row[order[:-1]]
    found[row[order[first]]] = other[order[first]]
    return found
