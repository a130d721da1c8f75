"""The arithmetic under row digests: constants, word mixing, hashes of byte strings, the nonlinear end of a row.

Rules: all arithmetic is modulo 2^64 and must not change: digests are stored in registries, so a change here is a change
of format (``digest_version``). Source of the mixers: splitmix64 and the MurmurHash3 finaliser.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Integers, Words
from skyshard.rowimage.arrays import ByteStrings

WORDS_A_VALUE = 4
"""A DECIMAL of 256 bits is the longest value of fixed size."""

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_SPLIT = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_FINISH = (
    (np.uint64(33), np.uint64(0xFF51AFD7ED558CCD), np.uint64(33), np.uint64(0xC4CEB9FE1A85EC53), np.uint64(33)),
    (np.uint64(32), np.uint64(0xD6E8FEB86659FD93), np.uint64(29), np.uint64(0x9FB21C651E98DF25), np.uint64(32)),
)
_LANE_SEEDS = (0x5CA1AB1E_0DDBA115, 0x0B5E55ED_5EA5CA9E)
_STRING_SEED = 0xC0FFEE00_D15EA5ED
HALF = np.uint64(32)
_SLAB_WORDS = 1 << 18
_ONE = np.uint64(1)
_KEEP = np.array([(1 << (8 * count)) - 1 for count in range(9)], np.uint64)
"""Masks that keep the first ``count`` bytes of a little-endian word."""


def splitmix64(numbers: NDArray[np.uint64]) -> Words:
    """Random-looking words, one for each number."""
    word = (numbers + _ONE) * _GAMMA
    word = (word ^ (word >> np.uint64(30))) * _SPLIT[0]
    word = (word ^ (word >> np.uint64(27))) * _SPLIT[1]
    return word ^ (word >> np.uint64(31))


NULL_WORD = splitmix64(np.array([0x4E554C4C], np.uint64))[0]
"""What NULL counts as, in every type: no value of 32 bits, one of 2^64 values of 64 bits."""


def multipliers(columns: int) -> Words:
    """Odd constants by (column, word of the value, lane); those of a column do not depend on how many there are."""
    places = np.arange(columns * WORDS_A_VALUE, dtype=np.uint64)
    lanes = [splitmix64(places ^ np.uint64(seed)) | _ONE for seed in _LANE_SEEDS]
    return np.stack(lanes, axis=1).reshape(columns, WORDS_A_VALUE, len(lanes))


def mixed(words: Words, out: Words) -> None:
    """Fold the upper half of each word into the lower; one to one.

    A product with an odd constant keeps only the lowest bit of a change in the highest: without folding, two changed
    signs in one row would cancel.
    """
    np.right_shift(words, HALF, out=out)
    np.bitwise_xor(out, words, out=out)


def finish(low: Words, high: Words, scratch: Words) -> Words:
    """Sums over rows of both lanes after a nonlinear end; overwrites its arguments."""
    finish_rows(low, high, scratch)
    return np.array([lane.sum(dtype=np.uint64) for lane in (low, high)])


def finish_rows(low: Words, high: Words, scratch: Words) -> None:
    """The nonlinear end of each row, in place."""
    for lane, steps in zip((low, high), _FINISH, strict=True):
        lane += _GAMMA
        for shift, factor in ((steps[0], steps[1]), (steps[2], steps[3])):
            np.right_shift(lane, shift, out=scratch)
            lane ^= scratch
            lane *= factor
        np.right_shift(lane, steps[4], out=scratch)
        lane ^= scratch


def hash_bytes(text: bytes) -> int:
    """`hash_strings` of one string."""
    data = np.frombuffer(text, np.uint8)
    one = np.array([len(text)], np.int64)
    return int(hash_strings(ByteStrings(np.zeros(1, np.int64), one, data), one)[0])


def hash_strings(strings: ByteStrings, counted: Integers) -> Words:
    """A word a byte string; ``counted`` is the length that counts (that of BINARY includes its zero bytes).

    Takes the memory of a few hundred thousand words, however long a string is.
    """
    words = (strings.lengths + 7) >> 3
    ends = np.cumsum(words)
    sums = counted.astype(np.uint64) * (splitmix64(np.array([_STRING_SEED], np.uint64)) | _ONE)
    total = int(ends[-1]) if len(ends) else 0
    for start in range(0, total, _SLAB_WORDS):
        _add_slab(sums, strings, ends, start, min(start + _SLAB_WORDS, total))
    return splitmix64(sums)


def _add_slab(sums: Words, strings: ByteStrings, ends: Integers, start: int, stop: int) -> None:
    """Add words ``[start, stop)``, counted over all strings, to the sums of their rows."""
    first = int(np.searchsorted(ends, start, side="right"))
    last = int(np.searchsorted(ends, stop, side="left")) + 1
    begins = np.concatenate((ends[first - 1 : first] if first else np.zeros(1, np.int64), ends[first : last - 1]))
    inside = np.minimum(ends[first:last], stop) - np.maximum(begins, start)
    rows = np.repeat(np.arange(last - first), inside)
    place = np.arange(start, stop) - begins[rows]
    left = strings.lengths[first:last][rows] - 8 * place
    words = _words_at(strings.data, strings.starts[first:last][rows] + 8 * place, left)
    factors = splitmix64(place.astype(np.uint64) + np.uint64(_STRING_SEED) + _ONE) | _ONE
    words ^= words >> HALF
    words *= factors
    filled = np.flatnonzero(inside)
    heads = np.concatenate((np.zeros(1, np.int64), np.cumsum(inside[filled])[:-1]))
    sums[first + filled] += np.add.reduceat(words, heads)


def _words_at(data: NDArray[np.uint8], places: Integers, left: Integers) -> Words:
    """Eight bytes of ``data`` from each place, little-endian; zero past the ``left`` bytes of the string."""
    if len(data) < 8:
        data = np.concatenate((data, np.zeros(8 - len(data), np.uint8)))
    windows = np.ndarray((len(data) - 7,), "<u8", data, 0, (1,))
    beyond = np.maximum(places - (len(data) - 8), 0)
    words: Words = windows[places - beyond]
    if beyond.any():
        words >>= (8 * beyond).astype(np.uint64)
    words &= _KEEP[np.minimum(left, 8)]
    return words
