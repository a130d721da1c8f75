"""Rules of constants and arithmetic: whole numbers stay BIGINTs, DOUBLEs are computed as MariaDB does. No I/O."""

from __future__ import annotations

import math
from dataclasses import replace

from sqlglot import exp

from skyshard.czar.columns.proof_rule import Proving, Rule, in_range
from skyshard.czar.columns.terms import (
    SMALLEST,
    Kind,
    NotProven,
    Term,
    as_double,
    as_number,
    decimal,
    double,
    literal_term,
    whole,
)
from skyshard.czar.sql.tree_nodes import SPELLING


def literal(node: exp.Expr, prover: Proving) -> Term:
    if node.args.get("is_string") or node.meta.get(SPELLING, node.name) != node.name:
        raise NotProven("a text")
    return literal_term(node.name)


def negative(node: exp.Expr, prover: Proving) -> Term:
    one = as_number(prover.term(node.this))
    if one.value is not None:
        value = -one.value
        if isinstance(value, int):
            return in_range(whole(value))
        return double(value) if isinstance(value, float) else decimal(value)
    if one.is_whole:
        return in_range(Term(f"(-CAST({one.text} AS BIGINT))", Kind.WHOLE, -one.high, -one.low))
    if one.kind is Kind.DECIMAL:
        return replace(one, text=f"(-{one.text})")
    return Term(f"(-{as_double(one)})", Kind.DOUBLE, least=one.least, most=one.greatest)


def arithmetic(sign: str) -> Rule:
    def rule(node: exp.Expr, prover: Proving) -> Term:
        one, other = as_number(prover.term(node.this)), as_number(prover.term(node.expression))
        if one.is_real or other.is_real:
            most = one.greatest * other.greatest if sign == "*" else one.greatest + other.greatest
            return prover.computed(node, f"({as_double(one)} {sign} {as_double(other)})", most)
        if not (one.is_whole and other.is_whole):
            raise NotProven("arithmetic of DECIMALs")
        for term in (one, other):
            in_range(replace(term, is_unsigned=False))
        ends = [_apply(sign, a, b) for a in (one.low, one.high) for b in (other.low, other.high)]
        text = f"(CAST({one.text} AS BIGINT) {sign} CAST({other.text} AS BIGINT))"
        unsigned = one.is_unsigned or other.is_unsigned
        return in_range(Term(text, Kind.WHOLE, min(ends), max(ends), unsigned, "BIGINT"))

    return rule


def _apply(sign: str, a: int, b: int) -> int:
    return a + b if sign == "+" else a - b if sign == "-" else a * b


def divide(node: exp.Expr, prover: Proving) -> Term:
    one, other = as_number(prover.term(node.this)), as_number(prover.term(node.expression))
    if not (one.is_real or other.is_real):
        raise NotProven("a quotient that is a DECIMAL")
    most = one.greatest / other.least if other.least else math.inf
    return prover.computed(node, f"({as_double(one)} / nullif({as_double(other)}, 0e0))", most)


def remainder(sign: str) -> Rule:
    """``MOD`` has the sign of the dividend, ``DIV`` drops the fraction; NULL where the divisor is 0."""

    def rule(node: exp.Expr, prover: Proving) -> Term:
        one, other = as_number(prover.term(node.this)), as_number(prover.term(node.expression))
        if not (one.is_whole and other.is_whole):
            raise NotProven("a remainder of other than whole numbers")
        for term in (one, other):
            in_range(replace(term, is_unsigned=False))
        if one.low == SMALLEST:
            raise NotProven("whole numbers that may be beyond BIGINT")
        most = max(abs(one.low), abs(one.high))
        low, high = (min(one.low, 0), max(one.high, 0)) if sign == "%" else (-most, most)
        if one.low >= 0 and (sign == "%" or other.low >= 0):
            low = 0
        text = f"(CAST({one.text} AS BIGINT) {sign} nullif(CAST({other.text} AS BIGINT), 0))"
        unsigned = one.is_unsigned or other.is_unsigned
        return in_range(Term(text, Kind.WHOLE, low, high, unsigned, "BIGINT"))

    return rule
