"""Figures of blocks: no value is beyond least and greatest, however it is rounded."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.columns.block_figures import BlockFigures, at_its_beginning, block_checksum


def figures(*arrays: pa.Array) -> BlockFigures:
    """One block an array, one below the other."""
    return BlockFigures.of([pa.RecordBatch.from_arrays([one], names=["x"]) for one in arrays], 1)


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5), st.integers(-(2**63), 2**63 - 1))
def test_a_block_with_a_value_is_never_left_out(values: list[int], other: int) -> None:
    """BIGINTs beyond the exact range of DOUBLE, too: limits made of any value keep the block that has it."""
    found = figures(pa.array(values, pa.int64()))
    for value in (*values, other):
        low, high = (float(np.nextafter(float(value), side)) for side in (-np.inf, np.inf))
        if value in values:
            assert found.may_hold(0, (low, high)).all()
            assert found.may_hold(0, (float(min(values)), None)).all()
    assert found.least[0, 0] <= min(values)
    assert found.greatest[0, 0] >= max(values)


@pytest.mark.parametrize(
    ("array", "least", "greatest", "nulls", "nans"),
    [
        (pa.array([1.5, None, -2.5]), -2.5, 1.5, 1, 0),
        (pa.array([float("nan"), 3.0, None]), 3.0, 3.0, 1, 1),
        (pa.array([float("nan")] * 2), np.inf, -np.inf, 0, 2),
        (pa.array([None, None], pa.float32()), np.inf, -np.inf, 2, 0),
        (pa.array([], pa.int8()), np.inf, -np.inf, 0, 0),
        (pa.array([b"a", None]), np.inf, -np.inf, 1, 0),
        (pa.array([-0.0, 0.0]), 0.0, 0.0, 0, 0),
    ],
)
def test_what_is_counted(array: pa.Array, least: float, greatest: float, nulls: int, nans: int) -> None:
    """NULLs and NaNs apart; texts have no range."""
    found = figures(array)
    got: tuple[Any, ...] = (found.least[0, 0], found.greatest[0, 0], found.nulls[0, 0], found.nans[0, 0])
    assert got == (least, greatest, nulls, nans)


def test_decimals_are_rounded_outwards() -> None:
    """0.1 is no DOUBLE: the range is a little wider."""
    found = figures(pa.array([Decimal("0.1"), Decimal("0.3")], pa.decimal128(5, 1)))
    assert Decimal(float(found.least[0, 0])) < Decimal("0.1")
    assert Decimal(float(found.greatest[0, 0])) > Decimal("0.3")


def test_blocks_with_nan_are_never_left_out() -> None:
    """How NaN compares is the executor's affair."""
    found = figures(pa.array([1.0, 2.0]), pa.array([float("nan"), 2.0]), pa.array([None, 9.0]))
    assert found.may_hold(0, (5.0, None)).tolist() == [False, True, True]
    assert found.may_hold(0, (None, 1.0)).tolist() == [True, True, False]


def test_they_come_back_as_written() -> None:
    """Their shape and all values."""
    found = figures(pa.array([1.0]), pa.array([2.0]))
    back = BlockFigures.read(found.written())
    assert back.shape == (2, 1)
    assert back.checksum.tolist() == found.checksum.tolist()


def test_a_checksum_is_of_the_rows_alone() -> None:
    """An array cut out of a longer one has the checksum of one made of its values."""
    whole = pa.array([b"abc", None, b"", b"zz", b"q"])
    for start, count in ((0, 5), (1, 3), (4, 1), (2, 0)):
        part = whole.slice(start, count)
        assert block_checksum(at_its_beginning(part)) == block_checksum(pa.array(part.to_pylist(), pa.binary()))


def with_cells(cells: list[float], valid: int) -> pa.Array:
    """DOUBLEs of which some are NULL, whatever is in their cells; ``valid``: a bit a row, and bits behind the last."""
    return pa.Array.from_buffers(
        pa.float64(), len(cells), [pa.py_buffer(bytes([valid])), pa.py_buffer(np.array(cells).tobytes())]
    )


@pytest.mark.parametrize(
    ("cells", "valid", "expected"),
    [
        ([-9.0, 1.0, 2.0], 0b110, (1.0, 2.0, 1, 0)),
        ([1.0, 9.0, 2.0], 0b101, (1.0, 2.0, 1, 0)),
        ([0.0, 5.0, 0.0, 7.0], 0b1010, (5.0, 7.0, 2, 0)),
        ([np.nan, 1.0, 2.0], 0b110, (1.0, 2.0, 1, 0)),
        ([np.nan, 1.0, -8.0], 0b011, (1.0, 1.0, 1, 1)),
    ],
)
def test_what_is_in_the_cell_of_a_null_is_no_value(
    cells: list[float], valid: int, expected: tuple[float, float, int, int]
) -> None:
    """Neither the least nor the greatest, nor a NaN."""
    found = figures(with_cells(cells, valid))
    assert (found.least[0, 0], found.greatest[0, 0], found.nulls[0, 0], found.nans[0, 0]) == expected


def test_bits_behind_the_last_row_are_not_of_the_checksum() -> None:
    """Who writes Arrow may leave anything there; a bit of a row is."""
    one, same, other = (with_cells([1.0, 2.0, 3.0], valid) for valid in (0b101, 0b11111101, 0b110))
    assert block_checksum(one) == block_checksum(same) != block_checksum(other)
