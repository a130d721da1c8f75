"""ADQL becomes the czar's SQL, or is refused with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.four_chunks import CHUNKS as ALL
from tests.support.four_chunks import Source
from tests.support.planned import plan_of

from skyshard.basics.errors import Refusal, UserError
from skyshard.catalog.known_table import KnownTable
from skyshard.chunking.sphere import Polygon, ang_sep, unit_vectors
from skyshard.czar.adql.known_tables import KnownTables
from skyshard.czar.adql.region_measures import SPHERE_DEG2, area_deg2, centroid
from skyshard.czar.adql.translate import translate
from skyshard.czar.plan.query_plan import Kind
from skyshard.czar.sql.statement import SelectStatement, parse_statement

OBJECT = KnownTable("dp1", "Object", ("objectId", "ra", "dec", "size", "flux"), units=("", "deg", "deg", "", "nJy"))
COLUMNS = KnownTable(
    "TAP_SCHEMA", "columns", ("table_name", "column_name", "size"), ("skyshard_scratch", "q_1_columns"), True
)
SOURCE = KnownTable("dp1", "Source", ("sourceId", "objectId", "ra", "dec"))
KNOWN = KnownTables.of([OBJECT, SOURCE, KnownTable("hsc", "Object", ("id", "ra")), COLUMNS])
SKY = KnownTables.of([KnownTable("sky", "Object", ("objectId", "ra", "decl", "mag", "kind"))])
LINES = [line for line in Path("tests/cases/adql.sql").read_text().splitlines() if line and not line.startswith("--")]
CASES = list(zip(LINES[::2], LINES[1::2], strict=True))


@pytest.mark.parametrize(("adql", "expected"), CASES)
def test_query_becomes_the_czars_sql_or_is_refused(adql: str, expected: str) -> None:
    """As the file of cases says; what comes out is a statement that the czar reads."""
    if not expected.startswith("!"):
        made = translate(adql, KNOWN, 101)
        assert made.sql == expected
        assert isinstance(parse_statement(made.sql), SelectStatement)
        return
    with pytest.raises(UserError) as caught:
        translate(adql, KNOWN, 101)
    code = caught.value.code if isinstance(caught.value, Refusal) else "user"
    assert code == expected.removeprefix("! ")
    assert caught.value.remedy or "syntax error" in str(caught.value)


def test_columns_of_the_answer_are_traced_to_tables() -> None:
    """Stars are spelled out, aliases kept, values named after their function or place."""
    query = "SELECT o.*, RA AS x, COUNT(*), ra + 1 FROM dp1.Object o GROUP BY ra"
    found = translate(query, KNOWN).columns
    assert [one.column for one in found] == [*OBJECT.columns, "ra", "", ""]
    assert [one.name for one in found[-3:]] == ["x", "count", "column_8"]
    times = translate("SELECT CAST('2020-01-01' AS TIMESTAMP) AS t, CAST(ra AS INTEGER) FROM dp1.Object", KNOWN).columns
    assert [one.is_time for one in times] == [True, False]
    assert translate("SELECT * FROM dp1.Object NATURAL JOIN dp1.Source", KNOWN).columns == ()


def test_box_is_the_polygon_of_its_standard() -> None:
    """Its sides are great circles through the ends of the cross, also near the pole and over RA 0."""
    query = "SELECT ra FROM dp1.Object WHERE 1 = CONTAINS(POINT(ra, dec), BOX(359, 60, 30, 4))"
    text = translate(query, KNOWN).sql.partition("`dec`, ")[2].partition(")")[0]
    polygon = Polygon.of(*(float(part) for part in text.split(",")))
    north, east = polygon_edges(359, 60, 15, 2)
    inside = polygon.contains(north[:, 0], north[:, 1])
    np.testing.assert_array_equal(inside, [True, False])
    np.testing.assert_array_equal(polygon.contains(east[:, 0], east[:, 1]), [True, False])


def polygon_edges(ra: float, dec: float, half_width: float, half_height: float) -> tuple[np.ndarray, np.ndarray]:
    """Two points each on the arms to the north and the east: just within the end of the arm, and just beyond."""
    centre = unit_vectors(ra, dec)
    lon = np.radians(ra)
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    north = np.cross(centre, east)
    arms = []
    for direction, reach in ((north, half_height), (east, half_width)):
        angles = np.radians([reach - 1e-6, reach + 1e-6])[:, None]
        x, y, z = (np.cos(angles) * centre + np.sin(angles) * direction).T
        arms.append(np.column_stack([np.degrees(np.arctan2(y, x)), np.degrees(np.arcsin(z))]))
    return arms[0], arms[1]


def test_deep_queries_are_answered_or_refused_in_words() -> None:
    """Thousands of parentheses are no reason to fall over."""
    deep = "SELECT ra FROM dp1.Object WHERE ra > " + "(" * 3000 + "1" + ")" * 3000
    assert translate(deep, KNOWN).sql.count("(") == 3000


CHUNKS = {
    "1 = CONTAINS(POINT(ra, decl), CIRCLE(5, 5, 1))": (324,),
    "CONTAINS(POINT('ICRS', ra, decl), CIRCLE(POINT(10, 5), 1)) = 1 AND mag < 20": (324, 325),
    "1 = CONTAINS(POINT(ra, decl), POLYGON(12, 12, 14, 12, 13, 14))": (361,),
    "INTERSECTS(BOX(15, 5, 2, 2), POINT(ra, decl)) = 1": (325,),
    "DISTANCE(POINT(ra, decl), POINT(5, 5)) < 1": (324,),
    "1 = CONTAINS(POINT(5, 5), CIRCLE(ra, decl, 1))": (324,),
    "0 = CONTAINS(POINT(ra, decl), CIRCLE(5, 5, 1))": ALL,
    "1 = CONTAINS(POINT(decl, ra), CIRCLE(5, 5, 1))": ALL,
}


@pytest.mark.parametrize("condition", CHUNKS)
def test_geometry_prunes_chunks(condition: str) -> None:
    """Only those that a region touches are read, where it is compared with the director's position."""
    made = translate(f"SELECT ra FROM sky.Object WHERE {condition}", SKY, 100)
    (pull,) = plan_of(made.sql, Source()).pulls
    assert pull.chunks == CHUNKS[condition]


def test_circles_about_another_table_are_near_neighbours() -> None:
    """They are found chunk by chunk, with overlap."""
    near = "1 = CONTAINS(POINT(a.ra, a.decl), CIRCLE(b.ra, b.decl, 0.05))"
    made = translate(f"SELECT a.ra FROM sky.Object a, sky.Object b WHERE {near}", SKY)
    assert plan_of(made.sql, Source()).kind is Kind.NEAR_NEIGHBOUR


@pytest.mark.parametrize(("ra", "dec"), [(10.0, 5.0), (359.5, -60.0), (200.0, 89.0)])
def test_areas_and_centroids_are_those_of_many_points(ra: float, dec: float) -> None:
    """Of a convex polygon anywhere, in both directions: the share and the mean of points that are within."""
    corners = small_circle(ra, dec, 1.0, np.radians([10.0, 80.0, 170.0, 230.0, 300.0]))
    polygon = Polygon.of(*np.stack(unit_angles(corners), axis=1).ravel())
    random = np.random.default_rng(5)
    cosines, angles = random.uniform(np.cos(np.radians(1.0)), 1, 200_000), random.uniform(0, 2 * np.pi, 200_000)
    points = small_circle(ra, dec, np.degrees(np.arccos(cosines)), angles)
    inside = points[polygon.contains(*unit_angles(points))]
    cap_deg2 = SPHERE_DEG2 / 2 * (1 - np.cos(np.radians(1.0)))
    mean = np.stack(unit_angles(inside.mean(axis=0)[None]), axis=1)[0]
    for one in (corners, corners[::-1]):
        assert area_deg2(one) == pytest.approx(cap_deg2 * len(inside) / len(points), rel=0.01)
        assert ang_sep(*centroid(one), *mean) < 0.01


def small_circle(ra: float, dec: float, radius: Any, angles: Any) -> Any:
    """Unit vectors at distances and position angles from a point."""
    lon, lat = np.radians([ra, dec])
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    reach = np.radians(np.broadcast_to(radius, angles.shape))[:, None]
    side = np.sin(angles)[:, None] * east + np.cos(angles)[:, None] * north
    return np.cos(reach) * unit_vectors(ra, dec) + np.sin(reach) * side


def unit_angles(vectors: Any) -> tuple[Any, Any]:
    x, y, z = vectors.T
    return np.degrees(np.arctan2(y, x)) % 360, np.degrees(np.arctan2(z, np.hypot(x, y)))
