"""Rows whose floats lie close together: which of them are partners? No I/O, no loop over rows.

A float of an answer stands for the nearest of the true values of its column if that lies within the tolerance; true
values that differ by no more than rounding does are not told apart. Being close is not carried on: of three values in
a row the first and the last may lie apart. So what is sought is a pairing of the rows, each with one of the other side
for which it stands in every float. Sorted rows are nearly always one; where they are not, a largest one is worked out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RowNumbers = NDArray[np.int64]
FloatValues = NDArray[np.float64]

ROUNDING = 1e-12
"""Share of a value by which the same number, added up in another order, may differ."""
MOST_PAIRS = 20_000_000
"""Candidates that a pairing is worked out among; beyond, rows that do not pair in order count as unlike."""


@dataclass(frozen=True, slots=True)
class FloatColumn:
    """Floats of an answer, of the truth, and how far from each true value an answer may lie; finite all three.

    ``numbers`` are the same, of an answer's value and a true one, where they may be partners, and perhaps where not.
    """

    answer: FloatValues
    truth: FloatValues
    reach: FloatValues
    numbers: RowNumbers

    @staticmethod
    def of(both: FloatValues, rel_tolerance: float) -> FloatColumn:
        """From the answer's values followed by as many true ones; NaN and infinities have numbers of their own."""
        half = len(both) // 2
        finite = np.where(np.isfinite(both), both, 0.0)
        truth = finite[half:]
        return FloatColumn(finite[:half], truth, _reach(truth, rel_tolerance), _chains(both, rel_tolerance))

    def take(self, answer: RowNumbers, truth: RowNumbers) -> FloatColumn:
        """Some rows of each side, or in another order."""
        return FloatColumn(self.answer[answer], self.truth[truth], self.reach[truth], self.numbers[:0])

    @property
    def is_within(self) -> NDArray[np.bool_]:
        """Row by row, as they stand."""
        return np.asarray(np.abs(self.answer - self.truth) <= self.reach)


def _reach(truth: FloatValues, rel_tolerance: float) -> FloatValues:
    """The tolerance, but not beyond the middle of the way to the next true value that is another one."""
    values = np.unique(truth)
    size = np.abs(values)
    ends = np.concatenate([[-np.inf], values, [np.inf]])
    below = values - ends[np.searchsorted(values, values - ROUNDING * size, side="left")]
    above = ends[np.searchsorted(values, values + ROUNDING * size, side="right") + 1] - values
    half_way = np.minimum(below, above) * 0.499
    reach = np.minimum(rel_tolerance * size, np.maximum(ROUNDING * size, half_way))
    return np.asarray(reach[np.searchsorted(values, truth)])


def _chains(values: FloatValues, rel_tolerance: float) -> RowNumbers:
    """Numbers from 1 up: the same where sorted neighbours lie within the tolerance, one by one.

    >>> _chains(np.array([2.0, 1.0, np.nan, 1.0 + 1e-12]), 1e-9).tolist()
    [2, 1, 3, 1]
    """
    order = np.argsort(values, kind="stable")
    left, right = values[order[:-1]], values[order[1:]]
    with np.errstate(invalid="ignore", over="ignore"):
        largest = np.maximum(np.abs(left), np.abs(right))
        is_near = (right - left <= 1.000001 * rel_tolerance * largest) & np.isfinite(largest)
    is_same = is_near | (left == right) | (np.isnan(left) & np.isnan(right))
    numbers = np.empty(len(values), np.int64)
    numbers[order] = np.concatenate([[1], 1 + np.cumsum(~is_same)])[: len(values)]
    return numbers


def unpaired(rows: RowNumbers, columns: Sequence[FloatColumn]) -> int:
    """How many rows of an answer find no partner.

    ``rows`` numbers the answer's and then the true ones by what partners have in common, as many here as there.
    """
    half = len(rows) // 2
    orders = [
        np.lexsort((*reversed([one.answer for one in columns]), rows[:half])),
        np.lexsort((*reversed([one.truth for one in columns]), rows[half:])),
    ]
    sorted_columns = [one.take(*orders) for one in columns]
    is_paired = np.logical_and.reduce([np.ones(half, np.bool_), *(one.is_within for one in sorted_columns)])
    if is_paired.all():
        return 0
    numbers = rows[:half][orders[0]]
    is_open = np.flatnonzero(np.isin(numbers, numbers[~is_paired]))
    found = _largest_pairing(numbers[is_open], [one.take(is_open, is_open) for one in sorted_columns])
    return int((~is_paired).sum()) if found is None else len(is_open) - found


def _largest_pairing(numbers: RowNumbers, columns: Sequence[FloatColumn]) -> int | None:
    """How many rows can be paired at most; None where too many lie near each other to be tried.

    Both sides have the same numbers, place by place.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import maximum_bipartite_matching

    order, first, count = min((_windows(numbers, one) for one in columns), key=lambda one: int(one[2].sum()))
    total, size = int(count.sum()), len(numbers)
    if total > MOST_PAIRS:
        return None
    true_row = np.repeat(np.arange(size), count)
    answered = order[np.repeat(first - np.cumsum(count) + count, count) + np.arange(total)]
    is_pair = np.logical_and.reduce([one.take(answered, true_row).is_within for one in columns])
    cells = (np.ones(int(is_pair.sum()), np.int8), (true_row[is_pair], answered[is_pair]))
    return int((maximum_bipartite_matching(csr_array(cells, (size, size)), perm_type="column") >= 0).sum())


def _windows(numbers: RowNumbers, column: FloatColumn) -> tuple[RowNumbers, RowNumbers, RowNumbers]:
    """An order of the answer's rows; for each true row, where in it those within reach begin, and how many they are."""
    order, size = np.lexsort((column.answer, numbers)), len(numbers)
    low, high = column.truth - 1.000001 * column.reach, column.truth + 1.000001 * column.reach
    kind = np.repeat(np.array([0, 1, 2]), size)
    values = np.concatenate([low, column.answer[order], high])
    merged = np.lexsort((kind, values, np.concatenate([numbers, numbers[order], numbers])))
    before = np.empty(3 * size, np.int64)
    before[merged] = np.cumsum(kind[merged] == 1)
    first = before[:size]
    return order, first, before[2 * size :] - first
