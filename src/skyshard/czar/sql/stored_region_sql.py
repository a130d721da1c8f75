"""A stored polygon against a point or a circle, as native SQL conditions over the normals of its edges.

Rules: a condition is true exactly where the polygon and the point or circle are so (edges included; up to rounding on
the edge), and not true where a number is NULL. In texts ``_ux``, ``_uy``, ``_uz`` stand for the unit vector of the
point or centre, ``_sine`` for the sine of the radius, and ``_ax`` ... ``_pz`` for the normals. Text and trees only.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Iterable, Mapping, Sequence

from sqlglot import exp

from skyshard.chunking.sphere import RAD_PER_DEG, Circle, reduce_ra, unit_vectors
from skyshard.czar.sql.region_sql import REDUCED_RA, fill, number

MOST_EDGES = 16
_PAD_DEG = 1e-9
_WHOLE = number(RAD_PER_DEG)
Normals = Sequence[tuple[exp.Expr, exp.Expr, exp.Expr]]
CircleTest = Callable[[int], str]


Values = Mapping[str, exp.Expr]
"""What stands for each part of a text that a point's or circle's numbers decide."""
OPEN = "\x06"
_OPEN_PART = re.compile(f"{OPEN}([a-z]+){OPEN}")


def point_texts(ra: float, dec: float) -> dict[str, str]:
    """The parts that a point decides: its unit vector, and its coordinates reduced."""
    return _vector_texts(ra, dec) | {"ra": _signed(float(reduce_ra(ra))), "dec": _signed(dec + 0.0)}


def circle_texts(circle: Circle) -> dict[str, str]:
    """The parts that a circle decides: its centre as a unit vector, the sine of its radius, the box around it.

    A box over right ascension 0 is taken full circle: an index is not used for two boxes.
    """
    box = circle.bounds()
    west, east = box.ra_range if box.ra_range[0] <= box.ra_range[1] else (0.0, 360.0)
    sides = {"west": west, "south": box.dec_min, "east": east, "north": box.dec_max}
    sine = math.sin(circle.radius_deg * RAD_PER_DEG)
    return _vector_texts(circle.ra, circle.dec) | {name: _signed(v) for name, v in {**sides, "sine": sine}.items()}


def as_values(texts: Mapping[str, str]) -> dict[str, exp.Expr]:
    """Parts as nodes."""
    return {name: exp.Literal(this=text, is_string=False) for name, text in texts.items()}


def open_values(names: Iterable[str]) -> dict[str, exp.Expr]:
    """Marks in place of parts, which :func:`close_region` puts in."""
    return as_values({name: f"{OPEN}{name}{OPEN}" for name in names})


def close_region(text: str, parts: Mapping[str, str]) -> str:
    """A statement's text with parts in place of their marks.

    >>> close_region("a > \\x06ra\\x06", {"ra": "1e0"})
    'a > 1e0'
    """
    return _OPEN_PART.sub(lambda match: parts[match[1]], text)


def point_inside(ra: exp.Expr, dec: exp.Expr, values: Values | None, normals: Normals) -> exp.Expr:
    """The condition that a point lies in the polygon; ``values`` where its coordinates are numbers."""
    level = "COS(_dec * {w}) * (COS(_ra * {w}) * _{n}x + SIN(_ra * {w}) * _{n}y) + SIN(_dec * {w}) * _{n}z >= 0"
    if values is not None:
        return exp.Paren(this=fill(_all(f"{_product('u', n)} >= 0" for n in _letters(len(normals))),
                                   **_only(values, "ux", "uy", "uz"), **_parts(normals)))  # fmt: skip
    text = _all(level.format(w=_WHOLE, n=n) for n in _letters(len(normals)))
    return exp.Paren(this=fill(f"_dec BETWEEN -90 AND 90 AND {text}", ra=ra, dec=dec, **_parts(normals)))


def near_point(ra: exp.Expr, dec: exp.Expr, values: Values | None, bounds: exp.Expr) -> exp.Expr:
    """The condition, which a SPATIAL index answers, that the bounds of a polygon hold a point."""
    if values is not None:
        return fill("MBRCONTAINS(_bounds, POINT(_ra, _dec))", bounds=bounds, **_only(values, "ra", "dec"))
    return fill(f"MBRCONTAINS(_bounds, POINT({REDUCED_RA}, _dec))", bounds=bounds, ra=ra, dec=dec)


def circle_condition(
    test: CircleTest, place: tuple[exp.Expr, exp.Expr, exp.Expr], values: Values | None, normals: Normals
) -> exp.Expr:
    """One of the tests below, for a circle; ``values`` where right ascension, declination and radius are numbers."""
    ra, dec, radius = place
    text, parts = test(len(normals)), _parts(normals)
    if values is not None:
        return exp.Paren(this=fill(text, **_only(values, "ux", "uy", "uz", "sine"), **parts))
    vector = {
        "ux": fill(f"(COS(_dec * {_WHOLE}) * COS(_ra * {_WHOLE}))", ra=ra, dec=dec),
        "uy": fill(f"(COS(_dec * {_WHOLE}) * SIN(_ra * {_WHOLE}))", ra=ra, dec=dec),
        "uz": fill(f"SIN(_dec * {_WHOLE})", dec=dec),
        "sine": fill(f"SIN(_r * {_WHOLE})", r=radius),
    }
    valid = "_dec BETWEEN -90 AND 90 AND _r >= 0 AND _r < 90"
    return exp.Paren(this=fill(f"{valid} AND {text}", dec=dec, r=radius, **vector, **parts))


def meets_circle(edges: int) -> str:
    """The polygon and the circle have a point in common.

    The centre is inside, or an edge is within the radius at the foot of the centre on its great circle, which lies
    between the edge's ends, or a corner is within the radius.
    """
    names = _letters(edges)
    near = _all(f"{_product('u', n)} >= -_sine" for n in names)
    inside = _all(f"{_product('u', n)} >= 0" for n in names)
    sides = [_foot_within(names[i - 1], names[i], names[(i + 1) % edges]) for i in range(edges)]
    corners = [_corner_within(names[i - 1], names[i]) for i in range(edges)]
    return f"{near} AND ({inside} OR {' OR '.join([*sides, *corners])})"


def holds_circle(edges: int) -> str:
    """The whole circle is in the polygon."""
    return _all(f"{_product('u', n)} >= _sine" for n in _letters(edges))


def within_circle(edges: int) -> str:
    """The whole polygon is in the circle: all of its corners are."""
    names = _letters(edges)
    return _all(_corner_within(names[i - 1], names[i]) for i in range(edges))


def near_circle(place: tuple[exp.Expr, exp.Expr, exp.Expr], values: Values | None, bounds: exp.Expr) -> exp.Expr:
    """The condition, which a SPATIAL index answers, that the bounds of a polygon meet the box around a circle."""
    line = "MBRINTERSECTS(_bounds, LINESTRING(POINT(_west, _south), POINT(_east, _north)))"
    ra, dec, radius = place
    if values is not None:
        return fill(line, bounds=bounds, **_only(values, "west", "south", "east", "north"))
    pad = number(_PAD_DEG)
    share = f"SIN(_r * {_WHOLE}) / COS(_dec * {_WHOLE})"
    half = f"IF(ABS(_dec) + _r >= 89.9e0, 360e0, DEGREES(ASIN(LEAST(1, {share}))) + {pad})"
    is_split = f"({REDUCED_RA} - {half} < 0 OR {REDUCED_RA} + {half} >= 360)"
    given = {"ra": ra, "dec": dec, "r": radius}
    texts = {
        "west": f"IF({is_split}, 0, {REDUCED_RA} - {half})", "east": f"IF({is_split}, 360, {REDUCED_RA} + {half})",
        "south": f"GREATEST(-90, _dec - _r - {pad})", "north": f"LEAST(90, _dec + _r + {pad})",
    }  # fmt: skip
    return fill(line, bounds=bounds, **{name: fill(text, **given) for name, text in texts.items()})


def _foot_within(before: str, edge: str, after: str) -> str:
    """The foot of the centre on an edge's great circle is between its ends and within the radius.

    With unit normals m, n, o of three edges in turn and the centre u, the foot lies beyond the first end where
    u·m >= (u·n)(m·n), and before the other where u·o >= (u·n)(n·o). Of an edge without length this is so at the
    antipode of its ends, too: one of them has to be on the foot's side of the sphere.
    """
    height, first, last = _product("u", edge), _along(_corner(before, edge)), _along(_corner(edge, after))
    return (
        f"(ABS({height}) <= _sine AND {_product('u', before)} >= {height} * {_product(before, edge)}"
        f" AND {_product('u', after)} >= {height} * {_product(edge, after)} AND ({first} > 0 OR {last} > 0))"
    )


def _corner_within(before: str, edge: str) -> str:
    """The corner where two edges meet is within the radius.

    sin² of its distance is |u x w|² / |w|² with the vector w of the corner; u·w > 0 leaves out its antipode.
    """
    w = _corner(before, edge)
    across = " + ".join(f"POW(_u{i} * {w[j]} - _u{j} * {w[i]}, 2)" for i, j in ("yz", "zx", "xy"))
    size = " + ".join(f"POW({w[axis]}, 2)" for axis in "xyz")
    return f"({_along(w)} > 0 AND {across} <= POW(_sine, 2) * ({size}))"


def _corner(before: str, edge: str) -> dict[str, str]:
    """The vector to the corner where two edges meet, of no certain length: the cross product of their normals."""
    return {
        axis: f"(_{before}{one} * _{edge}{two} - _{before}{two} * _{edge}{one})"
        for axis, one, two in (("x", "y", "z"), ("y", "z", "x"), ("z", "x", "y"))
    }


def _along(w: Mapping[str, str]) -> str:
    """The product of the centre with a vector."""
    return " + ".join(f"_u{axis} * {w[axis]}" for axis in "xyz")


def _product(one: str, other: str) -> str:
    return f"(_{one}x * _{other}x + _{one}y * _{other}y + _{one}z * _{other}z)"


def _all(conditions: Iterable[str]) -> str:
    return " AND ".join(conditions)


def _letters(edges: int) -> str:
    return string.ascii_lowercase[:edges]


def _parts(normals: Normals) -> dict[str, exp.Expr]:
    letters = _letters(len(normals))
    return {f"{n}{axis}": part for n, normal in zip(letters, normals, strict=True)
            for axis, part in zip("xyz", normal, strict=True)}  # fmt: skip


def _vector_texts(ra: float, dec: float) -> dict[str, str]:
    return {f"u{axis}": _signed(float(part)) for axis, part in zip("xyz", unit_vectors(ra, dec), strict=True)}


def _only(values: Values, *names: str) -> dict[str, exp.Expr]:
    return {name: values[name] for name in names}


def _signed(value: float) -> str:
    return number(value) if value >= 0 else f"({number(value)})"
