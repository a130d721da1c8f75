"""Rows of two sides with equal keys. Pure: arrays in, indexes out.

A key is one word of 64 bits, or several. Where a key occurs more than once, the first copy is paired with the first,
the second with the second, in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skyshard.basics.array_types import Integers, RowIndexes, Words


def pair_equal(old: Sequence[Words], new: Sequence[Words]) -> tuple[RowIndexes, RowIndexes]:
    """Pairs as (rows of the old side, rows of the new side), by the new side's keys; each row is in one pair at most.

    >>> old, new = [np.array([7, 5, 5], np.uint64)], [np.array([5, 6, 7], np.uint64)]
    >>> [found.tolist() for found in pair_equal(old, new)]
    [[1, 0], [0, 2]]
    """
    first, second = (old[0], new[0]) if len(old) == 1 else numbered(old, new)
    old_order, new_order = np.argsort(first, kind="stable"), np.argsort(second, kind="stable")
    sorted_old, sorted_new = first[old_order], second[new_order]
    place = np.searchsorted(sorted_old, sorted_new, side="left") + copy_numbers(sorted_new)
    inside = place < len(sorted_old)
    inside[inside] = sorted_old[place[inside]] == sorted_new[inside]
    return old_order[place[inside]], new_order[inside]


def copy_numbers(ordered: Words | Integers) -> RowIndexes:
    """Of sorted keys: how many equal ones stand before each."""
    begins = np.ones(len(ordered), np.bool_)
    begins[1:] = ordered[1:] != ordered[:-1]
    places = np.arange(len(ordered))
    return places - places[begins][np.cumsum(begins) - 1] if len(ordered) else places


def doubled(words: Sequence[Words]) -> int:
    """Rows beyond the first of their key."""
    if not len(words[0]):
        return 0
    numbers = words[0] if len(words) == 1 else numbered(words, [word[:0] for word in words])[0]
    return len(numbers) - len(np.unique(numbers))


def numbered(old: Sequence[Words], new: Sequence[Words]) -> tuple[Integers, Integers]:
    """A number for each key of several words, equal for equal keys."""
    both = [np.concatenate(pair) for pair in zip(old, new, strict=True)]
    order = np.lexsort(both)
    is_other = np.zeros(len(order), np.bool_)
    for word in both:
        is_other[1:] |= word[order[1:]] != word[order[:-1]]
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(is_other)
    return numbers[: len(old[0])], numbers[len(old[0]) :]
