"""Decimal texts that are other numbers than their doubles are counted, as exact numbers say it."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.ingest.values.double_digits import count_lost_digits, count_vanished

DIGITS = st.text("0123456789", min_size=1, max_size=25)
TEXTS = st.builds("{}{}.{}e{}".format, st.sampled_from(["", "-"]), DIGITS, DIGITS, st.integers(-345, 280))


def is_other(text: str) -> bool:
    """By exact numbers alone."""
    meant = Decimal(text)
    digits = str(int("".join(map(str, meant.as_tuple().digits)) or "0")).rstrip("0")
    return meant != Decimal(f"{float(text):.{max(len(digits), 1) - 1}e}")


def count(texts: list[str]) -> int:
    array = pa.array(texts, pa.string())
    return count_lost_digits(array, array.cast(pa.float64()))


@given(TEXTS)
def test_text_counts_when_its_double_printed_alike_is_another_number(text: str) -> None:
    """Numbers of all sizes and lengths."""
    assert (text, count([text])) == (text, is_other(text))


@pytest.mark.parametrize("form", ["{:.15e}", "{:.16e}", "{!r}", "{:.12f}", "{:.20f}", "{:.17g}"])
def test_doubles_as_programs_print_them_lose_nothing(form: str) -> None:
    """What was a double once is given back, whatever its size."""
    random = np.random.default_rng(7)
    numbers = random.uniform(-1, 1, 3000) * 10.0 ** random.integers(-12, 12, 3000)
    texts = [form.format(number) for number in numbers.tolist()]
    assert count(texts) == sum(map(is_other, texts)) == 0


def test_one_digit_more_or_less_in_a_column_is_found() -> None:
    """Random numbers of 16 to 19 digits: all that no double says, and no other."""
    random = np.random.default_rng(8)
    for digits in (16, 17, 18, 19):
        texts = [
            f"{number}e-{digits // 2}" for number in random.integers(10 ** (digits - 1), 9 * 10 ** (digits - 1), 2000)
        ]
        assert (digits, count(texts)) == (digits, sum(map(is_other, texts)))


def test_zeros_and_nulls_do_not_count() -> None:
    """Nor do they keep what does from being counted."""
    texts = pa.array([None, "0", "-0.000000000000000000", "0e-999", "1e-999", "00000000000000000001", None])
    assert count_lost_digits(texts, texts.cast(pa.float64())) == count_vanished(texts, texts.cast(pa.float64())) == 1
