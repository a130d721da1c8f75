"""Lines through times that follow one another, against lines that were put in."""

from __future__ import annotations

import numpy as np
import pytest

from skyshard.bench.record.trend_line import line_through, ratio_interval

DRAWS = 200
SLOPE = 0.02


def _dependent(random: np.random.Generator, count: int, shared: float, is_heavy: bool) -> np.ndarray:
    """Noise of unit spread whose neighbours are alike, with rare outliers where it is heavy-tailed."""
    fresh = random.standard_t(3, count + 50) if is_heavy else random.normal(size=count + 50)
    noise = np.zeros(count + 50)
    for place in range(1, count + 50):
        noise[place] = shared * noise[place - 1] + fresh[place]
    kept = noise[50:]
    kept[random.random(count) < (0.02 if is_heavy else 0.0)] += 60
    return kept


@pytest.mark.parametrize("count", [60, 240, 720])
@pytest.mark.parametrize("shared", [0.0, 0.6])
@pytest.mark.parametrize("is_heavy", [False, True])
def test_interval_holds_the_true_slope_in_nine_of_ten_draws(count: int, shared: float, is_heavy: bool) -> None:
    """Of 200 draws with dependent noise, outliers and fields of different density, at least 180 intervals hold it."""
    x = np.arange(count, dtype=float)
    wave = 3 * np.sin(2 * np.pi * x / 4)
    held = 0
    for draw in range(DRAWS):
        noise = _dependent(np.random.default_rng([draw, count]), count, shared, is_heavy)
        line = line_through(x, 5 + SLOPE * x + wave + noise, period=4)
        assert line is not None
        held += line.low <= SLOPE <= line.high
    assert held >= 0.9 * DRAWS


@pytest.mark.parametrize("shared", [0.0, 0.6])
def test_level_noise_is_rarely_called_a_slope(shared: float) -> None:
    """Without any slope at most one in ten lines has p below 0.05."""
    x = np.arange(240.0)
    found = [line_through(x, _dependent(np.random.default_rng([draw, 7]), 240, shared, False)) for draw in range(DRAWS)]
    assert sum(line is not None and line.p < 0.05 for line in found) <= 0.1 * DRAWS


def test_exact_line_is_found_exactly() -> None:
    """Values on a line give its slope, ends and an interval without width."""
    x = np.arange(100, 300, dtype=float)
    line = line_through(x, 1 + 0.003 * x)
    assert line is not None
    assert np.allclose([line.slope, line.low, line.high], 0.003)
    assert np.allclose([line.at_first, line.at_last, line.at(200)], [1.3, 1.897, 1.6])
    assert line.p == pytest.approx(0.0, abs=1e-12)


def test_level_values_have_no_slope() -> None:
    """Equal values have slope 0 with p 1, not the sign of a rounding error."""
    line = line_through(np.arange(100.0), np.full(100, 0.1))
    assert line is not None
    assert (line.slope, line.p, line.shared) == (0.0, 1.0, 0.0)


@pytest.mark.parametrize("count", [0, 1, 29])
def test_too_few_values_have_no_line(count: int) -> None:
    """Below six blocks of five values there is no line."""
    assert line_through(np.arange(count, dtype=float), np.ones(count)) is None


def test_blocks_are_rounds_of_the_fields_where_there_are_enough() -> None:
    """A pattern that repeats every eight values does not tilt a level line by more than rounding."""
    x = np.arange(240.0)
    line = line_through(x, 3 + (x % 8), period=8)
    assert line is not None
    assert abs(line.slope) < 1e-9


def test_ratio_of_slopes_is_bounded_only_where_the_old_one_is_not_zero() -> None:
    """Fieller's interval holds the true ratio, and has no ends where the divisor may be 0."""
    x = np.arange(240.0)
    random = np.random.default_rng(3)
    steep, slow, level = (line_through(x, slope * x + random.normal(size=240)) for slope in (0.1, 0.02, 0.0))
    assert steep
    assert slow
    assert level
    value, low, high = ratio_interval(slow, steep)
    assert low is not None
    assert high is not None
    assert low <= 0.2 <= high
    assert low < value < high
    assert ratio_interval(slow, level)[1:] == (None, None)
