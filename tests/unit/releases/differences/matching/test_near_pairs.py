"""Pairs within a radius on the sphere."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skyshard.releases.differences.matching.near_pairs import nearest, pairs_within, unit_vectors

PLACES = st.sampled_from([(0.0, 0.0), (359.9999, 12.0), (10.0, 90.0), (200.0, -89.9999)])
Point = tuple[float, float]


@st.composite
def points(draw: st.DrawFn) -> list[Point]:
    """Clumps of a few arcseconds about awkward places."""
    found = []
    for _ in range(draw(st.integers(0, 8))):
        ra, dec = draw(PLACES)
        east, north = draw(st.integers(-3, 3)), draw(st.integers(-3, 3))
        found.append(((ra + east / 3600) % 360, max(-90.0, min(90.0, dec + north / 3600))))
    return found


def apart(a: Point, b: Point) -> float:
    """Arcseconds by the haversine formula, one pair at a time."""
    (ra1, dec1), (ra2, dec2) = (tuple(map(math.radians, one)) for one in (a, b))
    h = math.sin((dec2 - dec1) / 2) ** 2 + math.cos(dec1) * math.cos(dec2) * math.sin((ra2 - ra1) / 2) ** 2
    return math.degrees(2 * math.asin(math.sqrt(min(1.0, h)))) * 3600


@given(points(), points(), st.sampled_from([0.5, 1.5, 4.1]))
def test_pairs_are_those_of_brute_force(old: list[Point], new: list[Point], radius: float) -> None:
    """Across right ascension 0 and at both poles; separations agree with the haversine formula."""
    first, second = (unit_vectors(*np.array(side or np.empty((0, 2))).T) for side in (old, new))
    found = pairs_within(first, second, radius)
    wanted = {(i, j): s for i, a in enumerate(old) for j, b in enumerate(new) if (s := apart(a, b)) <= radius - 1e-6}
    got = dict(zip(zip(found.old.tolist(), found.new.tolist(), strict=True), found.arcsec.tolist(), strict=True))
    assert set(wanted) <= set(got)
    assert all(apart(old[i], new[j]) <= radius + 1e-6 for i, j in got)
    assert all(abs(got[pair] - separation) < 1e-6 for pair, separation in wanted.items())


def test_of_equally_near_rows_the_lowest_rank_is_the_nearest() -> None:
    """Rows 0 and 1 are both one arcsecond from row 0 of the other side; row 1 has the lower rank."""
    row, other, arcsec = np.array([0, 0]), np.array([0, 1]), np.array([1.0, 1.0])
    assert nearest(2, row, other, arcsec, np.array([7, 3])).tolist() == [1, -1]
