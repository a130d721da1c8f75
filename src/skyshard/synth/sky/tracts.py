"""Tracts, patches and detectors: the numbers that follow from a position. No I/O.

The sky map consists of rings of tracts 1.5 degrees high, each a grid of 10 by 10 patches. The camera is a square of
detectors.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Floats, Integers
from skyshard.synth.sky.visits import Pointings

_RING_DEG = 1.5
_RINGS = 120
_PATCHES = 10
DETECTOR_PIXELS = 4000


def _tracts_of_rings() -> tuple[Integers, Integers]:
    """Tracts in each ring, and the number of its first."""
    middle = np.radians((np.arange(_RINGS) + 0.5) * _RING_DEG - 90.0)
    counts = np.maximum(1, np.ceil(360.0 * np.cos(middle) / _RING_DEG)).astype(np.int64)
    return counts, np.cumsum(counts) - counts


_COUNTS, _FIRST = _tracts_of_rings()


def tract_and_patch(ra: Floats, dec: Floats) -> tuple[Integers, Integers]:
    """Tract and patch of positions.

    >>> [number.tolist() for number in tract_and_patch(np.array([0.01, 0.01]), np.array([-89.9, 0.01]))]
    [[0, 9197], [0, 0]]
    """
    height = (dec + 90.0) / _RING_DEG
    ring = np.minimum(height.astype(np.int64), _RINGS - 1)
    along = (ra % 360.0) / 360.0 * _COUNTS[ring]
    slot = np.minimum(along.astype(np.int64), _COUNTS[ring] - 1)
    up = np.minimum(((height - ring) * _PATCHES).astype(np.int64), _PATCHES - 1)
    across = np.minimum(((along - slot) * _PATCHES).astype(np.int64), _PATCHES - 1)
    return _FIRST[ring] + slot, up * _PATCHES + across


def patch_centres() -> tuple[Integers, Integers, Floats, Floats, Floats]:
    """All patches of the sky: tract, patch, centre, and width in right ascension (degrees)."""
    tract = np.repeat(np.arange(_COUNTS.sum()), _PATCHES**2)
    patch = np.tile(np.arange(_PATCHES**2), int(_COUNTS.sum()))
    ring = np.searchsorted(_FIRST, tract, side="right") - 1
    width = 360.0 / _COUNTS[ring] / _PATCHES
    ra = (tract - _FIRST[ring]) * width * _PATCHES + (patch % _PATCHES + 0.5) * width
    dec = ring * _RING_DEG - 90.0 + (patch // _PATCHES + 0.5) * (_RING_DEG / _PATCHES)
    return tract, patch, ra, dec, width


def detector_places(
    pointings: Pointings, side: int, visit: NDArray[np.intp], ra: Floats, dec: Floats
) -> tuple[Integers, Floats, Floats]:
    """Detector of each row in its visit, and the pixel there."""
    reach = pointings.radius_deg
    east = (ra - pointings.ra[visit] + 180.0) % 360.0 - 180.0
    u = (east * np.cos(np.radians(dec)) / reach + 1.0) * (side / 2)
    v = ((dec - pointings.dec[visit]) / reach + 1.0) * (side / 2)
    column = np.clip(u.astype(np.int64), 0, side - 1)
    row = np.clip(v.astype(np.int64), 0, side - 1)
    x = np.clip((u - column) * DETECTOR_PIXELS, 0.0, DETECTOR_PIXELS)
    y = np.clip((v - row) * DETECTOR_PIXELS, 0.0, DETECTOR_PIXELS)
    return row * side + column, x, y


def detector_centres(pointings: Pointings, side: int) -> tuple[Integers, Integers, Floats, Floats]:
    """Every detector of every visit: index of the visit, detector, and centre (ra, dec) on the sky, degrees."""
    visit = np.repeat(np.arange(len(pointings)), side * side)
    detector = np.tile(np.arange(side * side), len(pointings))
    row, column = np.divmod(detector, side)
    dec = np.clip(pointings.dec[visit] + pointings.radius_deg * ((row + 0.5) * 2 / side - 1), -90.0, 90.0)
    east = pointings.radius_deg * ((column + 0.5) * 2 / side - 1)
    ra = (pointings.ra[visit] + east / np.maximum(np.cos(np.radians(dec)), 1e-3)) % 360.0
    return visit, detector, ra, dec
