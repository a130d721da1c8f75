"""Comparisons of columns with constants, and which constants compare exactly. Trees only, no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from decimal import Decimal

from sqlglot import exp

from skyshard.czar.bind.constants import exact_constant
from skyshard.czar.sql.tree_nodes import NumberList

EXACT_DOUBLE = 2**53
"""Below this an integer compared with a DOUBLE constant is compared exactly."""


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


def exact_number(value: exp.Expr) -> Decimal | None:
    """A constant that MariaDB compares exactly with an integer column."""
    exact = exact_constant(value)
    if exact is None or not exact.is_finite():
        return None
    is_double = any("e" in literal.name.lower() for literal in value.find_all(exp.Literal))
    return None if is_double and abs(exact) >= EXACT_DOUBLE else exact


def exact_numbers(values: Iterable[exp.Expr]) -> list[Decimal | None]:
    """The constants of a list; see ``exact_number``."""
    found: list[Decimal | None] = []
    for value in values:
        found += map(Decimal, value.numbers) if isinstance(value, NumberList) else [exact_number(value)]
    return found
