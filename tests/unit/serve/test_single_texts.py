"""Single numbers, against the texts of whole columns, which are held against a server's."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from skyshard.serve.number_texts import double_texts, float_texts
from skyshard.serve.single_texts import double_text, float_text

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FINITE | st.integers(-(10**17), 10**17).map(float) | st.integers(-18, 18).map(lambda n: 10.0**n)))
def test_doubles_are_those_of_columns(values: list[float]) -> None:
    """Of any size, about the borders of exponents, too."""
    assert [double_text(value) for value in values] == double_texts(pa.array(values, pa.float64())).to_pylist()


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_floats_are_those_of_columns(values: list[float]) -> None:
    """Rounded to six digits."""
    assert [float_text(value) for value in values] == float_texts(pa.array(values, pa.float32())).to_pylist()


def test_what_is_no_number_is_no_zero() -> None:
    """NaN and infinities, which no server holds, as columns of them are written."""
    values = [float("nan"), float("inf"), -float("inf")]
    assert (
        [double_text(value) for value in values] == double_texts(pa.array(values)).to_pylist() == ["nan", "inf", "-inf"]
    )
    assert [float_text(value) for value in values] == ["nan", "inf", "-inf"]
