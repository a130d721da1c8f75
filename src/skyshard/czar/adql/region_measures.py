"""Area and centre of mass of convex polygons on the sphere, whose sides are great circles. Arrays only.

Corners are unit vectors, one a row, in either direction.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from skyshard.chunking.sphere import RAD_PER_DEG

Vectors = npt.NDArray[np.float64]
SPHERE_DEG2 = 4 * np.pi / RAD_PER_DEG**2
"""Square degrees of the whole sky."""


def area_deg2(corners: Vectors) -> float:
    """Square degrees: the sum of the triangles at the first corner (van Oosterom & Strackee 1983, eq. 8).

    >>> bool(np.isclose(area_deg2(np.eye(3)), SPHERE_DEG2 / 8))
    True
    """
    first, others = corners[0], corners[1:]
    one, other = others[:-1], others[1:]
    volume = np.cross(one, other) @ first
    cosines = 1 + one @ first + other @ first + np.sum(one * other, axis=1)
    return float(abs(np.sum(2 * np.arctan2(volume, cosines))) / RAD_PER_DEG**2)


def centroid(corners: Vectors) -> tuple[float, float]:
    """Longitude and latitude in degrees of the centre of mass: half the sum of the sides' normals, each as long as its
    side (Stokes's theorem for the integral of the normal).

    >>> [round(angle, 4) for angle in centroid(np.eye(3))]
    [45.0, 35.2644]
    """
    after = np.roll(corners, -1, axis=0)
    normals = np.cross(corners, after)
    sines = np.linalg.norm(normals, axis=1)
    lengths = np.arctan2(sines, np.sum(corners * after, axis=1))
    mass = np.sum(normals * (lengths / np.where(sines > 0, sines, 1.0))[:, None], axis=0)
    x, y, z = mass if mass @ corners.sum(axis=0) >= 0 else -mass
    return float(np.degrees(np.arctan2(y, x)) % 360), float(np.degrees(np.arctan2(z, np.hypot(x, y))))
