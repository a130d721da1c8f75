"""Fields on the sky and their tiles: squares in the plane that touches the sphere at a field's centre.

Great circles are straight lines in that plane, so that tiles are polygons of great-circle edges everywhere, at right
ascension 0 and around a pole too. Plane coordinates are radians at the centre: x to the east, y to the north.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from skyshard.apdb.sky.sky_settings import SkySettings
from skyshard.basics.array_types import Flags, Floats, Integers
from skyshard.basics.errors import UserError
from skyshard.chunking.sphere import ARCSEC_PER_DEG, DEG_PER_RAD, RAD_PER_DEG, Polygon, ang_sep, unit_vectors

_SURE_RAD = 1e-9
"""Positions nearer to an edge are compared as a backend compares them, on the sphere."""
_CENTRES = 11
"""Tells this stream of random numbers from others of the same seed."""
_MOST_TRIES = 100_000
_AT_ONCE = 1_000


def draw_centres(count: int, fov_deg: float, seed: int) -> tuple[tuple[float, float], ...]:
    """Centres of fields that do not touch: the first across right ascension 0, the second with the south pole in it,
    the others at random between declinations -65 and 10.

    Raises:
        UserError: there is no room for so many.
    """
    chosen = [(0.0, -30.0), (180.0, -90.0 + fov_deg / 4.0)][:count]
    apart = least_distance(fov_deg)
    rng = np.random.default_rng([seed, _CENTRES])
    for _ in range(_MOST_TRIES // _AT_ONCE):
        if len(chosen) < count:
            low, high = (math.sin(dec * RAD_PER_DEG) for dec in (-65.0, 10.0))
            ra, height = rng.uniform((0.0, low), (360.0, high), (_AT_ONCE, 2)).T
            choose_apart(chosen, count, apart, ra, np.arcsin(height) * DEG_PER_RAD)
    if len(chosen) < count:
        raise UserError(f"no room for {count} fields of {fov_deg:g} degrees", remedy="take fewer, or a smaller fov_deg")
    return tuple(chosen)


def choose_apart(chosen: list[tuple[float, float]], count: int, apart: float, ra: Floats, dec: Floats) -> None:
    """Take those centres in turn that keep away from all before, until there are enough."""
    is_free = np.ones(len(ra), bool)
    for other in chosen:
        is_free &= ang_sep(ra, dec, *other) >= apart
    while len(chosen) < count and is_free.any():
        first = int(is_free.argmax())
        chosen.append((float(ra[first]), float(dec[first])))
        is_free &= ang_sep(ra, dec, *chosen[-1]) >= apart


def least_distance(fov_deg: float) -> float:
    """Degrees between the centres of two fields that cannot touch, whichever way they are turned."""
    return 2.0 * math.atan(math.sqrt(2.0) * math.tan(0.5 * fov_deg * RAD_PER_DEG)) * DEG_PER_RAD + 0.1


@dataclass(frozen=True, slots=True)
class Readers:
    """Which tiles read which rows: pairs of a row's index and a tile's number."""

    row: Integers
    tile: Integers


@dataclass(frozen=True, slots=True)
class Field:
    """One field; tiles are numbered row by row from the south-west."""

    ra: float
    dec: float
    half: float
    """Half a side in the plane."""
    tiles: int
    pad: float
    """Margin of what a tile reads, in the plane."""
    regions: tuple[Polygon, ...] = field(init=False, repr=False)
    padded: tuple[Polygon, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        corners = [self._polygon(tile, 0.0) for tile in range(self.tiles**2)]
        object.__setattr__(self, "regions", tuple(corners))
        object.__setattr__(self, "padded", tuple(self._polygon(tile, self.pad) for tile in range(self.tiles**2)))

    @classmethod
    def of(cls, settings: SkySettings, number: int) -> Field:
        ra, dec = settings.centres[number]
        half = math.tan(0.5 * settings.fov_deg * RAD_PER_DEG)
        return cls(ra, dec, half, settings.tiles, settings.padding_arcsec / ARCSEC_PER_DEG * RAD_PER_DEG)

    @property
    def outline(self) -> Polygon:
        """The whole field."""
        x, y = np.array([-1.0, 1.0, 1.0, -1.0]) * self.half, np.array([-1.0, -1.0, 1.0, 1.0]) * self.half
        ra, dec = self.on_sky(x, y)
        return Polygon(tuple(zip(ra.tolist(), dec.tolist(), strict=True)))

    @property
    def _step(self) -> float:
        return 2.0 * self.half / self.tiles

    def _polygon(self, tile: int, pad: float) -> Polygon:
        row, column = divmod(tile, self.tiles)
        west, south = -self.half + column * self._step - pad, -self.half + row * self._step - pad
        east, north = west + self._step + 2.0 * pad, south + self._step + 2.0 * pad
        ra, dec = self.on_sky(np.array([west, east, east, west]), np.array([south, south, north, north]))
        return Polygon(tuple(zip(ra.tolist(), dec.tolist(), strict=True)))

    @property
    def _axes(self) -> tuple[Floats, Floats]:
        """East and north at the centre, as vectors."""
        lon, lat = self.ra * RAD_PER_DEG, self.dec * RAD_PER_DEG
        east = np.array([-math.sin(lon), math.cos(lon), 0.0])
        north = np.array([-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)])
        return east, north

    def in_plane(self, ra: Floats, dec: Floats) -> tuple[Floats, Floats, Flags]:
        """Points of the sphere in the plane, and whether they are in the field; the others' places mean nothing."""
        vectors = unit_vectors(ra, dec)
        depth = vectors @ unit_vectors(self.ra, self.dec)
        x, y = (vectors @ axis / np.where(depth > 0.0, depth, 1.0) for axis in self._axes)
        return x, y, (depth > 0.0) & (np.abs(x) <= self.half) & (np.abs(y) <= self.half)

    def on_sky(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Right ascension in [0, 360) and declination of points of the plane."""
        east, north = self._axes
        vectors = unit_vectors(self.ra, self.dec) + x[:, None] * east + y[:, None] * north
        ra = np.arctan2(vectors[:, 1], vectors[:, 0]) * DEG_PER_RAD
        ra = np.where(ra < 0.0, ra + 360.0, ra)
        dec = np.arctan2(vectors[:, 2], np.hypot(vectors[:, 0], vectors[:, 1])) * DEG_PER_RAD
        return np.where(ra >= 360.0, 0.0, ra), dec

    def drawn(self, count: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
        """Points of the field, evenly at random in the plane."""
        x, y = rng.uniform(-self.half, self.half, (2, count))
        return x, y

    def owners(self, x: Floats, y: Floats) -> Integers:
        """The tile that each point of the field belongs to."""
        column, row = (self._cells(values) for values in (x, y))
        return row * self.tiles + column

    def _cells(self, values: Floats) -> Integers:
        cells = np.floor((values + self.half) / self._step).astype(np.int64)
        return np.clip(cells, 0, self.tiles - 1)

    def readers(self, x: Floats, y: Floats, ra: Floats, dec: Floats) -> Readers:
        """The tiles whose padded region holds each point, exactly as ``Polygon.contains`` says."""
        column, row = self._cells(x), self._cells(y)
        points, tiles = [], []
        for right in (-1, 0, 1):
            for up in (-1, 0, 1):
                tile, is_inside = self._reading(column + right, row + up, x, y, ra, dec)
                points.append(np.flatnonzero(is_inside))
                tiles.append(tile[is_inside])
        return Readers(np.concatenate(points), np.concatenate(tiles))

    def _reading(
        self, column: Integers, row: Integers, x: Floats, y: Floats, ra: Floats, dec: Floats
    ) -> tuple[Integers, Flags]:
        """Number of one neighbouring tile of each point, and whether it exists and reads the point."""
        reach = 0.5 * self._step + self.pad
        middles = ((cells + 0.5) * self._step - self.half for cells in (column, row))
        depth = reach - np.maximum(*(np.abs(v - middle) for v, middle in zip((x, y), middles, strict=True)))
        exists = (column >= 0) & (column < self.tiles) & (row >= 0) & (row < self.tiles)
        tile, is_inside = row * self.tiles + column, exists & (depth > 0.0)
        for point in np.flatnonzero(exists & (np.abs(depth) < _SURE_RAD)):
            is_inside[point] = self.padded[tile[point]].contains(ra[point], dec[point])
        return tile, is_inside
