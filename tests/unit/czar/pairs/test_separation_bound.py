"""What numbers decide about a separation, and what they leave to the server."""

from __future__ import annotations

from decimal import Decimal, getcontext

import numpy as np
import pytest

from skyshard.chunking.sphere import DEG_PER_RAD, unit_vectors
from skyshard.czar.pairs.separation_bound import BOUND_RAD, SeparationLimit, decide, reach_rad


@pytest.mark.parametrize("word", ["<", "<=", ">", ">="])
@pytest.mark.parametrize("radius", [1e-6, 1e-3, 0.5, 10.0])
def test_only_what_is_within_the_bound_of_the_radius_is_doubtful(word: str, radius: float) -> None:
    """Just within twice the bound a pair is sure, at the radius itself it is not."""
    limit = SeparationLimit(word, radius)
    steps = np.array([-2.0, 0.0, 2.0]) * BOUND_RAD
    chord = 2 * np.sin((radius / DEG_PER_RAD + steps) / 2)
    holds, doubtful = decide(chord**2, [limit])
    assert doubtful.tolist() == [False, True, False]
    assert holds.tolist() == ([True, False, False] if limit.is_upper else [False, False, True])


@pytest.mark.parametrize(("word", "wanted"), [("<", False), ("<=", True), (">", False), (">=", True)])
def test_the_same_position_is_exactly_at_radius_0(word: str, wanted: bool) -> None:
    """Its separation is 0, neither below nor above."""
    assert SeparationLimit(word, 0.0).holds_for_same is wanted


def test_the_narrowest_upper_limit_is_the_reach() -> None:
    """Lower limits do not count."""
    limits = [SeparationLimit("<", 2.0), SeparationLimit("<=", 1.0), SeparationLimit(">", 0.1)]
    assert reach_rad(limits) == pytest.approx(2 * np.sin(np.radians(0.5)), rel=1e-12)


def test_chords_are_within_the_bound_of_exact_ones() -> None:
    """Against 50 digits, at all declinations and right ascensions of two turns, from 1e-9 degrees on."""
    getcontext().prec = 50
    chance = np.random.default_rng(2)
    ra, dec = chance.uniform(-720, 720, 60), chance.uniform(-90, 90, 60)
    dec[:6] = [90, -90, 89.9999999, -89.9999999, 0, 1e-300]
    step = 10.0 ** chance.uniform(-9, 0, (2, 60))
    ra2, dec2 = ra + step[0] * chance.choice([-1, 1], 60), np.clip(dec + step[1], -90, 90)
    ra2 = np.where(np.abs(ra2) > 360, ra2 - np.sign(ra2) * 360.0, ra2)
    here = np.linalg.norm(unit_vectors(ra, dec) - unit_vectors(ra2, dec2), axis=1)
    exact = [
        float(_chord(*map(Decimal, row))) for row in zip(*map(np.ndarray.tolist, (ra, dec, ra2, dec2)), strict=True)
    ]
    assert np.abs(here - exact).max() < BOUND_RAD / 4


PI = Decimal("3.14159265358979323846264338327950288419716939937510582")


def _chord(ra1: Decimal, dec1: Decimal, ra2: Decimal, dec2: Decimal) -> Decimal:
    """The chord between two positions, by the haversine formula in exact decimals."""
    half = (ra1 - ra2) * PI / 360, (dec1 - dec2) * PI / 360
    cosines = _sine(PI / 2 - dec1 * PI / 180) * _sine(PI / 2 - dec2 * PI / 180)
    return 2 * (_sine(half[1]) ** 2 + cosines * _sine(half[0]) ** 2).sqrt()


def _sine(angle: Decimal) -> Decimal:
    """The Taylor series."""
    total = term = angle
    for number in range(3, 120, 2):
        term *= -angle * angle / (number * (number - 1))
        total += term
    return total
