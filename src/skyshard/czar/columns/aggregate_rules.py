"""Rules of the aggregates of one chunk. No I/O."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from skyshard.czar.columns.proof_rule import Proving, Rule
from skyshard.czar.columns.terms import (
    LARGEST,
    Kind,
    NotProven,
    Term,
    as_double,
    as_number,
)


def count(node: exp.Expr, prover: Proving) -> Term:
    text = "*" if isinstance(node.this, exp.Star) else prover.term(node.this).text
    return Term(f"count({text})", Kind.WHOLE, 0, LARGEST)


def add_up(node: exp.Expr, prover: Proving) -> Term:
    """Whole numbers and DECIMALs add up exactly; DOUBLEs in the order in which they come, as on any server."""
    one = as_number(prover.term(node.this))
    if one.is_real:
        return Term(f"sum({as_double(one)})", Kind.DOUBLE)
    if one.value is not None:
        raise NotProven("the sum of a constant")
    return Term(f"sum({one.text})", Kind.DECIMAL)


def extreme(name: str) -> Rule:
    def rule(node: exp.Expr, prover: Proving) -> Term:
        one = as_number(prover.term(node.this))
        if one.value is not None:
            raise NotProven("an aggregate of a constant")
        return replace(one, text=f"{name}({one.text})")

    return rule
