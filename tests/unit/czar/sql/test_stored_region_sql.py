"""Conditions over the normals of a polygon: their texts, and what another engine makes of them."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp
from tests.support.depth import drawn
from tests.support.exact_shapes import FIRM_RAD, RAD, angles, long_vectors, signed_distance, text_corners
from tests.support.visit_release import around, polygon_texts

from skyshard.chunking.convex_outlines import outlines
from skyshard.chunking.sphere import Circle
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.region_sql import number
from skyshard.czar.sql.stored_region_sql import (
    CircleTest,
    as_values,
    circle_condition,
    circle_texts,
    close_region,
    holds_circle,
    meets_circle,
    open_values,
    point_inside,
    point_texts,
    within_circle,
)

TESTS: dict[str, CircleTest] = {"meets": meets_circle, "surrounds": holds_circle, "within": within_circle}
places = st.tuples(st.sampled_from([0.0, 1e-6, 359.9, 77.0, 180.0]), st.sampled_from([0.0, -89.0, 89.9, 33.0, 90.0]))
shapes = st.tuples(places, st.integers(3, 8), st.sampled_from([0.5 / 3600, 0.02, 1.5, 20.0, 60.0]), st.integers(0, 8))


Numbers = tuple[exp.Expr, exp.Expr, exp.Expr]


def literal(value: float) -> exp.Expr:
    return exp.Literal(this=number(value) if value >= 0 else f"({number(value)})", is_string=False)


def three(x: float, y: float, z: float) -> Numbers:
    return literal(x), literal(y), literal(z)


def normals_of(text: str, edges: int) -> list[Numbers]:
    """The normals of a polygon as numbers, at least ``edges``."""
    numbers = np.array(text.split()[2:], dtype=float).reshape(1, -1, 2)
    made = outlines(numbers[:, :, 0], numbers[:, :, 1], edges=edges)
    assert made.faults.tolist() == [0]
    return [three(*normal) for normal in made.normals[0].tolist()]


def says(node: exp.Expr) -> bool | None:
    """What the condition is in DuckDB."""
    ((found,),) = duckdb.execute(f"SELECT {render(node)}").fetchall()
    return None if found is None else bool(found)


def polygon(shape: tuple[tuple[float, float], int, float, int]) -> str:
    (ra, dec), corners, radius, _ = shape
    return polygon_texts(*around(np.array([ra]), np.array([dec]), corners, radius))[0]


@settings(max_examples=drawn(6))
@given(
    shapes, st.floats(0, 1), st.sampled_from([-0.5, 0.0, 0.999, 1.001, 3.0]), st.sampled_from([0.5, 0.999, 1.001, 2])
)
def test_conditions_are_true_where_brute_force_says_so(
    shape: tuple[tuple[float, float], int, float, int], weight: float, off: float, share: float
) -> None:
    """Points at, inside and outside of edges; circles that nearly touch; numbers in the text and computed ones."""
    text = polygon(shape)
    corners = text_corners(text)
    normals = normals_of(text, len(corners) + shape[3])
    middle = corners.mean(axis=0)
    at = (middle + off * (weight * corners[0] + (1 - weight) * corners[1] - middle)).astype(np.float64)
    ra, dec = float(np.degrees(np.arctan2(at[1], at[0])) % 360), float(np.degrees(np.arctan2(at[2], np.hypot(*at[:2]))))
    centre = long_vectors([repr(ra)], [repr(dec)])
    away = float(signed_distance(corners, centre)[0])
    radius = min(abs(away) / float(RAD) * share, 89.0)
    reach, farthest = radius * float(RAD), float(angles(centre, corners).max())
    spare = {"meets": reach - away, "surrounds": -away - reach, "within": reach - farthest}
    if abs(away) > FIRM_RAD:
        for values in (None, as_values(point_texts(ra, dec))):
            assert says(point_inside(literal(ra), literal(dec), values, normals)) == (away <= 0)
    for name, over in spare.items():
        if abs(over) > FIRM_RAD:
            for values in (None, as_values(circle_texts(Circle(ra, dec, radius)))):
                node = circle_condition(TESTS[name], three(ra, dec, radius), values, normals)
                assert says(node) == (over >= 0), name


@pytest.mark.parametrize("edges", [3, 6, 16])
def test_no_circle_about_the_antipode_of_a_corner_meets(edges: int) -> None:
    """Edges without length lie at the corner; the foot of the centre on them is the antipode, and does not count."""
    corners = ((10.0, 20.0), (11.0, 20.0), (10.5, 21.0))
    normals = normals_of("POLYGON ICRS " + " ".join(f"{ra} {dec}" for ra, dec in corners), edges)
    for ra, dec in corners:
        values = as_values(circle_texts(Circle(ra + 180, -dec, 60)))
        assert says(circle_condition(meets_circle, three(0, 0, 0), values, normals)) is False


NULL = exp.Cast(this=exp.Null(), to=exp.DataType.build("double"))


@pytest.mark.parametrize(
    "ask",
    [
        lambda normals: point_inside(NULL, literal(1), None, normals),
        lambda normals: point_inside(literal(1), NULL, None, normals),
        lambda normals: point_inside(literal(1), literal(1), None, [(NULL, NULL, NULL), *normals[1:]]),
        lambda normals: circle_condition(meets_circle, (literal(10), literal(20), NULL), None, normals),
        lambda normals: circle_condition(
            meets_circle, three(1, 1, 1), as_values(circle_texts(Circle(1, 1, 1))), [(NULL, NULL, NULL)] * 3
        ),
    ],
)
def test_condition_with_a_null_is_not_true(ask: Callable[[list[Numbers]], exp.Expr]) -> None:
    """Of a point, a circle, or a polygon."""
    assert says(ask(normals_of("POLYGON ICRS 0 0 2 0 1 2", 3))) is not True


@pytest.mark.parametrize(("ra", "dec", "radius"), [(1, 90.5, 1), (1, -91, 1), (1, 2, -0.1), (1, 2, 90)])
def test_computed_place_or_radius_that_is_none_is_not_true(ra: float, dec: float, radius: float) -> None:
    """A declination beyond a pole, a radius below 0 or of a hemisphere, where a row computes it."""
    normals = normals_of("POLYGON ICRS 0 0 2 0 2 4 0 4", 4)
    one = circle_condition(meets_circle, three(ra, dec, radius), None, normals)
    assert says(one) is False


def test_open_condition_is_the_closed_one_once_its_numbers_are_put_in() -> None:
    """A plan that is kept has marks in place of them."""
    normals = normals_of("POLYGON ICRS 0 0 2 0 2 4 0 4", 4)
    texts = circle_texts(Circle(1.5, -2.25, 0.5))
    place = three(0, 0, 0)
    opened = render(circle_condition(meets_circle, place, open_values(texts), normals))
    closed = render(circle_condition(meets_circle, place, as_values(texts), normals))
    assert opened != closed
    assert close_region(opened, texts) == closed
