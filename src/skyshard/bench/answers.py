"""Are two answers equal? Typed multisets of rows, floats within a relative tolerance; no loop over rows.

Both answers' columns become whole numbers together: equal values get equal codes, and so do floats that lie within
the tolerance of their neighbour when all are sorted (a chain of such neighbours counts as one value). Two answers are
equal when their rows of codes are equal as multisets. NULL differs from NaN, 0 and ''; NaN equals NaN; 0.0 equals -0.0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

REL_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Comparison:
    """The outcome; ``reason`` is empty when the answers are equal."""

    reason: str = ""

    @property
    def is_equal(self) -> bool:
        return not self.reason


def compare_answers(answer: pa.Table, truth: pa.Table, rel_tolerance: float = REL_TOLERANCE) -> Comparison:
    """Compare an answer with the true one: columns by position, types by family, rows in any order."""
    if answer.num_columns != truth.num_columns:
        return Comparison(f"{answer.num_columns} columns instead of {truth.num_columns}")
    if answer.num_rows != truth.num_rows:
        return Comparison(f"{answer.num_rows:,} rows instead of {truth.num_rows:,}")
    rows = np.zeros(2 * truth.num_rows, np.int64)
    for position, name in enumerate(truth.column_names):
        left, right = answer.column(position), truth.column(position)
        families = family(left.type), family(right.type)
        if families[0] != families[1] and "null" not in families:
            return Comparison(f"column {position + 1} ({name}) is {families[0]} instead of {families[1]}")
        rows = _combine(rows, _codes(left, right, families, rel_tolerance))
    wrong = _unmatched(rows)
    return Comparison(f"{wrong:,} of {truth.num_rows:,} rows differ" if wrong else "")


def family(kind: pa.DataType) -> str:
    """The word under which types count as equal."""
    for word, tests in _FAMILIES.items():
        if any(test(kind) for test in tests):
            return word
    return str(kind)


_FAMILIES = {
    "null": (pt.is_null,),
    "integer": (pt.is_integer, pt.is_boolean),
    "floating": (pt.is_floating,),
    "decimal": (pt.is_decimal,),
    "text": (pt.is_string, pt.is_large_string, pt.is_binary, pt.is_large_binary, pt.is_fixed_size_binary),
    "date": (pt.is_date,),
    "timestamp": (pt.is_timestamp,),
    "time": (pt.is_time, pt.is_duration),
}


def _codes(
    left: pa.ChunkedArray, right: pa.ChunkedArray, families: tuple[str, str], rel_tolerance: float
) -> NDArray[np.int64]:
    """Codes of left's values followed by right's; NULL is 0, others are 1 and up."""
    kind = families[0] if families[0] != "null" else families[1]
    common = _common_type(kind, left.type, right.type)
    chunks = [chunk.cast(common) for side in (left, right) for chunk in side.chunks]
    both = pa.concat_arrays(chunks) if chunks else pa.array([], common)
    if kind == "floating":
        return _float_codes(both, rel_tolerance)
    indices = both.dictionary_encode().indices.cast(pa.int64())
    codes: NDArray[np.int64] = pc.fill_null(pc.add(indices, 1), 0).to_numpy(zero_copy_only=False)
    return codes


def _common_type(kind: str, left: pa.DataType, right: pa.DataType) -> pa.DataType:
    """The type in which both sides of one family can be compared without loss."""
    if kind == "integer" and pa.uint64() in (left, right):
        return pa.decimal128(20)
    if kind == "decimal":
        return pa.decimal256(76, max(side.scale for side in (left, right) if pt.is_decimal(side)))
    return _COMMON.get(kind, right if pt.is_null(left) else left)


_COMMON = {
    "integer": pa.int64(),
    "floating": pa.float64(),
    "text": pa.large_binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
}


def _float_codes(both: pa.Array, rel_tolerance: float) -> NDArray[np.int64]:
    is_null = both.is_null().to_numpy(zero_copy_only=False)
    values = pc.fill_null(both, 0.0).to_numpy(zero_copy_only=False)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    with np.errstate(invalid="ignore"):
        gap = np.diff(ordered)
        near = gap <= rel_tolerance * np.maximum(np.abs(ordered[1:]), np.abs(ordered[:-1]))
    is_finite = np.isfinite(ordered[1:]) & np.isfinite(ordered[:-1])
    same = (near & is_finite) | (ordered[1:] == ordered[:-1]) | (np.isnan(ordered[1:]) & np.isnan(ordered[:-1]))
    codes = np.empty(len(values), np.int64)
    codes[order] = np.concatenate([[1], 1 + np.cumsum(~same)])[: len(values)]
    codes[is_null] = 0
    return codes


def _combine(rows: NDArray[np.int64], codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """One code for each pair of codes."""
    if not len(rows):
        return rows
    pairs = rows * (int(codes.max()) + 1) + codes
    inverse: NDArray[np.int64] = np.unique(pairs, return_inverse=True)[1]
    return inverse


def _unmatched(rows: NDArray[np.int64]) -> int:
    """Rows of the first half without partner in the second."""
    half = len(rows) // 2
    if not half:
        return 0
    size = int(rows.max()) + 1
    surplus = np.bincount(rows[:half], minlength=size) - np.bincount(rows[half:], minlength=size)
    return int(surplus[surplus > 0].sum())
