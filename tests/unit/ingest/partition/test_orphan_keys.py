"""Keys of rows without director: each pair of key and chunk once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.ingest.partition.key_files import is_sealed
from skyshard.ingest.partition.orphan_keys import distinct, orphans_of, save_orphans

PAIRS = st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 40)), max_size=30)


def pairs_of(pairs: list[tuple[int, int]]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    return np.array(pairs, np.int64).reshape(-1, 2)


@given(st.lists(PAIRS, max_size=4))
def test_the_pairs_of_all_parts_are_there_once_and_sorted(parts: list[list[tuple[int, int]]]) -> None:
    """As a set of pairs would be, in the order of key and chunk."""
    found = distinct([pairs_of(part) for part in parts])
    assert list(map(tuple, found.tolist())) == sorted({pair for part in parts for pair in part})


def test_rows_with_director_and_keys_that_are_none_are_left_out() -> None:
    """NULL, and numbers that are not whole, are no one's key."""
    keys = pa.array([1.0, 2.0, 2.5, None, 2.0])
    chunks = np.array([7, 7, 7, 7, 7], np.int32)
    found = orphans_of(keys, np.array([False, True, True, True, True]), chunks)
    assert found.tolist() == [[2, 7]]


def test_large_unsigned_keys_are_kept_by_their_bits() -> None:
    """A key from 2^63 on has no signed number; its bits have."""
    keys = pa.array([2**64 - 1], pa.uint64())
    assert orphans_of(keys, np.array([True]), np.array([7], np.int32)).tolist() == [[-1, 7]]


@pytest.mark.parametrize("pairs", [[], [(1, 7), (2, 8)]])
def test_saved_orphans_are_sealed(tmp_path: Path, pairs: list[tuple[int, int]]) -> None:
    """An empty file too, so that one that is gone is told from none."""
    path = tmp_path / "orphans.npy"
    save_orphans(path, [pairs_of(pairs)])
    assert is_sealed(path)
    assert np.load(path).tolist() == [list(pair) for pair in pairs]
