"""A pass: divisions are those of DOUBLEs, and what is made of written numbers alone is one number. No I/O.

MariaDB divides whole numbers and decimals to four digits more than the dividend has: ``1.0 / 3600`` is 0.00028 there.
"""

from __future__ import annotations

import math
import operator

from sqlglot import exp

from skyshard.czar.sql.region_sql import double

_SUMS = {exp.Add: operator.add, exp.Sub: operator.sub, exp.Mul: operator.mul, exp.Div: operator.truediv}
_NUMERIC = (exp.Literal, exp.Paren, exp.Neg, *_SUMS)
Values = dict[int, float]
"""Of expressions of written numbers alone, by ``id``."""


def divide_exactly(tree: exp.Expr) -> None:
    """Replace every division by what gives a DOUBLE.

    >>> from skyshard.czar.sql.dialect import parse_expression, render
    >>> tree = parse_expression("f((a / b + 1) / c, a / -3, 2 / a, x < 5 * (1.0 / 4))")
    >>> divide_exactly(tree)
    >>> render(tree)
    'f((a * 1e0 / b + 1) * 1e0 / c, a / -3e0, 2e0 / a, x < 1.25e0)'
    """
    nodes, values, is_done = list(tree.find_all(*_NUMERIC)), Values(), set[int]()
    for node in reversed(nodes):  # from the leaves up
        value = _value(node, values)
        if value is not None and math.isfinite(value):
            values[id(node)] = value
    for node in nodes:
        if not isinstance(node, exp.Div) or id(node) in is_done:
            continue
        whole = _whole(node, values)
        if id(whole) in values:
            is_done.update(map(id, whole.find_all(exp.Div)))
            whole.replace(double(values[id(whole)]))
        elif not isinstance(node.left.unnest(), exp.Div):
            _as_double(node, values)


def _value(node: exp.Expr, values: Values) -> float | None:
    """None where it is no number, or has no value."""
    if isinstance(node, exp.Literal):
        return None if node.is_string else float(node.name)
    if isinstance(node, exp.Binary):
        one, other = values.get(id(node.left)), values.get(id(node.right))
        if one is None or other is None or (isinstance(node, exp.Div) and not other):
            return None
        return float(_SUMS[type(node)](one, other))
    value = values.get(id(node.this))
    return -value if value is not None and isinstance(node, exp.Neg) else value


def _whole(node: exp.Expr, values: Values) -> exp.Expr:
    """The largest expression around a division that is a number; the division itself where none is."""
    found = node
    while found.parent is not None and id(found.parent) in values:
        found = found.parent
    return found


def _as_double(node: exp.Div, values: Values) -> None:
    for side in (node.right, node.left):
        if id(side) in values:
            side.replace(double(values[id(side)]))
            return
    node.set("this", exp.Mul(this=node.left, expression=double(1)))
