"""Are two answers equal? Typed multisets of rows, floats within a relative tolerance; no loop over rows.

Two answers are equal when their rows can be paired one to one: equal in every column that is not a float, and within
the tolerance in every float. First the values of each column are replaced by codes, equal values by equal codes. Floats
without a gap between them share a code, too; which of them are partners is decided in ``near_rows``.
NULL differs from NaN, 0 and ''; NaN equals NaN; 0.0 equals -0.0. Where a protocol shows fewer digits than a number has
(``targets.shown_digits``), those are compared.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from skyshard.bench.check.near_rows import FloatColumn, unpaired
from skyshard.bench.targets.shown_digits import as_shown

REL_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class AnswerComparison:
    """The outcome; ``reason`` is empty when the answers are equal."""

    reason: str = ""

    @property
    def is_equal(self) -> bool:
        return not self.reason


def compare_answers(answer: pa.Table, truth: pa.Table, rel_tolerance: float = REL_TOLERANCE) -> AnswerComparison:
    """Compare an answer with the true one: columns by position, types by family, rows in any order.

    >>> truth = pa.table({"id": [1, 2], "ra": [0.5, None]})
    >>> compare_answers(pa.table({"a": [2, 1], "b": [None, 0.5 + 1e-11]}), truth).is_equal
    True
    >>> compare_answers(pa.table({"a": [2, 2], "b": [None, 0.5]}), truth).reason
    '1 of 2 rows differ'
    """
    if answer.num_columns != truth.num_columns:
        return AnswerComparison(f"{answer.num_columns} columns instead of {truth.num_columns}")
    if answer.num_rows != truth.num_rows:
        return AnswerComparison(f"{answer.num_rows:,} rows instead of {truth.num_rows:,}")
    rows = np.zeros(2 * truth.num_rows, np.int64)
    floats: list[FloatColumn] = []
    for position, name in enumerate(truth.column_names):
        left, right = _decoded(answer.column(position)), _decoded(truth.column(position))
        left, right = as_shown(left, truth.field(position)), as_shown(right, answer.field(position))
        families = family(left.type), family(right.type)
        if families[0] != families[1] and "null" not in families:
            return AnswerComparison(f"column {position + 1} ({name}) is {families[0]} instead of {families[1]}")
        both = _together(left, right, families[0] if families[0] != "null" else families[1])
        if pt.is_floating(both.type):
            column = FloatColumn.of(pc.fill_null(both, 0.0).to_numpy(zero_copy_only=False), rel_tolerance)
            codes = np.where(both.is_null().to_numpy(zero_copy_only=False), 0, column.numbers)
            floats.append(column)
        else:
            codes = _codes(both)
        rows = _combine(rows, codes)
    wrong = _unmatched(rows) or unpaired(rows, floats)
    return AnswerComparison(f"{wrong:,} of {truth.num_rows:,} rows differ" if wrong else "")


def family(kind: pa.DataType) -> str:
    """The name under which types count as equal."""
    for word, tests in _FAMILIES.items():
        if any(test(kind) for test in tests):
            return word
    return str(kind)


_FAMILIES = {
    "null": (pt.is_null,),
    "integer": (pt.is_integer, pt.is_boolean),
    "floating": (pt.is_floating,),
    "decimal": (pt.is_decimal,),
    "text": (
        pt.is_string, pt.is_large_string, pt.is_string_view, pt.is_binary, pt.is_large_binary, pt.is_binary_view,
        pt.is_fixed_size_binary,
    ),
    "date": (pt.is_date,),
    "timestamp": (pt.is_timestamp,),
    "time": (pt.is_time, pt.is_duration),
}  # fmt: skip


def _decoded(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The values themselves of a dictionary-encoded column."""
    return column.cast(column.type.value_type) if pt.is_dictionary(column.type) else column


def _together(left: pa.ChunkedArray, right: pa.ChunkedArray, kind: str) -> pa.Array:
    """The values of both sides, left before right, in a type that holds all of them without loss."""
    common = _common_type(kind, left.type, right.type)
    chunks = [_cast(chunk, common) for side in (left, right) for chunk in side.chunks]
    return pa.concat_arrays(chunks) if chunks else pa.array([], common)


def _common_type(kind: str, left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """The type in which both sides of one family can be compared without loss."""
    if left == right or pt.is_null(right):
        return pa.float64() if kind == "floating" else left
    if pt.is_null(left):
        return pa.float64() if kind == "floating" else right
    if kind == "integer" and pa.uint64() in (left, right):
        return pa.decimal128(20)
    if kind == "decimal":
        return pa.decimal256(76, max(left.scale, right.scale))
    return _COMMON[kind]


_COMMON = {
    "integer": pa.int64(),
    "floating": pa.float64(),
    "text": pa.large_binary(),
    "date": pa.date32(),
    "timestamp": pa.decimal128(38),
    "time": pa.decimal128(38),
}
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}


def _cast(values: pa.Array, common: pa.DataType) -> pa.Array:
    """Cast; times of two resolutions become decimals in nanoseconds, since an int64 of those ends in the year 2262."""
    if not (pt.is_decimal(common) and pt.is_temporal(values.type)):
        return values.cast(common)
    counts = (values.cast(pa.int32()) if pt.is_time32(values.type) else values).cast(pa.int64())
    unit = pa.scalar(_NANOSECONDS[values.type.unit], pa.decimal128(10))
    return pc.multiply(counts.cast(pa.decimal128(19)), unit).cast(common)


def _codes(both: pa.Array) -> NDArray[np.int64]:
    """A code for each value: 0 for NULL, others from 1."""
    indices = both.dictionary_encode().indices.cast(pa.int64())
    codes: NDArray[np.int64] = pc.fill_null(pc.add(indices, 1), 0).to_numpy(zero_copy_only=False)
    return codes


def _combine(rows: NDArray[np.int64], codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """One code for each pair of codes."""
    if not len(rows):
        return rows
    pairs = rows * (int(codes.max()) + 1) + codes
    inverse: NDArray[np.int64] = np.unique(pairs, return_inverse=True)[1]
    return inverse


def _unmatched(rows: NDArray[np.int64]) -> int:
    """How many rows of the first half have no equal row in the second."""
    half = len(rows) // 2
    if not half:
        return 0
    size = int(rows.max()) + 1
    surplus = np.bincount(rows[:half], minlength=size) - np.bincount(rows[half:], minlength=size)
    return int(surplus[surplus > 0].sum())
