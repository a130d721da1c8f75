"""Numbers that a statement writes out, and their exact values. No I/O."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from sqlglot import exp


def constant(node: exp.Expr) -> float | None:
    """The value of a numeric constant, None for anything else.

    >>> from skyshard.czar.sql.dialect import parse_expression
    >>> constant(parse_expression("-(3.5)")), constant(parse_expression("ra"))
    (-3.5, None)
    """
    exact = exact_constant(node)
    return None if exact is None else float(exact)


def exact_constant(node: exp.Expr) -> Decimal | None:
    """The exact value of a numeric constant as written."""
    inner = node.unnest()
    if isinstance(inner, exp.Neg):
        value = exact_constant(inner.this)
        return None if value is None else -value
    if isinstance(inner, (exp.Add, exp.Sub, exp.Mul)):
        return _folded(inner)
    if not isinstance(inner, exp.Literal) or inner.is_string:
        return None
    try:
        return Decimal(inner.name)
    except InvalidOperation:
        return None


def _folded(node: exp.Binary) -> Decimal | None:
    """A sum, difference or product of plain decimals, which MariaDB computes exactly too."""
    one, other = exact_constant(node.left), exact_constant(node.right)
    if one is None or other is None or any("e" in literal.name.lower() for literal in node.find_all(exp.Literal)):
        return None
    if max(abs(one), abs(other)) >= 10**9 or any(part.as_tuple().exponent < -9 for part in (one, other)):  # type: ignore[operator]
        return None
    if isinstance(node, exp.Mul):
        return one * other
    return one + other if isinstance(node, exp.Add) else one - other
