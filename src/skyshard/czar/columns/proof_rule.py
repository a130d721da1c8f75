"""What a rule of the proof table is, and what several rules need. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from sqlglot import exp

from skyshard.czar.columns.terms import (
    LARGEST,
    SMALLEST,
    Kind,
    NotProven,
    Term,
)
from skyshard.czar.sql.tree_nodes import Formula


class Proving(Protocol):
    """What a rule asks about the parts of its expression; errors of all are NotProven."""

    def term(self, node: exp.Expr) -> Term:
        """The term of an expression without aggregates."""

    def truth(self, node: exp.Expr) -> str:
        """The engine's condition: true, false or NULL where MariaDB's is."""

    def computed(self, node: exp.Expr, text: str, most: float) -> Term:
        """A DOUBLE that is computed, at most so large."""


Rule = Callable[[exp.Expr, Proving], Term]
"""Proves one expression, or raises NotProven."""


def called(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return f"the function {node.name.upper()}"
    if isinstance(node, exp.Literal):
        return "a text"
    return f"the operation {type(node).__name__.upper()}" if not isinstance(node, Formula) else "a function"


def truth_of(term: Term) -> str:
    if term.kind is Kind.TRUTH:
        return term.text
    if term.kind is Kind.OTHER or term.value is not None:
        raise NotProven("a condition that is no comparison")
    return f"({term.text} <> 0)"


def true(text: str) -> Term:
    return Term(f"({text})", Kind.TRUTH)


def in_range(term: Term) -> Term:
    """A result of whole numbers that surely is a BIGINT, and not negative where MariaDB takes it for UNSIGNED: it would
    raise an error."""
    if not (term.low >= SMALLEST and term.high <= LARGEST):
        raise NotProven("whole numbers that may be beyond BIGINT")
    if term.is_unsigned and term.low < 0:
        raise NotProven("UNSIGNED numbers that may become negative")
    return term
