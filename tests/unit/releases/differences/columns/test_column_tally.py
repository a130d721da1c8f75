"""The sums of one column."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import pyarrow as pa

from skyshard.catalog.schema import Column
from skyshard.releases.differences.columns.column_tally import (
    LARGEST,
    ColumnTally,
    Outlier,
    key_text,
    largest_of,
    part_of,
)
from skyshard.releases.differences.columns.compare_values import compare_values
from skyshard.releases.differences.columns.compared_columns import ComparedColumn, Kind
from skyshard.releases.differences.reading.spill_file import SpillFile
from skyshard.rowimage.sqltype import parse_type

DOUBLE = Column("a", parse_type("double"))
COLUMN = ComparedColumn(DOUBLE, DOUBLE, Kind.NUMBER)


def outliers_of(old: Sequence[float | None], new: Sequence[float | None], keys: list[int]) -> list[Outlier]:
    before, after, key = pa.array(old, pa.float64()), pa.array(new, pa.float64()), pa.array(keys)
    return largest_of(compare_values(before, after, COLUMN), before, after, [key], [key])


def test_of_equal_differences_the_lowest_keys_are_named() -> None:
    """Seven rows differ by 1, one by -2: that one first, then four of the lowest keys."""
    found = outliers_of([0.0] * 8, [1.0] * 7 + [-2.0], [9, 3, 8, 2, 7, 1, 6, 5])
    assert sorted((one.key_new, one.difference) for one in found) == [(1, 1.0), (2, 1.0), (3, 1.0), (5, -2.0), (6, 1.0)]
    assert len(found) == LARGEST


def test_chunks_may_come_in_any_order(tmp_path: Path) -> None:
    """Three chunks in each of their orders give the same sums, median and outliers, worked out by hand."""
    chunks: list[tuple[list[float | None], list[float | None], list[int]]]
    chunks = [([0.0, 0.0], [1.0, 0.0], [4, 5]), ([0.0, None], [3.0, None], [1, 2]), ([0.0, 1.0], [3.0, None], [0, 3])]
    results = set()
    for order in permutations(chunks):
        tally = ColumnTally(COLUMN)
        with SpillFile(tmp_path) as spill:
            for old, new, keys in order:
                found = compare_values(pa.array(old, pa.float64()), pa.array(new, pa.float64()), COLUMN)
                tally.add(part_of(found, spill, outliers_of(old, new, keys)))
            middle = tally.middle(spill)
        names = tuple(one.key_new for one in tally.outliers)
        results.add((tally.rows, tally.equal, tally.nulls_old, tally.nulls_new, tally.both, middle, names))
    assert results == {(6, 2, 1, 2, 4, (2.0, 1.0), (0, 1, 4))}


def test_a_key_of_several_columns_is_told_as_text() -> None:
    """Joined by commas; a single whole number stays one."""
    assert key_text([pa.array([7]), pa.array([b"4,5"])], 0) == "7,4,5"
    assert key_text([pa.array([7])], 0) == 7
