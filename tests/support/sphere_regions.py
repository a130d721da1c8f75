"""Hypothesis strategies for positions and regions on the sphere, and positions where they matter for a region."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from tests.support.depth import drawn

from skyshard.chunking.sphere import Box, Circle, Ellipse, Polygon, Region, unit_vectors

relaxed = settings(max_examples=drawn(15))

RA = st.floats(0, 360, exclude_max=True)

DEC = st.floats(-90, 90)


@st.composite
def circles(draw: st.DrawFn) -> Circle:
    return Circle(draw(RA), draw(DEC), draw(st.floats(0, 180) | st.floats(0, 3)))


@st.composite
def ellipses(draw: st.DrawFn) -> Ellipse:
    major = draw(st.floats(1, 36_000))
    return Ellipse(draw(RA), draw(DEC), major, draw(st.floats(0.01, 1)) * major, draw(st.floats(-360, 360)))


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    south, north = sorted((draw(DEC), draw(DEC)))
    return Box(draw(RA), south, draw(RA), north)


@st.composite
def polygons(draw: st.DrawFn) -> Polygon:
    """Corners on a circle, in either direction: convex by construction."""
    ra, dec, radius, turn = draw(RA), draw(DEC), draw(st.floats(0.01, 80)), draw(st.floats(0, 360))
    corners = draw(st.integers(3, 7))
    spokes = [turn + (i + 0.8 * draw(st.floats(0, 1))) * 360 / corners for i in range(corners)]
    points = [_at(ra, dec, radius, spoke) for spoke in spokes]
    return Polygon(tuple(points[:: draw(st.sampled_from((1, -1)))]))


def _at(ra: float, dec: float, distance: float, bearing: float) -> tuple[float, float]:
    """The point at a distance and bearing (from north through east), by vectors, so that poles are no exception."""
    lon, lat, d, b = map(math.radians, (ra, dec, distance, bearing))
    north = np.array([-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)])
    east = np.array([-math.sin(lon), math.cos(lon), 0.0])
    x, y, z = math.cos(d) * unit_vectors(ra, dec) + math.sin(d) * (math.cos(b) * north + math.sin(b) * east)
    return math.degrees(math.atan2(y, x)) % 360.0 % 360.0, math.degrees(math.atan2(z, math.hypot(x, y)))


REGIONS = st.one_of(boxes(), circles(), ellipses(), polygons())


def points_near(region: Region, seed: int, count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Positions in and around the bounding box of a region, and some anywhere, poles and the wrap among them."""
    rng = np.random.default_rng(seed)
    bounds = region.bounds()
    lo, hi = bounds.ra_range
    width = (hi - lo) % 360.0 if hi - lo < 360.0 else 360.0
    ra = (lo + width * rng.uniform(-0.05, 1.05, count)) % 360.0
    dec = bounds.dec_min + (bounds.dec_max - bounds.dec_min) * rng.uniform(-0.05, 1.05, count)
    ra = np.concatenate([ra, rng.uniform(0, 360, 50), [0.0, 359.9999999, 0.0, 12.0]])
    dec = np.concatenate([np.clip(dec, -90, 90), rng.uniform(-90, 90, 50), [0.0, 0.0, 90.0, -90.0]])
    return np.where(ra >= 360.0, 0.0, ra), dec
