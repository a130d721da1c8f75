"""Digits that a FLOAT loses, against Python's own printing of the same number."""

from __future__ import annotations

import numpy as np
import pytest

from skyshard.ingest.values.float_digits import as_declared, count_lost_digits


def is_lost(text: str) -> bool:
    """Whether the FLOAT of a text, printed to as many digits as the text needs, is another number."""
    digits = len(text.partition("e")[0].strip("-0"))
    return float(f"{float(np.float32(text)):.{max(digits, 1) - 1}e}") != float(text)


@pytest.mark.parametrize("digits", [1, 3, 6, 7, 8, 9])
def test_numbers_are_counted_that_print_differently(digits: int) -> None:
    """Drawn numbers of so many digits over all exponents of a FLOAT, negative ones too."""
    random = np.random.default_rng(digits)
    mantissas = random.integers(10 ** (digits - 1), 10**digits, 3000)
    powers, signs = random.integers(-36, 38, 3000) - digits, np.where(random.integers(0, 2, 3000), "-", "")
    texts = [f"{sign}{number}e{power}" for sign, number, power in zip(signs, mantissas, powers, strict=True)]
    numbers = np.array([float(one) for one in texts])
    lost = np.array([is_lost(one) for one in texts])
    assert count_lost_digits(numbers, numbers.astype(np.float32)) == lost.sum()
    assert count_lost_digits(numbers[~lost], numbers[~lost].astype(np.float32)) == 0
    if digits <= 6:
        assert not lost.any()


def test_nothing_is_lost_of_nothing_zero_and_powers_of_two() -> None:
    """Signed zeros are zero; what vanishes is lost."""
    good = np.array([0.0, -0.0, 2.0**-126, 2.0**127, -0.5])
    assert count_lost_digits(good, good.astype(np.float32)) == 0
    assert count_lost_digits(np.empty(0), np.empty(0, np.float32)) == 0
    assert count_lost_digits(np.array([1e-60, -1e-60]), np.zeros(2, np.float32)) == 2


def test_blocks_are_added_up() -> None:
    """More numbers than one block holds."""
    numbers = np.tile([0.1, 16_777_217.0], 40_000)
    assert count_lost_digits(numbers, numbers.astype(np.float32)) == 40_000


def test_declared_digits_round_to_even_like_the_server() -> None:
    """A half behind the whole number goes to the even digit: what is rounded is the distance from the whole below."""
    found, most = as_declared(np.array([0.125, 0.375, -0.125, 2.5, -7.0]), 4, 2)
    assert found.tolist() == [0.12, 0.38, -0.12, 2.5, -7.0]
    assert most == 99.99
    assert as_declared(np.array([0.5, 1.5, 1.75]), 3, 0)[0].tolist() == [0.0, 1.0, 2.0]
