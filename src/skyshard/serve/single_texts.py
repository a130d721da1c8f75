"""Single numbers as MariaDB prints them: what ``number_texts`` does to columns, for answers of a few values. No I/O."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pyarrow as pa

from skyshard.serve.number_texts import FIRST_EXPONENT, FLOAT_DIGITS, LAST_EXPONENT

_LEAST, _MOST = 1e-4, 1e15
FEW_CELLS = 4000
"""Up to so many values it is faster to write them one by one."""


def double_text(value: float) -> str:
    """A DOUBLE.

    >>> [double_text(value) for value in (1e20, 1e-7, -0.0, 0.1, -123456789012345.6, 1e15, 1234567890123456.7)]
    ['1e20', '0.0000001', '0', '0.1', '-123456789012345.6', '1e15', '1234567890123456.8']
    """
    shown = repr(value)
    if "e" not in shown and _LEAST <= abs(value) < _MOST:  # Python writes it as MariaDB does, but for whole numbers
        return shown.removesuffix(".0")
    is_negative, numbers, exponent = Decimal(shown).normalize().as_tuple()
    digits = "".join(map(str, numbers))
    if not isinstance(exponent, int):  # no server holds such a value: whatever it came from, it is no 0
        return str(value)
    if digits == "0":
        return "0"
    power = len(digits) - 1 + exponent
    is_long = power == LAST_EXPONENT + 1 and len(digits) > LAST_EXPONENT + 2
    if FIRST_EXPONENT <= power < 0:
        text = f"0.{'0' * (-power - 1)}{digits}"
    elif 0 <= power <= LAST_EXPONENT or is_long:
        whole, part = digits[: power + 1].ljust(power + 1, "0"), digits[power + 1 :]
        text = f"{whole}.{part}" if part else whole
    else:
        text = f"{digits[0]}{f'.{digits[1:]}' if len(digits) > 1 else ''}e{power}"
    return f"-{text}" if is_negative else text


def float_text(value: float) -> str:
    """A FLOAT: six digits at most.

    >>> float_text(1 / 3), float_text(16777216.0)
    ('0.333333', '16777200')
    """
    return double_text(float(format(value, f".{FLOAT_DIGITS}g")))


def single_text(value: Any, kind: pa.DataType) -> str:
    """A number of an Arrow column, by its type."""
    if pa.types.is_float64(kind):
        return double_text(value)
    if pa.types.is_float32(kind):
        return float_text(value)
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
