"""Counts digits that FLOAT columns lose, and rounds to FLOAT(m,d) and DOUBLE(m,d). No I/O; no loop over rows.

A FLOAT is seldom the very number of a text (0.1 is none). But printed to as many digits as the text has it says the
same, if the text came from a FLOAT or has six digits or fewer. Where it does not, digits are lost.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_BLOCK = 1 << 15
"""Numbers that the processor's cache holds."""
_SCALES = 10.0 ** (8 - np.floor(np.log10(2.0) * (np.arange(256) - 127.0)))
"""By the exponent of a FLOAT: what makes an integer of nine or ten digits of it."""
_STEPS = (1e-1, 1.0, 1e-2, 1e-3, 1e-4)
"""Fewer digits; the most usual number of them first."""
_NOISE = 2e9 * 2.0**-50
"""What an integer of ten digits may be off by."""


def count_lost_digits(numbers: NDArray[np.float64], stored: NDArray[np.float32]) -> int:
    """How many of the numbers, as read from decimal text, have digits that their FLOATs do not give back.

    >>> numbers = np.array([0.1, 3.1415927, 3.14159265, 16777216.0, 16777217.0])
    >>> count_lost_digits(numbers, numbers.astype(np.float32))
    2

    What is too small for a FLOAT is lost whole:

    >>> count_lost_digits(np.array([1e-50, 0.0]), np.zeros(2, np.float32))
    1
    """
    starts = range(0, len(numbers), _BLOCK)
    return sum(_count(numbers[start : start + _BLOCK], stored[start : start + _BLOCK]) for start in starts)


def _count(numbers: NDArray[np.float64], stored: NDArray[np.float32]) -> int:
    scales = _SCALES[stored.view(np.uint32) >> 23 & 255]
    meant, given = numbers * scales, stored * scales
    is_gone = stored == 0
    is_other = (stored != numbers) & ~is_gone
    for step in _STEPS:
        meant, given = meant[is_other], given[is_other]
        if not len(meant):
            break
        shown = given * step
        np.rint(shown, out=shown)
        shown -= meant * step
        is_other = np.abs(shown, out=shown) > _NOISE * step
    return int(np.count_nonzero(is_other)) + int(np.count_nonzero(numbers[is_gone]))


def as_declared(numbers: NDArray[np.float64], digits: int, decimals: int) -> tuple[NDArray[np.float64], np.float64]:
    """What FLOAT(digits,decimals) and DOUBLE(digits,decimals) make of numbers, and the largest that they hold.

    Source: MariaDB 10.11 `sql/field.cc`, truncate_double.

    >>> rounded, most = as_declared(np.array([1.235, -2.5, 0.125]), 5, 2)
    >>> rounded.tolist(), float(most)
    ([1.24, -2.5, 0.12], 999.99)
    """
    scale = np.float64(10.0**decimals)
    whole = np.floor(numbers)
    with np.errstate(invalid="ignore"):  # of infinities, which no column holds
        rounded = whole + np.rint((numbers - whole) * scale) / scale
    return rounded, np.float64(10.0 ** (digits - decimals)) - 1 / scale
