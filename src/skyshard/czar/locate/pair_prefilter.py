"""Cheap conditions in front of the separations of pairs: most pairs fail them, and are never measured.

Rules: a window lets every pair through whose separation is small enough, and others too; the separation itself is still
asked. Declinations are compared as they are; right ascensions with a *reach* that a table read with overlap carries as
one more column, computed once a row. No I/O.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

from sqlglot import exp

from skyshard.chunking.sphere import RAD_PER_DEG
from skyshard.czar.bind.bound_statement import COLUMN, Bound, Reference, column_of
from skyshard.czar.bind.expand_functions import partition_columns
from skyshard.czar.locate.chunk_limits import separation
from skyshard.czar.sql.region_sql import fill, number
from skyshard.db.connection import quote_name

HIGHEST_DEC = 89.99
"""Closer to a pole any right ascension is within reach."""
_NEAR_IN_RA = "(ABS(_one - _other) <= _reach OR ABS(_one - _other) >= 360e0 - _reach)"
Pair = tuple[Reference, Reference, float]


def pairs(bound: Bound, terms: Sequence[exp.Expr]) -> Iterator[Pair]:
    """Two references whose positions are held together by a term, and within how many degrees."""
    for term in terms:
        found = separation(term)
        if found is None or found.radius_deg is None:
            continue
        one, other = (_positioned(bound, *found.arguments[start : start + 2]) for start in (0, 2))
        if one is not None and other is not None and one is not other:
            yield one, other, found.radius_deg


def _positioned(bound: Bound, ra: exp.Expr, dec: exp.Expr) -> Reference | None:
    """The reference that has these two columns as its position."""
    columns = [node.unnest() for node in (ra, dec)]
    owners = [bound.reference(column) if isinstance(column, exp.Column) else None for column in columns]
    if owners[0] is None or owners[0] is not owners[1]:
        return None
    is_position = partition_columns(owners[0]) == tuple(column.meta[COLUMN] for column in columns)
    return owners[0] if is_position else None


def windows(bound: Bound, terms: Sequence[exp.Expr], reaching: Collection[int]) -> list[exp.Expr]:
    """Windows for AND-ed terms; the references ``reaching`` carry the column of :func:`reach_column`."""
    made: list[exp.Expr] = []
    for one, other, radius in pairs(bound, terms):
        gap = exp.Sub(this=_coordinate(one, 1), expression=_coordinate(other, 1))
        within = exp.Literal.number(repr(radius * (1 + 1e-9) + 1e-12))
        made.append(exp.LTE(this=exp.Anonymous(this="ABS", expressions=[gap]), expression=within))
        far = next((side for side in (other, one) if side.number in reaching), None)
        if far is not None:
            reach = exp.column(
                exp.to_identifier(reach_column(far), quoted=True), exp.to_identifier(far.alias, quoted=True)
            )
            made.append(fill(_NEAR_IN_RA, one=_coordinate(one, 0), other=_coordinate(other, 0), reach=reach))
    return made


def _coordinate(reference: Reference, axis: int) -> exp.Column:
    columns = partition_columns(reference)
    assert columns is not None
    return column_of(reference, columns[axis])


def reach_column(reference: Reference) -> str:
    """Name of the column that holds how far a pair may be apart in right ascension, in degrees: none of the table's."""
    name = "skyshard_reach"
    while reference.find(name) is not None:
        name += "_"
    return name


def reach_text(bound: Bound, terms: Sequence[exp.Expr], reference: Reference) -> str:
    """A reference's reach as a column, for the widest separation that it takes part in; empty if there is none.

    Two positions within r have right ascensions within 2 asin(sin(r/2) / cos(d + r)), d the absolute declination of
    either, which follows from the haversine formula and from both declinations being below d + r.
    """
    radii = [radius for one, other, radius in pairs(bound, terms) if reference in (one, other)]
    if not radii or max(radii) < 0:
        return ""
    radius = max(radii) * (1 + 1e-9) + 1e-12
    columns = partition_columns(reference)
    assert columns is not None
    dec = f"ABS({quote_name(reference.alias)}.{quote_name(columns[1])}) + {number(radius)}"
    sine = f"{number(math.sin(radius * RAD_PER_DEG / 2))} / COS(({dec}) * {number(RAD_PER_DEG)})"
    width = f"IF({dec} < {number(HIGHEST_DEC)}, DEGREES(2 * ASIN(LEAST(1, {sine}))) * 1.000001e0 + 1e-9, 180e0)"
    return f"{width} AS {reach_column(reference)}"
