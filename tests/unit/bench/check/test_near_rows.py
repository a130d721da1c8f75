"""Rows whose floats lie close together are paired, each with one partner."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.bench.check import near_rows
from skyshard.bench.check.near_rows import FloatColumn, unpaired

TOLERANCE = 1e-9


def left_over(answer: list[float], truth: list[float]) -> int:
    """Rows of one float column without partner."""
    column = FloatColumn.of(np.array([*answer, *truth]), TOLERANCE)
    return unpaired(column.numbers, [column])


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_the_same_values_in_any_order_all_find_partners(values: list[float], random: st.DrawFn) -> None:
    """Also after rounding of the last digits."""
    shuffled = [value * (1 + 1e-13) for value in values]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert left_over(shuffled, values) == 0


def test_one_true_value_is_not_the_partner_of_two() -> None:
    """1.0 twice against 1.0 and something close that is another value."""
    other = 1.0 + 2e-10
    assert left_over([1.0, 1.0], [1.0, other]) == 1
    assert left_over([other, 1.0], [1.0, other]) == 0


def test_rows_that_do_not_pair_in_order_are_paired_by_a_matching() -> None:
    """Two columns sort the rows differently on the two sides; a pairing exists all the same."""
    first = FloatColumn.of(np.array([1.0, 1.0 + 1e-13, 1.0 + 1e-13, 1.0]), TOLERANCE)
    second = FloatColumn.of(np.array([5.0, 7.0, 5.0, 7.0]), TOLERANCE)
    assert unpaired(np.ones(4, np.int64), [first, second]) == 0


def test_too_many_candidates_count_as_unlike(monkeypatch: pytest.MonkeyPatch) -> None:
    """A comparison ends; it does not fill the memory."""
    monkeypatch.setattr(near_rows, "MOST_PAIRS", 1)
    first = FloatColumn.of(np.array([1.0, 1.0 + 1e-13, 1.0 + 1e-13, 1.0]), TOLERANCE)
    second = FloatColumn.of(np.array([5.0, 7.0, 5.0, 7.0]), TOLERANCE)
    assert unpaired(np.ones(4, np.int64), [first, second]) == 2
