"""Finds out whether the pairs of a near-neighbour COUNT(*) can be counted from their positions.

Rules: only by proof. The SELECT has inner joins only, one table read with its overlap, and counts rows; every condition
names one side only (the server decides it where the rows are read), or is a separation of plain DOUBLE or FLOAT columns
against a constant, or compares whole numbers of both sides. Anything else is left to the nodes, with a reason. No I/O.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlglot import exp

from skyshard.catalog.schema import SUB_CHUNK_COLUMN
from skyshard.czar.bind.bound_statement import COLUMN, REF, Block, Bound, Reference, column_of, columns_of
from skyshard.czar.bind.clauses import Clauses, is_aggregate
from skyshard.czar.bind.expand_functions import SEPARATION, constant
from skyshard.czar.bind.ref_match import single
from skyshard.czar.bind.unsteady_functions import is_steady
from skyshard.czar.locate.chunk_limits import separation
from skyshard.czar.locate.locality import Locality, Neighbour, top_terms
from skyshard.czar.pairs.separation_bound import MOST_RADIUS_DEG, SeparationLimit
from skyshard.czar.plan.chunk_template import WIDE_SIGNED, WIDE_UNSIGNED, Slot, cast_text
from skyshard.czar.plan.pair_way import JUDGED, NoPairs, PairSide, PairWay
from skyshard.czar.plan.query_plan import Pull
from skyshard.czar.sql.dialect import render
from skyshard.rowimage.sqltype import SqlType

WHOLE = {"tinyint", "smallint", "mediumint", "int", "bigint"}
_WORDS: dict[type[exp.Expr], str] = {
    exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.EQ: "=", exp.NEQ: "<>",
}  # fmt: skip
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}
Place = tuple[int, str]
"""A column: number of its reference, name."""


class _NotNumbers(Exception):
    """Why not."""


@dataclass(slots=True, eq=False)
class _Parts:
    """What the conditions of a SELECT are, sorted by who decides them."""

    near: list[exp.Expr] = field(default_factory=list)
    far: list[exp.Expr] = field(default_factory=list)
    limits: list[SeparationLimit] = field(default_factory=list)
    judged: list[exp.Expr] = field(default_factory=list)
    positions: tuple[Place, ...] = ()
    compared: list[tuple[Place, str, Place]] = field(default_factory=list)


def pairs_of(bound: Bound, block: Block, clauses: Clauses, proof: Locality, pull: Pull) -> PairWay | NoPairs | None:
    """How the pairs of a pull are counted, or why the nodes count them; None where there are no pairs."""
    if not proof.neighbours:
        return None
    try:
        _require_count(pull)
        neighbour = _only_neighbour(bound, block, proof)
        return _way(bound, block, _parts(bound, block, clauses, neighbour), neighbour)
    except _NotNumbers as why:
        return NoPairs(str(why))


def _require_count(pull: Pull) -> None:
    template = pull.template
    texts = [item.text for item in template.items]
    if texts != ["COUNT(*)"] or template.groups or not pull.is_single:
        raise _NotNumbers("more than COUNT(*) is asked for")
    if template.lists:
        raise _NotNumbers("each chunk is asked for its own keys")


def _only_neighbour(bound: Bound, block: Block, proof: Locality) -> Neighbour:
    if len(proof.neighbours) > 1:
        raise _NotNumbers("several tables are read with their overlap")
    if len(bound.blocks) > 1:
        raise _NotNumbers("there is a subquery")
    if any(join.side or not join.is_top for join in block.joins):
        raise _NotNumbers("there is an outer join")
    if any(join.node.args.get("using") or join.node.args.get("method") for join in block.joins):
        raise _NotNumbers("columns are merged by USING or NATURAL")
    return proof.neighbours[0]


def _parts(bound: Bound, block: Block, clauses: Clauses, neighbour: Neighbour) -> _Parts:
    parts = _Parts()
    for term in top_terms(block, clauses.where):
        numbers = {column.meta.get(REF) for column in columns_of(term)}
        if not is_steady(term) or any(isinstance(node, exp.Query) or is_aggregate(node) for node in term.walk()):
            raise _NotNumbers("a condition differs from row to row")
        if neighbour.reference not in numbers:
            parts.near.append(term)
        elif len(numbers) == 1:
            parts.far.append(term)
        else:
            _add_pairing(bound, parts, term, neighbour.reference)
    for one in block.references:
        condition = single(one)
        if condition is not None:
            (parts.far if one.number == neighbour.reference else parts.near).append(condition)
    if not any(limit.is_upper for limit in parts.limits):
        raise _NotNumbers("no separation of both sides is limited")
    return parts


def _add_pairing(bound: Bound, parts: _Parts, term: exp.Expr, far: int) -> None:
    """A condition on both sides: a separation, or two whole numbers."""
    found = separation(term)
    word = _WORDS.get(type(term))
    if found is not None or _has_separation(term):
        _add_limit(bound, parts, term, far)
        return
    sides = [side.unnest() for side in (term.this, term.expression)] if isinstance(term, exp.Binary) else []
    if word is None or not all(isinstance(side, exp.Column) for side in sides):
        raise _NotNumbers("a condition on both sides is neither a separation nor compares two whole numbers")
    places = [_place(side) for side in sides]
    kinds = [_type(bound, place) for place in places]
    if any(kind.base not in WHOLE for kind in kinds):
        raise _NotNumbers("a condition compares columns of both sides that are no whole numbers")
    if len({_is_long_unsigned(kind) for kind in kinds}) > 1:
        raise _NotNumbers("a condition compares BIGINT UNSIGNED with another type")
    is_turned = places[0][0] == far
    parts.compared.append((places[is_turned], _TURNED[word] if is_turned else word, places[not is_turned]))


def _has_separation(term: exp.Expr) -> bool:
    return any(SEPARATION in node.meta for node in term.walk())


def _add_limit(bound: Bound, parts: _Parts, term: exp.Expr, far: int) -> None:
    word = _WORDS.get(type(term), "")
    if word not in ("<", "<=", ">", ">="):
        raise _NotNumbers("a separation is not compared by <, <=, > or >=")
    left, right = term.this.unnest(), term.expression.unnest()
    call, other = (left, right) if SEPARATION in left.meta else (right, left)
    word = word if call is left else _TURNED[word]
    radius = constant(other)
    arguments = [argument.unnest() for argument in call.meta.get(SEPARATION, ())]
    if radius is None or not 0 <= radius <= MOST_RADIUS_DEG:
        raise _NotNumbers(f"a separation is not compared with a constant from 0 to {MOST_RADIUS_DEG:g} degrees")
    if len(arguments) != 4 or not all(isinstance(one, exp.Column) and REF in one.meta for one in arguments):
        raise _NotNumbers("a separation is not one of plain columns")
    places = tuple(_place(one) for one in arguments)
    if places[0][0] == far:
        places = (*places[2:], *places[:2])
    if [place[0] == far for place in places] != [False, False, True, True] or parts.positions not in ((), places):
        raise _NotNumbers("separations are not all between the same two positions")
    if any(_type(bound, place).base not in ("double", "float") or _type(bound, place).arguments for place in places):
        raise _NotNumbers("positions are not plain DOUBLE or FLOAT columns")
    parts.positions = places
    parts.limits.append(SeparationLimit(word, radius))
    parts.judged.append(term)


def _place(column: exp.Expr) -> Place:
    if REF not in column.meta:
        raise _NotNumbers("a condition on both sides has a column of no table")
    return column.meta[REF], column.meta[COLUMN]


def _type(bound: Bound, place: Place) -> SqlType:
    table = bound.references[place[0]].table
    found = table.table.find(place[1]) if table is not None else None
    if found is None:
        raise _NotNumbers("a condition on both sides has a column of no table")
    return found.type


def _is_long_unsigned(kind: SqlType) -> bool:
    return kind.base == "bigint" and kind.is_unsigned


def _way(bound: Bound, block: Block, parts: _Parts, neighbour: Neighbour) -> PairWay:
    far = bound.references[neighbour.reference]
    near = [one for one in block.references if one is not far]
    if any(one.table is None for one in (far, *near)):
        raise _NotNumbers("a table is none of the catalog's")
    kinds = [_is_long_unsigned(_type(bound, place)) for one, _, other in parts.compared for place in (one, other)]
    if len(set(kinds)) > 1:
        raise _NotNumbers("a condition compares BIGINT UNSIGNED with another type")
    is_shared = _is_shared(bound, parts, neighbour, near, far)
    columns = [list(dict.fromkeys(one for one, _, _ in parts.compared))]
    columns.append(list(dict.fromkeys(other for _, _, other in parts.compared)))
    if is_shared:
        names = list(dict.fromkeys(name for _, name in (*columns[0], *columns[1])))
        columns = [[(side, name) for name in names] for side in (near[0].number, far.number)]
    count = max(map(len, columns))
    is_unsigned = any(kinds)
    tie = None if not neighbour.is_by_sub_chunk else SUB_CHUNK_COLUMN
    sides = [
        _side(bound, tables, terms, position, numbers, (tie, owner), (count, is_unsigned))
        for tables, terms, position, numbers, owner in (
            (near, parts.near, parts.positions[:2], columns[0], neighbour.of),
            ([far], parts.far, parts.positions[2:], columns[1], far.number),
        )
    ]
    if not neighbour.is_by_sub_chunk:
        sides[1] = _with_key(far, sides[1])
    compared = tuple((columns[0].index(one), word, columns[1].index(other)) for one, word, other in parts.compared)
    return PairWay(
        sides[0], sides[1], tuple(parts.limits), _judge(parts), compared, count, is_unsigned, is_shared,
        neighbour.is_by_sub_chunk,
    )  # fmt: skip


def _is_shared(bound: Bound, parts: _Parts, neighbour: Neighbour, near: Sequence[Reference], far: Reference) -> bool:
    """True where both sides are the same rows of one table: the chunk's own rows are then read once."""
    if len(near) != 1 or not neighbour.is_by_sub_chunk or not _is_one_table(near[0], far):
        return False
    names = [name for _, name in parts.positions]
    return names[:2] == names[2:] and _alike(parts.near) == _alike(parts.far)


def _is_one_table(one: Reference, other: Reference) -> bool:
    assert one.table is not None
    assert other.table is not None
    return (one.database, one.table.table.name) == (other.database, other.table.table.name)


def _alike(terms: Sequence[exp.Expr]) -> list[str]:
    """Texts of conditions on one table, whatever its alias is."""
    texts = []
    for term in terms:
        holder = exp.Paren(this=term.copy())
        for column in list(columns_of(holder)):
            column.set("table", None)
        texts.append(render(holder))
    return texts


def _side(
    bound: Bound, tables: Sequence[Reference], terms: Sequence[exp.Expr], position: Sequence[Place],
    numbers: Sequence[Place], tie: tuple[str | None, int], count: tuple[int, bool],
) -> PairSide:  # fmt: skip
    def text(place: Place) -> str:
        return render(column_of(bound.references[place[0]], place[1]))

    wide = WIDE_UNSIGNED if count[1] else WIDE_SIGNED
    items = [f"{text(place)} AS p{index}" for index, place in enumerate(position)]
    items.append(f"{text((tie[1], tie[0])) if tie[0] else 0} AS p2")
    items += [f"{cast_text(text(place), wide)} AS k{index}" for index, place in enumerate(numbers)]
    items += [f"{cast_text('NULL', wide)} AS k{index}" for index in range(len(numbers), count[0])]
    slots = tuple(Slot(one.database, one.table, one.alias) for one in tables if one.table is not None)
    where = render(exp.and_(*(term.copy() for term in terms), copy=False)) if terms else ""
    return PairSide(slots, ", ".join(items), where)


def _with_key(far: Reference, side: PairSide) -> PairSide:
    """The same with the row's key behind, by which copies of it are one."""
    return PairSide(side.slots, f"{side.items}, {render(column_of(far, far.key))} AS id", side.where)


def _judge(parts: _Parts) -> str:
    """The conditions on separations, with marks in place of the positions."""
    marks = dict(zip(parts.positions, JUDGED, strict=True))
    holder = exp.Paren(this=exp.and_(*(term.copy() for term in parts.judged), copy=False))
    for column in list(columns_of(holder)):
        table, _, name = marks[_place(column)].partition(".")
        column.replace(exp.column(exp.to_identifier(name, quoted=False), exp.to_identifier(table, quoted=False)))
    return render(holder)
