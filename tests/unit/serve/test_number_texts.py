"""Numbers as texts, against what a real MariaDB printed."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.serve.number_texts import decimal_texts, double_texts, fixed_texts, float_texts

PRINTED = Path(__file__).resolve().parents[2] / "cases" / "number_texts.txt"


def printed(kind: str) -> tuple[list[float], list[str]]:
    lines = [line.split() for line in PRINTED.read_text().splitlines() if line.startswith(f"{kind} ")]
    return [float.fromhex(value) for _, value, _ in lines], [text for _, _, text in lines]


def test_doubles_are_printed_as_the_server_prints_them() -> None:
    """The shortest digits, an exponent only from 1e15 up and below 1e-15."""
    values, texts = printed("double")
    assert len(texts) > 100
    assert double_texts(pa.array(values)).to_pylist() == texts


def test_floats_are_printed_with_six_digits() -> None:
    """A FLOAT is rounded to six digits, as a server does that."""
    values, texts = printed("float")
    assert len(texts) > 100
    assert float_texts(pa.array(np.array(values, np.float32))).to_pylist() == texts


@pytest.mark.parametrize("decimals", [0, 2, 7, 15, 30])
def test_rounded_numbers_have_all_their_decimals(decimals: int) -> None:
    """ROUND(x, n) is printed with n digits behind the point."""
    values, texts = printed(f"round{decimals}")
    assert len(texts) == 20
    assert fixed_texts(pa.array(values), decimals).to_pylist() == texts


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))))
def test_a_double_s_text_reads_back_as_the_same_value(values: list[float | None]) -> None:
    """Nothing is lost, NULL stays NULL, and zero has no sign."""
    texts = double_texts(pa.array(values, pa.float64())).to_pylist()
    assert [None if text is None else float(text) for text in texts] == values
    assert not any(text is not None and (text == "-0" or "+" in text) for text in texts)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_a_float_s_text_is_its_nearest_of_six_digits(values: list[float]) -> None:
    """Python's own rounding, which is exact, gives the same number."""
    texts = float_texts(pa.array(np.array(values, np.float32))).to_pylist()
    assert [float(text) for text in texts] == [float(f"{value:.6g}") for value in values]


@given(st.lists(st.decimals(allow_nan=False, allow_infinity=False, places=9, min_value=-(10**9), max_value=10**9)))
def test_decimals_are_printed_without_an_exponent(values: list[object]) -> None:
    """Also those so small that Arrow writes an exponent."""
    texts = decimal_texts(pa.array(values, pa.decimal128(20, 9))).to_pylist()
    assert texts == [f"{value:f}" for value in values]
    assert all(math.isclose(len(text.partition(".")[2]), 9) for text in texts)
