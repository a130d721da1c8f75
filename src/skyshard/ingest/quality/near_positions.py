"""Finds positions that have another one near them, on the whole sky and in bounded memory a strip. No I/O but arrays.

Rows are cut into strips of right ascension, those about the poles into one each. Within a strip they are sorted by
declination, and each is compared with those that follow within the radius. What lies within the radius of a strip's
edge is in both strips.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags, Floats, RowIndexes
from skyshard.host.array_files import load_array, save_array

NEAR_ARCSEC = 0.2
_POLE_DEG = 89.0
_MOST_STRIPS = 3600


def near_rows(ra: Floats, dec: Floats, radius_arcsec: float = NEAR_ARCSEC) -> int:
    """How many positions have another one within the radius.

    >>> near_rows(np.array([359.99999, 0.00001, 10.0]), np.zeros(3))
    2
    >>> near_rows(np.array([0.0, 180.0]), np.array([89.99999, 89.99999]))
    2
    """
    is_known = np.isfinite(ra) & np.isfinite(dec)
    ra, dec = ra[is_known] % 360.0, dec[is_known]
    is_near = np.zeros(len(ra), np.bool_)
    for rows in _strips(ra, dec, radius_arcsec / 3600):
        _mark_near(ra, dec, rows, radius_arcsec / 3600, is_near)
    return int(np.count_nonzero(is_near))


def _strips(ra: Floats, dec: Floats, radius_deg: float) -> Iterator[RowIndexes]:
    """Rows of each strip, those within the radius of its edges included."""
    for sign in (1.0, -1.0):
        yield np.flatnonzero(sign * dec >= _POLE_DEG - radius_deg)
    middle = np.flatnonzero(np.abs(dec) <= _POLE_DEG + radius_deg)
    count = int(np.clip(np.sqrt(len(middle)), 1, _MOST_STRIPS))
    width = 360.0 / count
    reach = 1.01 * radius_deg / np.cos(np.radians(_POLE_DEG + radius_deg))
    strip = np.minimum((ra[middle] / width).astype(np.int64), count - 1)
    low, high = ra[middle] - strip * width < reach, (strip + 1) * width - ra[middle] < reach
    rows = np.concatenate([middle, middle[low], middle[high]])
    strips = np.concatenate([strip, (strip[low] - 1) % count, (strip[high] + 1) % count])
    order = np.argsort(strips, kind="stable")
    edges = np.searchsorted(strips[order], np.arange(count + 1))
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        if last - first > 1:
            yield np.unique(rows[order[first:last]])


def _mark_near(ra: Floats, dec: Floats, rows: RowIndexes, radius_deg: float, is_near: Flags) -> None:
    """Mark rows of one strip that are near another one of it."""
    order = rows[np.argsort(dec[rows], kind="stable")]
    north = np.radians(dec[order])
    east = np.radians(ra[order])
    points = np.stack([np.cos(north) * np.cos(east), np.cos(north) * np.sin(east), np.sin(north)])
    most = (2 * np.sin(np.radians(radius_deg) / 2)) ** 2
    step = 1
    while step < len(order):
        follows = north[step:] - north[:-step] <= np.radians(radius_deg) * 1.000001
        if not follows.any():
            return
        first = np.flatnonzero(follows)
        apart = points[:, first + step] - points[:, first]
        pairs = first[(apart * apart).sum(axis=0) <= most]
        is_near[order[pairs]] = is_near[order[pairs + step]] = True
        step += 1


def save_positions(path: Path, parts: Sequence[NDArray[np.float64]]) -> dict[str, int]:
    """Write the positions of a slice's primary rows, (2, n); returns the file's name and size."""
    positions = np.concatenate(parts, axis=1) if parts else np.empty((2, 0))
    save_array(path, positions)
    return {path.name: path.stat().st_size}


def load_positions(paths: Sequence[Path]) -> tuple[Floats, Floats]:
    """The positions of several slices.

    Raises:
        OSError: a file cannot be read.
    """
    parts = [np.empty((2, 0)), *(load_array(path) for path in paths)]
    both = np.concatenate(parts, axis=1)
    return both[0], both[1]
