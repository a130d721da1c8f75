"""Answers are compared as typed multisets of rows."""

import datetime
from decimal import Decimal
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.bench.check.compare_answers import compare_answers


def is_equal(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return compare_answers(pa.table(left), pa.table(right)).is_equal


@given(
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([None, 0.0, 1.5, float("nan")])), max_size=30), st.randoms()
)
def test_order_of_rows_does_not_matter(rows: list[tuple[int, float | None]], random: Random) -> None:
    """Any permutation of an answer's rows equals the answer."""
    shuffled = random.sample(rows, len(rows))
    tables = [pa.table({"i": pa.array([r[0] for r in x], pa.int64()), "x": pa.array([r[1] for r in x], pa.float64())})
              for x in (rows, shuffled)]  # fmt: skip
    assert compare_answers(*tables).reason == ""


def test_multiplicity_matters() -> None:
    """The same distinct rows in different numbers are a wrong answer, and the reason counts them."""
    outcome = compare_answers(pa.table({"a": [1, 1, 2]}), pa.table({"a": [1, 2, 2]}))
    assert outcome.reason == "1 of 3 rows differ"


def test_values_swapped_between_rows_are_found() -> None:
    """Equal columns with other pairings are a wrong answer."""
    assert not is_equal({"a": [1, 2], "b": [1.0, 2.0]}, {"a": [1, 2], "b": [2.0, 1.0]})


@pytest.mark.parametrize("size", [1e-30, 1.0, 1e30])
def test_floats_within_tolerance_are_equal(size: float) -> None:
    """A relative difference below 1e-9 is no difference at any size; one above is."""
    assert is_equal({"x": [size, -size]}, {"x": [-size, size * (1 + 5e-10)]})
    assert not is_equal({"x": [size]}, {"x": [size * (1 + 3e-9)]})


def test_floats_near_a_rounding_edge_are_equal() -> None:
    """Rows that tie within the tolerance match whatever their order by the next column."""
    a, b = 0.1 + 0.2, 0.3
    assert is_equal({"x": [a, b], "k": [1, 2]}, {"x": [a, b], "k": [2, 1]})


@pytest.mark.parametrize(
    ("left", "right"),
    [([None], [float("nan")]), ([0.0], [None]), ([float("inf")], [1e308]), ([float("inf")], [float("-inf")])],
)
def test_null_nan_and_infinity_are_different_values(left: Any, right: Any) -> None:
    """NULL, NaN, infinities and numbers are told apart."""
    types = pa.float64()
    assert not is_equal({"x": pa.array(left, types)}, {"x": pa.array(right, types)})


def test_same_special_values_are_equal() -> None:
    """NaN equals NaN, infinity itself, and 0.0 equals -0.0."""
    assert is_equal({"x": [float("nan"), float("inf"), 0.0]}, {"x": [-0.0, float("nan"), float("inf")]})


@pytest.mark.parametrize(
    ("left", "right", "reason"),
    [
        ({"a": [1]}, {"a": [1.0]}, "column 1 (a) is integer instead of floating"),
        ({"a": [1]}, {"a": [Decimal("1")]}, "column 1 (a) is integer instead of decimal"),
        ({"a": ["1"]}, {"a": [1]}, "column 1 (a) is text instead of integer"),
        ({"a": [1]}, {"a": [1], "b": [2]}, "1 columns instead of 2"),
        ({"a": [1]}, {"a": [1, 1]}, "1 rows instead of 2"),
    ],
)
def test_shape_and_type_are_compared_with_a_reason(left: Any, right: Any, reason: str) -> None:
    """A wrong count or a type of another family is named."""
    assert compare_answers(pa.table(left), pa.table(right)).reason == reason


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (pa.array([1, None], pa.int8()), pa.array([None, 1], pa.uint64())),
        (pa.array([-1], pa.int64()), pa.array([-1], pa.int32())),
        (pa.array([Decimal("1.50"), None]), pa.array([None, Decimal("1.5000")])),
        (pa.array(["a", "b"]), pa.array([b"b", b"a"])),
        (pa.array([None, None], pa.null()), pa.array([None, None], pa.float64())),
        (pa.array([1.5], pa.float32()), pa.array([1.5], pa.float64())),
        (pa.array([datetime.datetime(2026, 1, 2)], pa.timestamp("s")), pa.array([datetime.datetime(2026, 1, 2)])),
        (pa.array([datetime.date(2026, 1, 2)]), pa.array([datetime.date(2026, 1, 2)], pa.date64())),
        (pa.array([True]), pa.array([1])),
        (pa.array([datetime.timedelta(seconds=1)]), pa.array([datetime.timedelta(seconds=1)])),
    ],
)
def test_widths_of_one_family_are_equal(left: Any, right: Any) -> None:
    """Width, scale, unit and text encoding of the transport do not decide; values do."""
    assert is_equal({"a": left}, {"a": right})


def test_unsigned_and_negative_do_not_meet() -> None:
    """2^64 - 1 is not -1."""
    assert not is_equal({"a": pa.array([2**64 - 1], pa.uint64())}, {"a": pa.array([-1], pa.int64())})


def test_a_type_outside_the_families_is_compared_as_it_is() -> None:
    """Two columns of the same rare type compare by value."""
    kind = pa.time64("us")
    assert is_equal({"a": pa.array([datetime.time(1)], kind)}, {"a": pa.array([datetime.time(1)], kind)})


def test_a_big_answer_is_compared_without_a_loop() -> None:
    """A hundred thousand shuffled rows of five columns are compared well within a test's time."""
    random = np.random.default_rng(1)
    rows = 100_000
    table = pa.table({f"c{i}": random.normal(size=rows) for i in range(4)} | {"k": random.integers(0, 50, rows)})
    assert compare_answers(table.take(random.permutation(rows)), table).is_equal


def test_no_rows_equal_no_rows() -> None:
    """Two empty answers of one shape are equal."""
    assert is_equal({"a": pa.array([], pa.int64())}, {"a": pa.array([], pa.int32())})


def test_answers_without_rows_or_batches_are_equal() -> None:
    """Columns of no chunks at all, as an engine gives them for an empty result."""
    column = pa.chunked_array([], pa.float64())
    assert is_equal({"a": column}, {"a": column})
    assert not is_equal({"a": column}, {"a": pa.array([1.0])})
