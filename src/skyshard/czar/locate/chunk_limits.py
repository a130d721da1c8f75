"""What the AND-ed terms of a statement prove about where its rows are: areas, director keys and chunk numbers.

Rules: only what is certain. A limit may let through too much, never too little; columns must be proven to be the
partition columns or the director key; comparisons count only where MariaDB compares exactly. No I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from sqlglot import exp

from skyshard.chunking.sphere import Box, Circle, Region
from skyshard.czar.bind.bound_statement import AREA, COLUMN, Bound, Reference, terms_of
from skyshard.czar.bind.constants import constant, exact_constant
from skyshard.czar.bind.expand_functions import SEPARATION, partition_columns, partition_reference
from skyshard.czar.locate.chunk_numbers import ChunkLimit, chunk_limit, chunk_ranges, narrowed
from skyshard.czar.locate.comparisons import comparisons, exact_number, exact_numbers
from skyshard.rowimage.sqltype import TypeClass

MARGIN_DEG = 1e-9
"""More than right ascensions lose when they are reduced to [0, 360)."""


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


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of some sets of limits holds for a reference."""

    reference: int
    branches: tuple[tuple[Limit, ...], ...]

    @property
    def text(self) -> str:
        return " or ".join(" and ".join(limit.text for limit in branch) for branch in self.branches)


Limit = AreaLimit | KeyLimit | ChunkLimit | Either


def find_limits(bound: Bound, terms: Sequence[exp.Expr]) -> list[Limit]:
    """The limits that AND-ed terms set, in the order of the terms."""
    found: list[Limit] = []
    plain = [part for term in terms for part in _positive(term)]
    for term in plain:
        limit = _area(bound, term) or _cone(bound, term) or _keys(bound, term) or chunk_limit(bound, term)
        if limit is not None:
            found.append(limit)
        elif isinstance(term, exp.Or):
            found += _alternatives(bound, term)
    return [*found, *_boxes(bound, plain), *_key_ranges(bound, plain), *chunk_ranges(bound, plain)]


_OPPOSITE = {exp.LT: exp.GTE, exp.GT: exp.LTE, exp.LTE: exp.GT, exp.GTE: exp.LT, exp.NEQ: exp.EQ}


def _positive(term: exp.Expr) -> list[exp.Expr]:
    """The AND-ed terms that a term stands for when NOT is carried inwards: NOT (a OR NOT b) is NOT a, b.

    A row for which a term is not true is not in the answer, so NULL needs no care.
    """
    if not isinstance(term, exp.Not):
        return [term]
    inner = term.this.unnest()
    if AREA in inner.meta:
        return [term]
    if isinstance(inner, exp.Not):
        return [part for one in terms_of(inner.this) for part in _positive(one)]
    if isinstance(inner, exp.Or):
        return [part for side in (inner.left, inner.right) for part in _positive(exp.Not(this=side.copy()))]
    if type(inner) in _OPPOSITE:
        return [_OPPOSITE[type(inner)](this=inner.left.copy(), expression=inner.right.copy())]
    return [term]


def _alternatives(bound: Bound, term: exp.Or) -> Iterator[Either]:
    """What OR-ed conditions limit together: the references that each of them limits."""
    branches: list[list[Limit]] = []
    for side in term.flatten():
        branches.append(find_limits(bound, terms_of(side)))
        if not branches[-1]:
            return
    for number in dict.fromkeys(limit.reference for limit in branches[0]):
        mine = [tuple(limit for limit in branch if limit.reference == number) for branch in branches]
        if all(mine):
            yield Either(number, tuple(mine))


def _area(bound: Bound, term: exp.Expr) -> AreaLimit | None:
    """An area that must be true: bare, or compared so that 0 and NULL fail."""
    node = _truth(term)
    index = node.meta.get(AREA)
    while index is None and isinstance(node, exp.Paren):
        node = node.this
        index = node.meta.get(AREA)
    if index is None:
        return None
    area = bound.areas[index]
    return AreaLimit(area.reference, area.region, area.text)


def _truth(term: exp.Expr) -> exp.Expr:
    """What must be 1, not 0, for a term to be true: itself, or one side of ``= 1``, ``<> 0``, ``> 0``, ``>= 1``."""
    if isinstance(term, exp.Is):
        return _truth(term.this.unnest()) if _is_true(term.expression) else term
    wanted = _TRUTHS.get(type(term))
    if wanted is None or not isinstance(term, exp.Binary):
        return term
    if exact_constant(term.right) == wanted:
        return term.left
    is_symmetric = isinstance(term, (exp.EQ, exp.NullSafeEQ, exp.NEQ))
    return term.right if is_symmetric and exact_constant(term.left) == wanted else term


_TRUTHS: dict[type[exp.Expr], int] = {exp.EQ: 1, exp.NullSafeEQ: 1, exp.NEQ: 0, exp.GT: 0, exp.GTE: 1}


def _is_true(node: exp.Expr) -> bool:
    return isinstance(node, exp.Boolean) and bool(node.this)


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
    south, north = max(dec.low, -90.0), min(dec.high, 90.0)
    names = partition_columns(reference) or ("", "")
    text = " and ".join(
        f"{name} in [{part.low:g}, {part.high:g}]"
        for name, part in zip(names, (ra, dec), strict=True)
        if part != _Range()
    )
    if ra.low > ra.high or south > north:
        return AreaLimit(number, None, text)
    low, high = _reduced(ra)
    return AreaLimit(number, Box(low, south, high, north), text)


def _reduced(ra: _Range) -> tuple[float, float]:
    """The right ascensions in [0, 360) of a range of stored ones, which may be beyond: -1 stands for 359."""
    if ra.high - ra.low >= 360.0 or not math.isfinite(ra.high - ra.low):
        return 0.0, 360.0
    if 0.0 <= ra.low <= ra.high < 360.0:
        return ra.low, ra.high
    low = ra.low % 360.0 % 360.0
    high = low + (ra.high - ra.low) + MARGIN_DEG
    low -= MARGIN_DEG if low > MARGIN_DEG else 0.0
    if high < 360.0:
        return low, high
    return (low, high - 360.0) if high - 360.0 < low else (0.0, 360.0)


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
    constants = exact_numbers(values)
    if reference is None or not constants or any(value is None for value in constants):
        return None
    keys = frozenset(int(value) for value in constants if value is not None and value == value.to_integral_value())
    shown = ", ".join(str(key) for key in sorted(keys)[:3]) + (", ..." if len(keys) > 3 else "")
    return KeyLimit(reference.number, keys, None, None, f"{column.name} in ({shown})")


def _keyed(bound: Bound, column: exp.Column) -> Reference | None:
    """The reference whose director key a column is, if that is an integer column."""
    reference = bound.reference(column)
    if reference is None or reference.table is None or not reference.is_chunked:
        return None
    found = reference.table.table.find(reference.key) if reference.key else None
    if found is None or found.name != column.meta[COLUMN] or found.type.type_class is not TypeClass.INTEGER:
        return None
    return reference


def _key_ranges(bound: Bound, terms: Sequence[exp.Expr]) -> Iterator[KeyLimit]:
    ranges: dict[int, tuple[int | None, int | None]] = {}
    for column, word, other in (found for term in terms for found in comparisons(term)):
        value, reference = exact_number(other), _keyed(bound, column)
        if word == "=" or value is None or reference is None:
            continue
        ranges[reference.number] = narrowed(ranges.get(reference.number, (None, None)), word, value)
    for number, (low, high) in ranges.items():
        shown = f"{bound.references[number].key} in [{'' if low is None else low}, {'' if high is None else high}]"
        yield KeyLimit(number, None, low, high, shown)
