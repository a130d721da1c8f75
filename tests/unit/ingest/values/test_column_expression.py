"""Derived columns: arithmetic, and nothing else."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.basics.errors import UserError
from skyshard.ingest.values.column_expression import evaluate, names_in

SMALL = st.integers(-1000, 1000)


@given(st.lists(st.tuples(SMALL, SMALL), min_size=1, max_size=20))
def test_whole_numbers_are_computed_as_python_does(pairs: list[tuple[int, int]]) -> None:
    """Sums, differences and products stay whole numbers, in the order of precedence and parentheses."""
    a, b = (pa.array(values, pa.int32()) for values in zip(*pairs, strict=True))
    found = evaluate("a + b * 2 - (a - 3) * b", {"a": a, "b": b}, len(pairs))
    assert found.to_pylist() == [x + y * 2 - (x - 3) * y for x, y in pairs]
    assert pa.types.is_integer(found.type)


def test_small_types_have_room_for_their_sums() -> None:
    """Numbers are computed at 64 bits, whatever the input's width; flags count as 1 and 0."""
    bytes_ = pa.array([127], pa.int8())
    assert evaluate("x + x", {"x": bytes_}, 1).to_pylist() == [254]
    assert evaluate("f + 1", {"f": pa.array([True, False])}, 2).to_pylist() == [2, 1]


def test_a_division_is_one_of_floats() -> None:
    """Also of whole numbers; by zero it is an infinity."""
    found = evaluate("a / b", {"a": pa.array([1, 1]), "b": pa.array([2, 0])}, 2)
    assert found.to_pylist() == [0.5, float("inf")]


def test_null_in_is_null_out() -> None:
    """Whatever is done with it."""
    assert evaluate("-x * 0", {"x": pa.array([None, 2], pa.int64())}, 2).to_pylist() == [None, 0]


def test_a_constant_fills_every_row() -> None:
    """It names no column, and is computed once."""
    assert evaluate("2 * 3", {}, 3).to_pylist() == [6, 6, 6]
    assert names_in("2 * 3") == frozenset()


def test_an_overflow_is_an_error() -> None:
    """A number that 64 bits do not hold is never another one."""
    with pytest.raises(pa.ArrowInvalid, match="overflow"):
        evaluate("x * x", {"x": pa.array([2**40])}, 1)


@pytest.mark.parametrize(
    "text",
    ["f(x)", "x.y", "x[0]", "x if y else z", "x ** 2", "x // 2", "x % 2", "x & y", "'a'", "True", "x < y", "not x",
     "~x", "lambda: 1", "(x", "", "x = 1", "__import__('os')"],
)  # fmt: skip
def test_anything_but_arithmetic_is_refused(text: str) -> None:
    """Nothing is called or looked up; the remedy says what may be written."""
    with pytest.raises(UserError, match="expression") as caught:
        names_in(text)
    assert "parentheses" in caught.value.remedy


def test_unsigned_columns_keep_their_digits_in_sums_when_they_pass_63_bits() -> None:
    """Signed where all values fit, so that differences may be negative; else unsigned."""
    small, large = pa.array([1, 5], pa.uint64()), pa.array([1, 2**63], pa.uint64())
    assert evaluate("a - 3", {"a": small}, 2).to_pylist() == [-2, 2]
    assert evaluate("a + 3", {"a": large}, 2).to_pylist() == [4, 2**63 + 3]
