"""Evaluates derived columns: arithmetic over input columns, ``+ - * / ( )``, numbers and names, nothing else.

Parsed with Python's grammar, walked by hand: no name is looked up but columns, nothing is called. NULL in, NULL out;
a division is one of floats, so that 1 / 0 is an infinity, which becomes NULL like any other.

>>> evaluate("g - r * 2", {"g": pa.array([5, None]), "r": pa.array([1, 1])}, 2).to_pylist()
[3, None]
>>> sorted(names_in("tract * 10000 + patch"))
['patch', 'tract']
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Mapping
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.errors import UserError
from skyshard.basics.python_syntax import parse_expression
from skyshard.rowimage.arrays import as_doubles

_OPERATORS = {
    ast.Add: pc.add_checked,
    ast.Sub: pc.subtract_checked,
    ast.Mult: pc.multiply_checked,
}
_NUMBERS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_REMEDY = "use column names, numbers, + - * / and parentheses"
_WORDS: dict[type[ast.AST], str] = {ast.Call: "a call"}


@lru_cache(maxsize=1024)
def _parse(text: str) -> ast.expr:
    try:
        tree = parse_expression(text.strip())
    except (SyntaxError, ValueError) as error:
        raise UserError(f"expression '{text}': {error.args[0]}", remedy=_REMEDY) from None
    if fault := arithmetic_fault(tree):
        raise UserError(f"expression '{text}': {fault}", remedy=_REMEDY)
    return tree


def arithmetic_fault(tree: ast.expr) -> str:
    """What of a tree is not arithmetic, in words; empty where all is.

    >>> arithmetic_fault(parse_expression("a + f(x)")), arithmetic_fault(parse_expression("a + 1"))
    ('a call is not arithmetic', '')
    """
    for node in ast.walk(tree):
        if not isinstance(
            node, ast.BinOp | ast.UnaryOp | ast.Name | ast.Constant | ast.operator | ast.unaryop | ast.expr_context
        ) or isinstance(node, ast.Not | ast.Invert):
            return f"{_WORDS.get(type(node), type(node).__name__)} is not arithmetic"
        if isinstance(node, ast.BinOp) and type(node.op) not in _NUMBERS:
            return f"{type(node.op).__name__} is not known"
        if isinstance(node, ast.Constant) and (isinstance(node.value, bool) or not isinstance(node.value, int | float)):
            return f"{node.value!r} is no number"
    return ""


def names_in(text: str) -> frozenset[str]:
    """The columns that an expression reads.

    Raises:
        UserError: something else than arithmetic.
    """
    return frozenset(node.id for node in ast.walk(_parse(text)) if isinstance(node, ast.Name))


def evaluate(text: str, columns: Mapping[str, pa.Array], rows: int) -> pa.Array:
    """The expression's value in each row.

    Raises:
        pa.ArrowInvalid: an integer overflow.
    """
    value = value_of(_parse(text), columns)
    return value if isinstance(value, pa.Array) else pa.array([value]).take(pa.array([0] * rows, pa.int64()))


def value_of(node: ast.expr, columns: Mapping[str, pa.Array]) -> pa.Array | int | float:
    """The value of a tree of arithmetic: a column, or one number for all rows."""
    if isinstance(node, ast.Name):
        return columns[node.id]
    if isinstance(node, ast.Constant):
        assert isinstance(node.value, int | float)
        return node.value
    if isinstance(node, ast.UnaryOp):
        inner = value_of(node.operand, columns)
        return _combine(ast.Mult, inner, -1) if isinstance(node.op, ast.USub) else inner
    assert isinstance(node, ast.BinOp)
    return _combine(type(node.op), value_of(node.left, columns), value_of(node.right, columns))


def _combine(kind: type[ast.operator], left: pa.Array | int | float, right: pa.Array | int | float) -> pa.Array:
    if not isinstance(left, pa.Array) and not isinstance(right, pa.Array):
        return _NUMBERS[kind](left, right)
    operands = [_number(value) for value in (left, right)]
    if kind is ast.Div:
        return pc.divide(*[as_doubles(value, safe=False) for value in operands])
    if any(pa.types.is_floating(value.type) for value in operands):
        operands = [as_doubles(value, safe=False) for value in operands]
        return {ast.Add: pc.add, ast.Sub: pc.subtract, ast.Mult: pc.multiply}[kind](*operands)
    return _OPERATORS[kind](*_of_one_sign(operands))


def _of_one_sign(operands: list[pa.Array | pa.Scalar]) -> list[pa.Array | pa.Scalar]:
    """Whole numbers of 64 bits as signed ones where all fit, else as unsigned ones."""
    if not any(pa.types.is_uint64(value.type) for value in operands):
        return operands
    try:
        return [value.cast(pa.int64()) for value in operands]
    except pa.ArrowInvalid:
        return [value.cast(pa.uint64()) for value in operands]


def constant_scalar(value: bool | int | float | str) -> pa.Scalar:
    """A constant of an expression; a whole number of more than 63 bits is an unsigned one, of more than 64 a DOUBLE."""
    if isinstance(value, int) and value >= 1 << 63:
        return pa.scalar(value, pa.uint64()) if value < 1 << 64 else pa.scalar(float(value))
    return pa.scalar(float(value) if isinstance(value, int) and value < -(1 << 63) else value)


def _number(value: pa.Array | int | float) -> pa.Array | pa.Scalar:
    """Whole numbers at 64 bits, so that sums of small types have room."""
    if not isinstance(value, pa.Array):
        return constant_scalar(value)
    if pa.types.is_boolean(value.type):
        return value.cast(pa.int8()).cast(pa.int64())
    return value.cast(pa.int64()) if pa.types.is_integer(value.type) and value.type.bit_width < 64 else value
