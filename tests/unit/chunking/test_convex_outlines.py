"""Many polygons at once are what each is by itself, and those that are none are named."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from tests.support.sphere_regions import points_near, polygons, relaxed

from skyshard.chunking.convex_outlines import MOST_CORNERS, OutlineFault, Outlines, outlines
from skyshard.chunking.sphere import Polygon, unit_vectors


def made_of(*corners: tuple[float, float], edges: int = 4) -> Outlines:
    ra, dec = (np.array([[corner[axis] for corner in corners]]) for axis in (0, 1))
    return outlines(ra, dec, edges=edges)


@relaxed
@given(polygons())
def test_normals_hold_the_points_that_the_polygon_holds(polygon: Polygon) -> None:
    """Also with more normals than it has corners: the others cut nothing off."""
    made = made_of(*polygon.vertices, edges=10)
    assert made.fault(0) is OutlineFault.NONE
    assert made.normals.shape == (1, 10, 3)
    ra, dec = points_near(polygon, 3)
    products = unit_vectors(ra, dec) @ made.normals[0].T
    edges = polygon.half_spaces().normals
    is_clear = np.abs(unit_vectors(ra, dec) @ edges.T).min(axis=1) > 1e-12
    found = (products >= 0).all(axis=1)
    np.testing.assert_array_equal(found[is_clear], polygon.contains(ra, dec)[is_clear])


@relaxed
@given(polygons())
def test_bounds_hold_the_polygon(polygon: Polygon) -> None:
    """Every point of the polygon is within its box."""
    made = made_of(*polygon.vertices)
    west, south, east, north = made.bounds[0]
    ra, dec = points_near(polygon, 5)
    inside = polygon.contains(ra, dec)
    ra, dec = ra[inside] % 360.0, dec[inside]
    in_range = (west <= ra) & (ra <= east) if west <= east else (west <= ra) | (ra <= east)
    assert ((south <= dec) & (dec <= north) & in_range).all()


@relaxed
@given(polygons())
def test_circle_is_about_the_centre_of_mass(polygon: Polygon) -> None:
    """As sphgeom has it, which Rubin takes s_ra, s_dec and s_fov from."""
    sphgeom = pytest.importorskip("lsst.sphgeom")
    made = made_of(*polygon.vertices)
    corners = [sphgeom.UnitVector3d(sphgeom.LonLat.fromDegrees(*vertex)) for vertex in polygon.vertices]
    circle = sphgeom.ConvexPolygon(corners).getBoundingCircle()
    centre = np.array(list(circle.getCenter()))
    assert unit_vectors(*made.centre[0]) @ centre == pytest.approx(1.0, abs=1e-12)
    assert made.radius_deg[0] == pytest.approx(circle.getOpeningAngle().asDegrees(), abs=1e-5)


@pytest.mark.parametrize(
    ("corners", "fault"),
    [
        ([(1, 1), (2, 2)], OutlineFault.FEW_CORNERS),
        ([(1, 1), (2, 2), (2, 2), (1, 1)], OutlineFault.FEW_CORNERS),
        ([(1, 1), (math.nan, 2), (2, 2)], OutlineFault.NOT_FINITE),
        ([(1, 1), (2, 91), (2, 2)], OutlineFault.NOT_FINITE),
        ([(0, 0), (1, 0), (2, 0), (1.5, 0)], OutlineFault.FLAT),
        ([(0, 0), (90, 0), (180, 0), (270, 0)], OutlineFault.FLAT),  # a whole hemisphere
        ([(0, 0), (180, 0), (90, 45)], OutlineFault.FLAT),  # a side of 180 degrees is on no one great circle
        ([], OutlineFault.NO_CORNERS),
        ([(0, 0), (1, 1), (1, 0), (0, 1)], OutlineFault.CROSSING),
        ([(10, 0), (11, 0), (11, 1), (11, 0), (10, 0)], OutlineFault.DENTED),  # there and back again
        ([(10, 0), (11, 0), (11, 1), (10, 0), (9, 1)], OutlineFault.DENTED),  # two triangles that touch
        ([(0, 0), (2, 0), (0.2, 0.2), (0, 2)], OutlineFault.DENTED),
        ([(0, 80), (120, -80), (240, 80), (180, -80)], OutlineFault.HEMISPHERE),
        ([(10 * math.cos(i), 10 * math.sin(i)) for i in np.arange(MOST_CORNERS + 1) * 0.36], OutlineFault.MANY_CORNERS),
    ],
)
def test_polygon_that_is_none_is_named(corners: list[tuple[float, float]], fault: OutlineFault) -> None:
    """And has no numbers."""
    made = made_of(*corners)
    assert made.fault(0) is fault
    assert np.isnan(made.normals).all()
    assert np.isnan(made.bounds).all()


@pytest.mark.parametrize(
    ("corners", "plain"),
    [
        ([(0, 90), (90, 90), (45, 80), (10, 80)], [(0, 90), (45, 80), (10, 80)]),  # a pole has every right ascension
        ([(719.9, 0), (720.1, 0), (0.1, 1), (-0.1, 1)], [(359.9, 0), (0.1, 0), (0.1, 1), (359.9, 1)]),
        ([(10, 0), (10, 0), (11, 0), (11, 1), (11, 1), (10, 0)], [(10, 0), (11, 0), (11, 1)]),
    ],
)
def test_corners_in_other_words_are_the_same_polygon(
    corners: list[tuple[float, float]], plain: list[tuple[float, float]]
) -> None:
    """At a pole, over RA 0 by any number of turns, and with corners that come again."""
    made, other = made_of(*corners), made_of(*plain)
    assert made.fault(0) is other.fault(0) is OutlineFault.NONE
    assert made.counts.tolist() == other.counts.tolist() == [len(plain)]
    np.testing.assert_allclose(made.normals, other.normals, atol=1e-12)
    np.testing.assert_allclose(made.bounds, other.bounds, atol=1e-7)


def test_clockwise_polygon_is_turned_and_counted() -> None:
    """The same region, whichever way its corners came."""
    corners = [(359.9, -0.1), (0.1, -0.1), (0.1, 0.1), (359.9, 0.1)]
    one, other = made_of(*corners), made_of(*corners[::-1])
    assert (one.is_turned[0], other.is_turned[0]) == (False, True)
    np.testing.assert_allclose(np.sort(one.normals[0], axis=0), np.sort(other.normals[0], axis=0), atol=1e-15)
    assert one.bounds[0].tolist() == other.bounds[0].tolist()


def test_boxes_at_the_seam_and_at_poles() -> None:
    """Over RA 0 the box leads from a greater right ascension to a smaller one; around a pole it is full circle."""
    ra = np.array([[359.9, 0.1, 0.1, 359.9], [0, 90, 180, 270], [10, 11, 11, 10]], dtype=float)
    dec = np.array([[-0.1, -0.1, 0.1, 0.1], [-89.9] * 4, [-89, -89, -88.9, -88.9]])
    bounds = outlines(ra, dec).bounds
    np.testing.assert_allclose(bounds[0], [359.9, -0.1, 0.1, 0.1], atol=1e-6)  # edges bow by 0.0006 arcsec
    np.testing.assert_allclose(bounds[1], [0, -90, 360, -89.9], atol=1e-8)
    assert bounds[2, 1] < -89.0  # an edge along a parallel bows towards the pole


def test_rows_of_different_corners_are_of_one_width() -> None:
    """A triangle and a pentagon in one table; corners that close a polygon do not count."""
    ra = np.array([[0, 1, 0, 0, 0], [10, 11, 11.5, 10.5, 9.5]], dtype=float)
    dec = np.array([[0, 0, 1, 0, 0], [0, 0, 1, 2, 1]], dtype=float)
    made = outlines(ra, dec, np.array([4, 5]))
    assert made.counts.tolist() == [3, 5]
    assert made.normals.shape == (2, 5, 3)
    assert np.isfinite(made.normals).all()
