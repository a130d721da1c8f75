"""Decides which input rows a table takes: ``where: detect_isPrimary and patch < 40``.

Comparisons (a chain of them, too), ``and or not``, ``in (...)``, ``is null`` and parentheses over arithmetic
(`skyshard.ingest.values.column_expression`). Parsed with Python's grammar, walked by hand; SQL's spelling (``=``,
``<>``, ``AND``) is taken too. Logic is SQL's: what is compared with NULL is NULL, and only what is true is taken. NaN
and infinities count as NULL, which they are stored as.

>>> x = {"flag": pa.array([True, False, None]), "patch": pa.array([3, 50, 7])}
>>> is_true("flag AND patch < 40", x, 3).tolist(), is_true("not flag", x, 3).tolist()
([True, False, False], [False, True, False])
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyshard.basics.errors import UserError
from skyshard.basics.python_syntax import parse_expression
from skyshard.ingest.values.arrow_values import plain_array
from skyshard.ingest.values.column_expression import arithmetic_fault, constant_scalar, value_of
from skyshard.ingest.values.text_values import RowError
from skyshard.rowimage.arrays import as_doubles

_COMPARED = {
    ast.Lt: pc.less, ast.LtE: pc.less_equal, ast.Gt: pc.greater, ast.GtE: pc.greater_equal,
    ast.Eq: pc.equal, ast.NotEq: pc.not_equal,
}  # fmt: skip
_REMEDY = "use column names, numbers, 'texts', + - * /, < <= > >= = <>, and, or, not, in (...), is null, parentheses"
_WORDS = re.compile(r"\b(and|or|not|in|is|null|true|false)\b", re.IGNORECASE)
_TEXT = re.compile(r"""('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""")
_WHOLE = pa.decimal128(20, 0)
"""Holds whole numbers of 64 bits, signed or not."""
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$|^[+-]?(nan|inf|infinity)$"
_SECOND = r"^(\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}:\d{2})(?:(\.\d*[1-9])0*|\.0*)$"
"""A time as text; the zeros at its end mean nothing."""
_UNKNOWN = pa.scalar(None, pa.bool_())
_CONSTANTS = {"null": None, "true": True, "false": False}


def columns_in(text: str) -> frozenset[str]:
    """The input columns that a condition reads.

    Raises:
        UserError: something else than a condition.
    """
    names = (node.id for node in ast.walk(_parsed(text)) if isinstance(node, ast.Name))
    return frozenset(name for name in names if name not in _CONSTANTS)


def is_true(text: str, columns: Mapping[str, pa.Array], rows: int) -> NDArray[np.bool_]:
    """For each row, whether the condition is true.

    Raises:
        RowError: values that cannot be compared.
    """
    try:
        found = _logical(_parsed(text), {name: columns[name] for name in columns_in(text)})
    except RowError as error:
        raise RowError(f"where '{text}': {error.what}", error.row, "", error.remedy) from None
    except pa.ArrowException as error:
        raise RowError(f"where '{text}': {str(error).splitlines()[0]}", 0, "", "compare like with like") from None
    if not isinstance(found, pa.Array):
        return np.full(rows, found is True)
    return np.asarray(pc.fill_null(found, False))


@lru_cache(maxsize=256)
def _parsed(text: str) -> ast.expr:
    """The tree of a condition; what it may not hold is refused here, before any row is read."""
    try:
        tree = parse_expression(_as_python(text).strip())
    except (SyntaxError, ValueError) as error:
        raise UserError(f"where '{text}': {error.args[0]}", remedy=_REMEDY) from None
    _require_logical(text, tree)
    return tree


def _as_python(text: str) -> str:
    pieces = _TEXT.split(text)
    for i in range(0, len(pieces), 2):
        words = _WORDS.sub(lambda found: found[0].lower(), pieces[i]).replace("<>", "!=")
        pieces[i] = re.sub(r"(?<![<>=!])=(?!=)", "==", words)
    return "".join(pieces)


def _require_logical(text: str, node: ast.expr) -> None:
    if isinstance(node, ast.BoolOp):
        for value in node.values:
            _require_logical(text, value)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        _require_logical(text, node.operand)
    elif isinstance(node, ast.Compare):
        _require_operand(text, node.left)
        for how, other in zip(node.ops, node.comparators, strict=True):
            _require_pair(text, how, other)
    else:
        _require_operand(text, node)


def _require_pair(text: str, how: ast.cmpop, other: ast.expr) -> None:
    if isinstance(how, ast.Is | ast.IsNot):
        if not (_is_constant(other) and isinstance(_constant(other), bool | None)):
            raise UserError(f"where '{text}': 'is' asks for null, true or false", remedy=_REMEDY)
    elif isinstance(how, ast.In | ast.NotIn):
        items = _items(other)
        if not (items and all(map(_is_constant, items))):
            raise UserError(f"where '{text}': 'in' asks for constants in parentheses: in (1, 2)", remedy=_REMEDY)
    else:
        _require_operand(text, other)


def _items(node: ast.expr) -> list[ast.expr]:
    """What stands behind ``in``; parentheses around a single value are not in the tree."""
    return node.elts if isinstance(node, ast.Tuple | ast.List) else [node]


def _require_operand(text: str, node: ast.expr) -> None:
    if not _is_constant(node) and (fault := arithmetic_fault(node)):
        raise UserError(f"where '{text}': {fault}", remedy=_REMEDY)


def _is_constant(node: ast.expr) -> bool:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return _is_constant(node.operand) and isinstance(_constant(node.operand), int | float)
    if isinstance(node, ast.Name):
        return node.id in _CONSTANTS
    return isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str | None)


def _constant(node: ast.expr) -> bool | int | float | str | None:
    if isinstance(node, ast.Name):
        return _CONSTANTS[node.id]
    if isinstance(node, ast.UnaryOp):
        number = _constant(node.operand)
        assert isinstance(number, int | float)
        return -number
    assert isinstance(node, ast.Constant)
    assert isinstance(node.value, bool | int | float | str | None)
    return node.value


Logical: TypeAlias = "pa.Array | bool | None"
"""A truth value in each row, or one for all."""


def _logical(node: ast.expr, columns: Mapping[str, pa.Array]) -> Logical:
    if isinstance(node, ast.BoolOp):
        values = [_logical(value, columns) for value in node.values]
        combine = pc.and_kleene if isinstance(node.op, ast.And) else pc.or_kleene
        found = _scalar(values[0])
        for value in values[1:]:
            found = combine(found, _scalar(value))
        return _plain(found)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return _plain(pc.invert(_scalar(_logical(node.operand, columns))))
    if isinstance(node, ast.Compare):
        left, pairs = node.left, []
        for how, right in zip(node.ops, node.comparators, strict=True):
            pairs.append(_scalar(_compared(how, left, right, columns)))
            left = right
        found = pairs[0]
        for pair in pairs[1:]:
            found = pc.and_kleene(found, pair)
        return _plain(found)
    return _plain(_truth(_operand(node, columns)))


def _scalar(value: Logical) -> pa.Array | pa.Scalar:
    return value if isinstance(value, pa.Array) else pa.scalar(value, pa.bool_())


def _plain(value: pa.Array | pa.Scalar) -> Logical:
    found: Logical = value if isinstance(value, pa.Array) else value.as_py()
    return found


def _compared(how: ast.cmpop, left: ast.expr, right: ast.expr, columns: Mapping[str, pa.Array]) -> Logical:
    value = _operand(left, columns)
    if isinstance(how, ast.Is | ast.IsNot):
        asked = _constant(right)
        found = pc.is_null(value) if asked is None else pc.fill_null(pc.equal(_truth(value), asked), False)
        return _plain(found if isinstance(how, ast.Is) else pc.invert(found))
    if isinstance(how, ast.In | ast.NotIn):
        found = pa.scalar(False)
        for item in _items(right):
            found = pc.or_kleene(found, _equal(ast.Eq, value, _operand(item, columns)))
        return _plain(found if isinstance(how, ast.In) else pc.invert(found))
    return _plain(_equal(type(how), value, _operand(right, columns)))


def _equal(how: type[ast.cmpop], left: pa.Array | pa.Scalar, right: pa.Array | pa.Scalar) -> pa.Array | pa.Scalar:
    """Two values held against each other: texts with texts, times with what texts say, else numbers."""
    if pa.types.is_null(left.type) or pa.types.is_null(right.type):  # a column of a file that has no value
        return next((pa.nulls(len(one), pa.bool_()) for one in (left, right) if isinstance(one, pa.Array)), _UNKNOWN)
    if _is_text(left) and _is_text(right):
        return _COMPARED[how](*(pc.replace_substring_regex(text, _SECOND, r"\1\2") for text in (left, right)))
    for moment, text in ((left.type, right), (right.type, left)):
        if pa.types.is_temporal(moment) and _is_text(text):
            return _COMPARED[how](left.cast(moment), right.cast(moment))
    return _COMPARED[how](*_alike(_number(left), _number(right)))


def _alike(left: pa.Array | pa.Scalar, right: pa.Array | pa.Scalar) -> list[pa.Array | pa.Scalar]:
    """Two numbers of one kind: DOUBLE where either is a float, as one server has it; whole ones keep all digits."""
    pair = [left, right]
    if any(pa.types.is_floating(value.type) for value in pair):
        return [as_doubles(value, safe=False) for value in pair]
    if any(pa.types.is_decimal(value.type) or pa.types.is_uint64(value.type) for value in pair):
        return [value.cast(_WHOLE) if pa.types.is_integer(value.type) else value for value in pair]
    return pair


def _operand(node: ast.expr, columns: Mapping[str, pa.Array]) -> pa.Array | pa.Scalar:
    """A column, a constant, or what arithmetic makes of them; what is not finite is NULL."""
    if _is_constant(node):
        value = _constant(node)
        if isinstance(value, int) and 1 << 64 <= abs(value) < 10**38:
            return pa.scalar(Decimal(value))
        return pa.scalar(None, pa.int64()) if value is None else constant_scalar(value)
    if isinstance(node, ast.Name):
        return _finite(_readable(columns[node.id]))
    names = {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
    found = value_of(node, {name: _number(_readable(columns[name])) for name in names})
    return _finite(found) if isinstance(found, pa.Array) else constant_scalar(found)


def _readable(values: pa.Array) -> pa.Array:
    """An input column without dictionary, bytes as text, times in UTC."""
    values = plain_array(values)
    if pa.types.is_float16(values.type):
        return values.cast(pa.float32())
    if pa.types.is_timestamp(values.type):
        return values.cast(pa.timestamp(values.type.unit))
    is_bytes = pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type)
    return values.cast(pa.large_string()) if is_bytes else values


def _finite(values: pa.Array) -> pa.Array:
    if not pa.types.is_floating(values.type):
        return values
    return pc.if_else(pc.is_finite(values), values, pa.scalar(None, values.type))


def _is_text(value: pa.Array | pa.Scalar) -> bool:
    return bool(pa.types.is_string(value.type) or pa.types.is_large_string(value.type))


def _truth(value: pa.Array | pa.Scalar) -> pa.Array | pa.Scalar:
    """A number as a truth value: anything but zero is true."""
    if pa.types.is_boolean(value.type) or pa.types.is_null(value.type):
        return value.cast(pa.bool_())
    number = _number(value)
    return pc.not_equal(number, pa.scalar(0, number.type))


def _number(value: pa.Array | pa.Scalar) -> pa.Array | pa.Scalar:
    """Flags as 1 and 0; a text as the number that it says, true and false as flags, an empty one as NULL.

    Raises:
        RowError: a text that says no number.
    """
    if pa.types.is_boolean(value.type):
        return value.cast(pa.int8()).cast(pa.int64())
    if not _is_text(value):
        return value
    texts = pc.utf8_lower(pc.utf8_trim_whitespace(value))
    for word, digit in (("true", "1"), ("false", "0")):
        texts = pc.if_else(pc.equal(texts, word), digit, texts)
    texts = pc.if_else(pc.is_in(texts, pa.array(["", "null"])), pa.scalar(None, texts.type), texts)
    for kind in (pa.int64(), pa.uint64()):
        try:
            return texts.cast(kind)
        except pa.ArrowInvalid:
            continue
    try:
        numbers = texts.cast(pa.float64())
    except pa.ArrowInvalid:
        raise _no_number(texts, value) from None
    return _finite(numbers) if isinstance(numbers, pa.Array) else numbers


def _no_number(texts: pa.Array | pa.Scalar, given: pa.Array | pa.Scalar) -> RowError:
    """The first text that says no number."""
    remedy = "compare texts with texts, which stand in quotes"
    if not isinstance(texts, pa.Array):
        return RowError(f"'{given.as_py()}' is no number", 0, "", remedy)
    is_number = pc.fill_null(pc.match_substring_regex(texts, _NUMBER), True)
    row = int(np.argmin(np.asarray(is_number)))
    return RowError(f"'{given[row].as_py()}' is no number", row, "", remedy)
