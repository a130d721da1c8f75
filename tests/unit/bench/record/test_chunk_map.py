"""The sky map of a catalog."""

import numpy as np
import pytest
from tests.support.sky_maps import sky_of

from skyshard.basics.errors import Bug
from skyshard.bench.record.chunk_map import (
    SkyMap,
    chunk_of,
    node_shares,
)


def test_node_shares_count_every_replica() -> None:
    """A chunk with two replicas counts on both nodes."""
    sky = sky_of([(0, 1, 0, 1), (1, 2, 0, 1)], [("a", "b"), ("b",)], [10, 5])
    assert [(s.node, s.chunks, s.rows, s.bytes) for s in node_shares(sky)] == [("a", 1, 10, None), ("b", 2, 15, None)]


def test_a_sky_map_survives_its_table() -> None:
    """Writing and reading a sky map changes nothing."""
    sky = sky_of([(0, 1, 0, 1), (1, 2, 0, 1)], [("a", "b"), ()])
    back = SkyMap.from_table(sky.to_table())
    assert back.to_table().equals(sky.to_table())


def test_columns_of_different_length_are_our_mistake() -> None:
    """A sky map whose columns disagree is a bug, not a picture."""
    with pytest.raises(Bug):
        sky_of([(0, 1, 0, 1)], [("a",), ("b",)])


def test_times_of_a_scan_are_kept_by_chunk() -> None:
    """A chunk that the scan did not read has no time, and the table keeps both."""
    sky = sky_of([(0, 1, 0, 1), (1, 2, 0, 1)]).with_times({1: 0.5})
    back = SkyMap.from_table(sky.to_table())
    assert back.scan_s is not None
    assert np.isnan(back.scan_s[0])
    assert back.scan_s[1] == 0.5


def test_positions_find_their_chunk_across_longitude_zero() -> None:
    """A box from 350 to 10 degrees holds 359 and 1, not 180."""
    sky = SkyMap(np.array([1, 2]), np.array([350.0, 10.0]), np.array([10.0, 30.0]), np.array([-1.0, -1.0]),
                 np.array([1.0, 1.0]), np.array([5, 5]), [("n",), ("n",)])  # fmt: skip
    ra, decl = np.array([359.0, 1.0, 10.0, 180.0, 359.0]), np.array([0.0, 0.0, 0.0, 0.0, 5.0])
    assert chunk_of(sky, ra, decl).tolist() == [0, 0, 1, -1, -1]
