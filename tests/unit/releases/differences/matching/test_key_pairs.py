"""Rows with equal keys."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skyshard.basics.array_types import Words
from skyshard.releases.differences.matching.key_pairs import doubled, pair_equal

KEYS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from([0, 1, 2**64 - 1])), max_size=12)


def words(keys: list[tuple[int, int]], count: int) -> list[Words]:
    return [np.array([key[place] for key in keys], np.uint64) for place in range(count)]


@given(old=KEYS, new=KEYS, count=st.sampled_from([1, 2]))
def test_as_many_rows_are_paired_as_both_sides_have_of_a_key(
    old: list[tuple[int, int]], new: list[tuple[int, int]], count: int
) -> None:
    """No row twice, only equal keys, and of each key the first copies, in their order."""
    first, second = pair_equal(words(old, count), words(new, count))
    before, after = [old[i][:count] for i in first], [new[i][:count] for i in second]
    assert before == after
    assert Counter(before) == Counter(key[:count] for key in old) & Counter(key[:count] for key in new)
    assert len(set(first.tolist())) == len(set(second.tolist())) == len(first)
    for key in set(before):
        rows = [int(i) for i in first if old[i][:count] == key]
        assert rows == [i for i, one in enumerate(old) if one[:count] == key][: len(rows)]
    assert doubled(words(old, count)) == len(old) - len({key[:count] for key in old})
