"""How values of two weeklies are compared."""

from __future__ import annotations

import numpy as np

from skyshard.synth.weeklies.count_truth import column_change
from skyshard.synth.weeklies.pool_table import WeekValues


def test_a_double_that_became_a_float_is_equal_where_both_are_the_same_float() -> None:
    """0.1 loses digits, 0.5 does not, 3 became 4; differences are those of the numbers."""
    old = WeekValues(np.array([0.1, 0.5, 3.0]), None)
    new = WeekValues(np.array([0.1, 0.5, 4.0], np.float32), None)
    rows, keys = np.arange(3), np.array([7, 8, 9])
    for before, after, largest in ((old, new, 1.0), (new, old, -1.0)):
        change = column_change("flux", before, after, rows, keys)
        assert (change.equal, change.largest_difference, change.largest_key) == (2, largest, 9)
