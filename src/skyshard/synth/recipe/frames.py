"""Coordinate frames of density maps, and the conversion of equatorial positions to them. No I/O.

Sources: the Hipparcos catalogue, vol. 1, section 1.5.3 (Galactic); the obliquity of J2000.0 of IAU 1976 (ecliptic).
"""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np

from skyshard.basics.array_types import Floats
from skyshard.chunking.sphere import unit_vectors


class Frame(StrEnum):
    """Equatorial means ICRS, right ascension and declination."""

    EQUATORIAL = "equatorial"
    GALACTIC = "galactic"
    ECLIPTIC = "ecliptic"


_COORDSYS = {
    "C": Frame.EQUATORIAL, "Q": Frame.EQUATORIAL, "CELESTIAL": Frame.EQUATORIAL, "EQUATORIAL": Frame.EQUATORIAL,
    "ICRS": Frame.EQUATORIAL, "G": Frame.GALACTIC, "GALACTIC": Frame.GALACTIC,
    "E": Frame.ECLIPTIC, "ECLIPTIC": Frame.ECLIPTIC,
}  # fmt: skip
_OBLIQUITY = math.radians(23.4392911)
_AXES = {
    Frame.GALACTIC: np.array([
        [-0.0548755604, -0.8734370902, -0.4838350155],
        [0.4941094279, -0.4448296300, 0.7469822445],
        [-0.8676661490, -0.1980763734, 0.4559837762],
    ]),
    Frame.ECLIPTIC: np.array([
        [1.0, 0.0, 0.0],
        [0.0, math.cos(_OBLIQUITY), math.sin(_OBLIQUITY)],
        [0.0, -math.sin(_OBLIQUITY), math.cos(_OBLIQUITY)],
    ]),
}  # fmt: skip
"""The axes of a frame as equatorial unit vectors, one a row."""


def frame_named(coordsys: str) -> Frame | None:
    """The frame of a FITS header's COORDSYS; None for one that is not known.

    >>> frame_named("G "), frame_named("helio")
    (<Frame.GALACTIC: 'galactic'>, None)
    """
    return _COORDSYS.get(coordsys.strip().upper())


def in_frame(frame: Frame, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """Longitude (0 to 360) and latitude, in degrees, of equatorial positions."""
    if frame is Frame.EQUATORIAL:
        return ra % 360.0, dec
    x, y, z = np.moveaxis(unit_vectors(ra, dec) @ _AXES[frame].T, -1, 0)
    return np.degrees(np.arctan2(y, x)) % 360.0, np.degrees(np.arcsin(np.clip(z, -1.0, 1.0)))
