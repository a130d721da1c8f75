"""Keys as words."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from skyshard.catalog.schema import Column
from skyshard.releases.differences.outlines.key_words import Coding, coding_of, partition_of, words_of
from skyshard.rowimage.sqltype import parse_type


def column(text: str) -> Column:
    return Column("k", parse_type(text))


def test_whole_numbers_of_both_signs_are_told_apart() -> None:
    """-1 of a BIGINT is not 2^64 - 1 of a BIGINT UNSIGNED, whose bits are the same."""
    coding = coding_of(column("bigint"), column("bigint unsigned"))
    signed = words_of(pa.array([-1, 5]), coding)
    unsigned = words_of(pa.array([2**64 - 1, 5], pa.uint64()), coding)
    assert [word.tolist() for word in signed] == [[2**64 - 1, 5], [1, 0]]
    assert [word.tolist() for word in unsigned] == [[2**64 - 1, 5], [0, 0]]


def test_texts_are_equal_where_their_words_are() -> None:
    """Twice the same patch, and another one."""
    found = words_of(pa.array([b"4,5", b"4,6", b"4,5"]), Coding.TEXT)
    assert len(found) == 2
    assert found[0][0] == found[0][2] != found[0][1]


def test_equal_keys_are_in_one_partition_and_all_are_used() -> None:
    """A thousand keys in a row of steps of 4096 fall into each of seven partitions."""
    keys = np.arange(1000, dtype=np.uint64) * np.uint64(4096)
    first, again = partition_of([keys], 7), partition_of([keys[::-1].copy()], 7)
    assert (first == again[::-1]).all()
    assert set(first.tolist()) == set(range(7))
