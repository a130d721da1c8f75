"""Which visits cover which places: sorted out by cells, equal to looking at each pair."""

import math

import numpy as np
import pytest

from skyshard.chunking.sphere import unit_vectors
from skyshard.synth.sky.field_covering import Near, dot
from skyshard.synth.sky.visits import Pointings

RADIUS_DEG = 1.75


def pointings(ra: np.ndarray, dec: np.ndarray) -> Pointings:
    nothing = np.zeros(len(ra))
    return Pointings(
        np.arange(len(ra)), np.arange(len(ra)) % 6, ra, dec, nothing, nothing, nothing, nothing, RADIUS_DEG
    )  # fmt: skip


@pytest.mark.parametrize("box", [(10.0, 12.1, -4.0, -1.9), (0.0, 360.0, 87.8, 90.0), (100.0, 101.0, 60.0, 75.0)])
@pytest.mark.parametrize("count", [1, 40, 12_000])
def test_cells_give_what_each_pair_gives(box: tuple[float, float, float, float], count: int) -> None:
    """A chunk of any shape, also about a pole, and few or many places: pairs and their counts by band are all there."""
    random = np.random.default_rng(count)
    ra, dec = random.uniform(box[0], box[1], count), random.uniform(box[2], box[3], count)
    visit_ra = random.uniform(box[0] - 3, box[1] + 3, 90)
    visits = pointings(visit_ra % 360, np.clip(random.uniform(box[2] - 3, box[3] + 3, 90), -90, 90))
    centres = unit_vectors(visits.ra, visits.dec)
    expected = dot(unit_vectors(ra, dec), centres.T) >= math.cos(math.radians(RADIUS_DEG))
    row, visit = visits.covering(ra, dec)
    assert (row == np.nonzero(expected)[0]).all()
    assert (visit == np.nonzero(expected)[1]).all()
    counts = visits.counts(ra, dec, 6)
    for band in range(6):
        assert (counts[:, band] == expected[:, visits.band == band].sum(axis=1)).all()


def test_few_places_are_looked_at_one_by_one() -> None:
    """Of a chunk's many (place, visit) pairs, a small share lies in cells that a rim crosses."""
    random = np.random.default_rng(5)
    ra, dec = random.uniform(10.0, 12.1, 100_000), random.uniform(-4.0, -1.9, 100_000)
    centres = unit_vectors(random.uniform(7, 15, 60), random.uniform(-7, 1, 60))
    near = Near.of((ra, dec), centres, math.radians(RADIUS_DEG))
    assert near.rim[1][near.cells].sum() < 0.06 * len(ra) * len(near.visits)
