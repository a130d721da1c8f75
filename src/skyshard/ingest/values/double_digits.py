"""Counts digits of decimal texts that 64-bit floats do not give back. No I/O; loops over few rows only.

Fifteen digits are always given back. Of sixteen or more, those are that the nearest double, printed to as many, has.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_SURE_LENGTH = 15
_PRINTED_DIGITS = 17
_SHORTEST_VANISHED = 5
"""Characters: ``1e-324`` has one more."""
_SMALLEST = np.finfo(np.float64).smallest_normal
_NEAR_HALF = 0.03
"""Of a unit in the 17th digit: what numbers of 64 bits may be off by, and more."""


def count_vanished(texts: pa.Array, values: pa.Array) -> int:
    """How many texts of numbers, without spaces around them, became 0 and are not.

    >>> texts = pa.array(["1e-400", "0.000e-400", "-0", None])
    >>> count_vanished(texts, texts.cast(pa.float64()))
    1
    """
    numbers = values.fill_null(1.0).to_numpy(zero_copy_only=False)
    if numbers.all():
        return 0
    is_asked = pc.greater_equal(pc.binary_length(texts), _SHORTEST_VANISHED).fill_null(False)
    asked = texts.filter(pc.and_(is_asked, pa.array(numbers == 0)))
    return int(pc.sum(pc.match_substring_regex(asked, "^[^eE]*[1-9]")).as_py() or 0)


def count_lost_digits(texts: pa.Array, values: pa.Array) -> int:
    """How many texts of numbers, without spaces around them, say other numbers than their doubles do.

    >>> texts = pa.array(["9007199254740993", "9007199254740992", "0.10000000000000001", "0.1000000000000000000000"])
    >>> count_lost_digits(texts, texts.cast(pa.float64()))
    1
    """
    sizes = np.abs(values.fill_null(1.0).to_numpy(zero_copy_only=False))
    vanished = count_vanished(texts, values)
    is_tiny = sizes < _SMALLEST
    lengths = pc.binary_length(texts)
    if (pc.max(lengths).as_py() or 0) <= _SURE_LENGTH and not is_tiny.any():
        return vanished
    is_long = lengths.fill_null(0).to_numpy(zero_copy_only=False) > _SURE_LENGTH
    is_asked = pa.array((is_long | is_tiny) & (sizes > 0))
    texts, values = texts.filter(is_asked), values.filter(is_asked)
    is_other = pc.not_equal(values.cast(pa.string()), texts)
    if not pc.any(is_other).as_py():
        return vanished
    return vanished + _count(texts.filter(is_other), values.filter(is_other).to_numpy())


def _count(texts: pa.Array, numbers: NDArray[np.float64]) -> int:
    digits = pc.utf8_trim(pc.replace_substring_regex(texts, r"[eE].*|[^0-9]", ""), "0")
    lengths = pc.binary_length(digits).to_numpy()
    sizes = np.abs(numbers)
    is_exact = (lengths > _PRINTED_DIGITS) | (sizes < _SMALLEST)
    rows = np.flatnonzero(~is_exact & (lengths > _SURE_LENGTH))
    meant = digits.take(pa.array(rows)).cast(pa.uint64()).to_numpy()
    off = _units_off(meant, sizes[rows])
    is_near = np.abs(off - 0.5) < _NEAR_HALF
    is_exact[rows[is_near]] = True
    asked = pa.array(is_exact)
    pairs = zip(texts.filter(asked).to_pylist(), digits.filter(asked).to_pylist(), numbers[is_exact], strict=True)
    return int(np.count_nonzero((off > 0.5) & ~is_near)) + sum(_is_other(*pair) for pair in pairs)


def _units_off(meant: NDArray[np.uint64], sizes: NDArray[np.float64]) -> NDArray[np.longdouble]:
    """By how many units of the last digit of ``meant`` doubles are off, whatever power of ten lies between them."""
    powers = np.rint(np.log10(sizes) - np.log10(meant.astype(np.float64)))
    scales = np.longdouble(10) ** np.abs(powers)
    wide = sizes.astype(np.longdouble)
    off: NDArray[np.longdouble] = np.abs(np.where(powers > 0, wide / scales, wide * scales) - meant)
    return off


def _is_other(text: str, digits: str, number: float) -> bool:
    return Decimal(f"{number:.{len(digits) - 1}e}") != Decimal(text)
