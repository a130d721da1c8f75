"""Each shape and function of ADQL's geometry: what it becomes, and numbers that geometry gives by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import duckdb
import pytest
from sqlglot import exp

from skyshard.basics.errors import Refusal
from skyshard.czar.adql.geometry import (
    coordinates,
    shape,
    translate_area,
    translate_coordinate,
    translate_distance,
    translate_predicate,
)
from skyshard.czar.sql.dialect import parse_expression, render

WHOLE_SKY_DEG2 = 129600 / math.pi


def call_of(text: str) -> exp.Anonymous:
    found = parse_expression(text)
    assert isinstance(found, exp.Anonymous)
    return found


def translated(text: str) -> str:
    """A condition with its predicate put in place."""
    holder = exp.Paren(this=parse_expression(text))
    calls = [node for node in holder.find_all(exp.Anonymous) if node.name.upper() in ("CONTAINS", "INTERSECTS")]
    translate_predicate(calls[0])
    return render(holder.this)


def value_of(node: exp.Expr) -> float:
    return float(render(node).strip("()"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("point(1, 2)", "POINT"), ("CENTROID(CIRCLE(1, 2, 3))", "POINT"), ("(BOX(1, 2, 3, 4))", "BOX"),
        ("Polygon(1, 2, 3, 4, 5, 6)", "POLYGON"), ("CIRCLE(1, 2, 3)", "CIRCLE"), ("ra", ""), ("AREA(x)", ""), ("1", ""),
    ],
)  # fmt: skip
def test_a_shape_is_told_by_its_name(text: str, kind: str) -> None:
    """In any case of letters, in parentheses too; a centroid is a point."""
    assert shape(parse_expression(text)) == kind


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("CONTAINS(POINT(ra, d), CIRCLE(1, 2, 3))", "scisql_s2PtInCircle(ra, d, 1, 2, 3)"),
        ("CONTAINS(POINT('ICRS', ra, d), CIRCLE('', POINT(1, 2), 3))", "scisql_s2PtInCircle(ra, d, 1, 2, 3)"),
        ("INTERSECTS(CIRCLE(1, 2, 3), POINT(ra, d))", "scisql_s2PtInCircle(ra, d, 1, 2, 3)"),
        (
            "CONTAINS(POINT(ra, d), POLYGON(POINT(1, 2), POINT(3, 4), POINT(5, -6)))",
            "scisql_s2PtInCPoly(ra, d, 1, 2, 3, 4, 5, -6)",
        ),
        ("CONTAINS(POINT(ra, d), s_region)", "scisql_s2PtInCPoly(ra, d, s_region)"),
        ("1 = CONTAINS(POINT(a, b), CIRCLE(c, d, 0.1))", "(scisql_angSep(a, b, c, d) <= (0.1))"),
        ("CONTAINS(POINT(a, b), CIRCLE(c, d, 0.1)) = 0", "(NOT (scisql_angSep(a, b, c, d) <= (0.1)))"),
        ("CONTAINS(POINT(a, b), CIRCLE(c, d, r))", "IFNULL((scisql_angSep(a, b, c, d) <= (r)), 0)"),
        ("1 = INTERSECTS(CIRCLE(a, b, r), CIRCLE(c, d, 0.1))", "(scisql_angSep(a, b, c, d) <= (r + 0.1))"),
    ],
)
def test_a_predicate_becomes_functions_of_the_czar(text: str, wanted: str) -> None:
    """A constant circle or polygon prunes chunks; a circle about a position of another table is a separation."""
    assert translated(text) == wanted


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("CONTAINS(CIRCLE(1, 2, 3), POINT(ra, d))", "compares a POINT with a CIRCLE, POLYGON or BOX"),
        ("CONTAINS(POINT(ra, d))", "takes 2 arguments, not 1"),
        ("CONTAINS(POINT(ra, d), POINT(1, 2))", "compares a POINT with a CIRCLE, POLYGON or BOX"),
        ("CONTAINS(s_region, BOX(1, 2, 3, 4))", "compares a region of a column with a POINT or a CIRCLE"),
        ("CONTAINS(POINT('GALACTIC', l, b), CIRCLE(1, 2, 3))", "positions are ICRS, not GALACTIC"),
        ("CONTAINS(POINT(ra), CIRCLE(1, 2, 3))", "POINT takes 2 coordinates, not 1"),
        ("CONTAINS(POINT(ra, d), CIRCLE(1, 2))", "CIRCLE takes a centre and a radius"),
        ("CONTAINS(POINT(ra, d), BOX(1, 2, 3))", "BOX takes a centre, width and height"),
        ("CONTAINS(POINT(ra, d), BOX(1, 2, 180, 3))", "between 0 and 180 degrees"),
        ("CONTAINS(POINT(ra, d), POLYGON(ra, 1, 2, 3, 4, 5))", "the corners of a POLYGON are numbers"),
    ],
)
def test_what_has_no_translation_is_refused_with_a_remedy(text: str, words: str) -> None:
    """Nothing is answered that was not asked."""
    with pytest.raises(Refusal, match=words) as caught:
        translated(text)
    assert caught.value.code == "geometry"
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "area_deg2"),
    [
        ("AREA(POLYGON(0, 0, 90, 0, 0, 90))", WHOLE_SKY_DEG2 / 8),  # an octant
        ("AREA(POLYGON(0, 0, 90, 0, 90, 1e-4, 0, 1e-4))", 2e-4 * math.degrees(1)),  # under 1e-4 (cos ra + sin ra)
        ("AREA(POINT(1, 2))", 0.0),
    ],
)
def test_the_area_of_a_polygon_is_in_square_degrees(text: str, area_deg2: float) -> None:
    """Of the whole sky's 41,253."""
    found = value_of(translate_area(call_of(text)))
    assert math.isclose(found, area_deg2, rel_tol=1e-9, abs_tol=1e-12)


def test_the_area_of_a_circle_is_computed_by_the_server() -> None:
    """2 pi (1 - cos r) steradians, of any radius; that of 90 degrees is half the sky."""
    text = render(translate_area(call_of("AREA(CIRCLE(1, 2, r))")))
    with duckdb.connect() as engine:
        rows = engine.execute(f"SELECT {text} FROM (VALUES (0), (60), (90), (180)) AS radii(r)").fetchall()
    wanted = [0, WHOLE_SKY_DEG2 / 4, WHOLE_SKY_DEG2 / 2, WHOLE_SKY_DEG2]
    assert [row[0] for row in rows] == pytest.approx(wanted, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("CENTROID(CIRCLE(10, -20, 3))", (10, -20)),
        ("CENTROID(BOX(10, -20, 3, 4))", (10, -20)),
        ("CENTROID(POINT(7, 8))", (7, 8)),
        ("CENTROID(POLYGON(0, 0, 90, 0, 0, 90))", (45, math.degrees(math.asin(1 / math.sqrt(3))))),
        ("CENTROID(POLYGON(350, -10, 10, -10, 10, 10, 350, 10))", (0, 0)),
    ],
)
def test_the_centroid_of_a_shape_is_its_middle(text: str, place: tuple[float, float]) -> None:
    """By symmetry: an octant's is as far from all its corners; one across RA 0 is at RA 0."""
    ra, dec = (value_of(part) for part in coordinates(call_of(text)))
    assert math.isclose((ra - place[0] + 180) % 360, 180, abs_tol=1e-9)
    assert math.isclose(dec, place[1], abs_tol=1e-9)


def test_distances_and_coordinates_are_of_points() -> None:
    """Two points or four numbers; the first and the second coordinate."""
    assert render(translate_distance(call_of("DISTANCE(POINT(a, b), POINT(1, 2))"))) == "scisql_angSep(a, b, 1, 2)"
    assert render(translate_distance(call_of("DISTANCE(a, b, 1, 2)"))) == "scisql_angSep(a, b, 1, 2)"
    assert render(translate_coordinate(call_of("COORD1(POINT(a, b))"))) == "(a)"
    assert render(translate_coordinate(call_of("coord2(POINT(a, b))"))) == "(b)"


@pytest.mark.parametrize(
    ("translate", "text"),
    [
        (translate_distance, "DISTANCE(POINT(a, b), c)"), (translate_distance, "DISTANCE(a, b, c)"),
        (translate_coordinate, "COORD1(ra)"), (translate_area, "AREA(ra)"),
        (translate_area, "AREA(POLYGON(1, 2, 3, 4))"),
    ],
)  # fmt: skip
def test_functions_of_other_than_shapes_are_refused(translate: Callable[[exp.Anonymous], exp.Expr], text: str) -> None:
    """A number is no point, two corners are no polygon."""
    with pytest.raises(Refusal):
        translate(call_of(text))
