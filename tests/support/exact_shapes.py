"""Brute force for polygons and circles on the sphere, by vectors of 80-bit numbers from the decimals of their texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Long = NDArray[np.longdouble]
RAD: Any = np.arctan(np.longdouble(1)) / 45
FIRM_RAD = 2e-14
"""What is nearer to an edge than this (0.004 micro-arcseconds) may be on either side of it."""


def long_vectors(ra: Sequence[str], dec: Sequence[str]) -> Long:
    """Unit vectors, shape (n, 3), of decimals."""
    lon, lat = (np.array([np.longdouble(one) for one in axis]) * RAD for axis in (ra, dec))
    return np.stack([np.cos(lon) * np.cos(lat), np.sin(lon) * np.cos(lat), np.sin(lat)], axis=-1)


def text_corners(text: str) -> Long:
    """The corners of ``POLYGON ICRS ra dec ...``."""
    words = text.split()[2:]
    return long_vectors(words[0::2], words[1::2])


def signed_distance(corners: Long, points: Long) -> Long:
    """The angle, in radians, from each point to the outline of a convex counter-clockwise polygon; negative inside."""
    following = np.roll(corners, -1, axis=0)
    normals = np.cross(corners, following)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    heights = points @ normals.T
    starts, ends = points @ np.cross(normals, corners).T, points @ np.cross(following, normals).T
    is_between = (starts >= 0) & (ends >= 0)
    to_edges = np.where(is_between, np.abs(np.arcsin(np.clip(heights, -1, 1))), np.inf)
    to_corners = angles(points, corners)
    least = np.minimum(to_edges.min(axis=1), to_corners.min(axis=1))
    return np.asarray(np.where((heights >= 0).all(axis=1), -least, least))


def angles(points: Long, others: Long) -> Long:
    """Angles between each point and each other one, shape (n, m)."""
    apart, whole = points[:, None] - others, points[:, None] + others
    return np.asarray(2 * np.arctan2(np.linalg.norm(apart, axis=2), np.linalg.norm(whole, axis=2)))
