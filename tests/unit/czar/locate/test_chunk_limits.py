"""What conditions prove about where rows are: exact where it can be, and never too little."""

from __future__ import annotations

import pytest
from tests.support.four_chunks import Source
from tests.support.planned import bound_of, where_of

from skyshard.chunking.sphere import Box, Circle, Region
from skyshard.czar.locate.chunk_limits import AreaLimit, Either, KeyLimit, Limit, find_limits

SOURCE = Source()


def limits(condition: str, tables: str = "Object") -> list[Limit]:
    bound = bound_of(f"SELECT * FROM {tables} WHERE {condition}", SOURCE)
    return find_limits(bound, where_of(bound))


@pytest.mark.parametrize(
    ("condition", "keys"),
    [
        ("objectId = 5", {5}),
        ("5 <=> objectId", {5}),
        ("objectId IN (5, 15, 7)", {5, 7, 15}),
        ("objectId = 5 OR objectId = 15 OR objectId IN (1, 2)", {1, 2, 5, 15}),
        ("NOT (objectId <> 5 OR mag > 3)", {5}),
        ("NOT (NOT (objectId = 5))", {5}),
        ("objectId = -(-5)", {5}),
        ("objectId = 2 + 1 * 3", {5}),
        ("objectId IN (5.0, 6.5)", {5}),
        ("objectId = 5.5", set()),
        ("objectId = 5e0", {5}),
    ],
)
def test_named_keys_are_found(condition: str, keys: set[int]) -> None:
    """Equalities, lists and these joined with OR, also behind a NOT; a fraction is no key."""
    (found,) = limits(condition)
    assert isinstance(found, KeyLimit)
    assert (found.keys, found.low, found.high) == (frozenset(keys), None, None)


@pytest.mark.parametrize(
    ("condition", "low", "high"),
    [
        ("objectId > 5 AND 15.5 >= objectId", 6, 15),
        ("objectId BETWEEN 3 AND 9", 3, 9),
        ("objectId >= 3.2", 4, None),
        ("objectId < 9", None, 8),
        ("objectId < 8.5 AND objectId < 7", None, 6),
        ("NOT objectId >= 9", None, 8),
        ("objectId > 9 AND objectId < 3", 10, 2),
    ],
)
def test_ranges_of_keys_are_found(condition: str, low: int | None, high: int | None) -> None:
    """Bounds become whole numbers, both inclusive; of several the narrowest counts; an empty range stays one."""
    (found,) = limits(condition)
    assert isinstance(found, KeyLimit)
    assert (found.keys, found.low, found.high) == (None, low, high)


@pytest.mark.parametrize(
    ("condition", "region"),
    [
        ("ra BETWEEN 10 AND 20 AND decl < 5", Box(10.0, -90.0, 20.0, 5.0)),
        ("ra = 10 AND 3 = decl", Box(10.0, 3.0, 10.0, 3.0)),
        ("ra > 20 AND ra < 10", None),
        ("decl > 95", None),
        ("decl > -95", Box(0.0, -90.0, 360.0, 90.0)),
        ("ra < 10", Box(0.0, -90.0, 360.0, 90.0)),
        ("qserv_areaspec_circle(15, 2, 3) AND mag < 3", Circle(15.0, 2.0, 3.0)),
        ("qserv_areaspec_box(350, 0, 10, 5) = 1", Box(350.0, 0.0, 10.0, 5.0)),
        ("scisql_s2PtInCircle(ra, decl, 15, 2, 3) <> 0", Circle(15.0, 2.0, 3.0)),
        ("scisql_s2PtInCircle(ra, decl, 15, 2, 3) IS TRUE", Circle(15.0, 2.0, 3.0)),
        ("scisql_angSep(ra, decl, 15, 2) < 0.5", Circle(15.0, 2.0, 0.5)),
        ("0.5 >= scisql_angSep(15, 2, ra, decl)", Circle(15.0, 2.0, 0.5)),
        ("scisql_angSep(ra, decl, 15, 2) < -1", None),
    ],
)
def test_areas_are_found(condition: str, region: Region | None) -> None:
    """Boxes from comparisons, areas of functions that must be true, and cones; None is the empty area."""
    found = [limit for limit in limits(condition) if isinstance(limit, AreaLimit)]
    assert [limit.region for limit in found] == [region]


def test_right_ascensions_beyond_the_circle_are_reduced() -> None:
    """A stored -1 stands for 359: the range from -1 to 1 crosses longitude 0, and loses nothing by the reduction."""
    (found,) = limits("ra >= -1 AND ra <= 1")
    assert isinstance(found, AreaLimit)
    assert isinstance(found.region, Box)
    assert (found.region.ra_min, found.region.ra_max) == pytest.approx((359.0, 1.0), abs=1e-8)
    assert found.region.contains([359.0, 0.0, 1.0], [0.0, 0.0, 0.0]).all()
    assert not found.region.contains([180.0], [0.0]).any()


@pytest.mark.parametrize(
    "condition",
    [
        "mag = 3",
        "kind IN (5)",
        "objectId = objectId",
        "objectId + 1 = 6",
        "objectId = '5'",
        "objectId = 1e16",
        "NOT objectId = 5",
        "objectId = 5 OR mag = 3",
        "scisql_s2PtInCircle(ra, decl, 15, 2, 3) = 0",
        "NOT qserv_areaspec_circle(15, 2, 3)",
        "scisql_angSep(ra, decl, 15, 2) < 200",
        "scisql_angSep(ra, decl, 15, 2) > 3",
        "scisql_angSep(decl, ra, 15, 2) < 3",
    ],
)
def test_what_proves_nothing_sets_no_limit(condition: str) -> None:
    """Other columns, expressions, inexact comparisons, what must be false, and what an alternative lets through."""
    assert limits(condition) == []


def test_alternatives_limit_together() -> None:
    """Each branch sets its own limits; they count where every branch has some for the reference."""
    (found,) = limits("(objectId = 5 AND mag = 3) OR (decl > 3 AND ra BETWEEN 1 AND 2)")
    assert isinstance(found, Either)
    key, area = found.branches
    assert [type(limit) for limit in (*key, *area)] == [KeyLimit, AreaLimit]
    assert found.text == "objectId in (5) or ra in [1, 2] and decl in [3, inf]"


def test_each_table_has_its_own_limits() -> None:
    """A dependent's key and its copied position limit it, not its director."""
    found = limits(
        "s.objectId = 5 AND o.ra BETWEEN 1 AND 2 AND s.raObject < 1 AND s.raObject > 0", "Object o, Source s"
    )
    assert {(type(limit).__name__, limit.reference) for limit in found} == {
        ("KeyLimit", 1), ("AreaLimit", 0), ("AreaLimit", 1),
    }  # fmt: skip


@pytest.mark.parametrize("radius", [0.0, 179.9, 180.0])
def test_a_cone_is_used_below_half_a_turn(radius: float) -> None:
    """At 180 degrees it is the whole sky, which limits nothing."""
    found = limits(f"scisql_angSep(ra, decl, 15, 2) <= {radius}")
    areas = [limit.region for limit in found if isinstance(limit, AreaLimit)]
    assert areas == ([Circle(15.0, 2.0, radius)] if radius < 180 else [])
