"""Keys and positions of every kind: czar and oracle answer as one plain MariaDB with the same rows does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.depth import drawn
from tests.support.keyed_sky import KeyedSky, Kind
from tests.support.killing import forget

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

KINDS = [
    pytest.param(Kind("bigint unsigned", "double", "bigint unsigned"), marks=pytest.mark.deep),
    Kind("bigint unsigned", "float", "bigint"),
    Kind("bigint", "float", "bigint unsigned"),
    Kind("bigint", "decimal(12,6)", "decimal(20,0)", is_scattered=True),
    Kind("tinyint", "float", "double"),
    pytest.param(Kind("bigint unsigned", "float", "double", is_unique=False), marks=pytest.mark.deep),
    Kind("bigint", "double", "bigint", is_unique=False, is_scattered=True),
]
"""Each type of a key, of a position and of what follows comes in a usual run, keys of one sign beside the other."""
STATEMENTS = drawn(8)


@pytest.fixture(scope="module")
def testbed(private_cluster: PrivateCluster) -> Iterator[Testbed]:
    private_cluster.start_mono()
    with Testbed(private_cluster.folder) as testbed:
        yield testbed


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_kind_of_key_answers_as_one_server_does(testbed: Testbed, tmp_path: Path, kind: Kind) -> None:
    """After one transaction, after a second one, and when both are compacted."""
    sky = KeyedSky(testbed, kind, tmp_path, seed=1)
    try:
        for step in ("first", "second", "compacted"):
            if step == "compacted":
                testbed.compact(sky.name, grace_s=0.0)
            else:
                sky.add(objects=24, sources=40)
            testbed.load_mono(sky.name)
            for sql, plain in sky.statements(STATEMENTS):
                right = sky.plain(plain)
                assert (step, sql, sky.asked(sql)) == (step, sql, right)
                assert (step, sql, sky.asked(sql, "mono")) == (step, sql, right)
            assert [check for check in testbed.verify(sky.name) if not check.is_good] == []
    finally:
        sky.drop()
        forget(testbed, sky.name)
