"""Which records stay when the rows of some files go."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.node.server.left_out import runs_without

KIND = np.dtype([("pad", "u1"), ("ingestFile", "<u4")])


@given(st.lists(st.integers(1, 4)), st.sets(st.integers(1, 5)))
def test_runs_hold_all_other_records_in_their_order(files: list[int], gone: set[int]) -> None:
    """Whatever lies beside what: no record twice, none lost, none of the files."""
    records = np.array([(i % 256, file) for i, file in enumerate(files)], KIND)
    runs = runs_without(records, sorted(gone))
    kept = [i for first, count in runs for i in range(first, first + count)]
    assert kept == [i for i, file in enumerate(files) if file not in gone]
    assert all(count for _, count in runs)


@pytest.mark.parametrize("number", [1, 2**31, 2**32 - 1])
def test_numbers_are_compared_to_the_end_of_their_type(number: int) -> None:
    records = np.array([(0, number), (0, 7)], KIND)
    assert runs_without(records, [number]) == [(1, 1)]
