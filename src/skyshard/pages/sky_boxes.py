"""Boxes on the sky, and their outlines in Mollweide's projection. No plotting."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

EDGE_POINTS = 12
"""Points along the lower and along the upper edge of a box's outline."""


class SkyBoxes(Protocol):
    """Boxes between limits in right ascension and declination; arrays of one length, angles in degrees.

    A box whose ``ra_min`` exceeds ``ra_max`` crosses longitude 0.
    """

    @property
    def ra_min(self) -> NDArray[np.float64]: ...
    @property
    def ra_max(self) -> NDArray[np.float64]: ...
    @property
    def dec_min(self) -> NDArray[np.float64]: ...
    @property
    def dec_max(self) -> NDArray[np.float64]: ...


def centred_boxes(boxes: SkyBoxes, centre_ra: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Longitude limits relative to ``centre_ra``: low in [-180, 180), high = low + width, so at most 540."""
    width = (boxes.ra_max - boxes.ra_min) % 360.0
    width = np.where(width == 0.0, 360.0, width)
    low = (boxes.ra_min - centre_ra + 180.0) % 360.0 - 180.0
    low = np.where(width >= 360.0, -180.0, low)
    return low, low + width


def centre_of(boxes: SkyBoxes) -> float:
    """Right ascension of the middle of the occupied part; every box has the same weight."""
    low, high = centred_boxes(boxes, 0.0)
    angle = np.radians((low + high) / 2)
    return float(np.degrees(np.arctan2(np.sin(angle).sum(), np.cos(angle).sum())) % 360.0)


def mollweide_outlines(boxes: SkyBoxes) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Outlines on a Mollweide map centred on right ascension 0 that increases to the left.

    Returns:
        (n, 2 * EDGE_POINTS, 2) corner points, x in [-2, 2] and y in [-1, 1], and the number of the box of each
        outline; a box that crosses longitude 180 has two outlines.
    """
    low, high = centred_boxes(boxes, 0.0)
    row = np.arange(len(boxes.ra_min))
    crosses = high > 180.0
    low = np.concatenate([low, np.full(int(crosses.sum()), -180.0)])
    high = np.concatenate([np.minimum(high, 180.0), high[crosses] - 360.0])
    row = np.concatenate([row, row[crosses]])
    along = np.linspace(0.0, 1.0, EDGE_POINTS)
    lon = low[:, None] + (high - low)[:, None] * np.concatenate([along, along[::-1]])
    lat = np.repeat(np.stack([boxes.dec_min[row], boxes.dec_max[row]], axis=1), EDGE_POINTS, axis=1)
    return np.stack(mollweide(lon, lat), axis=-1), row


def mollweide(lon_deg: NDArray[np.float64], lat_deg: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Mollweide's projection, x in [-2, 2] to the left, y in [-1, 1]; longitude in [-180, 180]."""
    lat = np.radians(lat_deg)
    theta = lat.copy()
    for _ in range(60):  # Newton on 2θ + sin 2θ = π sin φ; slow at the poles, so the slope must not reach zero
        slope = np.maximum(2 + 2 * np.cos(2 * theta), 1e-9)
        theta = np.clip(theta - (2 * theta + np.sin(2 * theta) - np.pi * np.sin(lat)) / slope, -np.pi / 2, np.pi / 2)
    return -2 * (lon_deg / 180.0) * np.cos(theta), np.sin(theta)
