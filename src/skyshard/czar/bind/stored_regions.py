"""A pass: points and circles against polygons that a table holds become conditions over the columns of the polygon.

Rules: a column that holds no polygon is refused; a NULL argument gives 0. Where the table has bounds, a condition on
them goes first: as a term of WHERE or ON it is what a SPATIAL index is read by, but only where it is the only one of
this index, so there is none where the statement has one of its own. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from skyshard.basics.errors import Refusal, UserError
from skyshard.catalog.region_columns import RegionColumns, region_columns
from skyshard.chunking.sphere import Circle
from skyshard.czar.bind.bound_statement import REF, Bound, Reference, column_of, columns_of, terms_of
from skyshard.czar.bind.constants import constant, exact_constant
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.statement import place
from skyshard.czar.sql.stored_region_sql import (
    MOST_EDGES,
    CircleTest,
    Values,
    as_values,
    circle_condition,
    circle_texts,
    holds_circle,
    meets_circle,
    near_circle,
    near_point,
    open_values,
    point_inside,
    point_texts,
    within_circle,
)

PREFIX = "skyshard_"
MOST_RADIUS_DEG = 90.0
OWN_POINT = ("ownra", "owndec")
"""Marks of the coordinates in a POINT() that a statement has beside the call."""
POINT_IN_REGION = "scisql_s2ptincpoly"
CIRCLE_TESTS: Mapping[str, tuple[str, CircleTest]] = {
    "skyshard_circlemeetsregion": ("skyshard_circleMeetsRegion", meets_circle),
    "skyshard_circleinregion": ("skyshard_circleInRegion", holds_circle),
    "skyshard_regionincircle": ("skyshard_regionInCircle", within_circle),
}
"""Name in lower case → as it is written, and what it asks; the arguments are ra, dec, radius, region."""


def asks_stored_region(call: exp.Anonymous) -> bool:
    """True for a test of a polygon that is in a column."""
    name = call.name.lower()
    if name.startswith(PREFIX):
        return True
    is_column = len(call.expressions) == 3 and isinstance(call.expressions[2].unnest(), exp.Column)
    return name == POINT_IN_REGION and is_column


def expand_stored_region(bound: Bound, call: exp.Anonymous) -> None:
    """Put plain conditions in place of a call; of a whole term of WHERE or ON, in place of the term.

    Raises:
        Refusal: the column holds no polygon, or there is no such function.
        UserError: wrong arguments.
    """
    name = call.name.lower()
    if name != POINT_IN_REGION and name not in CIRCLE_TESTS:
        known = ", ".join(written for written, _ in CIRCLE_TESTS.values())
        raise Refusal("function", f"there is no function {call.name}(){place(call)}", remedy=f"known are {known}")
    count = 3 if name == POINT_IN_REGION else 4
    if len(call.expressions) != count:
        raise UserError(
            f"{call.name}() takes {count} arguments, not {len(call.expressions)}{place(call)}",
            remedy="see docs/reference/sql.md",
        )
    *numbers, column = call.expressions
    reference, region = _region(bound, call, column)
    tests = _point_tests if count == 3 else _circle_tests
    values = _values(call, numbers)
    if values is not None and bound.has_open_areas:
        _open_points(call, numbers)
        values = open_values(values)
    near, exact = tests(call, numbers, values, reference, region)
    term = _whole_term(call)
    is_read_by = near is not None and (term is None or not _has_own_bounds(call, reference, region))
    inside: exp.Expr = exp.and_(near, exact, copy=False) if is_read_by else exact
    node: exp.Expr = exp.Paren(this=inside)
    if term is None:
        node = exp.Anonymous(this="IFNULL", expressions=[node, exp.Literal.number(0)])
    _put(bound, term or call, node)


def _region(bound: Bound, call: exp.Anonymous, node: exp.Expr) -> tuple[Reference, RegionColumns]:
    """The table and the columns of the polygon that an argument names."""
    column = node.unnest()
    reference = bound.reference(column) if isinstance(column, exp.Column) else None
    found = region_columns(reference.columns, column.name) if reference is not None else None
    if reference is None or found is None:
        raise Refusal(
            "area-arguments", f"'{render(node)[:40]}' holds no polygons for {call.name}(){place(call)}",
            remedy="name a column such as s_region of ivoa.ObsCore, which `skyshard obscore` makes, or write numbers",
        )  # fmt: skip
    if len(found.normals) > MOST_EDGES:
        raise Refusal(
            "area-arguments", f"'{column.name}' has polygons of {len(found.normals)} edges{place(call)}",
            remedy=f"at most {MOST_EDGES} are compared",
        )  # fmt: skip
    return reference, found


Tests = tuple[exp.Expr | None, exp.Expr]
"""The condition on the bounds, where the table has any, and the exact one."""


def _point_tests(
    call: exp.Anonymous, numbers: list[exp.Expr], values: Values | None, reference: Reference, region: RegionColumns
) -> Tests:
    ra, dec = numbers
    near = near_point(ra, dec, values, column_of(reference, region.bounds)) if region.bounds else None
    return near, point_inside(ra, dec, values, _normals(reference, region))


def _circle_tests(
    call: exp.Anonymous, numbers: list[exp.Expr], values: Values | None, reference: Reference, region: RegionColumns
) -> Tests:
    ra, dec, radius = numbers
    test = CIRCLE_TESTS[call.name.lower()][1]
    near = near_circle((ra, dec, radius), values, column_of(reference, region.bounds)) if region.bounds else None
    return near, circle_condition(test, (ra, dec, radius), values, _normals(reference, region))


def _values(call: exp.Anonymous, nodes: list[exp.Expr]) -> Values | None:
    """What numbers decide of the conditions; None where one of them is computed for each row."""
    values = [constant(node) for node in nodes]
    if len(values) == 3 and values[2] is not None:
        _require_radius(call, values[2])
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    try:
        return as_values(region_texts(known))
    except UserError as error:
        raise UserError(f"{call.name}(): {error.what}{place(call)}", remedy=error.remedy) from None


def region_texts(numbers: Sequence[float]) -> dict[str, str]:
    """What the numbers of a point, or of a circle, decide of the conditions.

    Raises:
        UserError: a declination beyond a pole, or a radius that is none.
    """
    circle = Circle(*(*numbers, 0.0)[:3])
    return point_texts(circle.ra, circle.dec) if len(numbers) == 2 else circle_texts(circle)


def _require_radius(call: exp.Anonymous, radius: float) -> None:
    if not 0 <= radius < MOST_RADIUS_DEG:
        raise UserError(
            f"{call.name}(): radius {radius:g} is not from 0 to below 90 degrees{place(call)}", remedy="give degrees"
        )


def _open_points(call: exp.Anonymous, numbers: list[exp.Expr]) -> None:
    """Marks in place of the same numbers in the statement's own POINT(ra, dec)."""
    written = [render(node) for node in numbers[:2]]
    for point in [node for node in call.root().find_all(exp.Anonymous) if node.name.upper() == "POINT"]:
        if [render(node) for node in point.expressions] == written:
            marks = open_values(OWN_POINT)
            point.set("expressions", [marks[name] for name in OWN_POINT])


def _normals(reference: Reference, region: RegionColumns) -> list[tuple[exp.Expr, exp.Expr, exp.Expr]]:
    return [(column_of(reference, x), column_of(reference, y), column_of(reference, z)) for x, y, z in region.normals]


def _put(bound: Bound, old: exp.Expr, new: exp.Expr) -> None:
    """Replace a node in the tree, and where it is noted as a term of a join."""
    old.replace(new)
    for join in (join for block in bound.blocks for join in block.joins):
        join.terms = [new.unnest() if term is old else term for term in join.terms]


def _has_own_bounds(call: exp.Anonymous, reference: Reference, region: RegionColumns) -> bool:
    """True where a term beside the call's already is about the bounds of its polygon, as MBRWITHIN(POINT(...), ...)."""
    columns = (column for term in _terms(call) for column in columns_of(term))
    return any(
        column.name.lower() == region.bounds.lower() and column.meta.get(REF) == reference.number for column in columns
    )


def _terms(call: exp.Anonymous) -> list[exp.Expr]:
    """The AND-ed terms of WHERE and of the ONs of a call's SELECT."""
    select = call.find_ancestor(exp.Select)
    if select is None:
        return []
    where = select.args.get("where")
    clauses = [where.this] if where is not None else []
    clauses += [on for join in select.args.get("joins") or () if (on := join.args.get("on")) is not None]
    return [term for clause in clauses for term in terms_of(clause)]


def _whole_term(call: exp.Anonymous) -> exp.Expr | None:
    """The AND-ed term of WHERE or of a join's ON that is this call alone, or the call compared with 1."""
    for term in _terms(call):
        sides = [term.left.unnest(), term.right.unnest()] if isinstance(term, exp.EQ) else [term]
        others = [side for side in sides if side is not call]
        if len(others) == len(sides) - 1 and all(exact_constant(other) == 1 for other in others):
            return term
    return None
