"""Pairs by zones are those that comparing every row with every other gives, wherever on the sphere they are."""

from __future__ import annotations

import numpy as np
import pytest

from skyshard.basics.array_types import Floats
from skyshard.chunking.sphere import ang_sep
from skyshard.czar.pairs import zone_join
from skyshard.czar.pairs.separation_bound import SeparationLimit
from skyshard.czar.pairs.zone_join import OutOfBounds, Positions, pairs_within

Found = set[tuple[int, int]]
FIELDS = {
    "plain": (123.0, 20.0), "across 0 degrees": (0.0, 10.0), "north pole": (10.0, 90.0), "south pole": (200.0, -90.0),
    "whole sky": (None, None), "one point": (50.0, 5.0),
}  # fmt: skip
RADII = [0.0, 1e-9, 0.01, 0.5, 3.0]


def drawn(field: str, count: int, seed: int) -> tuple[Floats, Floats]:
    """Positions around a place, right ascensions of any turn."""
    chance = np.random.default_rng(seed)
    ra0, dec0 = FIELDS[field]
    if ra0 is None or dec0 is None:
        return chance.uniform(-360, 720, count), np.degrees(np.arcsin(chance.uniform(-1, 1, count)))
    if field == "one point":
        return np.full(count, ra0), np.full(count, dec0)
    dec = dec0 + chance.normal(0, 1, count)
    dec = np.where(np.abs(dec) > 90, np.sign(dec) * (180 - np.abs(dec)), dec)
    ra = ra0 + chance.normal(0, 1, count) / np.maximum(np.cos(np.radians(dec)), 0.01)
    return (ra % 360.0) - 360.0 * (chance.random(count) < 0.2), dec


def found_by_zones(one: Positions, other: Positions, limits: list[SeparationLimit]) -> tuple[Found, Found, int]:
    """Sure pairs, doubtful pairs, and how often a pair came that is sure."""
    sure, doubtful, count = set[tuple[int, int]](), set[tuple[int, int]](), 0
    for block in pairs_within(one, other, limits):
        sure |= {(int(i), int(j)) for i, j in zip(*block.sure(), strict=True)}
        doubtful |= {(int(i), int(j)) for i, j in zip(*block.doubtful(), strict=True)}
        count += block.sure_count
    return sure, doubtful, count


@pytest.mark.parametrize("radius", RADII)
@pytest.mark.parametrize("field", list(FIELDS))
def test_pairs_are_those_of_brute_force(field: str, radius: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pair once, none that is further apart, in blocks of few candidates; what is doubtful is at the radius."""
    monkeypatch.setattr(zone_join, "BLOCK_PAIRS", 97)
    monkeypatch.setattr(zone_join, "BLOCK_ROWS", 50)
    chance = np.random.default_rng(3)
    sides = [Positions(*drawn(field, count, count), chance.integers(0, 4, count)) for count in (120, 150)]
    one, other = sides
    sure, doubtful, count = found_by_zones(one, other, [SeparationLimit("<=", radius)])
    separation = ang_sep(one.ra[:, None], one.dec[:, None], other.ra, other.dec)
    is_met = one.group[:, None] == other.group
    at_radius = is_met & (np.abs(separation - radius) < 1e-11)
    within = {(int(i), int(j)) for i, j in zip(*np.nonzero(is_met & (separation <= radius) & ~at_radius), strict=True)}
    allowed = {(int(i), int(j)) for i, j in zip(*np.nonzero(at_radius), strict=True)}
    assert count == len(sure)
    assert within <= sure <= within | allowed
    assert doubtful <= allowed - sure


def test_positions_of_the_same_numbers_are_decided_without_the_server() -> None:
    """Radius 0: each row is exactly at its own place; 0 and 360 degrees are the same place, which is doubtful."""
    ra, dec = np.array([0.0, 360.0, 77.7]), np.array([1.0, 1.0, 89.0])
    side = Positions(ra, dec, np.zeros(3, np.int64))
    assert found_by_zones(side, side, [SeparationLimit("<=", 0.0)])[:2] == ({(0, 0), (1, 1), (2, 2)}, {(0, 1), (1, 0)})
    assert found_by_zones(side, side, [SeparationLimit("<", 0.0)])[:2] == (set(), {(0, 1), (1, 0)})


def test_pairs_at_the_radius_are_doubtful() -> None:
    """A step of a tenth of a degree in declination: numbers alone do not say whether that is below 0.1."""
    dec = np.arange(5) / 10
    side = Positions(np.full(5, 30.0), dec, np.zeros(5, np.int64))
    sure, doubtful, _ = found_by_zones(side, side, [SeparationLimit("<", 0.1)])
    assert sure == {(i, i) for i in range(5)}
    assert doubtful == {(i, j) for i in range(5) for j in range(5) if abs(i - j) == 1}


def test_a_lower_limit_leaves_out_what_is_nearer() -> None:
    """A ring: > and < together."""
    dec = np.array([0.0, 0.05, 0.2])
    side = Positions(np.zeros(3), dec, np.zeros(3, np.int64))
    limits = [SeparationLimit("<", 0.18), SeparationLimit(">", 0.1)]
    assert found_by_zones(side, side, limits)[0] == {(1, 2), (2, 1)}


def test_rows_of_different_groups_make_no_pairs() -> None:
    """The same place in groups that the other side has not, or only the other side has."""
    one = Positions(np.zeros(3), np.zeros(3), np.array([5, 7, -(2**40)]))
    other = Positions(np.zeros(4), np.zeros(4), np.array([7, 7, 6, 2**40]))
    assert found_by_zones(one, other, [SeparationLimit("<", 1.0)])[0] == {(1, 0), (1, 1)}


def test_no_rows_make_no_pairs() -> None:
    """Neither side needs to have any."""
    nothing = Positions(np.empty(0), np.empty(0), np.empty(0, np.int64))
    one = Positions(np.zeros(1), np.zeros(1), np.zeros(1, np.int64))
    for sides in ((nothing, nothing), (one, nothing), (nothing, one)):
        assert list(pairs_within(*sides, [SeparationLimit("<", 1.0)])) == []


@pytest.mark.parametrize(("ra", "dec"), [(721.0, 0.0), (np.nan, 0.0), (0.0, 90.1), (0.0, np.nan), (np.inf, 0.0)])
def test_positions_out_of_bounds_are_refused(ra: float, dec: float) -> None:
    """The bound is derived for right ascensions within two turns and declinations of the sphere."""
    with pytest.raises(OutOfBounds):
        Positions(np.array([1.0, ra]), np.array([1.0, dec]), np.zeros(2, np.int64))


def test_blocks_of_a_crowded_field_are_bounded() -> None:
    """Ten million pairs of one cluster come in blocks of bounded size."""
    chance = np.random.default_rng(1)
    ra, dec = chance.normal(0, 0.002, (2, 3200))
    side = Positions(ra, dec, np.zeros(3200, np.int64))
    blocks = [(block.sure_count, len(block.partner)) for block in pairs_within(side, side, [SeparationLimit("<", 0.1)])]
    assert sum(count for count, _ in blocks) == 3200**2
    assert max(size for _, size in blocks) <= zone_join.BLOCK_PAIRS
