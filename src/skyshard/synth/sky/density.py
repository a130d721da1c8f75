"""How many objects a chunk holds and where: a HEALPix density map, sampled on a grid of cells. No I/O.

Inside a cell, a small rectangle in right ascension and sine of declination, density is constant: the map's value at
the cell's centre, or 0 outside the footprint. The expected number of a chunk is the sum over its cells,
and positions are drawn from the same cells, so the two agree exactly.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import hpgeom
import numpy as np

from skyshard.basics.array_types import Flags, Floats
from skyshard.basics.errors import UserError
from skyshard.catalog.chunkers import chunker_of
from skyshard.chunking import Chunker
from skyshard.chunking.sphere import Box, unit_vectors
from skyshard.synth.recipe.frames import Frame, in_frame
from skyshard.synth.recipe.random_streams import WHOLE_SKY, stream
from skyshard.synth.recipe.sky_rules import FootprintBox, Plane, Skew, Sky, Spot
from skyshard.synth.sky.density_files import read_chunk_rows, read_map

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
    """Objects per square degree in each HEALPix pixel (ring order) or chunk, and the footprint that cuts it."""

    sky: Sky
    values: Floats
    """By pixel; by chunk number if there is a chunker."""
    chunker: Chunker | None = None
    frame: Frame = Frame.EQUATORIAL
    """Of the pixels."""

    @classmethod
    def of(cls, sky: Sky, seed: int) -> DensityMap:
        """Make the map.

        Raises:
            UserError: a footprint that holds no pixel, or a file that cannot be read.
        """
        ra, dec = pixel_centres(sky.nside)
        made = _relative(sky, seed, ra, dec)
        is_in = in_footprint(sky.footprint, ra, dec)
        mean = float(made.at_pixels(ra, dec)[is_in].mean()) if is_in.any() else 0.0
        if mean <= 0:
            raise UserError(
                f"key 'sky.footprint': no pixel centre of nside {sky.nside} is in it",
                remedy="widen it or raise sky.nside",
            )
        density = sky.objects_per_sqdeg
        if density is None:
            density = (sky.objects_total or 0) / (float(is_in.mean()) * SQDEG_PER_SPHERE)
        return made.scaled(density / mean)

    def scaled(self, factor: float) -> DensityMap:
        """The map with all densities multiplied by a factor."""
        return replace(self, values=self.values * factor)

    def cells_per_side(self, height_deg: float) -> int:
        """Cells along a chunk's side, such that a map pixel is about four cells wide."""
        pixel_deg = math.sqrt(SQDEG_PER_SPHERE / (12 * self.sky.nside**2))
        return min(_MAX_CELLS, max(_MIN_CELLS, math.ceil(4 * height_deg / pixel_deg)))

    def cells(self, box: Box) -> Cells:
        """The cells of one chunk."""
        count = self.cells_per_side(box.dec_max - box.dec_min)
        edges = np.array([[box.ra_min], [box.ra_max], [box.dec_min], [box.dec_max]])
        return Cells(box, count, self._means(edges, count).ravel())

    def expected(self, edges: Floats) -> Floats:
        """Expected number of objects in each chunk, from their edges, (4, n); they must be of one height."""
        if not edges.shape[1]:
            return np.empty(0)
        count = self.cells_per_side(float(edges[3, 0] - edges[2, 0]))
        batches = [self._means(edges[:, at : at + _BATCH], count) for at in range(0, edges.shape[1], _BATCH)]
        return np.asarray(np.concatenate([means.sum(axis=(1, 2)) for means in batches]))

    def _means(self, edges: Floats, count: int) -> Floats:
        """Expected objects by (chunk, sine slot, ra slot)."""
        ra_min, ra_max, dec_min, dec_max = edges[:, :, None]
        sin_min, sin_max = np.sin(np.radians(dec_min)), np.sin(np.radians(dec_max))
        middle = (np.arange(count) + 0.5) / count
        ra = (ra_min + (ra_max - ra_min) * middle)[:, None, :]
        dec = np.degrees(np.arcsin(np.clip(sin_min + (sin_max - sin_min) * middle, -1.0, 1.0)))[:, :, None]
        is_in = in_footprint(self.sky.footprint, ra, dec)  # of rows and columns, before they become a grid
        area = (ra_max - ra_min) * np.degrees(sin_max - sin_min) / count**2
        density = self.at(*np.broadcast_arrays(ra, dec)) * is_in
        return np.asarray(density * area[:, :, None])

    def at(self, ra: Floats, dec: Floats) -> Floats:
        """Objects per square degree at positions, whether the footprint covers them or not."""
        if self.chunker is None:
            nside = math.isqrt(len(self.values) // 12)
            places = hpgeom.angle_to_pixel(nside, *in_frame(self.frame, ra.ravel(), dec.ravel()), nest=False)
        else:
            places, _ = self.chunker.locate(ra.ravel() % 360.0, dec.ravel())
        return np.asarray(self.values[places].reshape(ra.shape))

    def at_pixels(self, ra: Floats, dec: Floats) -> Floats:
        """The same at the pixel centres of the sky's own nside: its values, where it has those pixels."""
        has_them = self.chunker is None and self.frame is Frame.EQUATORIAL and len(self.values) == len(ra)
        return self.values if has_them else self.at(ra, dec)


def _relative(sky: Sky, seed: int, ra: Floats, dec: Floats) -> DensityMap:
    """Relative density, from a file or from the model; positions are the pixel centres of the sky's nside."""
    if sky.from_chunks is not None:
        chunker, rows = read_chunk_rows(sky.from_chunks)
        return DensityMap(sky, _by_chunk(chunker, rows), chunker)
    if sky.from_map is not None:
        read = read_map(sky.from_map)
        made = DensityMap(sky, read.values, frame=read.frame)
    else:
        made = DensityMap(sky, _with_spots(sky.spots, _plane_excess(sky.plane, ra, dec), ra, dec))
    if sky.patchiness:
        noise = stream(seed, "sky", WHOLE_SKY, "patchiness").standard_normal(len(ra))
        made = DensityMap(sky, made.at_pixels(ra, dec) * np.exp(sky.patchiness * noise))
    return made if sky.skew is None else _skewed(made, sky.skew)


def _skewed(model: DensityMap, skew: Skew) -> DensityMap:
    """The model's order of chunks, with the rows that the quantiles say."""
    chunker = chunker_of(skew.striping)
    chunks = chunker.chunk_ids()
    edges = chunker.chunk_edges(chunks)
    model_density = model.at((edges[0] + edges[1]) / 2, (edges[2] + edges[3]) / 2)
    rank = np.empty(len(chunks))
    rank[np.argsort(model_density, kind="stable")] = np.linspace(0, 1, len(chunks))
    shares, rows = zip(*skew.quantiles, strict=True)
    wanted = np.exp(np.interp(rank, shares, np.log(rows)))
    return DensityMap(model.sky, _by_chunk(chunker, dict(zip(chunks.tolist(), wanted.tolist(), strict=True))), chunker)


def _by_chunk(chunker: Chunker, rows: Mapping[int, float]) -> Floats:
    """Density by chunk number."""
    chunks = np.fromiter(rows, np.int64, len(rows))
    west, east, south, north = chunker.chunk_edges(chunks)
    area = (east - west) * np.degrees(np.sin(np.radians(north)) - np.sin(np.radians(south)))
    values = np.zeros(int(chunker.chunk_ids()[-1]) + 1)
    values[chunks] = np.fromiter(rows.values(), np.float64, len(rows)) / area
    return values


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


def _with_spots(spots: Sequence[Spot], relative: Floats, ra: Floats, dec: Floats) -> Floats:
    """Excesses added, discs multiplied in."""
    if not spots:
        return relative
    places = unit_vectors(ra, dec)
    for spot in spots:
        cosine = places @ unit_vectors(spot.ra_deg, spot.dec_deg)
        distance_deg = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
        if spot.shape == "disc":
            relative = np.where(distance_deg <= spot.scale_deg, relative * spot.contrast, relative)
        else:
            relative = relative + (spot.contrast - 1.0) * np.exp(-distance_deg / spot.scale_deg)
    return relative
