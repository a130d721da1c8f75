"""How many digits a door shows, and what is compared of them."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa

from skyshard.bench.check.compare_answers import compare_answers
from skyshard.bench.targets.shown_digits import shown_field


def test_no_more_digits_are_compared_than_a_protocol_shows() -> None:
    """Six of a FLOAT in text: the seventh may differ, the sixth may not; without a mark none may."""
    truth = pa.table({"f": pa.array([1.2345678, 0.1], pa.float32())})
    for shown, is_equal in ((1.23457, True), (1.23456, False)):
        values = pa.array([shown, 0.1], pa.float32())
        marked = pa.table([values], schema=pa.schema([shown_field("c0", pa.float32(), 6)]))
        assert compare_answers(marked, truth).is_equal is is_equal
        assert compare_answers(truth, marked).is_equal is is_equal
        assert not compare_answers(pa.table({"c0": values}), truth).is_equal


def test_a_decimal_that_came_as_a_double_is_compared_as_one() -> None:
    """VOTable has no DECIMAL; one that a protocol could have sent is another type."""
    truth = pa.table({"s": pa.array([Decimal("10.50")], pa.decimal128(20, 2))})
    values = pa.array([10.5])
    marked = pa.table([values], schema=pa.schema([shown_field("c0", pa.float64(), 15)]))
    assert compare_answers(marked, truth).is_equal
    assert "floating instead of decimal" in compare_answers(pa.table({"c0": values}), truth).reason
