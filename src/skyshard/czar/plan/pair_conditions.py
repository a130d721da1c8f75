"""Sorts the conditions of a near-neighbour SELECT: those of one side, separations, comparisons of whole numbers.

Rules: only by proof. Every condition names one side only (the server decides it where the rows are read), or is a
separation of plain DOUBLE or FLOAT columns against a constant, or compares whole numbers of both sides. Anything else
raises ``NotNumbers`` with a reason, and is left to the nodes. No I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlglot import exp

from skyshard.czar.bind.bound_statement import COLUMN, REF, Block, Bound, columns_of
from skyshard.czar.bind.clauses import Clauses, is_aggregate
from skyshard.czar.bind.constants import constant
from skyshard.czar.bind.expand_functions import SEPARATION
from skyshard.czar.bind.ref_match import single
from skyshard.czar.bind.unsteady_functions import is_steady
from skyshard.czar.locate.chunk_limits import separation
from skyshard.czar.locate.locality import top_terms
from skyshard.czar.pairs.separation_bound import MOST_RADIUS_DEG, SeparationLimit
from skyshard.rowimage.sqltype import SqlType

WHOLE = {"tinyint", "smallint", "mediumint", "int", "bigint"}
_WORDS: dict[type[exp.Expr], str] = {
    exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.EQ: "=", exp.NEQ: "<>",
}  # fmt: skip
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "<>": "<>"}
Place = tuple[int, str]
"""A column: number of its reference, name."""


class NotNumbers(Exception):
    """Why pairs are left to the nodes."""


@dataclass(slots=True, eq=False)
class PairConditions:
    """What the conditions of a SELECT are, sorted by who decides them."""

    near: list[exp.Expr] = field(default_factory=list)
    far: list[exp.Expr] = field(default_factory=list)
    limits: list[SeparationLimit] = field(default_factory=list)
    judged: list[exp.Expr] = field(default_factory=list)
    positions: tuple[Place, ...] = ()
    compared: list[tuple[Place, str, Place]] = field(default_factory=list)


def sort_conditions(bound: Bound, block: Block, clauses: Clauses, far: int) -> PairConditions:
    """Sort the conditions of a SELECT; ``far``: the reference that is read with its overlap.

    Raises:
        NotNumbers: one of them is left to the nodes, and all with it.
    """
    parts = PairConditions()
    for term in top_terms(block, clauses.where):
        numbers = {column.meta.get(REF) for column in columns_of(term)}
        if not is_steady(term) or any(isinstance(node, exp.Query) or is_aggregate(node) for node in term.walk()):
            raise NotNumbers("a condition differs from row to row")
        if far not in numbers:
            parts.near.append(term)
        elif len(numbers) == 1:
            parts.far.append(term)
        else:
            _add_pairing(bound, parts, term, far)
    for one in block.references:
        condition = single(one)
        if condition is not None:
            (parts.far if one.number == far else parts.near).append(condition)
    if not any(limit.is_upper for limit in parts.limits):
        raise NotNumbers("no separation of both sides is limited")
    return parts


def _add_pairing(bound: Bound, parts: PairConditions, term: exp.Expr, far: int) -> None:
    """A condition on both sides: a separation, or two whole numbers."""
    found = separation(term)
    word = _WORDS.get(type(term))
    if found is not None or _has_separation(term):
        _add_limit(bound, parts, term, far)
        return
    sides = [side.unnest() for side in (term.this, term.expression)] if isinstance(term, exp.Binary) else []
    if word is None or not all(isinstance(side, exp.Column) for side in sides):
        raise NotNumbers("a condition on both sides is neither a separation nor compares two whole numbers")
    places = [place_of(side) for side in sides]
    kinds = [type_of(bound, place) for place in places]
    if any(kind.base not in WHOLE for kind in kinds):
        raise NotNumbers("a condition compares columns of both sides that are no whole numbers")
    if len({is_long_unsigned(kind) for kind in kinds}) > 1:
        raise NotNumbers("a condition compares BIGINT UNSIGNED with another type")
    is_turned = places[0][0] == far
    parts.compared.append((places[is_turned], _TURNED[word] if is_turned else word, places[not is_turned]))


def _has_separation(term: exp.Expr) -> bool:
    return any(SEPARATION in node.meta for node in term.walk())


def _add_limit(bound: Bound, parts: PairConditions, term: exp.Expr, far: int) -> None:
    word = _WORDS.get(type(term), "")
    if word not in ("<", "<=", ">", ">="):
        raise NotNumbers("a separation is not compared by <, <=, > or >=")
    left, right = term.this.unnest(), term.expression.unnest()
    call, other = (left, right) if SEPARATION in left.meta else (right, left)
    word = word if call is left else _TURNED[word]
    radius = constant(other)
    if radius is None or not 0 <= radius <= MOST_RADIUS_DEG:
        raise NotNumbers(f"a separation is not compared with a constant from 0 to {MOST_RADIUS_DEG:g} degrees")
    places = call_places(call, far)
    if parts.positions not in ((), places):
        raise NotNumbers("separations are not all between the same two positions")
    if any(
        type_of(bound, place).base not in ("double", "float") or type_of(bound, place).arguments for place in places
    ):
        raise NotNumbers("positions are not plain DOUBLE or FLOAT columns")
    parts.positions = places
    parts.limits.append(SeparationLimit(word, radius))
    parts.judged.append(term)


def call_places(call: exp.Expr, far: int) -> tuple[Place, ...]:
    """The columns that a separation is measured between, those of ``far`` last.

    Raises:
        NotNumbers: they are no plain columns, or not one position of each side.
    """
    arguments = [argument.unnest() for argument in call.meta.get(SEPARATION, ())]
    if len(arguments) != 4 or not all(isinstance(one, exp.Column) and REF in one.meta for one in arguments):
        raise NotNumbers("a separation is not one of plain columns")
    places = tuple(map(place_of, arguments))
    if places[0][0] == far:
        places = (*places[2:], *places[:2])
    if [place[0] == far for place in places] != [False, False, True, True]:
        raise NotNumbers("a separation is not one between both sides")
    return places


def place_of(column: exp.Expr) -> Place:
    """Reference and name of a column. Raises NotNumbers where it is none of a table."""
    if REF not in column.meta:
        raise NotNumbers("a condition on both sides has a column of no table")
    return column.meta[REF], column.meta[COLUMN]


def type_of(bound: Bound, place: Place) -> SqlType:
    """The type of a column. Raises NotNumbers where it is none of a table."""
    table = bound.references[place[0]].table
    found = table.table.find(place[1]) if table is not None else None
    if found is None:
        raise NotNumbers("a condition on both sides has a column of no table")
    return found.type


def is_long_unsigned(kind: SqlType) -> bool:
    """True for whole numbers that no signed one holds."""
    return kind.base == "bigint" and kind.is_unsigned
