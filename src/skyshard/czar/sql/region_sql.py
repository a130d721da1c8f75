"""Regions of the sphere as native SQL conditions, so that no plug-in is needed in the servers.

Rules: a condition is true exactly where the region's ``contains`` is (edges included; up to rounding on the edge), and
not true for a NULL position. All numbers are DOUBLE literals. Text and trees only, no I/O.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

import numpy as np
from sqlglot import exp

from skyshard.chunking.sphere import RAD_PER_DEG, Box, Circle, Ellipse, Polygon, Region, unit_vectors
from skyshard.czar.sql.tree_nodes import FORMULA_MARK, Formula

HALF_DEG = RAD_PER_DEG / 2


def number(value: float) -> str:
    """A DOUBLE literal that reads back as the same value.

    >>> number(0.1), number(-3.0), number(1e-7)
    ('0.1e0', '-3e0', '1e-07')
    """
    text = repr(float(value))
    return text if "e" in text else f"{text.removesuffix('.0')}e0"


def double(value: float) -> exp.Expr:
    """The same as a tree; of a negative number sqlglot makes a DECIMAL.

    >>> double(0.5).sql(), double(-0.5).sql()
    ('0.5e0', '-0.5e0')
    """
    text = number(value)
    plain = exp.Literal.number(text.removeprefix("-"))
    return exp.Neg(this=plain) if text.startswith("-") else plain


_PART = re.compile(r"\b_([a-z]+)\b")


@lru_cache(maxsize=512)
def _marked(text: str) -> tuple[str, tuple[str, ...]]:
    """The text with a numbered mark in place of each ``_name``, and the names in the order of their numbers."""
    names = tuple(dict.fromkeys(_PART.findall(text)))
    number = {name: f"{FORMULA_MARK}{index}{FORMULA_MARK}" for index, name in enumerate(names)}
    return _PART.sub(lambda match: number[match.group(1)], text), names


def fill(text: str, **parts: exp.Expr) -> exp.Expr:
    """The tree of an expression in which ``_name`` stands for a part; parts keep what is written beside them.

    >>> from skyshard.czar.sql.dialect import render
    >>> render(fill("LOG10(_f) * 2", f=exp.column("ra")))
    'LOG10(ra) * 2'
    """
    marked, names = _marked(text)
    return Formula(this=marked, expressions=[_enclosed(parts[name]) for name in names])


def _enclosed(part: exp.Expr) -> exp.Expr:
    copy = part.copy()
    is_atom = isinstance(copy, (exp.Column, exp.Literal, exp.Paren, exp.Func, exp.Anonymous))
    return copy if is_atom else exp.Paren(this=copy)


def haversine(ra: str, dec: str, ra0: str, dec0: str) -> str:
    """Text of sin² of half the separation of two positions.

    Source: R. W. Sinnott, Virtues of the Haversine, Sky and Telescope 68 (1984) 159; exact at small separations.
    """
    half, whole = number(HALF_DEG), number(RAD_PER_DEG)
    spread = f"COS({dec} * {whole}) * COS({dec0} * {whole})"
    return f"(POW(SIN(({dec} - {dec0}) * {half}), 2) + {spread} * POW(SIN(({ra} - {ra0}) * {half}), 2))"


def condition(region: Region, ra: exp.Expr, dec: exp.Expr, *, is_valid: bool) -> exp.Expr:
    """The condition that a position lies in a region; right ascension may be beyond [0, 360).

    ``is_valid``: declination is known to be in [-90, 90].
    """
    return exp.Paren(this=fill(_text(region, is_valid=is_valid), ra=ra, dec=dec))


OPEN = "\x05"
_OPEN_AREA = re.compile(f"{OPEN}(0|1){OPEN}([^{OPEN}]*){OPEN}([^{OPEN}]*){OPEN}")


def open_condition(ra: exp.Expr, dec: exp.Expr, *, is_valid: bool) -> exp.Expr:
    """A mark in place of :func:`condition`, whose region :func:`close_areas` puts in."""
    return exp.Paren(this=fill(f"{OPEN}{int(is_valid)}{OPEN}_ra{OPEN}_dec{OPEN}", ra=ra, dec=dec))


def close_areas(text: str, region: Region) -> str:
    """A statement's text with a region in place of every mark.

    >>> from skyshard.czar.sql.dialect import render
    >>> ra, dec = exp.column("ra"), exp.column("decl")
    >>> text, box = render(open_condition(ra, dec, is_valid=True)), Box(1, 2, 3, 4)
    >>> close_areas(text, box) == render(condition(box, ra, dec, is_valid=True))
    True
    """
    if OPEN not in text:
        return text

    def put_in(match: re.Match[str]) -> str:
        parts = {"ra": match.group(2), "dec": match.group(3)}
        return _PART.sub(lambda part: parts[part.group(1)], _text(region, is_valid=match.group(1) == "1"))

    return _OPEN_AREA.sub(put_in, text)


REDUCED_RA = "IF(MOD(_ra, 360e0) < 0, MOD(_ra, 360e0) + 360e0, MOD(_ra, 360e0))"


def _text(region: Region, *, is_valid: bool) -> str:
    if isinstance(region, Box):
        return _box(region)
    text = _circle(region) if isinstance(region, Circle) else _ellipse_or_polygon(region)
    return text if is_valid else f"_dec BETWEEN -90 AND 90 AND {text}"


def _ellipse_or_polygon(region: Ellipse | Polygon) -> str:
    return _ellipse(region) if isinstance(region, Ellipse) else _polygon(region)


def _box(box: Box) -> str:
    """Plain comparisons first: only right ascensions beyond [0, 360) have to be reduced."""
    dec = f"_dec BETWEEN {number(box.dec_min)} AND {number(box.dec_max)}"
    low, high = box.ra_range
    if (low, high) == (0.0, 360.0):
        return f"{dec} AND _ra IS NOT NULL"
    if low <= high:
        plain = f"_ra BETWEEN {number(low)} AND {number(high)}"
        reduced = f"{REDUCED_RA} BETWEEN {number(low)} AND {number(high)}"
        return f"{dec} AND ({plain} OR (_ra < 0 OR _ra >= 360) AND {reduced})"
    plain = f"_ra >= {number(low)} AND _ra < 360 OR _ra BETWEEN 0 AND {number(high)}"
    reduced = f"({REDUCED_RA} >= {number(low)} OR {REDUCED_RA} <= {number(high)})"
    return f"{dec} AND ({plain} OR (_ra < 0 OR _ra >= 360) AND {reduced})"


def _circle(circle: Circle) -> str:
    if circle.radius_deg >= 180.0:
        return "_dec IS NOT NULL AND _ra IS NOT NULL"
    half, whole = number(HALF_DEG), number(RAD_PER_DEG)
    sine = math.sin(circle.radius_deg * HALF_DEG)
    offset = f"_dec - {_signed(circle.dec)}"
    spread = f"COS(_dec * {whole}) * {number(math.cos(circle.dec * RAD_PER_DEG))}"
    separation = f"POW(SIN(({offset}) * {half}), 2) + {spread} * POW(SIN((_ra - {_signed(circle.ra)}) * {half}), 2)"
    return f"ABS({offset}) <= {number(circle.radius_deg)} AND {separation} <= {number(sine * sine)}"


def _signed(value: float) -> str:
    return number(value) if value >= 0 else f"({number(value)})"


def _dot(vector: np.ndarray[tuple[int], np.dtype[np.float64]]) -> str:
    """Text of the product of a position's unit vector with a constant one."""
    x, y, z = (_signed(float(part)) for part in vector)
    whole = number(RAD_PER_DEG)
    level = f"COS(_dec * {whole}) * (COS(_ra * {whole}) * {x} + SIN(_ra * {whole}) * {y})"
    return f"({level} + SIN(_dec * {whole}) * {z})"


def _ellipse(ellipse: Ellipse) -> str:
    major, minor = (axis * RAD_PER_DEG / 3600 for axis in (ellipse.semi_major_arcsec, ellipse.semi_minor_arcsec))
    if minor * minor == 0.0:
        return "_dec IS NOT NULL AND FALSE"
    lon, lat, turn = (angle * RAD_PER_DEG for angle in (ellipse.ra, ellipse.dec, ellipse.position_angle_deg))
    north = np.array([-math.sin(lat) * math.cos(lon), -math.sin(lat) * math.sin(lon), math.cos(lat)])
    east = np.array([-math.sin(lon), math.cos(lon), 0.0])
    along = math.cos(turn) * north + math.sin(turn) * east
    across = math.cos(turn) * east - math.sin(turn) * north
    centre = unit_vectors(ellipse.ra, ellipse.dec)
    reach = math.degrees(math.asin(major)) + 1e-9
    return (
        f"ABS(_dec - {_signed(ellipse.dec)}) <= {number(reach)} AND {_dot(centre)} > 0 AND "
        f"POW({_dot(along)}, 2) * {number(1 / (major * major))} + "
        f"POW({_dot(across)}, 2) * {number(1 / (minor * minor))} <= 1"
    )


def _polygon(polygon: Polygon) -> str:
    bounds = polygon.bounds()
    sides = " AND ".join(f"{_dot(normal)} >= 0" for normal in polygon.half_spaces().normals)
    return f"_dec BETWEEN {number(bounds.dec_min)} AND {number(bounds.dec_max)} AND {sides}"
