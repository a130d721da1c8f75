"""ADQL's geometry as functions of the czar, which prune chunks where a position is that of a director.

Rules: coordinates are ICRS, in degrees. A constant region becomes a ``scisql_s2PtIn...()``, a circle about a position
of another table an angular separation, by which near neighbours are found, a column the polygon that it holds.
Everything else is refused. No I/O.
"""

from __future__ import annotations

import numpy as np
from sqlglot import exp

from skyshard.basics.errors import Refusal
from skyshard.chunking.sphere import RAD_PER_DEG, unit_vectors
from skyshard.czar.adql.region_measures import SPHERE_DEG2, Vectors, area_deg2, centroid
from skyshard.czar.bind.constants import constant, exact_constant
from skyshard.czar.bind.stored_regions import CIRCLE_TESTS, PREFIX
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.region_sql import double, fill
from skyshard.czar.sql.statement import place

POINT_IN_REGION = "scisql_s2PtInCPoly"
PREDICATES = ("CONTAINS", "INTERSECTS")
REGIONS = ("CIRCLE", "POLYGON", "BOX")
CENTROID = "CENTROID"
SHAPES = ("POINT", *REGIONS, CENTROID)
"""What makes a shape; a centroid is a point."""
GEOMETRY = "geometry"
"""Code of the refusals of geometry that cannot be translated."""


def shape(node: exp.Expr) -> str:
    """The name of the shape that a call makes; empty for anything else."""
    name = _called(node.unnest())
    return "POINT" if name == CENTROID else name if name in SHAPES else ""


def _called(node: exp.Expr) -> str:
    return node.name.upper() if isinstance(node, exp.Anonymous) else ""


def translate_predicate(call: exp.Anonymous) -> None:
    """Put the czar's functions in place of CONTAINS or INTERSECTS, or of its comparison with 1 or 0.

    Raises:
        Refusal: the two shapes cannot be compared.
    """
    _require_count(call, 2)
    one, other = (argument.unnest() for argument in call.expressions)
    kinds = (shape(one), shape(other))
    if _translate_stored(call, one, other):
        return
    if call.name.upper() == "INTERSECTS" and kinds == ("CIRCLE", "CIRCLE"):
        (ra, dec), radius = _circle(one)
        (ra0, dec0), radius0 = _circle(other)
        _put_separation(call, (ra, dec, ra0, dec0), exp.Add(this=radius, expression=radius0))
        return
    if call.name.upper() == "INTERSECTS" and kinds[1] == "POINT":
        one, other, kinds = other, one, (kinds[1], kinds[0])
    if kinds[0] != "POINT" or kinds[1] not in REGIONS:
        raise Refusal(
            GEOMETRY, f"{call.name}() compares a POINT with a CIRCLE, POLYGON or BOX{place(call)}",
            remedy="write 1 = CONTAINS(POINT(ra, dec), CIRCLE(ra0, dec0, radius))",
        )  # fmt: skip
    position = coordinates(one)
    if kinds[1] == "CIRCLE":
        (ra0, dec0), radius = _circle(other)
        if any(constant(part) is None for part in (ra0, dec0, radius)):
            _put_separation(call, (*position, ra0, dec0), radius)
            return
        call.replace(_call("scisql_s2PtInCircle", *position, ra0, dec0, radius))
        return
    corners = _polygon(other) if kinds[1] == "POLYGON" else _box(other)
    call.replace(_call("scisql_s2PtInCPoly", *position, *corners))


def _translate_stored(call: exp.Anonymous, one: exp.Expr, other: exp.Expr) -> bool:
    """A polygon of a column, with a point or a circle; False where neither shape is a column.

    Whether the column holds polygons is known when the statement is bound.
    """
    columns = [isinstance(part, exp.Column) for part in (one, other)]
    if not any(columns):
        return False
    column, second = (one, other) if columns[0] else (other, one)
    kind, is_overlap = shape(second), call.name.upper() == "INTERSECTS"
    if kind == "POINT" and (is_overlap or columns[1]):
        call.replace(_call(POINT_IN_REGION, *coordinates(second), column))
    elif kind == "CIRCLE":
        (ra, dec), radius = _circle(second)
        test = "circlemeetsregion" if is_overlap else "circleinregion" if columns[1] else "regionincircle"
        call.replace(_call(CIRCLE_TESTS[PREFIX + test][0], ra, dec, radius, column))
    else:
        raise Refusal(
            GEOMETRY, f"{call.name}() compares a region of a column with a POINT or a CIRCLE{place(call)}",
            remedy="write 1 = CONTAINS(POINT(ra, dec), s_region) or 1 = INTERSECTS(CIRCLE(ra, dec, radius), s_region)",
        )  # fmt: skip
    return True


def translate_distance(call: exp.Anonymous) -> exp.Expr:
    """DISTANCE of two points, or of four coordinates, in degrees."""
    if len(call.expressions) == 4:
        return _call("scisql_angSep", *call.expressions)
    _require_count(call, 2)
    return _call("scisql_angSep", *coordinates(call.expressions[0]), *coordinates(call.expressions[1]))


def translate_coordinate(call: exp.Anonymous) -> exp.Expr:
    """COORD1 or COORD2 of a point."""
    _require_count(call, 1)
    return exp.Paren(this=coordinates(call.expressions[0])[call.name.upper() == "COORD2"].copy())


def coordinates(node: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """Right ascension and declination of a POINT."""
    inner = node.unnest()
    if shape(inner) != "POINT":
        raise Refusal(GEOMETRY, f"'{render(inner)[:40]}' is no POINT{place(inner)}", remedy="write POINT(ra, dec)")
    if _called(inner) == CENTROID:
        return _centroid(inner)
    found = _plain_arguments(inner)
    if len(found) != 2:
        raise Refusal(GEOMETRY, f"POINT takes 2 coordinates, not {len(found)}{place(inner)}", remedy="POINT(ra, dec)")
    return found[0], found[1]


def translate_area(call: exp.Anonymous) -> exp.Expr:
    """AREA of a shape in square degrees; of a circle, whose radius may be any expression."""
    _require_count(call, 1)
    one = call.expressions[0].unnest()
    kind = shape(one)
    if kind == "CIRCLE":
        return exp.Paren(this=fill(f"{SPHERE_DEG2!r}e0 * POWER(SIN(RADIANS(_r) / 2), 2)", r=_circle(one)[1]))
    if kind in REGIONS:
        return double(area_deg2(_corners(one, kind)))
    if kind == "POINT":
        return exp.Literal.number(0)
    raise Refusal(GEOMETRY, f"AREA() takes a region{place(call)}", remedy="AREA(CIRCLE(ra, dec, radius))")


def _centroid(call: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """The centre of a circle or a box, the centre of mass of a polygon, a point itself."""
    found = call.expressions
    one = found[0].unnest() if len(found) == 1 else call
    kind = shape(one)
    if kind == "POINT" and one is not call:
        return coordinates(one)
    if kind == "CIRCLE":
        return _circle(one)[0]
    if kind == "BOX":
        ra, dec, *_ = _box_parts(one)
        return ra, dec
    if kind not in REGIONS:
        raise Refusal(GEOMETRY, f"{CENTROID}() takes one shape{place(call)}", remedy="CENTROID(POLYGON(...))")
    longitude, latitude = centroid(_corners(one, kind))
    return double(longitude), double(latitude)


def _corners(call: exp.Expr, kind: str) -> Vectors:
    """The corners of a polygon or box as unit vectors."""
    parts = _polygon(call) if kind == "POLYGON" else _box(call)
    angles = [value for part in parts if (value := constant(part)) is not None]
    if len(angles) < 6 or len(angles) % 2:
        raise Refusal(GEOMETRY, f"a POLYGON has three corners or more{place(call)}", remedy="POLYGON(ra1, dec1, ...)")
    return unit_vectors(np.array(angles[::2]), np.array(angles[1::2])).reshape(-1, 3)


def _circle(call: exp.Expr) -> tuple[tuple[exp.Expr, exp.Expr], exp.Expr]:
    """Centre and radius of a CIRCLE, given as three numbers, or as a point and one."""
    found = _plain_arguments(call)
    if len(found) == 2 and shape(found[0]) == "POINT":
        return coordinates(found[0]), found[1]
    if len(found) != 3:
        raise Refusal(GEOMETRY, f"CIRCLE takes a centre and a radius{place(call)}", remedy="CIRCLE(ra, dec, radius)")
    return (found[0], found[1]), found[2]


def _polygon(call: exp.Expr) -> list[exp.Expr]:
    """The corners of a POLYGON, given as numbers or as points, one after the other."""
    found = _plain_arguments(call)
    if found and all(shape(one) == "POINT" for one in found):
        found = [part for one in found for part in coordinates(one)]
    _constants(call, found)
    return found


def _box_parts(call: exp.Expr) -> list[exp.Expr]:
    """Centre, width and height of a BOX."""
    found = _plain_arguments(call)
    if found and shape(found[0]) == "POINT":
        found = [*coordinates(found[0]), *found[1:]]
    if len(found) != 4:
        raise Refusal(GEOMETRY, f"BOX takes a centre, width and height{place(call)}", remedy="BOX(ra, dec, w, h)")
    return found


def _box(call: exp.Expr) -> list[exp.Expr]:
    """The corners of a BOX: its sides are great circles at right angles to the ends of a cross about its centre.

    Source: ADQL 2.1, section 4.2.9; the corners lie where those circles meet.
    """
    ra, dec, width, height = _constants(call, _box_parts(call))
    if not (0 < width < 180 and 0 < height < 180):
        raise Refusal(GEOMETRY, f"the sides of a BOX are between 0 and 180 degrees{place(call)}", remedy="use POLYGON")
    lon, lat = ra * RAD_PER_DEG, dec * RAD_PER_DEG
    centre = unit_vectors(ra, dec)
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    north = np.array([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)])
    reach = np.tan(width * RAD_PER_DEG / 2) * east, np.tan(height * RAD_PER_DEG / 2) * north
    corners = [centre + x * reach[0] + y * reach[1] for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    placed = [(np.arctan2(y, x) % (2 * np.pi), np.arctan2(z, np.hypot(x, y))) for x, y, z in corners]
    return [double(np.degrees(angle)) for pair in placed for angle in pair]


def _put_separation(call: exp.Anonymous, positions: tuple[exp.Expr, ...], radius: exp.Expr) -> None:
    """``separation <= radius`` in place of the call, or of its comparison with 1 or 0."""
    near = exp.Paren(this=exp.LTE(this=_call("scisql_angSep", *positions), expression=exp.Paren(this=radius.copy())))
    compared: exp.Expr = call
    while isinstance(compared.parent, exp.Paren):
        compared = compared.parent
    parent = compared.parent
    if isinstance(parent, exp.EQ):
        other = parent.right if parent.left is compared else parent.left
        wanted = exact_constant(other)
        if wanted in (0, 1):
            parent.replace(near if wanted == 1 else exp.Paren(this=exp.Not(this=near)))
            return
    call.replace(_call("IFNULL", near, exp.Literal.number(0)))


def _plain_arguments(call: exp.Expr) -> list[exp.Expr]:
    """The arguments without the name of a coordinate system, which is ICRS wherever it is given."""
    found = list(call.expressions)
    if found and isinstance(found[0], exp.Literal) and found[0].is_string:
        system = found[0].name.upper().split()
        if system and system[0] != "ICRS":
            raise Refusal(GEOMETRY, f"positions are ICRS, not {found[0].name}{place(call)}", remedy="leave it out")
        return found[1:]
    return found


def _constants(call: exp.Expr, parts: list[exp.Expr]) -> list[float]:
    values = [constant(part) for part in parts]
    if any(value is None for value in values):
        raise Refusal(
            GEOMETRY, f"the corners of a {shape(call)} are numbers{place(call)}",
            remedy="a CIRCLE may stand about columns; write other regions with numbers",
        )  # fmt: skip
    return [value for value in values if value is not None]


def _require_count(call: exp.Anonymous, count: int) -> None:
    if len(call.expressions) != count:
        raise Refusal(
            GEOMETRY, f"{call.name}() takes {count} arguments, not {len(call.expressions)}{place(call)}",
            remedy="see docs/reference/adql.md",
        )  # fmt: skip


def _call(name: str, *arguments: exp.Expr) -> exp.Anonymous:
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])
