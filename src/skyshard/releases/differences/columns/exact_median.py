"""The exact median of more numbers than memory holds, and the exact median of their distances from it. No I/O.

Rules: a median of an even count is the mean of both numbers in the middle; the MAD is the median of ``|x - median|``,
not scaled. Numbers come in blocks that can be read again; one number may be given as a count, such as all zeros.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from skyshard.basics.array_types import Floats, Words

IN_MEMORY = 4 << 20
"""Numbers up to which all are read at once."""
_DIGIT_BITS = 16
_SIGN = np.uint64(1 << 63)


@dataclass(frozen=True, slots=True)
class Numbers:
    """Finite or infinite numbers, never NaN: ``count`` of them in blocks, and ``repeats`` times ``repeated``."""

    blocks: Callable[[], Iterator[Floats]]
    count: int
    repeated: float = 0.0
    repeats: int = 0

    def distances(self, centre: float) -> Numbers:
        """How far each is from a centre."""
        return Numbers(
            lambda: (np.abs(block - centre) for block in self.blocks()), self.count, abs(self.repeated - centre),
            self.repeats,
        )  # fmt: skip


def median_and_mad(numbers: Numbers) -> tuple[float, float] | None:
    """Both, or None without a number.

    >>> median_and_mad(Numbers(lambda: iter([np.array([5.0, -1.0])]), 2, repeated=0.0, repeats=2))
    (0.0, 0.5)
    """
    if not numbers.count + numbers.repeats:
        return None
    middle = median(numbers)
    return middle, median(numbers.distances(middle))


def median(numbers: Numbers) -> float:
    """The median of at least one number."""
    total = numbers.count + numbers.repeats
    low, high = selected(numbers, [(total - 1) // 2, total // 2])
    return low if low == high else (low + high) / 2


def selected(numbers: Numbers, ranks: Sequence[int]) -> list[float]:
    """The numbers at some ranks, from 0, in ascending order."""
    if numbers.count <= IN_MEMORY:
        values = np.concatenate([np.empty(0), *numbers.blocks()])
        return _selected_in_memory(values, numbers, ranks)
    return [_select(numbers, rank) for rank in ranks]


def _selected_in_memory(values: Floats, numbers: Numbers, ranks: Sequence[int]) -> list[float]:
    below = int((values < numbers.repeated).sum())
    places = [
        None if below <= rank < below + numbers.repeats else rank - numbers.repeats * (rank >= below) for rank in ranks
    ]
    wanted = sorted({place for place in places if place is not None})
    if wanted:
        values.partition(wanted)
    return [numbers.repeated if place is None else float(values[place]) for place in places]


def _select(numbers: Numbers, rank: int) -> float:
    """Digit by digit from the highest on: each pass counts the next 16 bits of the numbers that begin as found."""
    found, repeated = 0, int(_ordered(np.array([numbers.repeated]))[0])
    for shift in range(64 - _DIGIT_BITS, -1, -_DIGIT_BITS):
        counts = np.zeros(1 << _DIGIT_BITS, np.int64)
        for block in numbers.blocks():
            counts += _digits(_ordered(block), found, shift)
        if repeated >> (shift + _DIGIT_BITS) == found:
            counts[(repeated >> shift) & ((1 << _DIGIT_BITS) - 1)] += numbers.repeats
        sums = np.cumsum(counts)
        digit = int(np.searchsorted(sums, rank, side="right"))
        rank -= int(sums[digit - 1]) if digit else 0
        found = (found << _DIGIT_BITS) | digit
    return _number(found)


def _digits(words: Words, found: int, shift: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """How often each next digit occurs after the digits found so far."""
    if shift + _DIGIT_BITS < 64:
        words = words[words >> np.uint64(shift + _DIGIT_BITS) == np.uint64(found)]
    digits = (words >> np.uint64(shift)) & np.uint64((1 << _DIGIT_BITS) - 1)
    return np.bincount(digits.astype(np.intp), minlength=1 << _DIGIT_BITS)


def _ordered(values: Floats) -> Words:
    """Words in the order of the numbers; both zeros are one."""
    words = np.ascontiguousarray(values + 0.0).view(np.uint64)
    is_negative = (words & _SIGN) != 0
    return np.where(is_negative, ~words, words | _SIGN)


def _number(word: int) -> float:
    word = word & ~(1 << 63) if word >> 63 else ~word & (2**64 - 1)
    return float(np.array([word], np.uint64).view(np.float64)[0])
