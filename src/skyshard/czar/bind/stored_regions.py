"""A pass: points and circles against polygons that a table holds become conditions over the columns of the polygon.

Rules: a column that holds no polygon is refused; a NULL argument gives 0. Where the table has bounds, a condition on
them goes first: as a term of WHERE or ON it is what a SPATIAL index is read by. No I/O.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from skyshard.basics.errors import Refusal, UserError
from skyshard.catalog.region_columns import RegionColumns, region_columns
from skyshard.chunking.sphere import Circle
from skyshard.czar.bind.bound_statement import Bound, Reference, column_of, terms_of
from skyshard.czar.bind.constants import constant, exact_constant
from skyshard.czar.sql.statement import place
from skyshard.czar.sql.stored_region_sql import (
    MOST_EDGES,
    CircleTest,
    circle_condition,
    holds_circle,
    meets_circle,
    near_circle,
    near_point,
    point_inside,
    within_circle,
)

PREFIX = "skyshard_"
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
    conditions = tests(call, numbers, reference, region)
    inside: exp.Expr = exp.and_(*conditions, copy=False) if len(conditions) > 1 else conditions[0]
    node: exp.Expr = exp.Paren(this=inside)
    term = _whole_term(call)
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
            "area-arguments", f"'{node.sql('mysql')[:40]}' holds no polygons for {call.name}(){place(call)}",
            remedy="name a column such as s_region of ivoa.ObsCore, which `skyshard obscore` makes, or write numbers",
        )  # fmt: skip
    if len(found.normals) > MOST_EDGES:
        raise Refusal(
            "area-arguments", f"'{column.name}' has polygons of {len(found.normals)} edges{place(call)}",
            remedy=f"at most {MOST_EDGES} are compared",
        )  # fmt: skip
    return reference, found


def _point_tests(
    call: exp.Anonymous, numbers: list[exp.Expr], reference: Reference, region: RegionColumns
) -> list[exp.Expr]:
    ra, dec = numbers
    values = _numbers(call, numbers)
    at = None if values is None else (values[0], values[1])
    if at is not None:
        _circle(call, [*at, 0.0])
    near = [near_point(ra, dec, at, column_of(reference, region.bounds))] if region.bounds else []
    return [*near, point_inside(ra, dec, at, _normals(reference, region))]


def _circle_tests(
    call: exp.Anonymous, numbers: list[exp.Expr], reference: Reference, region: RegionColumns
) -> list[exp.Expr]:
    ra, dec, radius = numbers
    values = _numbers(call, numbers)
    at = None if values is None else _circle(call, values)
    if (size := constant(radius)) is not None and not 0 <= size < 90:
        raise UserError(
            f"{call.name}(): radius {size:g} is not from 0 to below 90 degrees{place(call)}", remedy="give degrees"
        )
    test = CIRCLE_TESTS[call.name.lower()][1]
    near = [near_circle((ra, dec, radius), at, column_of(reference, region.bounds))] if region.bounds else []
    return [*near, circle_condition(test, (ra, dec, radius), at, _normals(reference, region))]


def _numbers(call: exp.Anonymous, nodes: list[exp.Expr]) -> list[float] | None:
    """The values of numbers; None where one is computed for each row."""
    values = [constant(node) for node in nodes]
    return None if any(value is None for value in values) else [value for value in values if value is not None]


def _circle(call: exp.Anonymous, values: list[float]) -> Circle:
    try:
        return Circle(*values)
    except UserError as error:
        raise UserError(f"{call.name}(): {error.what}{place(call)}", remedy=error.remedy) from None


def _normals(reference: Reference, region: RegionColumns) -> list[tuple[exp.Expr, exp.Expr, exp.Expr]]:
    return [(column_of(reference, x), column_of(reference, y), column_of(reference, z)) for x, y, z in region.normals]


def _put(bound: Bound, old: exp.Expr, new: exp.Expr) -> None:
    """Replace a node in the tree, and where it is noted as a term of a join."""
    old.replace(new)
    for join in (join for block in bound.blocks for join in block.joins):
        join.terms = [new.unnest() if term is old else term for term in join.terms]


def _whole_term(call: exp.Anonymous) -> exp.Expr | None:
    """The AND-ed term of WHERE or of a join's ON that is this call alone, or the call compared with 1."""
    select = call.find_ancestor(exp.Select)
    if select is None:
        return None
    where = select.args.get("where")
    clauses = [where.this] if where is not None else []
    clauses += [on for join in select.args.get("joins") or () if (on := join.args.get("on")) is not None]
    for term in (term for clause in clauses for term in terms_of(clause)):
        sides = [term.left.unnest(), term.right.unnest()] if isinstance(term, exp.EQ) else [term]
        others = [side for side in sides if side is not call]
        if len(others) == len(sides) - 1 and all(exact_constant(other) == 1 for other in others):
            return term
    return None
