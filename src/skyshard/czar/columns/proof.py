"""The proof table: for each operation that columns answer, how the engine computes exactly what MariaDB does.

Rules: what is not in ``RULES``, ``FUNCTIONS`` or ``AGGREGATES``, and every case for which a rule has no proof, raises
``NotProven`` with the reason; the statement is then MariaDB's. Reasons name no numbers, as plans hold them. Columns
hold no NaN, no infinity and no -0, as MariaDB stores none. The page ``docs/explanation/columns-proof.md`` says why each
rule is right. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

from sqlglot import exp

from skyshard.czar.columns.aggregate_rules import add_up, count, extreme
from skyshard.czar.columns.choice_rules import absolute, choose_case, choose_if, first, root
from skyshard.czar.columns.number_rules import arithmetic, divide, literal, negative, remainder
from skyshard.czar.columns.proof_rule import Proving, Rule, called, true, truth_of
from skyshard.czar.columns.terms import (
    LARGEST_DOUBLE,
    Kind,
    NotProven,
    Term,
    as_double,
    as_number,
    whole,
)
from skyshard.czar.columns.truth_rules import among, between, compare, is_truth, joined
from skyshard.czar.sql.tree_nodes import Formula


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
            raise NotProven(called(node))
        return rule(node, self)

    def truth(self, node: exp.Expr) -> str:
        """The engine's condition: true, false or NULL where MariaDB's is."""
        return truth_of(self.term(node))

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
            raise NotProven(f"an aggregate: {called(node)}")
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


def _function(node: exp.Expr, prover: Proving) -> Term:
    made = FUNCTIONS.get(node.name.upper())
    if made is None:
        raise NotProven(called(node))
    return made(*[prover.term(part) for part in node.expressions])


def _inner(node: exp.Expr, prover: Proving) -> Term:
    return prover.term(node.this)


RULES: Mapping[type[exp.Expr], Rule] = {
    exp.Literal: literal,
    exp.Boolean: lambda node, prover: whole(int(bool(node.this))),
    exp.Paren: _inner,
    exp.Neg: negative,
    exp.Add: arithmetic("+"),
    exp.Sub: arithmetic("-"),
    exp.Mul: arithmetic("*"),
    exp.Div: divide,
    exp.Mod: remainder("%"),
    exp.IntDiv: remainder("//"),
    exp.EQ: compare("="),
    exp.NEQ: compare("<>"),
    exp.LT: compare("<"),
    exp.LTE: compare("<="),
    exp.GT: compare(">"),
    exp.GTE: compare(">="),
    exp.NullSafeEQ: compare("IS NOT DISTINCT FROM"),
    exp.Between: between,
    exp.In: among,
    exp.Is: is_truth,
    exp.And: joined("AND"),
    exp.Or: joined("OR"),
    exp.Xor: joined("<>"),
    exp.Not: lambda node, prover: true(f"NOT {truth_of(prover.term(node.this))}"),
    exp.If: choose_if,
    exp.Case: choose_case,
    exp.Anonymous: _function,
}
"""Operation → its rule."""

FUNCTIONS: Mapping[str, Callable[..., Term]] = {
    "ABS": absolute,
    "SQRT": root,
    "COALESCE": first,
    "IFNULL": first,
}
"""Function → its rule, given the terms of its arguments."""

AGGREGATES: Mapping[type[exp.Expr], Rule] = {
    exp.Count: count,
    exp.Sum: add_up,
    exp.Min: extreme("min"),
    exp.Max: extreme("max"),
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
