"""Regions against lsst.sphgeom: circles, boxes, polygons at poles, at the wrap, and very small."""

from __future__ import annotations

import numpy as np
import pytest
from lsst import sphgeom

from skyshard.chunking.sphere import Box, Circle, Polygon, Region, unit_vectors

CENTRES = [(0.0, 0.0), (359.9999, 45.0), (12.0, 90.0), (200.0, -90.0), (180.0, 89.999), (77.3, -33.0)]
RADII = [1e-6, 1.0 / 3600, 0.01667, 5.0, 89.0, 120.0]


def points(ra: float, dec: float, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Positions around a centre out to twice a radius, and some anywhere."""
    random = np.random.default_rng(int(ra * 7 + radius * 1e6))
    north = np.clip(dec + random.uniform(-2, 2, 60) * radius, -90, 90)
    east = (ra + random.uniform(-2, 2, 60) * radius / np.maximum(np.cos(np.radians(north)), 1e-9)) % 360.0 % 360.0
    anywhere = random.uniform(0, 360, 20), np.degrees(np.arcsin(random.uniform(-1, 1, 20)))
    return np.concatenate([east, anywhere[0], [ra]]), np.concatenate([north, anywhere[1], [dec]])


def disagreements(region: Region, oracle: sphgeom.Region, ra: np.ndarray, dec: np.ndarray) -> list[tuple[float, float]]:
    inside = region.contains(ra, dec)
    vectors = unit_vectors(ra, dec)
    want = [oracle.contains(sphgeom.UnitVector3d(*map(float, vector))) for vector in vectors]
    pairs = zip(ra.tolist(), dec.tolist(), inside.tolist(), want, strict=True)
    return [(one, other) for one, other, got, wanted in pairs if got != wanted]


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize(("ra", "dec"), CENTRES)
def test_circles_are_those_of_sphgeom(ra: float, dec: float, radius: float) -> None:
    """A point is in a circle where lsst.sphgeom says so."""
    centre = sphgeom.UnitVector3d(sphgeom.LonLat.fromDegrees(ra, dec))
    oracle = sphgeom.Circle(centre, sphgeom.Angle.fromDegrees(radius))
    assert disagreements(Circle(ra, dec, radius), oracle, *points(ra, dec, radius)) == []


@pytest.mark.parametrize("box", [(350, -10, 10, 10), (0, 60, 360, 90), (170, -90, 190, -80), (1e-6, 0, 2e-6, 1e-6)])
def test_boxes_are_those_of_sphgeom(box: tuple[float, float, float, float]) -> None:
    """A point is in a box where lsst.sphgeom says so, across 0 and at poles."""
    if box[2] - box[0] >= 360:
        oracle = sphgeom.Box(sphgeom.NormalizedAngleInterval.full(), sphgeom.AngleInterval.fromDegrees(box[1], box[3]))
    else:
        oracle = sphgeom.Box.fromDegrees(*box)
    middle = ((box[0] + (box[2] - box[0]) % 360 / 2) % 360, (box[1] + box[3]) / 2)
    assert disagreements(Box(*box), oracle, *points(*middle, max(box[3] - box[1], 1e-6))) == []


@pytest.mark.parametrize(
    ("corners", "inside"),
    [
        ((350, -10, 10, -10, 10, 10, 350, 10), (0.0, 0.0)),
        ((0, 80, 90, 80, 180, 80, 270, 80), (33.0, 90.0)),
        ((10, 0, 10.00001, 0, 10, 0.00001), (10.000003, 0.000003)),
    ],
)
def test_polygons_are_those_of_sphgeom(corners: tuple[float, ...], inside: tuple[float, float]) -> None:
    """A point is in a convex polygon where lsst.sphgeom says so, also with a pole inside; its corners aside."""
    polygon = Polygon.of(*corners)
    vertices = [sphgeom.UnitVector3d(sphgeom.LonLat.fromDegrees(*vertex)) for vertex in polygon.vertices]
    spread = max(corners[1::2]) - min(corners[1::2])
    at = points(*inside, max(spread, 8e-6))
    assert polygon.contains(*inside)
    assert disagreements(polygon, sphgeom.ConvexPolygon(vertices), *at) == []
