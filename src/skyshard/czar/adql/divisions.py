"""A pass: divisions are those of DOUBLEs, and what is made of written numbers alone is one number. No I/O.

MariaDB divides whole numbers and decimals to four digits more than the dividend has: ``1.0 / 3600`` is 0.00028 there.
"""

from __future__ import annotations

import math
import operator

from sqlglot import exp

from skyshard.czar.sql.region_sql import number

_SUMS = {exp.Add: operator.add, exp.Sub: operator.sub, exp.Mul: operator.mul, exp.Div: operator.truediv}
_WITHIN = (*_SUMS, exp.Neg, exp.Paren)
_ONE = "1e0"


def divide_exactly(tree: exp.Expr) -> None:
    """Replace every division by what gives a DOUBLE.

    >>> from skyshard.czar.sql.dialect import parse_expression, render
    >>> tree = parse_expression("f(a / b, a / 3, 2 / a, x < 5 * (1.0 / 4))")
    >>> divide_exactly(tree)
    >>> render(tree)
    'f(a * 1e0 / b, a / 3e0, 2e0 / a, x < 1.25e0)'
    """
    for node in list(tree.find_all(exp.Div)):
        if node.root() is not tree:
            continue  # it was part of a number
        whole = _whole(node)
        value = _value(whole)
        if value is not None:
            whole.replace(exp.Literal.number(number(value)))
        elif not isinstance(node.left.unnest(), exp.Div):
            _as_double(node)


def _whole(node: exp.Expr) -> exp.Expr:
    """The largest expression around a division that is a number; the division itself where none is."""
    found = node
    while isinstance(found.parent, _WITHIN) and _value(found.parent) is not None:
        found = found.parent
    return found


def _value(node: exp.Expr) -> float | None:
    """Of an expression of written numbers; None where it is another one, or has no value."""
    if isinstance(node, exp.Literal):
        return None if node.is_string else float(node.name)
    if isinstance(node, exp.Paren):
        return _value(node.this)
    if isinstance(node, exp.Neg):
        value = _value(node.this)
        return None if value is None else -value
    if not isinstance(node, exp.Binary) or type(node) not in _SUMS:
        return None
    one, other = _value(node.left), _value(node.right)
    if one is None or other is None or (isinstance(node, exp.Div) and not other):
        return None
    value = _SUMS[type(node)](one, other)
    return value if math.isfinite(value) else None


def _as_double(node: exp.Div) -> None:
    for side in (node.right, node.left):
        if (value := _value(side)) is not None:
            side.replace(exp.Literal.number(number(value)))
            return
    node.set("this", exp.Mul(this=node.left.copy(), expression=exp.Literal.number(_ONE)))
