"""Points and regions on the sphere: no I/O, no chunk numbers, all angles in degrees unless a name says otherwise.

A region answers ``contains`` as sciSQL's function of the same kind does (edges included), and says where it can lie:
``bounds`` (a box around it), ``ra_ranges`` (per declination band) and ``half_spaces`` (great circles it stays inside).
Those three may be too wide, never too narrow. Longitude ranges are pairs (lo, hi) in [0, 360]; lo > hi wraps through 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from skyshard.basics.array_types import Flags, Floats
from skyshard.basics.errors import UserError

RAD_PER_DEG = 0.0174532925199432957692369076849
DEG_PER_RAD = 57.2957795130823208767981548141
ARCSEC_PER_DEG = 3600.0


_PAD_DEG = 1e-9
"""Added to what a region's outline is known to, so that rounding never puts a point outside it."""
_MAX_ELLIPSE_ARCSEC = 36_000.0
_MIN_THICKNESS_RAD = 1e-9
_MAX_DENT_RAD = 1e-7


class HalfSpaces(NamedTuple):
    """Region ⊆ {v : v · normal >= -sin(slack)} for each row; unit normals of shape (k, 3), slack in radians."""

    normals: Floats
    slack_rad: Floats


NO_HALF_SPACES = HalfSpaces(np.empty((0, 3)), np.empty(0))


def reduce_ra(ra: ArrayLike) -> Floats:
    """Longitudes brought into [0, 360) as sciSQL's ``angred`` does; NaN for what is not finite."""
    with np.errstate(invalid="ignore"):
        reduced = np.fmod(np.asarray(ra, dtype=np.float64), 360.0)
    reduced = np.where(reduced < 0.0, reduced + 360.0, reduced)
    return np.where(reduced == 360.0, 0.0, reduced)


def unit_vectors(ra: ArrayLike, dec: ArrayLike) -> Floats:
    """Cartesian unit vectors, shape (..., 3)."""
    lon = np.asarray(ra, dtype=np.float64) * RAD_PER_DEG
    lat = np.asarray(dec, dtype=np.float64) * RAD_PER_DEG
    cos_lat = np.cos(lat)
    return np.stack(np.broadcast_arrays(np.cos(lon) * cos_lat, np.sin(lon) * cos_lat, np.sin(lat)), axis=-1)


def ang_sep(ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike) -> Floats:
    """Angular separation in degrees, by the haversine form of ``scisql_angSep``; arguments broadcast."""
    quarter = _secant_distance2(ra1, dec1, ra2, dec2) * 0.25
    return np.asarray(np.minimum(2.0 * DEG_PER_RAD * np.arcsin(np.sqrt(quarter)), 180.0))


def _secant_distance2(ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike) -> Floats:
    """Squared straight-line distance between points of the unit sphere, in [0, 4]."""
    lon1, lat1, lon2, lat2 = (np.asarray(a, dtype=np.float64) for a in (ra1, dec1, ra2, dec2))
    x = np.sin((lon1 - lon2) * RAD_PER_DEG * 0.5) ** 2
    y = np.sin((lat1 - lat2) * RAD_PER_DEG * 0.5) ** 2
    z = np.cos((lat1 + lat2) * RAD_PER_DEG * 0.5) ** 2
    return np.asarray(np.clip(4.0 * (x * (z - y) + y), 0.0, 4.0))


def _points(ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats, Flags]:
    """Positions as arrays, and which are valid (finite, declination in [-90, 90])."""
    lon, lat = np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)
    is_valid = np.isfinite(lon) & (lat >= -90.0) & (lat <= 90.0)
    if not is_valid.all():
        lon, lat = np.where(is_valid, lon, 0.0), np.where(is_valid, lat, 0.0)
    return lon, lat, is_valid


def _require(is_met: bool, what: str, remedy: str) -> None:
    if not is_met:
        raise UserError(what, remedy=remedy)


def _require_position(kind: str, *positions: tuple[float, float]) -> None:
    for ra, dec in positions:
        _require(math.isfinite(ra) and math.isfinite(dec), f"{kind}: ({ra}, {dec}) is not finite", "give numbers")
        _require(-90.0 <= dec <= 90.0, f"{kind}: declination {dec} is outside [-90, 90]", "give degrees")


@dataclass(frozen=True, slots=True)
class Box:
    """Longitude and latitude ranges, edges included (``scisql_s2PtInBox``).

    ``ra_min > ra_max`` wraps through 0, and is allowed only within [0, 360]; a width of 360 or more is the full circle.
    ``dec_min > dec_max`` is the empty box.
    """

    ra_min: float
    dec_min: float
    ra_max: float
    dec_max: float

    def __post_init__(self) -> None:
        _require_position("box", (self.ra_min, self.dec_min), (self.ra_max, self.dec_max))
        is_ordered = self.ra_min <= self.ra_max or (self.ra_max >= 0.0 and self.ra_min <= 360.0)
        what = f"box: ra_min {self.ra_min} > ra_max {self.ra_max}, with one of them outside [0, 360]"
        _require(is_ordered, what, "only boxes within [0, 360] may wrap")

    @property
    def is_empty(self) -> bool:
        return self.dec_min > self.dec_max

    @property
    def ra_range(self) -> tuple[float, float]:
        """(lo, hi) in [0, 360]; (0, 360) is the full circle, lo > hi wraps."""
        if self.ra_max - self.ra_min >= 360.0:
            return 0.0, 360.0
        lo, hi = reduce_ra([self.ra_min, self.ra_max]).tolist()
        return lo, hi

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> Flags:
        lon, lat, is_valid = _points(ra, dec)
        is_inside = is_valid & (lat >= self.dec_min) & (lat <= self.dec_max)
        lon = reduce_ra(lon)
        lo, hi = self.ra_range
        return is_inside & (((lon >= lo) & (lon <= hi)) if lo <= hi else ((lon >= lo) | (lon <= hi)))

    def bounds(self) -> Box:
        return self

    def ra_ranges(self, dec_min: Floats, dec_max: Floats) -> tuple[Floats, Floats]:
        """The same range for each band."""
        lo, hi = self.ra_range
        return np.full_like(dec_min, lo), np.full_like(dec_max, hi)

    def half_spaces(self) -> HalfSpaces:
        return NO_HALF_SPACES


def grown(box: Box, margin_deg: float) -> Box:
    """A box that has every point within a distance of one of its points, and maybe more.

    >>> grown(Box(359.0, -1.0, 1.0, 60.0), 1.0)
    Box(ra_min=356.9..., dec_min=-2.0, ra_max=3.0..., dec_max=61.0)
    >>> grown(Box(10.0, 88.0, 20.0, 89.5), 1.0).ra_range
    (0.0, 360.0)
    """
    if box.is_empty:
        return box
    south, north = max(-90.0, box.dec_min - margin_deg), min(90.0, box.dec_max + margin_deg)
    low, high = box.ra_range
    width = (high - low) % 360.0 if (low, high) != (0.0, 360.0) else 360.0
    cosine = math.cos(max(abs(south), abs(north)) * RAD_PER_DEG)
    ratio = math.sin(margin_deg * RAD_PER_DEG) / cosine if cosine > 1e-9 else 1.0
    if ratio >= 1.0 or width + 2.0 * (reach := math.asin(ratio) * DEG_PER_RAD + _PAD_DEG) >= 360.0:
        return Box(0.0, south, 360.0, north)
    west, east = (low - reach) % 360.0, (high + reach) % 360.0
    return Box(west, south, east, north)


@dataclass(frozen=True, slots=True)
class Circle:
    """Points within ``radius_deg`` of a centre, the edge included (``scisql_s2PtInCircle``)."""

    ra: float
    dec: float
    radius_deg: float

    def __post_init__(self) -> None:
        _require_position("circle", (self.ra, self.dec))
        is_radius = 0.0 <= self.radius_deg <= 180.0
        _require(is_radius, f"circle: radius {self.radius_deg} is outside [0, 180]", "give degrees")

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> Flags:
        lon, lat, is_valid = _points(ra, dec)
        sine = math.sin(self.radius_deg * 0.5 * RAD_PER_DEG)
        is_near = np.abs(lat - self.dec) <= self.radius_deg
        return is_valid & is_near & (_secant_distance2(lon, lat, self.ra, self.dec) <= 4.0 * sine * sine)

    @property
    def _reach_deg(self) -> float:
        """The radius, padded; near 180 a rounded distance decides little, so the whole sphere is taken."""
        return self.radius_deg + _PAD_DEG if self.radius_deg < 179.9 else 180.0

    def bounds(self) -> Box:
        south, north = max(-90.0, self.dec - self._reach_deg), min(90.0, self.dec + self._reach_deg)
        lo, hi = self.ra_ranges(np.array([south]), np.array([north]))
        return Box(float(lo[0]), south, float(hi[0]), north)

    def ra_ranges(self, dec_min: Floats, dec_max: Floats) -> tuple[Floats, Floats]:
        """Widest longitude range at a declination of each band, which must meet the circle.

        The half-width is stationary only where sin(dec) = sin(centre) / cos(radius), so that and both ends are tried.
        """
        south, north = self.dec - self._reach_deg, self.dec + self._reach_deg
        low, high = np.clip(dec_min, south, north), np.clip(dec_max, south, north)
        half = np.maximum(self._half_width_deg(low), self._half_width_deg(high))
        sine, cosine = math.sin(self.dec * RAD_PER_DEG), math.cos(self._reach_deg * RAD_PER_DEG)
        if abs(sine) <= abs(cosine) and cosine != 0.0:
            turn = math.asin(sine / cosine) * DEG_PER_RAD
            half = np.maximum(half, self._half_width_deg(np.clip(turn, low, high)))
        half += _PAD_DEG
        is_full = half >= 180.0
        lo, hi = reduce_ra(self.ra - half), reduce_ra(self.ra + half)
        return np.where(is_full, 0.0, lo), np.where(is_full, 360.0, hi)

    def _half_width_deg(self, dec: Floats) -> Floats:
        """Largest |ra - centre| on the circle at a declination; 0 where the circle does not reach it."""
        reach = math.sin(self._reach_deg * 0.5 * RAD_PER_DEG)
        offset = np.sin((dec - self.dec) * 0.5 * RAD_PER_DEG)
        spread = np.cos(dec * RAD_PER_DEG) * math.cos(self.dec * RAD_PER_DEG)
        share = np.clip((reach * reach - offset * offset) / np.maximum(spread, 1e-40), 0.0, 1.0)
        share = np.where(share > 1.0 - 1e-9, 1.0, share)
        return np.asarray(2.0 * DEG_PER_RAD * np.arcsin(np.sqrt(share)))

    def half_spaces(self) -> HalfSpaces:
        return NO_HALF_SPACES


@dataclass(frozen=True, slots=True)
class Ellipse:
    """Points inside an ellipse in the plane that touches the sphere at its centre (``scisql_s2PtInEllipse``).

    Position angle from north through east. Semi-axes are compared with sines, as sciSQL does. Unlike sciSQL, whose
    formula cannot tell a point from its antipode, points more than 90 degrees from the centre are outside.
    """

    ra: float
    dec: float
    semi_major_arcsec: float
    semi_minor_arcsec: float
    position_angle_deg: float

    def __post_init__(self) -> None:
        _require_position("ellipse", (self.ra, self.dec))
        major, minor = self.semi_major_arcsec, self.semi_minor_arcsec
        is_axes = 0.0 <= minor <= major <= _MAX_ELLIPSE_ARCSEC
        what = f"ellipse: semi-axes {major} and {minor} arcsec are not 0 <= minor <= major <= 36000"
        _require(is_axes, what, "give arcseconds, the major axis first")
        is_angle = math.isfinite(self.position_angle_deg)
        _require(is_angle, f"ellipse: position angle {self.position_angle_deg} is not finite", "give degrees")

    @property
    def _axes_rad(self) -> tuple[float, float]:
        per_arcsec = RAD_PER_DEG / ARCSEC_PER_DEG
        return self.semi_major_arcsec * per_arcsec, self.semi_minor_arcsec * per_arcsec

    def _frame(self) -> tuple[Floats, Floats, Floats]:
        """Unit vectors: the centre, along the major axis, along the minor axis."""
        centre = unit_vectors(self.ra, self.dec)
        lon, lat = self.ra * RAD_PER_DEG, self.dec * RAD_PER_DEG
        north = np.array([-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)])
        east = np.array([-math.sin(lon), math.cos(lon), 0.0])
        sine, cosine = (f(self.position_angle_deg * RAD_PER_DEG) for f in (math.sin, math.cos))
        return centre, cosine * north + sine * east, cosine * east - sine * north

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> Flags:
        lon, lat, is_valid = _points(ra, dec)
        major, minor = self._axes_rad
        if minor * minor == 0.0:
            return np.zeros_like(is_valid)
        vectors = unit_vectors(lon, lat)
        centre, along, across = self._frame()
        x, y = vectors @ along, vectors @ across
        is_inside = x * x * (1.0 / (major * major)) + y * y * (1.0 / (minor * minor)) <= 1.0
        return is_valid & is_inside & (vectors @ centre > 0.0)

    def _bounding_circle(self) -> Circle:
        return Circle(self.ra, self.dec, math.asin(self._axes_rad[0]) * DEG_PER_RAD)

    def bounds(self) -> Box:
        return self._bounding_circle().bounds()

    def ra_ranges(self, dec_min: Floats, dec_max: Floats) -> tuple[Floats, Floats]:
        """Those of the circle around the ellipse."""
        return self._bounding_circle().ra_ranges(dec_min, dec_max)

    def half_spaces(self) -> HalfSpaces:
        """Two pairs of great circles, parallel to the axes."""
        _, along, across = self._frame()
        slack = np.arcsin(np.repeat(self._axes_rad, 2)) + _PAD_DEG * RAD_PER_DEG
        return HalfSpaces(np.array([along, -along, across, -across]), slack)


def _inward_normals(corners: Floats) -> Floats:
    """Normals of the great circles through consecutive corners, pointing to the corners' mean; repeats left out."""
    following = np.concatenate([corners[1:], corners[:1]])
    edges = np.cross(following + corners, following - corners)
    edges = edges[np.abs(edges).max(axis=1, initial=0.0) > _MIN_THICKNESS_RAD]
    is_clockwise = len(edges) and float(corners.sum(axis=0) @ edges[0]) < 0.0
    return np.asarray(-edges if is_clockwise else edges)


@dataclass(frozen=True, slots=True)
class Polygon:
    """A convex polygon of great-circle edges, edges included (``scisql_s2PtInCPoly``).

    Vertices are (ra, dec) pairs in either direction round; repeating one (to close the polygon) is harmless.
    """

    vertices: tuple[tuple[float, float], ...]
    _edges: Floats = field(init=False, repr=False, compare=False)
    """Inward normals of the edges (not of unit length), without those of repeated vertices."""

    def __post_init__(self) -> None:
        _require_position("polygon", *self.vertices)
        edges, remedy = _inward_normals(self._corners()), "list the corners of one convex polygon in order"
        object.__setattr__(self, "_edges", edges)
        _require(len(edges) >= 3, "polygon: fewer than 3 different corners", remedy)
        heights = (edges / np.linalg.norm(edges, axis=1, keepdims=True)) @ self._corners().T
        is_area = bool((np.abs(heights).max(axis=1) > _MIN_THICKNESS_RAD).all())
        _require(is_area, "polygon: its corners lie on one great circle", remedy)
        _require(bool(heights.min() >= -_MAX_DENT_RAD), "polygon: it is not convex", remedy)

    @classmethod
    def of(cls, *numbers: float) -> Polygon:
        """From ra1, dec1, ra2, dec2, ...

        >>> Polygon.of(0, 0, 1, 0, 0, 1).contains([0.2, 0.8], [0.2, 0.8]).tolist()
        [True, False]
        """
        _require(len(numbers) % 2 == 0, f"polygon: {len(numbers)} numbers are not ra, dec pairs", "give pairs")
        return cls(tuple(zip(numbers[0::2], numbers[1::2], strict=True)))

    def _corners(self) -> Floats:
        ra, dec = np.array(self.vertices, dtype=np.float64).reshape(-1, 2).T
        return unit_vectors(ra, dec)

    def contains(self, ra: ArrayLike, dec: ArrayLike) -> Flags:
        lon, lat, is_inside = _points(ra, dec)
        vectors = unit_vectors(lon, lat)
        for edge in self._edges:
            is_inside = is_inside & (vectors @ edge >= 0.0)
        return is_inside

    def bounds(self) -> Box:
        """The smallest box around corners and edges, padded; the full circle when a pole is inside."""
        unit = self.half_spaces().normals
        south = -90.0 if unit[:, 2].max() <= 1e-12 else self._extreme_dec(unit, -1.0) - _PAD_DEG
        north = 90.0 if unit[:, 2].min() >= -1e-12 else self._extreme_dec(unit, 1.0) + _PAD_DEG
        south, north = max(-90.0, south), min(90.0, north)
        pad = _PAD_DEG / max(math.cos(max(abs(south), abs(north)) * RAD_PER_DEG), 1e-15)
        ra = np.array([vertex[0] for vertex in self.vertices])
        steps = np.diff(ra, append=ra[0])
        along = ra[0] + np.cumsum(steps - 360.0 * np.round(steps / 360.0))
        lo, hi = float(along.min()) - pad, float(along.max()) + pad
        if hi - lo >= 360.0 or max(-south, north) == 90.0:
            return Box(0.0, south, 360.0, north)
        return Box(float(reduce_ra(lo)), south, float(reduce_ra(hi)), north)

    def _extreme_dec(self, unit_normals: Floats, sign: float) -> float:
        """Northernmost (sign 1) or southernmost (-1) declination of the corners and of the edges between them."""
        corners = self._corners()
        extreme = float((sign * corners[:, 2]).max())
        for normal in unit_normals:
            top = sign * (np.array([0.0, 0.0, 1.0]) - normal[2] * normal)
            is_on_edge = (unit_normals @ top >= -1e-12).all()
            if is_on_edge and top @ top > 0.0:
                extreme = max(extreme, float(np.sqrt(top @ top)))
        return sign * math.asin(min(1.0, extreme)) * DEG_PER_RAD

    def ra_ranges(self, dec_min: Floats, dec_max: Floats) -> tuple[Floats, Floats]:
        """The range of the bounding box for each band."""
        return self.bounds().ra_ranges(dec_min, dec_max)

    def half_spaces(self) -> HalfSpaces:
        unit = self._edges / np.linalg.norm(self._edges, axis=1, keepdims=True)
        return HalfSpaces(unit, np.full(len(unit), _PAD_DEG * RAD_PER_DEG))


Region: TypeAlias = Box | Circle | Ellipse | Polygon
