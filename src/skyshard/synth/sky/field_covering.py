"""Finds which circular fields contain which positions. No I/O.

Positions are sorted into cells of right ascension and declination. Most fields contain a cell whole or miss it whole,
which is decided once for the cell. Positions are tested one by one only where a field's edge crosses their cell.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Floats, RowIndexes
from skyshard.chunking.sphere import unit_vectors

_PLACES_A_CELL, _MOST_CELLS = 24, 64
_BLOCK_VALUES, _FEWEST_BLOCK_ROWS = 1 << 21, 1024
_PAD_RAD = 1e-6
"""Far more than rounding: positions nearer than this to an edge are tested one by one."""


@dataclass(frozen=True, slots=True)
class Near:
    """Fields close to some places, cell by cell."""

    places: Floats
    """Unit vectors, (place, 3)."""
    cells: RowIndexes
    """Cell of each place."""
    visits: RowIndexes
    """The fields, by their place in the list given."""
    is_around: NDArray[np.bool_]
    """(cell, field): holds the whole cell."""
    rim: tuple[RowIndexes, RowIndexes]
    """For each cell the first of its entries in ``crossing``, and their number."""
    crossing: RowIndexes
    """Fields whose rim crosses a cell, cell after cell."""
    centres: Floats
    """Of the fields, (field, 3)."""
    least: float
    """Cosine of the radius."""

    @classmethod
    def of(cls, positions: tuple[Floats, Floats], centres: Floats, radius_rad: float) -> Near:
        """Sort places, given in degrees, and circles about ``centres`` (unit vectors) out."""
        side = int(min(_MOST_CELLS, max(1, math.isqrt(len(positions[0]) // _PLACES_A_CELL))))
        all_near = _reached(positions, centres, radius_rad)
        columns, middle_ra, half_ra = _bins(positions[0], side)
        rows, middle_dec, half_dec = _bins(positions[1], side)
        ra, dec = np.tile(middle_ra, side), np.repeat(middle_dec, side)
        extent = _extent(half_ra, half_dec, dec)
        cosine = dot(unit_vectors(ra, dec), centres[all_near].T)
        is_near = cosine >= _cos(extent + radius_rad + _PAD_RAD)[:, None]
        some = is_near.any(axis=0)
        visits, cosine, is_near = all_near[some], cosine[:, some], is_near[:, some]
        inner = radius_rad - extent - _PAD_RAD
        is_around = cosine >= np.where(inner > 0, np.cos(inner), 2.0)[:, None]
        cell, crossing = np.nonzero(is_near & ~is_around)
        counts = np.bincount(cell, minlength=side * side)
        return cls(
            unit_vectors(*positions), rows * side + columns, visits, is_around, (np.cumsum(counts) - counts, counts),
            crossing, centres[visits], math.cos(radius_rad),
        )  # fmt: skip

    def blocks(self) -> Iterator[tuple[int, RowIndexes, RowIndexes, RowIndexes]]:
        """Block by block: its first place, the cells of its places, and (row in the block, field) of each field that
        holds the place although it does not hold the cell."""
        step = max(_FEWEST_BLOCK_ROWS, _BLOCK_VALUES // max(1, len(self.visits)))
        first, counts = self.rim
        for start in range(0, len(self.places), step):
            cells = self.cells[start : start + step]
            number = counts[cells]
            row = np.repeat(np.arange(len(cells)), number)
            skip = first[cells] - (np.cumsum(number) - number)
            field = self.crossing[skip[row] + np.arange(len(row))]
            is_in = self._cosines(start + row, field) >= self.least
            yield start, cells, row[is_in], field[is_in]

    def _cosines(self, row: RowIndexes, field: RowIndexes) -> Floats:
        """Scalar products of places and fields, pair by pair; in the order of operations of ``dot``."""
        one, other = self.places, self.centres
        products = one[:, 0][row] * other[:, 0][field]
        products += one[:, 1][row] * other[:, 1][field]
        products += one[:, 2][row] * other[:, 2][field]
        return np.asarray(products)


def _reached(positions: tuple[Floats, Floats], centres: Floats, radius_rad: float) -> RowIndexes:
    """The circles that may hold any of the places."""
    (_, ra, half_ra), (_, dec, half_dec) = _bins(positions[0], 1), _bins(positions[1], 1)
    reach = _extent(half_ra, half_dec, dec) + radius_rad + _PAD_RAD
    return np.flatnonzero(dot(unit_vectors(ra, dec), centres.T)[0] >= _cos(reach)[0])


def _extent(half_ra: float, half_dec: float, dec: Floats) -> Floats:
    """How far any place of a cell is from its middle at most: along the middle's parallel, then along a meridian."""
    return np.asarray(np.radians(half_ra * np.cos(np.radians(dec)) + half_dec))


def _cos(angle: Floats) -> Floats:
    return np.asarray(np.cos(np.minimum(angle, math.pi)))


def _bins(values: Floats, count: int) -> tuple[RowIndexes, Floats, float]:
    """Bin of each value, the bins' middles, and half their width; bins of equal width from least to greatest."""
    least, width = float(values.min()), float(np.ptp(values)) / count or 1.0
    bins: RowIndexes = np.minimum(((values - least) * (1 / width)).astype(np.intp), count - 1)
    return bins, np.asarray(least + width * (np.arange(count) + 0.5), np.float64), width / 2


def dot(points: Floats, columns: Floats) -> Floats:
    """Scalar products, (point, column); written out, as a BLAS product may differ by machine in its last bit."""
    x, y, z = points.T[:, :, None]
    products = x * columns[0]
    part = y * columns[1]
    products += part
    np.multiply(z, columns[2], out=part)
    products += part
    return np.asarray(products)
