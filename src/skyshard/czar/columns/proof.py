"""The proof table: for each operation that columns answer, how the engine computes exactly what MariaDB does.

Rules: what is not in ``RULES``, ``FUNCTIONS`` or ``AGGREGATES``, and every case for which a rule has no proof, raises
``NotProven`` with the reason; the statement is then MariaDB's. Reasons name no numbers, as plans hold them. Columns
hold no NaN, no infinity and no -0, as MariaDB stores none. The page ``docs/explanation/columns-proof.md`` says why each
rule is right. No I/O.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import reduce

from sqlglot import exp

from skyshard.czar.columns.terms import (
    LARGEST,
    LARGEST_DOUBLE,
    SMALLEST,
    Kind,
    NotProven,
    Term,
    alike,
    as_double,
    as_number,
    decimal,
    double,
    literal_term,
    whole,
)
from skyshard.czar.sql.tree_nodes import SPELLING, Formula, NumberList


class Prover:
    """Proves expressions over columns; ``column`` gives the term of one, and notes that it is read.

    ``risky``: computed DOUBLEs that may be beyond all DOUBLEs, with their texts; MariaDB raises an error there.
    """

    def __init__(self, column: Callable[[exp.Column], Term]) -> None:
        self._column = column
        self.risky: list[tuple[exp.Expr, str]] = []

    def term(self, node: exp.Expr) -> Term:
        """The term of an expression without aggregates.

        Raises:
            NotProven: the reason.
        """
        if isinstance(node, exp.Column):
            return self._column(node)
        rule = RULES.get(type(node))
        if rule is None:
            raise NotProven(_called(node))
        return rule(node, self)

    def truth(self, node: exp.Expr) -> str:
        """The engine's condition: true, false or NULL where MariaDB's is."""
        return _truth(self.term(node))

    def aggregate(self, node: exp.Expr) -> Term:
        """The term of one aggregate over all rows of a group.

        Raises:
            NotProven: the reason.
        """
        if isinstance(node, Formula):
            made = FORMULAS.get(str(node.this))
            if made is None:
                raise NotProven("a function")
            return made(as_double(as_number(self.term(node.expressions[0].unnest()))))
        rule = AGGREGATES.get(type(node))
        if rule is None:
            raise NotProven(f"an aggregate: {_called(node)}")
        if node.expressions or isinstance(node.this, exp.Distinct):
            raise NotProven("an aggregate of several arguments")
        return rule(node, self)

    def computed(self, node: exp.Expr, text: str, most: float) -> Term:
        """A DOUBLE that is computed, at most so large; where it may be too large, the engine stops as MariaDB does."""
        if most < LARGEST_DOUBLE:
            return Term(text, Kind.DOUBLE, most=most)
        self.risky.append((node, text))
        guarded = f"(CASE WHEN NOT isfinite({text}) THEN error('beyond DOUBLE') ELSE {text} END)"
        return Term(guarded, Kind.DOUBLE)


def _called(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return f"the function {node.name.upper()}"
    if isinstance(node, exp.Literal):
        return "a text"
    return f"the operation {type(node).__name__.upper()}" if not isinstance(node, Formula) else "a function"


def _truth(term: Term) -> str:
    if term.kind is Kind.TRUTH:
        return term.text
    if term.kind is Kind.OTHER or term.value is not None:
        raise NotProven("a condition that is no comparison")
    return f"({term.text} <> 0)"


def _true(text: str) -> Term:
    return Term(f"({text})", Kind.TRUTH)


# --- constants ---


def _literal(node: exp.Expr, prover: Prover) -> Term:
    if node.args.get("is_string") or node.meta.get(SPELLING, node.name) != node.name:
        raise NotProven("a text")
    return literal_term(node.name)


def _negative(node: exp.Expr, prover: Prover) -> Term:
    one = as_number(prover.term(node.this))
    if one.value is not None:
        value = -one.value
        if isinstance(value, int):
            return _in_range(whole(value))
        return double(value) if isinstance(value, float) else decimal(value)
    if one.is_whole:
        return _in_range(Term(f"(-CAST({one.text} AS BIGINT))", Kind.WHOLE, -one.high, -one.low))
    if one.kind is Kind.DECIMAL:
        return replace(one, text=f"(-{one.text})")
    return Term(f"(-{as_double(one)})", Kind.DOUBLE, least=one.least, most=one.greatest)


# --- arithmetic ---


def _in_range(term: Term) -> Term:
    """A result of whole numbers that surely is a BIGINT, and not negative where MariaDB takes it for UNSIGNED: it would
    raise an error."""
    if not (term.low >= SMALLEST and term.high <= LARGEST):
        raise NotProven("whole numbers that may be beyond BIGINT")
    if term.is_unsigned and term.low < 0:
        raise NotProven("UNSIGNED numbers that may become negative")
    return term


def _arithmetic(sign: str) -> Callable[[exp.Expr, Prover], Term]:
    def rule(node: exp.Expr, prover: Prover) -> Term:
        one, other = as_number(prover.term(node.this)), as_number(prover.term(node.expression))
        if one.is_real or other.is_real:
            most = one.greatest * other.greatest if sign == "*" else one.greatest + other.greatest
            return prover.computed(node, f"({as_double(one)} {sign} {as_double(other)})", most)
        if not (one.is_whole and other.is_whole):
            raise NotProven("arithmetic of DECIMALs")
        for term in (one, other):
            _in_range(replace(term, is_unsigned=False))
        ends = [_apply(sign, a, b) for a in (one.low, one.high) for b in (other.low, other.high)]
        text = f"(CAST({one.text} AS BIGINT) {sign} CAST({other.text} AS BIGINT))"
        unsigned = one.is_unsigned or other.is_unsigned
        return _in_range(Term(text, Kind.WHOLE, min(ends), max(ends), unsigned, "BIGINT"))

    return rule


def _apply(sign: str, a: int, b: int) -> int:
    return a + b if sign == "+" else a - b if sign == "-" else a * b


def _divide(node: exp.Expr, prover: Prover) -> Term:
    one, other = as_number(prover.term(node.this)), as_number(prover.term(node.expression))
    if not (one.is_real or other.is_real):
        raise NotProven("a quotient that is a DECIMAL")
    most = one.greatest / other.least if other.least else math.inf
    return prover.computed(node, f"({as_double(one)} / nullif({as_double(other)}, 0e0))", most)


def _remainder(sign: str) -> Callable[[exp.Expr, Prover], Term]:
    """``MOD`` has the sign of the dividend, ``DIV`` drops the fraction; NULL where the divisor is 0."""

    def rule(node: exp.Expr, prover: Prover) -> Term:
        one, other = as_number(prover.term(node.this)), as_number(prover.term(node.expression))
        if not (one.is_whole and other.is_whole):
            raise NotProven("a remainder of other than whole numbers")
        for term in (one, other):
            _in_range(replace(term, is_unsigned=False))
        if one.low == SMALLEST:
            raise NotProven("whole numbers that may be beyond BIGINT")
        most = max(abs(one.low), abs(one.high))
        low, high = (min(one.low, 0), max(one.high, 0)) if sign == "%" else (-most, most)
        if one.low >= 0 and (sign == "%" or other.low >= 0):
            low = 0
        text = f"(CAST({one.text} AS BIGINT) {sign} nullif(CAST({other.text} AS BIGINT), 0))"
        unsigned = one.is_unsigned or other.is_unsigned
        return _in_range(Term(text, Kind.WHOLE, low, high, unsigned, "BIGINT"))

    return rule


# --- comparisons and truths ---


def _compare(sign: str) -> Callable[[exp.Expr, Prover], Term]:
    def rule(node: exp.Expr, prover: Prover) -> Term:
        one, other = alike([as_number(prover.term(node.this)), as_number(prover.term(node.expression))])
        return _true(f"{one} {sign} {other}")

    return rule


def _between(node: exp.Expr, prover: Prover) -> Term:
    parts = (node.this, node.args["low"], node.args["high"])
    value, low, high = alike([as_number(prover.term(part)) for part in parts])
    return _true(f"{value} BETWEEN {low} AND {high}")


def _in(node: exp.Expr, prover: Prover) -> Term:
    if node.args.get("query") or node.args.get("unnest") or node.args.get("field"):
        raise NotProven("a subquery")
    listed = [one for part in node.expressions for one in _listed(part)]
    if not listed:
        raise NotProven("a subquery")
    terms = [as_number(prover.term(one)) for one in (node.this, *listed)]
    if not terms[0].is_real and any(term.is_real for term in terms):  # each pair is compared in a type of its own
        raise NotProven("a whole number or DECIMAL IN a list with a DOUBLE")
    value, *among = alike(terms)
    return _true(f"{value} IN ({', '.join(among)})")


def _listed(part: exp.Expr) -> list[exp.Expr]:
    return [exp.Literal.number(number) for number in part.numbers] if isinstance(part, NumberList) else [part]


def _is(node: exp.Expr, prover: Prover) -> Term:
    asked = node.expression
    if isinstance(asked, exp.Null):
        return _true(f"{prover.term(node.this).text} IS NULL")
    if isinstance(asked, exp.Boolean):
        return _true(f"{_truth(prover.term(node.this))} IS {'TRUE' if asked.this else 'FALSE'}")
    raise NotProven(_called(node))


def _joined(word: str) -> Callable[[exp.Expr, Prover], Term]:
    def rule(node: exp.Expr, prover: Prover) -> Term:
        return _true(f"{_truth(prover.term(node.this))} {word} {_truth(prover.term(node.expression))}")

    return rule


# --- choices and functions ---


def _one_of(terms: list[Term]) -> tuple[list[str], Term]:
    """Values of which one is taken: their texts in one type, and what that is."""
    numbers = [as_number(term) for term in terms]
    if any(term.kind is Kind.DECIMAL for term in numbers):
        raise NotProven("a choice of DECIMALs")
    if any(term.is_real for term in numbers):
        most = max(term.greatest for term in numbers)
        return [as_double(term) for term in numbers], Term("", Kind.DOUBLE, most=most)
    low, high = min(term.low for term in numbers), max(term.high for term in numbers)
    unsigned = any(term.is_unsigned for term in numbers)
    made = _in_range(Term("", Kind.WHOLE, low, high, unsigned, "BIGINT"))
    return [f"CAST({term.text} AS BIGINT)" for term in numbers], made


def _if(node: exp.Expr, prover: Prover) -> Term:
    if node.args.get("false") is None:
        raise NotProven("IF of two arguments")
    (yes, no), made = _one_of([prover.term(node.args["true"]), prover.term(node.args["false"])])
    return replace(made, text=f"(CASE WHEN {_truth(prover.term(node.this))} THEN {yes} ELSE {no} END)")


def _case(node: exp.Expr, prover: Prover) -> Term:
    if node.this is not None:
        raise NotProven("CASE of a value")
    branches, default = node.args["ifs"], node.args.get("default")
    values = [one.args["true"] for one in branches] + ([default] if default is not None else [])
    texts, made = _one_of([prover.term(value) for value in values])
    conditions = [prover.truth(one.this) for one in branches]
    whens = " ".join(f"WHEN {one} THEN {text}" for one, text in zip(conditions, texts, strict=False))
    otherwise = f" ELSE {texts[-1]}" if default is not None else ""
    return replace(made, text=f"(CASE {whens}{otherwise} END)")


def _function(node: exp.Expr, prover: Prover) -> Term:
    made = FUNCTIONS.get(node.name.upper())
    if made is None:
        raise NotProven(_called(node))
    return made(*[prover.term(part) for part in node.expressions])


def _absolute(*terms: Term) -> Term:
    one = as_number(_only(terms))
    if one.is_real:
        return Term(f"abs({as_double(one)})", Kind.DOUBLE, least=one.least, most=one.greatest)
    if not one.is_whole:
        raise NotProven("arithmetic of DECIMALs")
    low = 0 if one.low <= 0 <= one.high else min(abs(one.low), abs(one.high))
    most = max(abs(one.low), abs(one.high))
    return _in_range(Term(f"abs(CAST({one.text} AS BIGINT))", Kind.WHOLE, low, most, one.is_unsigned, "BIGINT"))


def _root(*terms: Term) -> Term:
    one = as_number(_only(terms))
    text, most = as_double(one), max(1.0, one.greatest)
    return Term(f"(CASE WHEN {text} >= 0e0 THEN sqrt({text}) END)", Kind.DOUBLE, most=most)


def _first(*terms: Term) -> Term:
    texts, made = _one_of(list(terms))
    return replace(made, text=f"coalesce({', '.join(texts)})")


def _only(terms: tuple[Term, ...]) -> Term:
    if len(terms) != 1:
        raise NotProven("a function of several arguments")
    return terms[0]


# --- aggregates ---


def _count(node: exp.Expr, prover: Prover) -> Term:
    text = "*" if isinstance(node.this, exp.Star) else prover.term(node.this).text
    return Term(f"count({text})", Kind.WHOLE, 0, LARGEST)


def _sum(node: exp.Expr, prover: Prover) -> Term:
    """Whole numbers and DECIMALs add up exactly; DOUBLEs in the order in which they come, as on any server."""
    one = as_number(prover.term(node.this))
    if one.is_real:
        return Term(f"sum({as_double(one)})", Kind.DOUBLE)
    if one.value is not None:
        raise NotProven("the sum of a constant")
    return Term(f"sum({one.text})", Kind.DECIMAL)


def _extreme(name: str) -> Callable[[exp.Expr, Prover], Term]:
    def rule(node: exp.Expr, prover: Prover) -> Term:
        one = as_number(prover.term(node.this))
        if one.value is not None:
            raise NotProven("an aggregate of a constant")
        return replace(one, text=f"{name}({one.text})")

    return rule


def _inner(node: exp.Expr, prover: Prover) -> Term:
    return prover.term(node.this)


RULES: Mapping[type[exp.Expr], Callable[[exp.Expr, Prover], Term]] = {
    exp.Literal: _literal,
    exp.Boolean: lambda node, prover: whole(int(bool(node.this))),
    exp.Paren: _inner,
    exp.Neg: _negative,
    exp.Add: _arithmetic("+"),
    exp.Sub: _arithmetic("-"),
    exp.Mul: _arithmetic("*"),
    exp.Div: _divide,
    exp.Mod: _remainder("%"),
    exp.IntDiv: _remainder("//"),
    exp.EQ: _compare("="),
    exp.NEQ: _compare("<>"),
    exp.LT: _compare("<"),
    exp.LTE: _compare("<="),
    exp.GT: _compare(">"),
    exp.GTE: _compare(">="),
    exp.NullSafeEQ: _compare("IS NOT DISTINCT FROM"),
    exp.Between: _between,
    exp.In: _in,
    exp.Is: _is,
    exp.And: _joined("AND"),
    exp.Or: _joined("OR"),
    exp.Xor: _joined("<>"),
    exp.Not: lambda node, prover: _true(f"NOT {_truth(prover.term(node.this))}"),
    exp.If: _if,
    exp.Case: _case,
    exp.Anonymous: _function,
}
"""Operation → its rule."""

FUNCTIONS: Mapping[str, Callable[..., Term]] = {
    "ABS": _absolute,
    "SQRT": _root,
    "COALESCE": _first,
    "IFNULL": _first,
}
"""Function → its rule, given the terms of its arguments."""

AGGREGATES: Mapping[type[exp.Expr], Callable[[exp.Expr, Prover], Term]] = {
    exp.Count: _count,
    exp.Sum: _sum,
    exp.Min: _extreme("min"),
    exp.Max: _extreme("max"),
}
"""Aggregate of a chunk → its rule. Averages and variances come as their parts."""

_ONE = "\x030\x03"
FORMULAS: Mapping[str, Callable[[str], Term]] = {
    f"AVG(CAST({_ONE} AS DOUBLE))": lambda text: Term(f"avg({text})", Kind.DOUBLE),
    f"VAR_POP({_ONE}) * COUNT({_ONE})": lambda text: Term(f"(var_pop({text}) * count({text}))", Kind.DOUBLE),
}
"""What the plan of a variance asks of a chunk, as ``czar.plan.aggregate`` writes it → the engine's text."""


def all_of(conditions: list[str]) -> str:
    """AND-ed conditions; empty if there are none."""
    return reduce(lambda one, other: f"{one} AND {other}", conditions) if conditions else ""
