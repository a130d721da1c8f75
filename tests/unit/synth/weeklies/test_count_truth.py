"""How values of a weekly are counted, and those of two compared."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from skyshard.synth.weeklies.count_truth import column_change, column_truth
from skyshard.synth.weeklies.pool_table import WeekValues
from skyshard.synth.weeklies.weekly_truth import ColumnTruth


def test_a_double_that_became_a_float_is_equal_where_both_are_the_same_float() -> None:
    """0.1 loses digits, 0.5 does not, 3 became 4; differences are those of the numbers."""
    old = WeekValues(np.array([0.1, 0.5, 3.0]), None)
    new = WeekValues(np.array([0.1, 0.5, 4.0], np.float32), None)
    rows, keys = np.arange(3), np.array([7, 8, 9])
    for before, after, largest in ((old, new, 1.0), (new, old, -1.0)):
        change = column_change("flux", before, after, rows, keys)
        assert (change.equal, change.largest_difference, change.largest_key) == (2, largest, 9)


def test_ids_keep_all_digits() -> None:
    """2**53 + 1 is no double; the file of truth holds it as it is."""
    ids = WeekValues(numbers=np.array([2**62 + 1, 2**53 + 1, 7]), is_null=np.array([False, False, True]))
    made = column_truth(ids, np.arange(3), pa.int64())
    read = ColumnTruth.model_validate_json(made.model_dump_json())
    assert (read.min, read.max) == (2**53 + 1, 2**62 + 1)
