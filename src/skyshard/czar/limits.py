"""What the AND-ed terms of a statement prove about where its rows are: areas and director keys.

Rules: only what is certain. A limit may let through too much, never too little; columns must be proven to be the
partition columns or the director key; comparisons count only where MariaDB compares exactly. No I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from sqlglot import exp

from skyshard.czar.bound import AREA, COLUMN, Bound, Reference
from skyshard.czar.functions import SEPARATION, constant, exact_constant, partition_columns, partition_reference
from skyshard.rowimage.sqltype import TypeClass
from skyshard.sphere import Box, Circle, Region

EXACT_DOUBLE = 2**53
"""Below this an integer compared with a DOUBLE constant is compared exactly."""


@dataclass(frozen=True, slots=True)
class AreaLimit:
    """Rows of a reference lie in a region; None is the empty one."""

    reference: int
    region: Region | None
    text: str


@dataclass(frozen=True, slots=True)
class KeyLimit:
    """The director key of a reference is one of ``keys``, or lies between ``low`` and ``high`` (both inclusive)."""

    reference: int
    keys: frozenset[int] | None
    low: int | None
    high: int | None
    text: str


Limit = AreaLimit | KeyLimit

_FLIPPED = {exp.LT: exp.GT, exp.GT: exp.LT, exp.LTE: exp.GTE, exp.GTE: exp.LTE, exp.EQ: exp.EQ}


def find_limits(bound: Bound, terms: Sequence[exp.Expr]) -> list[Limit]:
    """The limits that AND-ed terms set, in the order of the terms."""
    found: list[Limit] = []
    for term in terms:
        limit = _area(bound, term) or _cone(bound, term) or _keys(bound, term)
        if limit is not None:
            found.append(limit)
    return [*found, *_boxes(bound, terms), *_key_ranges(bound, terms)]


def _area(bound: Bound, term: exp.Expr) -> AreaLimit | None:
    """An area that must be true: bare, or compared with 1."""
    node = term
    if isinstance(term, exp.EQ):
        sides = (term.left, term.right)
        node = next((one for one, other in (sides, sides[::-1]) if exact_constant(other) == 1), term)
    index = node.meta.get(AREA)
    while index is None and isinstance(node, exp.Paren):
        node = node.this
        index = node.meta.get(AREA)
    if index is None:
        return None
    area = bound.areas[index]
    return AreaLimit(area.reference, area.region, area.text)


@dataclass(frozen=True, slots=True)
class Separation:
    """``scisql_angSep(...) < radius``: the four arguments, and the radius in degrees, None if it is no constant."""

    arguments: tuple[exp.Expr, ...]
    radius_deg: float | None


def separation(term: exp.Expr) -> Separation | None:
    """Read a term that holds an angular separation below something."""
    if isinstance(term, (exp.LT, exp.LTE, exp.EQ)) and SEPARATION in term.left.unnest().meta:
        return Separation(tuple(term.left.unnest().meta[SEPARATION]), constant(term.right))
    if isinstance(term, (exp.GT, exp.GTE, exp.EQ)) and SEPARATION in term.right.unnest().meta:
        return Separation(tuple(term.right.unnest().meta[SEPARATION]), constant(term.left))
    if isinstance(term, exp.Between) and SEPARATION in term.this.unnest().meta:
        return Separation(tuple(term.this.unnest().meta[SEPARATION]), constant(term.args["high"]))
    return None


def _cone(bound: Bound, term: exp.Expr) -> AreaLimit | None:
    found = separation(term)
    if found is None or found.radius_deg is None:
        return None
    for centre, position in ((found.arguments[:2], found.arguments[2:]), (found.arguments[2:], found.arguments[:2])):
        ra, dec = constant(centre[0]), constant(centre[1])
        reference = partition_reference(bound, position[0], position[1])
        if ra is not None and dec is not None and reference is not None:
            return _cone_limit(reference, ra, dec, found.radius_deg)
    return None


def _cone_limit(reference: Reference, ra: float, dec: float, radius: float) -> AreaLimit | None:
    if radius < 0:
        return AreaLimit(reference.number, None, "an angular separation below zero")
    if radius >= 180 or not -90 <= dec <= 90 or not math.isfinite(ra):
        return None
    where = f"scisql_angSep() < {radius:g} around ({ra:g}, {dec:g})"
    return AreaLimit(reference.number, Circle(ra, dec, radius), where)


def comparisons(term: exp.Expr) -> Iterator[tuple[exp.Column, str, exp.Expr]]:
    """Column, operator (``<  <=  >  >=  =``) and the other side, for comparisons and BETWEEN."""
    if isinstance(term, exp.Between) and isinstance(term.this.unnest(), exp.Column) and not term.args.get("symmetric"):
        yield term.this.unnest(), ">=", term.args["low"]
        yield term.this.unnest(), "<=", term.args["high"]
    words = {exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">=", exp.EQ: "=", exp.NullSafeEQ: "="}
    for kind, word in words.items():
        if type(term) is kind:
            left, right = term.left.unnest(), term.right.unnest()
            if isinstance(left, exp.Column):
                yield left, word, right
            if isinstance(right, exp.Column):
                yield right, word.translate(str.maketrans("<>", "><")), left


@dataclass(frozen=True, slots=True)
class _Range:
    low: float = -math.inf
    high: float = math.inf

    def narrowed(self, word: str, value: float) -> _Range:
        low = max(self.low, value) if word in (">", ">=", "=") else self.low
        high = min(self.high, value) if word in ("<", "<=", "=") else self.high
        return _Range(low, high)


def _boxes(bound: Bound, terms: Sequence[exp.Expr]) -> Iterator[AreaLimit]:
    """Plain comparisons of the partition columns with constants, as one box for each reference."""
    ranges: dict[tuple[int, int], _Range] = {}
    for column, word, other in (found for term in terms for found in comparisons(term)):
        value = constant(other)
        place = _coordinate(bound, column)
        if value is not None and place is not None:
            ranges[place] = ranges.get(place, _Range()).narrowed(word, value)
    for number in dict.fromkeys(number for number, _ in ranges):
        ra, dec = ranges.get((number, 0), _Range()), ranges.get((number, 1), _Range())
        yield _box_limit(number, ra, dec, bound.references[number])


def _coordinate(bound: Bound, column: exp.Column) -> tuple[int, int] | None:
    """Reference and axis (0 right ascension, 1 declination) of a partition column."""
    reference = bound.reference(column)
    columns = partition_columns(reference) if reference is not None else None
    if reference is None or columns is None or column.meta[COLUMN] not in columns:
        return None
    return reference.number, columns.index(column.meta[COLUMN])


def _box_limit(number: int, ra: _Range, dec: _Range, reference: Reference) -> AreaLimit:
    low, high = max(ra.low, 0.0), min(ra.high, 360.0)
    south, north = max(dec.low, -90.0), min(dec.high, 90.0)
    names = partition_columns(reference) or ("", "")
    text = " and ".join(
        f"{name} in [{part.low:g}, {part.high:g}]"
        for name, part in zip(names, (ra, dec), strict=True)
        if part != _Range()
    )
    if low > high or south > north:
        return AreaLimit(number, None, text)
    return AreaLimit(number, Box(low, south, high, north), text)


def _keys(bound: Bound, term: exp.Expr) -> KeyLimit | None:
    """``key = n``, ``key IN (...)``, and these joined with OR."""
    if isinstance(term, exp.Or):
        return _either(_keys(bound, term.left.unnest()), _keys(bound, term.right.unnest()))
    if isinstance(term, (exp.EQ, exp.NullSafeEQ)):
        found = (_key_values(bound, column, [value]) for column, _, value in comparisons(term))
        return next((limit for limit in found if limit is not None), None)
    if isinstance(term, exp.In) and isinstance(term.this.unnest(), exp.Column) and not term.args.get("query"):
        return _key_values(bound, term.this.unnest(), term.expressions)
    return None


def _either(one: KeyLimit | None, other: KeyLimit | None) -> KeyLimit | None:
    if one is None or other is None or one.reference != other.reference or one.keys is None or other.keys is None:
        return None
    return replace(one, keys=one.keys | other.keys, text=f"{one.text} or {other.text}")


def _key_values(bound: Bound, column: exp.Column, values: Iterable[exp.Expr]) -> KeyLimit | None:
    reference = _keyed(bound, column)
    constants = [_exact_key(value) for value in values]
    if reference is None or not constants or any(value is None for value in constants):
        return None
    keys = frozenset(int(value) for value in constants if value is not None and value == value.to_integral_value())
    shown = ", ".join(str(key) for key in sorted(keys)[:3]) + (", ..." if len(keys) > 3 else "")
    return KeyLimit(reference.number, keys, None, None, f"{column.name} in ({shown})")


def _exact_key(value: exp.Expr) -> Decimal | None:
    """A constant that MariaDB compares exactly with an integer column."""
    exact = exact_constant(value)
    if exact is None or not exact.is_finite():
        return None
    is_double = any("e" in literal.name.lower() for literal in value.find_all(exp.Literal))
    return None if is_double and abs(exact) >= EXACT_DOUBLE else exact


def _keyed(bound: Bound, column: exp.Column) -> Reference | None:
    """The reference whose director key a column is, if that is an integer column."""
    reference = bound.reference(column)
    if reference is None or reference.table is None or not reference.is_chunked:
        return None
    key = reference.table.layout.key
    found = reference.table.table.find(key) if key else None
    if found is None or found.name != column.meta[COLUMN] or found.type.type_class is not TypeClass.INTEGER:
        return None
    return reference


def _key_ranges(bound: Bound, terms: Sequence[exp.Expr]) -> Iterator[KeyLimit]:
    ranges: dict[int, tuple[int | None, int | None]] = {}
    for column, word, other in (found for term in terms for found in comparisons(term)):
        value, reference = _exact_key(other), _keyed(bound, column)
        if word == "=" or value is None or reference is None:
            continue
        low, high = ranges.get(reference.number, (None, None))
        if word in (">", ">="):
            bottom = math.floor(value) + 1 if word == ">" else math.ceil(value)
            low = bottom if low is None else max(low, bottom)
        else:
            top = math.ceil(value) - 1 if word == "<" else math.floor(value)
            high = top if high is None else min(high, top)
        ranges[reference.number] = (low, high)
    for number, (low, high) in ranges.items():
        table = bound.references[number].table
        name = table.layout.key if table is not None else "key"
        shown = f"{name} in [{'' if low is None else low}, {'' if high is None else high}]"
        yield KeyLimit(number, None, low, high, shown)
