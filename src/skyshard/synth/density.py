"""How many objects a chunk holds, and where in it: a HEALPix map of the density, seen through a grid of cells. No I/O.

Inside a cell, a small rectangle in right ascension and sine of declination, density is constant: the map's value at
the cell's centre, or 0 if that lies outside the footprint. The expected number of a chunk is the sum over its cells,
and positions are drawn from the same cells, so the two agree exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import hpgeom  # type: ignore[import-untyped]
import numpy as np
from numpy.typing import NDArray

from skyshard.errors import UserError
from skyshard.sphere import Box
from skyshard.synth.recipe import FootprintBox, Plane, Sky
from skyshard.synth.streams import WHOLE_SKY, stream

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_MIN_CELLS, _MAX_CELLS = 4, 32
_BATCH = 8192
SQDEG_PER_SPHERE = 4 * math.pi * math.degrees(1) ** 2


def in_footprint(footprint: Sequence[FootprintBox], ra: Floats, dec: Floats, margin_deg: float = 0.0) -> Flags:
    """Which points lie in one of the boxes, widened by a margin (edges included)."""
    is_in = np.zeros(np.broadcast(ra, dec).shape, dtype=bool)
    for box in footprint:
        south, north = box.dec_deg[0] - margin_deg, box.dec_deg[1] + margin_deg
        highest = min(89.0, max(abs(south), abs(north)))
        pad = margin_deg / math.cos(math.radians(highest))
        east = (ra - box.ra_deg[0] + pad) % 360.0
        is_in |= (dec >= south) & (dec <= north) & (east <= box.ra_width_deg + 2 * pad)
    return is_in


@dataclass(frozen=True, slots=True)
class Cells:
    """The cells of one chunk, k by k: ``means`` holds the expected objects of each, row by row from the south."""

    box: Box
    count: int
    means: Floats

    @property
    def expected(self) -> float:
        return float(self.means.sum())


@dataclass(frozen=True, slots=True)
class DensityMap:
    """Objects per square degree in each HEALPix pixel (ring order), and the footprint that cuts it."""

    sky: Sky
    values: Floats

    @classmethod
    def of(cls, sky: Sky, seed: int) -> DensityMap:
        """Make the map.

        Raises:
            UserError: a footprint that holds no pixel.
        """
        ra, dec = pixel_centres(sky.nside)
        relative = _plane_excess(sky.plane, ra, dec)
        if sky.patchiness:
            noise = stream(seed, "sky", WHOLE_SKY, "patchiness").standard_normal(len(ra))
            relative *= np.exp(sky.patchiness * noise)
        is_in = in_footprint(sky.footprint, ra, dec)
        if not is_in.any():
            raise UserError(
                f"key 'sky.footprint': no pixel of nside {sky.nside} lies in it", remedy="widen it or raise sky.nside"
            )
        return cls(sky, relative * (sky.objects_per_sqdeg / float(relative[is_in].mean())))

    def cells_per_side(self, height_deg: float) -> int:
        """Cells along a chunk's side, such that a map pixel is about four cells wide."""
        pixel_deg = math.sqrt(SQDEG_PER_SPHERE / len(self.values))
        return min(_MAX_CELLS, max(_MIN_CELLS, math.ceil(4 * height_deg / pixel_deg)))

    def cells(self, box: Box) -> Cells:
        """The cells of one chunk."""
        count = self.cells_per_side(box.dec_max - box.dec_min)
        return Cells(box, count, self._means([box], count).ravel())

    def expected(self, boxes: Sequence[Box]) -> Floats:
        """Expected number of objects in each chunk; boxes must be of one height."""
        if not boxes:
            return np.empty(0)
        count = self.cells_per_side(boxes[0].dec_max - boxes[0].dec_min)
        batches = [self._means(boxes[at : at + _BATCH], count) for at in range(0, len(boxes), _BATCH)]
        return np.asarray(np.concatenate([means.sum(axis=(1, 2)) for means in batches]))

    def _means(self, boxes: Sequence[Box], count: int) -> Floats:
        """Expected objects by (chunk, sine slot, ra slot)."""
        edges = np.array([(box.ra_min, box.ra_max, box.dec_min, box.dec_max) for box in boxes]).T[:, :, None]
        ra_min, ra_max, dec_min, dec_max = edges
        sin_min, sin_max = np.sin(np.radians(dec_min)), np.sin(np.radians(dec_max))
        middle = (np.arange(count) + 0.5) / count
        ra = (ra_min + (ra_max - ra_min) * middle)[:, None, :]
        dec = np.degrees(np.arcsin(np.clip(sin_min + (sin_max - sin_min) * middle, -1.0, 1.0)))[:, :, None]
        ra, dec = np.broadcast_arrays(ra, dec)
        area = (ra_max - ra_min) * np.degrees(sin_max - sin_min) / count**2
        density = np.where(in_footprint(self.sky.footprint, ra, dec), self._at(ra, dec), 0.0)
        return np.asarray(density * area[:, :, None])

    def _at(self, ra: Floats, dec: Floats) -> Floats:
        pixels = hpgeom.angle_to_pixel(self.sky.nside, ra.ravel() % 360.0, dec.ravel(), nest=False)
        return np.asarray(self.values[pixels].reshape(ra.shape))


def pixel_centres(nside: int) -> tuple[Floats, Floats]:
    """Right ascension and declination of all pixels, ring order."""
    ra, dec = hpgeom.pixel_to_angle(nside, np.arange(12 * nside * nside), nest=False)
    return np.asarray(ra), np.asarray(dec)


def _plane_excess(plane: Plane | None, ra: Floats, dec: Floats) -> Floats:
    """Relative density: 1 far from the plane, ``contrast`` on it."""
    if plane is None:
        return np.ones(len(ra))
    pole_ra, pole_dec, lon, lat = (np.radians(a) for a in (plane.pole_ra_deg, plane.pole_dec_deg, ra, dec))
    sine = np.sin(pole_dec) * np.sin(lat) + np.cos(pole_dec) * np.cos(lat) * np.cos(lon - pole_ra)
    distance_deg = np.degrees(np.arcsin(np.clip(np.abs(sine), 0.0, 1.0)))
    return np.asarray(1.0 + (plane.contrast - 1.0) * np.exp(-distance_deg / plane.scale_deg))
