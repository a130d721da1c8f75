"""The functions of ADQL, and those of the czar that a query may call besides. Values, and one pass over a tree.

Rules: a function that is not listed is refused. ``_a``, ``_b`` stand for arguments.
"""

from __future__ import annotations

from sqlglot import exp

from skyshard.basics.errors import Refusal
from skyshard.basics.near_names import did_you_mean, near_names
from skyshard.czar.adql.geometry import (
    GEOMETRY,
    PREDICATES,
    SHAPES,
    translate_area,
    translate_coordinate,
    translate_distance,
    translate_predicate,
)
from skyshard.czar.adql.grammar import NOT_ADQL
from skyshard.czar.bind.expand_functions import FORMULAS, SCISQL
from skyshard.czar.sql.region_sql import fill
from skyshard.czar.sql.statement import place

_SAME = {
    "ABS": (1, 1), "CEILING": (1, 1), "DEGREES": (1, 1), "EXP": (1, 1), "FLOOR": (1, 1), "LOG10": (1, 1),
    "MOD": (2, 2), "PI": (0, 0), "POWER": (2, 2), "RADIANS": (1, 1), "RAND": (0, 1), "ROUND": (1, 2), "SQRT": (1, 1),
    "ACOS": (1, 1), "ASIN": (1, 1), "ATAN": (1, 1), "ATAN2": (2, 2), "COS": (1, 1), "COT": (1, 1), "SIN": (1, 1),
    "TAN": (1, 1), "LOWER": (1, 1), "UPPER": (1, 1), "COALESCE": (1, 99),
}  # fmt: skip
"""Function → how many arguments it takes, at least and at most; MariaDB computes the same."""
_OTHERWISE = {("LOG", 1): "LN(_a)", ("TRUNCATE", 1): "TRUNCATE(_a, 0)", ("TRUNCATE", 2): "TRUNCATE(_a, _b)"}
_COORDINATES = ("COORD1", "COORD2")
FUNCTIONS = frozenset((*_SAME, "LOG", "TRUNCATE", "DISTANCE", "AREA", "IN_UNIT", *_COORDINATES, *PREDICATES, *SHAPES))
_OURS = {
    "angsep": "scisql_angSep(ra DOUBLE, dec DOUBLE, ra2 DOUBLE, dec2 DOUBLE) -> DOUBLE",
    "fluxtoabmag": "scisql_fluxToAbMag(flux DOUBLE) -> DOUBLE",
    "fluxtoabmagsigma": "scisql_fluxToAbMagSigma(flux DOUBLE, error DOUBLE) -> DOUBLE",
    "abmagtoflux": "scisql_abMagToFlux(mag DOUBLE) -> DOUBLE",
    "abmagtofluxsigma": "scisql_abMagToFluxSigma(mag DOUBLE, error DOUBLE) -> DOUBLE",
    "nanojanskytoabmag": "scisql_nanojanskyToAbMag(flux DOUBLE) -> DOUBLE",
    "nanojanskytoabmagsigma": "scisql_nanojanskyToAbMagSigma(flux DOUBLE, error DOUBLE) -> DOUBLE",
    "abmagtonanojansky": "scisql_abMagToNanojansky(mag DOUBLE) -> DOUBLE",
    "abmagtonanojanskysigma": "scisql_abMagToNanojanskySigma(mag DOUBLE, error DOUBLE) -> DOUBLE",
}
USER_FUNCTIONS: tuple[str, ...] = tuple(_OURS[name] for name in FORMULAS)
"""The forms in which a service declares the czar's own functions."""


def translate_functions(tree: exp.Expr) -> None:
    """Replace every function that MariaDB calls or computes otherwise, innermost calls first.

    Raises:
        Refusal: an unknown function, or one with wrong arguments.
    """
    calls = [node for node in tree.find_all(exp.Anonymous) if not node.name.upper().startswith(SCISQL.upper())]
    for call in sorted(calls, key=lambda node: node.depth, reverse=True):
        name = call.name.upper()
        if name in PREDICATES:
            translate_predicate(call)
        elif name == "DISTANCE":
            call.replace(translate_distance(call))
        elif name in _COORDINATES:
            call.replace(translate_coordinate(call))
        elif name == "AREA":
            call.replace(translate_area(call))
        elif name == "IN_UNIT":
            continue  # units are those of columns, whose tables are not known yet
        elif name not in SHAPES:
            _translate(call, name)
    for node in tree.find_all(exp.Anonymous):
        if node.name.upper() in SHAPES:
            raise Refusal(
                GEOMETRY, f"{node.name} stands for no value here{place(node)}",
                remedy="regions are for CONTAINS, INTERSECTS and DISTANCE; select coordinates instead",
            )  # fmt: skip


def check_own_functions(tree: exp.Expr) -> None:
    """Refuse ``scisql_`` functions that are not declared; before geometry is translated into such."""
    for call in tree.find_all(exp.Anonymous):
        name = call.name.lower()
        if name.startswith(SCISQL) and name.removeprefix(SCISQL) not in FORMULAS:
            raise _unknown(call)


def _translate(call: exp.Anonymous, name: str) -> None:
    count = len(call.expressions)
    if (name, count) in _OTHERWISE:
        call.replace(fill(_OTHERWISE[name, count], **dict(zip("ab", call.expressions, strict=False))))
        return
    if name not in _SAME:
        if name in FUNCTIONS:
            raise Refusal(NOT_ADQL, f"{name}() takes other arguments{place(call)}", remedy="see docs/reference/adql.md")
        raise _unknown(call)
    low, high = _SAME[name]
    if not low <= count <= high:
        wanted = str(low) if low == high else f"{low} to {high}"
        raise Refusal(
            NOT_ADQL,
            f"{name}() takes {wanted} arguments, not {count}{place(call)}",
            remedy="see docs/reference/adql.md",
        )


def _unknown(call: exp.Anonymous) -> Refusal:
    known = [*FUNCTIONS, *(form.partition("(")[0] for form in USER_FUNCTIONS)]
    remedy = did_you_mean(near_names(call.name, known), "see docs/reference/adql.md")
    return Refusal(NOT_ADQL, f"there is no function {call.name}(){place(call)}", remedy=remedy)
