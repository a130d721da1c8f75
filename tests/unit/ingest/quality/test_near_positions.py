"""Positions that have another one near: against all pairs by their angle, also at the wrap and at the poles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skyshard.basics.array_types import Floats
from skyshard.ingest.quality.near_positions import load_positions, near_rows, save_positions

ARCSEC = 1 / 3600


def _by_all_pairs(ra: Floats, dec: Floats) -> int:
    """By the haversine of every pair."""
    east, north = np.radians(ra), np.radians(dec)
    half = np.sin((north[:, None] - north) / 2) ** 2
    half += np.cos(north)[:, None] * np.cos(north) * np.sin((east[:, None] - east) / 2) ** 2
    apart = np.degrees(2 * np.arcsin(np.sqrt(np.minimum(half, 1))))
    np.fill_diagonal(apart, 180.0)
    return int(np.count_nonzero((apart <= 0.2 * ARCSEC).any(axis=1)))


@pytest.mark.parametrize("middle", [(0.0, 0.0), (180.0, 89.0), (10.0, -89.0), (123.0, 90.0), (359.9999, -60.0)])
def test_near_ones_are_those_of_all_pairs(middle: tuple[float, float]) -> None:
    """In a crowd where some are near: across RA 0, at the edge of the poles' strips, over a pole."""
    random = np.random.default_rng(5)
    ra = (middle[0] + random.normal(0, 3 * ARCSEC, 300) / max(np.cos(np.radians(middle[1])), 1e-6)) % 360
    dec = np.clip(middle[1] + random.normal(0, 3 * ARCSEC, 300), -90, 90)
    expected = _by_all_pairs(ra, dec)
    assert 0 < expected < 300
    assert near_rows(ra, dec) == expected


@given(st.lists(st.tuples(st.floats(0, 359.9), st.floats(-89.9, 89.9)), max_size=30, unique=True), st.floats(0.25, 3))
def test_a_copy_beside_each_is_found_at_any_place(places: list[tuple[float, float]], arcsec: float) -> None:
    """Two positions 0.1 arcseconds apart are near each other, two that are farther apart than 0.25 are not."""
    ra, dec = (np.array([place[axis] for place in places], float) for axis in (0, 1))
    beside = np.concatenate([dec, dec + 0.1 * ARCSEC])
    assert near_rows(np.concatenate([ra, ra]), beside) == 2 * len(places)
    if len(places) == 1:
        assert near_rows(np.concatenate([ra, ra]), np.concatenate([dec, dec + arcsec * ARCSEC])) == 0


def test_those_without_a_place_are_near_to_none() -> None:
    """NaN is no position."""
    assert near_rows(np.array([np.nan, np.nan, 1.0]), np.array([2.0, 2.0, np.nan])) == 0


def test_positions_of_slices_are_read_back(tmp_path: Path) -> None:
    """Also those of a slice without any."""
    save_positions(tmp_path / "a.npy", [np.array([[1.0, 2.0], [3.0, 4.0]])])
    save_positions(tmp_path / "b.npy", [])
    ra, dec = load_positions([tmp_path / "a.npy", tmp_path / "b.npy"])
    assert (ra.tolist(), dec.tolist()) == ([1.0, 2.0], [3.0, 4.0])
