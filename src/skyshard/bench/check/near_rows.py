"""Pairs rows whose floats are close: each row of an answer with one row of the truth. No I/O, no loop over rows.

A float of an answer matches the nearest true value of its column if that is within the tolerance; true values that
differ only by rounding are treated as one. Being close is not transitive: of three neighbouring values the first and
the last may be too far apart. So a one-to-one pairing is needed in which rows match in every float column. Sorting both
sides nearly always gives one; where it does not, a maximum matching is computed.

>>> truth = [1.0, 2.0]
>>> column = FloatColumn.of(np.array([2.0, 1.0 + 1e-13, *truth]), rel_tolerance=1e-9)
>>> unpaired(column.numbers, [column])
0
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RowNumbers = NDArray[np.int64]
FloatValues = NDArray[np.float64]

ROUNDING = 1e-12
"""Relative difference that summing the same numbers in another order may make."""
MOST_PAIRS = 20_000_000
"""Most candidate pairs for a matching; with more, rows that do not match in sorted order count as different."""


@dataclass(frozen=True, slots=True)
class FloatColumn:
    """One float column of an answer and of the truth, with the largest distance allowed for each true value.

    All three are finite. ``numbers`` codes the answer's values and then the true ones: values that can match have the
    same code, but the same code does not mean that they match.
    """

    answer: FloatValues
    truth: FloatValues
    allowed: FloatValues
    numbers: RowNumbers

    @staticmethod
    def of(both: FloatValues, rel_tolerance: float) -> FloatColumn:
        """From the answer's values followed by as many true ones; NaN and infinities have codes of their own."""
        half = len(both) // 2
        finite = np.where(np.isfinite(both), both, 0.0)
        truth = finite[half:]
        return FloatColumn(finite[:half], truth, _allowed(truth, rel_tolerance), _chains(both, rel_tolerance))

    def take(self, answer: RowNumbers, truth: RowNumbers) -> FloatColumn:
        """The given rows of each side, in the given order."""
        return FloatColumn(self.answer[answer], self.truth[truth], self.allowed[truth], self.numbers[:0])

    @property
    def is_within(self) -> NDArray[np.bool_]:
        """Row by row in the present order: is the answer within the allowed distance?"""
        return np.asarray(np.abs(self.answer - self.truth) <= self.allowed)


def _allowed(truth: FloatValues, rel_tolerance: float) -> FloatValues:
    """The tolerance, but less than half the distance to the next different true value."""
    values = np.unique(truth)
    size = np.abs(values)
    ends = np.concatenate([[-np.inf], values, [np.inf]])
    below = values - ends[np.searchsorted(values, values - ROUNDING * size, side="left")]
    above = ends[np.searchsorted(values, values + ROUNDING * size, side="right") + 1] - values
    half_way = np.minimum(below, above) * 0.499
    allowed = np.minimum(rel_tolerance * size, np.maximum(ROUNDING * size, half_way))
    return np.asarray(allowed[np.searchsorted(values, truth)])


def _chains(values: FloatValues, rel_tolerance: float) -> RowNumbers:
    """Codes from 1: sorted neighbours within the tolerance share one, so a chain of close values has one code.

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
    """How many rows of an answer have no partner.

    ``rows`` holds the code of each row of the answer and then of the truth, made from all columns; each code occurs
    as often on both sides.
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
    """The largest number of rows that can be paired; None where there are more than ``MOST_PAIRS`` candidates.

    Both sides have the same codes in the same order.
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
    """An order of the answer's rows, and for each true row the first and the number of its candidates in that order."""
    order, size = np.lexsort((column.answer, numbers)), len(numbers)
    low, high = column.truth - 1.000001 * column.allowed, column.truth + 1.000001 * column.allowed
    kind = np.repeat(np.array([0, 1, 2]), size)
    values = np.concatenate([low, column.answer[order], high])
    merged = np.lexsort((kind, values, np.concatenate([numbers, numbers[order], numbers])))
    before = np.empty(3 * size, np.int64)
    before[merged] = np.cumsum(kind[merged] == 1)
    first = before[:size]
    return order, first, before[2 * size :] - first
