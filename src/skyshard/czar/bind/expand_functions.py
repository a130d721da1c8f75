"""A pass: ``scisql_*`` and ``qserv_areaspec_*`` become native expressions.

Rules: names in any case; a NULL argument gives what sciSQL gives (NULL for numbers, 0 for areas). An area in WHERE is
applied to the position of every chunked table of its FROM clause, and remembered in ``Bound.areas`` so that chunks can
be chosen by it. No I/O.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from sqlglot import exp

from skyshard.basics.errors import Refusal, UserError
from skyshard.chunking.sphere import RAD_PER_DEG, Box, Circle, Ellipse, Polygon, Region
from skyshard.czar.bind.bound_statement import AREA, Area, Block, Bound, Reference, column_of, terms_of
from skyshard.czar.bind.constants import constant, exact_constant
from skyshard.czar.bind.ref_match import is_match, possible_sides, read_by
from skyshard.czar.bind.stored_regions import PREFIX, asks_stored_region, expand_stored_region
from skyshard.czar.sql.dialect import render
from skyshard.czar.sql.region_sql import REDUCED_RA, condition, fill, haversine, number, open_condition
from skyshard.czar.sql.statement import place

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
AREASPEC_NUMBERS = {"box": 4, "circle": 3, "ellipse": 5}
_ANY_RANGE = "IF({a} <= {c}, {p} BETWEEN {a} AND {c}, {p} >= {a} OR {p} <= {c})"
_ANY_BOX = f"(_dec BETWEEN _b AND _d AND IF(_c - _a >= 360, 1, {_ANY_RANGE}))"


def expand_functions(bound: Bound) -> Bound:
    """Replace every astronomical function of a statement; the tree is changed in place.

    Raises:
        UserError: wrong number or range of arguments.
        Refusal: an unknown ``scisql_`` function, or an area where it cannot be applied.
    """
    if not any(word.startswith((AREASPEC.upper(), SCISQL.upper(), PREFIX.upper())) for word in bound.words):
        return bound
    calls = [node for node in bound.tree.find_all(exp.Anonymous) if _is_ours(node)]
    blocks = {id(block.select): block for block in bound.blocks}
    for call in calls:
        if call.name.lower().startswith(AREASPEC):
            _expand_areaspec(bound, blocks[id(call.find_ancestor(exp.Select))], call)
    _expand_calls(bound)
    return bound


def partition_columns(reference: Reference) -> tuple[str, str] | None:
    """The columns that decide the chunk of a reference's rows, as its table spells them.

    None for a ref-match table: its keys decide, and its positions may differ from those of its directors; and for a
    dependent that carries such positions.
    """
    is_placed = reference.table is not None and reference.table.position_is_local
    return _held_columns(reference) if is_placed else None


def _held_columns(reference: Reference) -> tuple[str, str] | None:
    """The columns that an area is held to wherever they are; a ref-match table's only where nothing else is."""
    return _position_columns(reference) if reference.is_chunked and not is_match(reference) else None


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
    return node.name.lower().startswith((AREASPEC, SCISQL, PREFIX))


def _expand_areaspec(bound: Bound, block: Block, call: exp.Anonymous) -> None:
    """An AND-ed term of WHERE becomes plain conditions; anywhere else they are made 0 where they are NULL."""
    region = _region(call, call.name.lower().removeprefix(AREASPEC), call.expressions)
    references = _area_references(bound, block, call)
    term = _whole_term(block, call)
    conditions = [_covered(bound, one, region, call, is_term=term is not None) for one in references]
    (term or call).replace(exp.Paren(this=exp.and_(*conditions, copy=False)))


def _whole_term(block: Block, call: exp.Anonymous) -> exp.Expr | None:
    """The AND-ed term of WHERE that is this call alone, or the call compared with 1."""
    where = block.select.args.get("where")
    for term in terms_of(where.this) if where is not None else []:
        sides = [term.left.unnest(), term.right.unnest()] if isinstance(term, exp.EQ) else [term]
        others = [side for side in sides if side is not call]
        if len(others) == len(sides) - 1 and all(exact_constant(other) == 1 for other in others):
            return term
    return None


def _region(call: exp.Anonymous, kind: str, arguments: Sequence[exp.Expr]) -> Region:
    if kind not in REGIONS:
        raise Refusal(
            "areaspec-unknown", f"there is no function {call.name}(){place(call)}", remedy=f"{AREASPEC}box, circle, ..."
        )
    values = [constant(argument) for argument in arguments]
    if any(value is None for value in values):
        raise Refusal(
            "area-arguments", f"{call.name}() takes numbers{place(call)}", remedy="write its arguments as plain numbers"
        )
    _check_count(call, len(values), AREASPEC_NUMBERS.get(kind, len(values)))
    try:
        return make_region(kind, [value for value in values if value is not None])
    except UserError as error:
        raise UserError(f"{call.name}(): {error.what}{place(call)}", remedy=error.remedy) from None


def make_region(kind: str, values: Sequence[float]) -> Region:
    """The region of an area function; a box whose declinations are swapped is empty."""
    if kind == "box" and values[1] > values[3]:
        return Box(0.0, 1.0, 0.0, 0.0)
    return REGIONS[kind](*values)


def _check_count(call: exp.Anonymous, have: int, want: int) -> None:
    if have != want:
        raise UserError(
            f"{call.name}() takes {want} arguments, not {have}{place(call)}", remedy="see docs/reference/sql.md"
        )


def _area_references(bound: Bound, block: Block, call: exp.Anonymous) -> list[Reference]:
    """The references that an area restricts: all chunked ones, save those covered by their director.

    Those that an outer join may leave out are not held to the area, unless there is no other.
    """
    chunked = [reference for reference in block.references if reference.is_chunked]
    chunked = [reference for reference in chunked if not reference.is_nullable] or chunked
    if not chunked:
        raise Refusal(
            "areaspec-table",
            f"{call.name}() needs a chunked table in the same FROM clause{place(call)}",
            remedy="use scisql_s2PtIn...() with the columns of the table",
        )
    placed = [reference for reference in chunked if _held_columns(reference) is not None]
    covered = _covered_references(bound, block, placed)
    for reference in [one for one in chunked if one not in covered]:
        if _position_columns(reference) is None:
            raise Refusal(
                "areaspec-table",
                f"table '{reference.alias}' has no position columns of its director{place(call)}",
                remedy=f"join it with its director '{reference.director[1]}' by key",
            )
        placed.append(reference)
    return placed


def _covered_references(bound: Bound, block: Block, placed: list[Reference]) -> list[Reference]:
    """The references that inner equalities of director keys tie to those that an area restricts, these included."""
    where = block.select.args.get("where")
    terms = terms_of(where.this) if where is not None else []
    for join in block.joins:
        terms = [*terms, *(join.terms if not join.side and join.is_top else [])]
    pairs: list[tuple[Reference, Reference]] = []
    choices = possible_sides(bound, block.references)
    for sides in choices:
        read_by(bound, sides)
        pairs += key_pairs(bound, terms)
    read_by(bound, choices[0])
    covered = list(placed)
    for _ in pairs:
        covered += [pair[i] for pair in pairs for i in (0, 1) if pair[1 - i] in covered and pair[i] not in covered]
    return covered


def _position_columns(reference: Reference) -> tuple[str, str] | None:
    """The columns that an area is held to, as the table spells them, whether they decide the chunk or not."""
    position = reference.table.layout.position if reference.table is not None else None
    if position is None:
        return None
    ra, dec = (reference.find(name) for name in position)
    return (ra, dec) if ra is not None and dec is not None else None


def key_pairs(bound: Bound, terms: Sequence[exp.Expr]) -> list[tuple[Reference, Reference]]:
    """The pairs of references of which a term says that they have the same director's key."""
    pairs = []
    for term in terms:
        if isinstance(term, exp.EQ):
            one, other = _key_owner(bound, term.left), _key_owner(bound, term.right)
            if one is not None and other is not None and one is not other and one.director == other.director:
                pairs.append((one, other))
    return pairs


def _key_owner(bound: Bound, node: exp.Expr) -> Reference | None:
    column = node.unnest()
    reference = bound.reference(column) if isinstance(column, exp.Column) else None
    if reference is None or reference.table is None or not reference.is_chunked:
        return None
    return reference if reference.key.lower() == str(column.meta["column"]).lower() else None


def _covered(bound: Bound, reference: Reference, region: Region, call: exp.Anonymous, *, is_term: bool) -> exp.Expr:
    columns = _position_columns(reference)
    assert columns is not None
    ra, dec = (column_of(reference, name) for name in columns)
    is_director = reference.table is not None and not reference.table.layout.director
    is_open = bound.has_open_areas
    node = (
        open_condition(ra, dec, is_valid=is_director) if is_open else condition(region, ra, dec, is_valid=is_director)
    )
    if not is_term:
        node = exp.Anonymous(this="IFNULL", expressions=[node, exp.Literal.number(0)])
    if partition_columns(reference) is not None:
        node.unnest().meta[AREA] = len(bound.areas)
        bound.areas.append(Area(region, reference.number, render(call), is_open))
    return node


def _expand_calls(bound: Bound) -> None:
    """Innermost calls first, so that an argument is native before it is copied into a formula."""
    calls = [node for node in bound.tree.find_all(exp.Anonymous) if _is_ours(node)]
    for call in sorted(calls, key=lambda node: node.depth, reverse=True):
        if asks_stored_region(call):
            expand_stored_region(bound, call)
        else:
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
    inside = condition(region, ra, dec, is_valid=is_director)
    node = exp.Anonymous(this="IFNULL", expressions=[inside, exp.Literal.number(0)])
    if reference is not None:
        node.meta[AREA] = len(bound.areas)
        bound.areas.append(Area(region, reference.number, render(call)))
    return node


def _varying_area(call: exp.Anonymous, kind: str, ra: exp.Expr, dec: exp.Expr, arguments: list[exp.Expr]) -> exp.Expr:
    """A box or circle whose numbers come from columns: no chunk can be chosen by it."""
    _check_count(call, len(arguments), AREASPEC_NUMBERS[kind])
    if kind == "circle":
        near = haversine("_ra", "_dec", "_a", "_b")
        text = f"IFNULL({near} <= POW(SIN(_c * {number(RAD_PER_DEG / 2)}), 2), 0)"
        return fill(text, ra=ra, dec=dec, a=arguments[0], b=arguments[1], c=arguments[2])
    p, a, c = (REDUCED_RA.replace("_ra", name) for name in ("_ra", "_a", "_c"))
    text = f"IFNULL({_ANY_BOX.format(a=a, c=c, p=p)}, 0)"
    return fill(text, ra=ra, dec=dec, **dict(zip("abcd", arguments, strict=True)))
