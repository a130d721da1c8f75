"""Pass 2: ``scisql_*`` and ``qserv_areaspec_*`` become native expressions.

Rules: names in any case; a NULL argument gives what sciSQL gives (NULL for numbers, 0 for areas). An area in WHERE is
applied to the position of every chunked table of its FROM clause, and remembered in ``Bound.areas`` so that chunks can
be chosen by it. No I/O.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import Decimal, InvalidOperation

from sqlglot import exp

from skyshard.czar.bound import AREA, Area, Block, Bound, Reference, column_of, terms_of
from skyshard.czar.dialect import render
from skyshard.czar.regions import REDUCED_RA, condition, fill, haversine, number
from skyshard.czar.statement import place
from skyshard.errors import Refusal, UserError
from skyshard.sphere import RAD_PER_DEG, Box, Circle, Ellipse, Polygon, Region

AREASPEC = "qserv_areaspec_"
SCISQL = "scisql_"
_MAGNITUDE = math.log(10.0) / 2.5

FORMULAS: dict[str, tuple[str, str]] = {
    "angsep": ("a b c d", f"DEGREES(2 * ASIN(LEAST(1, SQRT({haversine('_a', '_b', '_c', '_d')}))))"),
    "fluxtoabmag": ("f", "(-2.5e0 * LOG10(_f) - 48.6e0)"),
    "fluxtoabmagsigma": ("f s", f"IF(_f > 0, _s / _f * {number(1 / _MAGNITUDE)}, NULL)"),
    "abmagtoflux": ("m", "POW(10e0, -0.4e0 * (_m + 48.6e0))"),
    "abmagtofluxsigma": ("m s", f"(_s * POW(10e0, -0.4e0 * (_m + 48.6e0)) * {number(_MAGNITUDE)})"),
    "nanojanskytoabmag": ("f", "(-2.5e0 * LOG10(_f) + 31.4e0)"),
    "nanojanskytoabmagsigma": ("f s", f"IF(_f > 0, _s / _f * {number(1 / _MAGNITUDE)}, NULL)"),
    "abmagtonanojansky": ("m", "POW(10e0, -0.4e0 * (_m - 31.4e0))"),
    "abmagtonanojanskysigma": ("m s", f"(_s * POW(10e0, -0.4e0 * (_m - 31.4e0)) * {number(_MAGNITUDE)})"),
}
"""Function name in lower case without prefix → its parameters and its formula."""

REGIONS: dict[str, Callable[..., Region]] = {
    "box": Box, "circle": Circle, "ellipse": Ellipse, "poly": Polygon.of, "cpoly": Polygon.of,
}  # fmt: skip
_COUNTS = {"box": 4, "circle": 3, "ellipse": 5}
_ANY_RANGE = "IF({a} <= {c}, {p} BETWEEN {a} AND {c}, {p} >= {a} OR {p} <= {c})"
_ANY_BOX = f"(_dec BETWEEN _b AND _d AND IF(_c - _a >= 360, 1, {_ANY_RANGE}))"


def expand_functions(bound: Bound) -> Bound:
    """Replace every astronomical function of a statement; the tree is changed in place.

    Raises:
        UserError: wrong number or range of arguments.
        Refusal: an unknown ``scisql_`` function, or an area where it cannot be applied.
    """
    for block in bound.blocks:
        _expand_areaspecs(bound, block)
    for call in [node for node in bound.tree.find_all(exp.Anonymous) if _is_ours(node)]:
        name = call.name.lower()
        if name.startswith(AREASPEC):
            raise Refusal(
                "areaspec-place",
                f"{call.name}() stands where it cannot be applied{place(call)}",
                remedy="make it a term of WHERE, joined with AND",
            )
    _expand_calls(bound)
    return bound


def constant(node: exp.Expr) -> float | None:
    """The value of a numeric constant, None for anything else.

    >>> from skyshard.czar.dialect import parse_expression
    >>> constant(parse_expression("-(3.5)")), constant(parse_expression("ra"))
    (-3.5, None)
    """
    exact = exact_constant(node)
    return None if exact is None else float(exact)


def exact_constant(node: exp.Expr) -> Decimal | None:
    """The exact value of a numeric constant as written."""
    inner = node.unnest()
    if isinstance(inner, exp.Neg):
        value = exact_constant(inner.this)
        return None if value is None else -value
    if not isinstance(inner, exp.Literal) or inner.is_string:
        return None
    try:
        return Decimal(inner.name)
    except InvalidOperation:
        return None


def partition_columns(reference: Reference) -> tuple[str, str] | None:
    """The columns that decide the chunk of a reference's rows, as its table spells them."""
    position = reference.table.layout.position if reference.table is not None and reference.is_chunked else None
    if position is None:
        return None
    ra, dec = (reference.find(name) for name in position)
    return (ra, dec) if ra is not None and dec is not None else None


def partition_reference(bound: Bound, ra: exp.Expr, dec: exp.Expr) -> Reference | None:
    """The reference whose partition columns these two are; None unless that is certain."""
    lon, lat = ra.unnest(), dec.unnest()
    if not isinstance(lon, exp.Column) or not isinstance(lat, exp.Column):
        return None
    reference = bound.reference(lon)
    if reference is None or bound.reference(lat) is not reference:
        return None
    names = (lon.meta["column"], lat.meta["column"])
    return reference if names == partition_columns(reference) else None


def _is_ours(node: exp.Anonymous) -> bool:
    return node.name.lower().startswith((AREASPEC, SCISQL))


def _expand_areaspecs(bound: Bound, block: Block) -> None:
    where = block.select.args.get("where")
    for term in terms_of(where.this) if where is not None else []:
        call = _areaspec_call(term)
        if call is not None:
            region = _region(call, call.name.lower().removeprefix(AREASPEC), call.expressions)
            conditions = [_covered(bound, one, region, call) for one in _area_references(bound, block, call)]
            term.replace(exp.Paren(this=exp.and_(*conditions, copy=False)))


def _areaspec_call(term: exp.Expr) -> exp.Anonymous | None:
    """The area function of a term that is bare, or compared with 1."""
    sides = [term.left.unnest(), term.right.unnest()] if isinstance(term, exp.EQ) else [term.unnest()]
    calls = [side for side in sides if isinstance(side, exp.Anonymous) and side.name.lower().startswith(AREASPEC)]
    others = [side for side in sides if side not in calls]
    if len(calls) != 1 or any(exact_constant(other) != 1 for other in others):
        return None
    return calls[0]


def _region(call: exp.Anonymous, kind: str, arguments: Sequence[exp.Expr]) -> Region:
    make = REGIONS.get(kind)
    if make is None:
        raise Refusal(
            "areaspec-unknown", f"there is no function {call.name}(){place(call)}", remedy=f"{AREASPEC}box, circle, ..."
        )
    values = [constant(argument) for argument in arguments]
    if any(value is None for value in values):
        raise Refusal(
            "area-arguments", f"{call.name}() takes numbers{place(call)}", remedy="write its arguments as plain numbers"
        )
    _check_count(call, len(values), _COUNTS.get(kind, len(values)))
    try:
        return make(*values)
    except UserError as error:
        raise UserError(f"{call.name}(): {error.what}{place(call)}", remedy=error.remedy) from None


def _check_count(call: exp.Anonymous, have: int, want: int) -> None:
    if have != want:
        raise UserError(f"{call.name}() takes {want} arguments, not {have}{place(call)}", remedy="see docs/queries.md")


def _area_references(bound: Bound, block: Block, call: exp.Anonymous) -> list[Reference]:
    """The references that an area restricts: all chunked ones, save those covered by their director."""
    chunked = [reference for reference in block.references if reference.is_chunked]
    if not chunked:
        raise Refusal(
            "areaspec-table",
            f"{call.name}() needs a chunked table in the same FROM clause{place(call)}",
            remedy="use scisql_s2PtIn...() with the columns of the table",
        )
    placed = [reference for reference in chunked if partition_columns(reference) is not None]
    for reference in chunked:
        if reference not in placed and not _is_covered(bound, block, reference, placed):
            raise Refusal(
                "areaspec-table",
                f"table '{reference.alias}' has no position columns of its director{place(call)}",
                remedy=f"join it with its director '{reference.table and reference.table.layout.director}' by key",
            )
    return placed


def _is_covered(bound: Bound, block: Block, reference: Reference, placed: list[Reference]) -> bool:
    """True when an inner equality on the director key ties a reference to one that the area restricts."""
    where = block.select.args.get("where")
    terms = terms_of(where.this) if where is not None else []
    for join in block.joins:
        terms = [*terms, *(join.terms if not join.side and join.is_top else [])]
    return any(reference in pair and any(one in placed for one in pair) for pair in key_pairs(bound, terms))


def key_pairs(bound: Bound, terms: Sequence[exp.Expr]) -> list[tuple[Reference, Reference]]:
    """The pairs of references that a term ties by equality of the same director's key."""
    pairs = []
    for term in terms:
        if isinstance(term, exp.EQ):
            one, other = _key_owner(bound, term.left), _key_owner(bound, term.right)
            if one is not None and other is not None and one is not other and director_of(one) == director_of(other):
                pairs.append((one, other))
    return pairs


def _key_owner(bound: Bound, node: exp.Expr) -> Reference | None:
    column = node.unnest()
    reference = bound.reference(column) if isinstance(column, exp.Column) else None
    if reference is None or reference.table is None or not reference.is_chunked:
        return None
    is_key = reference.table.layout.key.lower() == str(column.meta["column"]).lower()
    return reference if is_key else None


def director_of(reference: Reference) -> tuple[str, str]:
    """Database and name of the director that decides a reference's chunks."""
    assert reference.table is not None
    return reference.database, reference.table.layout.director or reference.table.table.name


def _covered(bound: Bound, reference: Reference, region: Region, call: exp.Anonymous) -> exp.Expr:
    columns = partition_columns(reference)
    assert columns is not None
    ra, dec = (column_of(reference, name) for name in columns)
    is_director = reference.table is not None and not reference.table.layout.director
    node = condition(region, ra, dec, is_reduced=is_director)
    node.unnest().meta[AREA] = len(bound.areas)
    bound.areas.append(Area(region, reference.number, render(call)))
    return node


def _expand_calls(bound: Bound) -> None:
    """Innermost calls first, so that an argument is native before it is copied into a formula."""
    calls = [node for node in bound.tree.find_all(exp.Anonymous) if _is_ours(node)]
    for call in sorted(calls, key=lambda node: node.depth, reverse=True):
        call.replace(_expanded(bound, call))


def _expanded(bound: Bound, call: exp.Anonymous) -> exp.Expr:
    name = call.name.lower().removeprefix(SCISQL)
    if name.startswith("s2ptin"):
        return _area_function(bound, call, name.removeprefix("s2ptin"))
    if name not in FORMULAS:
        known = ", ".join(sorted(FORMULAS))
        raise Refusal("function", f"there is no function {call.name}(){place(call)}", remedy=f"known are {known}")
    parameters, text = FORMULAS[name][0].split(), FORMULAS[name][1]
    _check_count(call, len(call.expressions), len(parameters))
    node = fill(text, **dict(zip(parameters, call.expressions, strict=True)))
    if name == "angsep":
        node.meta[SEPARATION] = [argument.copy() for argument in call.expressions]
    return node


SEPARATION = "separation"
"""Key in the ``meta`` of an expanded ``scisql_angSep``: its four arguments."""


def _area_function(bound: Bound, call: exp.Anonymous, kind: str) -> exp.Expr:
    if kind not in ("box", "circle", "ellipse", "cpoly") or len(call.expressions) < 2:
        raise Refusal(
            "function", f"there is no function {call.name}(){place(call)}", remedy="scisql_s2PtInBox, Circle, ..."
        )
    ra, dec, *arguments = call.expressions
    if any(constant(argument) is None for argument in arguments) and kind in ("box", "circle"):
        return _varying_area(call, kind, ra, dec, arguments)
    region = _region(call, kind, arguments)
    reference = partition_reference(bound, ra, dec)
    is_director = reference is not None and reference.table is not None and not reference.table.layout.director
    inside = condition(region, ra, dec, is_reduced=is_director)
    node = exp.Anonymous(this="IFNULL", expressions=[inside, exp.Literal.number(0)])
    if reference is not None:
        node.meta[AREA] = len(bound.areas)
        bound.areas.append(Area(region, reference.number, render(call)))
    return node


def _varying_area(call: exp.Anonymous, kind: str, ra: exp.Expr, dec: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    """A box or circle whose numbers come from columns: no chunk can be chosen by it."""
    _check_count(call, len(arguments), _COUNTS[kind])
    if kind == "circle":
        near = haversine("_ra", "_dec", "_a", "_b")
        text = f"IFNULL({near} <= POW(SIN(_c * {number(RAD_PER_DEG / 2)}), 2), 0)"
        return fill(text, ra=ra, dec=dec, a=arguments[0], b=arguments[1], c=arguments[2])
    p, a, c = (REDUCED_RA.replace("_ra", name) for name in ("_ra", "_a", "_c"))
    text = f"IFNULL({_ANY_BOX.format(a=a, c=c, p=p)}, 0)"
    return fill(text, ra=ra, dec=dec, **dict(zip("abcd", arguments, strict=True)))
