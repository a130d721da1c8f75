"""Separations and regions, against plain formulas written out here."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sphere_regions import DEC, RA, REGIONS, circles, points_near, polygons, relaxed

from skyshard.basics.errors import UserError
from skyshard.chunking.sphere import Box, Circle, Ellipse, Polygon, Region, ang_sep, unit_vectors


@relaxed
@given(RA, DEC, RA, DEC)
def test_ang_sep_agrees_with_the_vector_formula(ra1: float, dec1: float, ra2: float, dec2: float) -> None:
    """Haversine separations equal atan2 of cross and dot product."""
    one, two = unit_vectors(ra1, dec1), unit_vectors(ra2, dec2)
    expected = math.degrees(math.atan2(float(np.linalg.norm(np.cross(one, two))), float(one @ two)))
    assert float(ang_sep(ra1, dec1, ra2, dec2)) == pytest.approx(expected, abs=2e-6)


def test_ang_sep_broadcasts_when_one_position_is_scalar() -> None:
    """One centre against many positions gives one separation each."""
    assert ang_sep([0, 90, 180], [0, 0, 0], 0, 0).tolist() == pytest.approx([0, 90, 180])


@pytest.mark.parametrize(
    ("box", "inside", "outside"),
    [
        (
            Box(350, -5, 10, 5),
            [(350, -5), (10, 5), (0, 0), (359.9, 1)],
            [(10.001, 0), (349.999, 0), (180, 0), (0, 5.1)],
        ),
        (Box(-10, -5, 10, 5), [(350, 0), (5, 0)], [(20, 0)]),
        (Box(350, -5, 370, 5), [(350, 0), (10, 0)], [(11, 0)]),
        (Box(0, -90, 360, 90), [(0, 90), (359.9, -90), (180, 0)], []),
        (Box(100, 0, 900, 1), [(0, 0.5), (99, 0.5)], [(0, 1.5)]),
        (Box(360, 0, 0, 1), [(0, 0.5)], [(1, 0.5)]),
        (Box(0, 5, 10, -5), [], [(5, 0)]),
    ],
)
def test_box_wraps_as_scisql(box: Box, inside: list[tuple[float, float]], outside: list[tuple[float, float]]) -> None:
    """Boxes include their edges, wrap when ra_min > ra_max, and are full circles from a width of 360."""
    for points, expected in ((inside, True), (outside, False)):
        ra, dec = np.array(points).reshape(-1, 2).T
        assert (box.contains(ra, dec) == expected).all()


@relaxed
@given(circles(), st.integers(0, 99))
def test_circle_holds_points_within_its_radius(circle: Circle, seed: int) -> None:
    """A point is in a circle when its separation from the centre is at most the radius."""
    ra, dec = points_near(circle, seed)
    separation = ang_sep(ra, dec, circle.ra, circle.dec)
    is_clear = np.abs(separation - circle.radius_deg) > 3e-6
    assert (circle.contains(ra, dec) == (separation <= circle.radius_deg))[is_clear].all()


def test_ellipse_axes_follow_the_position_angle() -> None:
    """The major axis points north at angle 0 and east at angle 90."""
    north, east = Ellipse(10, 20, 3600, 360, 0), Ellipse(10, 20, 3600, 360, 90)
    ra, dec = [10.0, 10 + 0.9 / math.cos(math.radians(20))], [20.9, 20.0]
    assert north.contains(ra, dec).tolist() == [True, False]
    assert east.contains(ra, dec).tolist() == [False, True]


def test_ellipse_leaves_out_its_antipode() -> None:
    """The point opposite the centre is outside, though its projection is the centre's."""
    assert Ellipse(10, 20, 3600, 360, 0).contains([10, 190], [20, -20]).tolist() == [True, False]


def test_ellipse_is_empty_when_an_axis_is_zero() -> None:
    """sciSQL's quotient by a zero axis is never at most one."""
    assert not Ellipse(10, 20, 3600, 0, 0).contains([10.0], [20.0]).any()


def test_round_ellipse_equals_a_circle() -> None:
    """With equal axes only the sine of the distance counts."""
    rng = np.random.default_rng(1)
    ra, dec = rng.uniform(0, 20, 2000), rng.uniform(10, 30, 2000)
    radius = math.degrees(math.asin(math.radians(5.0)))
    expected = Circle(10, 20, radius).contains(ra, dec)
    assert (Ellipse(10, 20, 18_000, 18_000, 33).contains(ra, dec) == expected).all()


def test_polygon_is_the_same_when_corners_turn_the_other_way() -> None:
    """Clockwise and counter-clockwise corners, closed or not, make one polygon."""
    corners = ((359.0, -1.0), (1.0, -1.0), (1.0, 1.0), (359.0, 1.0))
    ra, dec = [0.0, 359.5, 2.0, 180.0], [0.0, 0.9, 0.0, 0.0]
    for polygon in (Polygon(corners), Polygon(corners[::-1]), Polygon((*corners, corners[0]))):
        assert polygon.contains(ra, dec).tolist() == [True, True, False, False]


@relaxed
@given(polygons(), st.integers(0, 99))
def test_polygon_holds_what_lies_left_of_every_edge(polygon: Polygon, seed: int) -> None:
    """A point is in a convex polygon when it lies on the inner side of all edges."""
    ra, dec = points_near(polygon, seed, 100)
    corners = unit_vectors(*np.array(polygon.vertices).T)
    normals = np.cross(np.roll(corners, 1, axis=0), corners)
    sides, middle_sides = unit_vectors(ra, dec) @ normals.T, corners.sum(axis=0) @ normals.T
    is_clear = (np.abs(sides) > 1e-12).all(axis=1)
    expected = (np.sign(sides) == np.sign(middle_sides)).all(axis=1)
    assert (polygon.contains(ra, dec) == expected)[is_clear].all()


@relaxed
@given(REGIONS, st.integers(0, 99))
def test_bounds_hold_every_point_of_the_region(region: Region, seed: int) -> None:
    """No point of a region lies outside its bounding box."""
    ra, dec = points_near(region, seed)
    is_inside = region.contains(ra, dec)
    assert region.bounds().contains(ra, dec)[is_inside].all()


@relaxed
@given(REGIONS, st.integers(0, 99))
def test_half_spaces_hold_every_point_of_the_region(region: Region, seed: int) -> None:
    """No point of a region lies outside one of its half-spaces."""
    ra, dec = points_near(region, seed)
    vectors = unit_vectors(ra, dec)[region.contains(ra, dec)]
    normals, slack = region.half_spaces()
    assert (vectors @ normals.T >= -np.sin(slack) - 1e-15).all()


@pytest.mark.parametrize(
    "region", [Box(0, -90, 360, 90), Circle(0, 0, 180), Ellipse(0, 0, 9, 9, 0), Polygon.of(0, 0, 1, 0, 0, 1)]
)
def test_no_region_holds_a_position_that_is_none(region: Region) -> None:
    """NaN, infinite and out-of-range positions are in no region, and give no warning."""
    ra, dec = [math.nan, 0.1, math.inf, 0.1, 0.1], [0.1, math.nan, 0.1, 90.1, -math.inf]
    assert not region.contains(ra, dec).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Box(0, -91, 1, 0), "box: declination -91 is outside"),
        (lambda: Box(370, 0, 10, 1), "box: ra_min 370 > ra_max 10"),
        (lambda: Box(10, 0, -10, 1), "box: ra_min 10 > ra_max -10"),
        (lambda: Box(math.nan, 0, 10, 1), "not finite"),
        (lambda: Circle(0, 0, 181), "circle: radius 181 is outside"),
        (lambda: Circle(0, 0, math.nan), "circle: radius nan"),
        (lambda: Circle(0, 90.5, 1), "circle: declination 90.5"),
        (lambda: Ellipse(0, 0, 1, 2, 0), "minor <= major"),
        (lambda: Ellipse(0, 0, 36_001, 2, 0), "<= 36000"),
        (lambda: Ellipse(0, 0, 2, 1, math.inf), "position angle inf"),
        (lambda: Polygon.of(0, 0, 1, 1), "fewer than 3"),
        (lambda: Polygon.of(0, 0, 1, 1, 2), "not ra, dec pairs"),
        (lambda: Polygon.of(0, 0, 1, 0, 2, 0), "one great circle"),
        (lambda: Polygon.of(5, 5, 5, 5, 5, 5), "fewer than 3"),
        (lambda: Polygon.of(0, 0, 2, 0, 0.5, 0.5, 0, 2), "not convex"),
        (lambda: Polygon.of(0, 0, 1, 1, 1, 0, 0, 1), "not convex"),
        (lambda: Polygon(()), "fewer than 3"),
    ],
)
def test_region_is_refused_when_it_has_no_meaning(make: object, message: str) -> None:
    """Each wrong number is named."""
    with pytest.raises(UserError, match=message):
        make()  # type: ignore[operator]
