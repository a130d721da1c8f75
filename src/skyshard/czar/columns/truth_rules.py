"""Rules of comparisons, and of what joins them: 0, 1 or NULL where MariaDB has them. No I/O."""

from __future__ import annotations

from sqlglot import exp

from skyshard.czar.columns.proof_rule import Proving, Rule, called, true, truth_of
from skyshard.czar.columns.terms import (
    NotProven,
    Term,
    alike,
    as_number,
)
from skyshard.czar.sql.tree_nodes import NumberList


def compare(sign: str) -> Rule:
    def rule(node: exp.Expr, prover: Proving) -> Term:
        one, other = alike([as_number(prover.term(node.this)), as_number(prover.term(node.expression))])
        return true(f"{one} {sign} {other}")

    return rule


def between(node: exp.Expr, prover: Proving) -> Term:
    parts = (node.this, node.args["low"], node.args["high"])
    value, low, high = alike([as_number(prover.term(part)) for part in parts])
    return true(f"{value} BETWEEN {low} AND {high}")


def among(node: exp.Expr, prover: Proving) -> Term:
    if node.args.get("query") or node.args.get("unnest") or node.args.get("field"):
        raise NotProven("a subquery")
    listed = [one for part in node.expressions for one in _listed(part)]
    if not listed:
        raise NotProven("a subquery")
    terms = [as_number(prover.term(one)) for one in (node.this, *listed)]
    if not terms[0].is_real and any(term.is_real for term in terms):  # each pair is compared in a type of its own
        raise NotProven("a whole number or DECIMAL IN a list with a DOUBLE")
    value, *among = alike(terms)
    return true(f"{value} IN ({', '.join(among)})")


def _listed(part: exp.Expr) -> list[exp.Expr]:
    return [exp.Literal.number(number) for number in part.numbers] if isinstance(part, NumberList) else [part]


def is_truth(node: exp.Expr, prover: Proving) -> Term:
    asked = node.expression
    if isinstance(asked, exp.Null):
        return true(f"{prover.term(node.this).text} IS NULL")
    if isinstance(asked, exp.Boolean):
        return true(f"{truth_of(prover.term(node.this))} IS {'TRUE' if asked.this else 'FALSE'}")
    raise NotProven(called(node))


def joined(word: str) -> Rule:
    def rule(node: exp.Expr, prover: Proving) -> Term:
        return true(f"{truth_of(prover.term(node.this))} {word} {truth_of(prover.term(node.expression))}")

    return rule
