"""Fits and projections on times with known answers; the model against published results."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.bench.compare.scaling import power_fit, predict, work_fit


@given(st.floats(0.2, 2.0), st.floats(1e-3, 1e3))
def test_the_exponent_of_a_power_law_is_found(exponent: float, scale: float) -> None:
    """Times c f^e give back e, whatever c."""
    fractions = [1e-6, 2e-6, 5e-6, 1e-5]
    fit = power_fit(fractions, [scale * (f * 1e6) ** exponent for f in fractions])
    assert fit.exponent == pytest.approx(exponent, abs=1e-6)
    assert fit.low is not None
    assert fit.high is not None
    assert fit.low <= exponent + 1e-6
    assert fit.high >= exponent - 1e-6


def test_an_exponent_and_its_interval_are_those_of_scipy() -> None:
    """Slope of the logarithms, and Student's t times its standard error."""
    from scipy import stats

    fractions, times = [1e-6, 2e-6, 5e-6, 1e-5], [0.3, 0.5, 1.6, 2.4]
    fit = power_fit(fractions, times)
    line = stats.linregress(np.log(fractions), np.log(times))
    reach = stats.t.ppf(0.975, 2) * line.stderr
    assert (fit.low, fit.exponent, fit.high) == pytest.approx((line.slope - reach, line.slope, line.slope + reach))


def test_an_exponents_interval_needs_three_sizes() -> None:
    """Two sizes have a slope and no interval."""
    assert power_fit([1, 2], [1, 2]).low is None


def test_overhead_and_work_are_told_apart() -> None:
    """t = 0.05 s + 4e4 s x fraction / nodes gives back both numbers, over two node counts."""
    fractions, nodes = [1e-6, 5e-6, 1e-5, 1e-5], [2.0, 2.0, 2.0, 1.0]
    fit = work_fit(fractions, nodes, [0.05 + 4e4 * f / n for f, n in zip(fractions, nodes, strict=True)])
    assert fit.overhead_s == pytest.approx(0.05, rel=1e-6)
    assert fit.per_share_s == pytest.approx(4e4, rel=1e-6)


def test_overhead_is_never_negative() -> None:
    """Times that fall with size do not lead to negative times elsewhere."""
    fit = work_fit([1e-6, 1e-5], [1.0, 1.0], [1.0, 0.5])
    assert fit.overhead_s >= 0
    assert fit.per_share_s >= 0


def test_bands_hold_the_held_out_size() -> None:
    """Of 60 series with 5 % scatter between sizes the band holds the held-out median at least 54 times."""
    random = np.random.default_rng(1)
    sizes, nodes = np.array([1e-6, 2e-6, 4e-6, 8e-6]), [2.0] * 4
    held = 0
    for _ in range(60):
        level = (0.02 + 1e4 * sizes) * np.exp(random.normal(0, 0.05, 4))
        samples = [one * np.exp(random.normal(0, 0.1, 20)) for one in level]
        found = predict(sizes[:3].tolist(), nodes[:3], samples[:3], (8e-6, 2.0), random)
        held += found.holds(float(np.median(samples[3])))
    assert held >= 54
