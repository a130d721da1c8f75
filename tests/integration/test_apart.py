"""Ingest into nodes whose files the driver does not see: rows go in blocks, and everything is as on one host."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.support.kill_catalog import write_catalog
from tests.support.killing import FIRST, SECOND, digests
from tests.support.recipes import changed
from tests.support.set_apart import set_apart
from tests.support.small_catalog import write_small_catalog
from tests.support.stepping import Stopped, stop_at

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.cluster import Cluster
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.ingest.on_nodes import carried_slices
from skyshard.ingest.partition import bundle
from skyshard.ingest.transaction import partition_places
from skyshard.node.messages import Loader
from skyshard.testbed import Testbed


@pytest.fixture
def database() -> str:
    return f"a{uuid.uuid4().hex[:10]}"


@pytest.fixture(autouse=True)
def short_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Segments of some rows have files of their own, and a block holds a few of them."""
    monkeypatch.setattr(bundle, "OWN_FILE_BYTES", 400)
    monkeypatch.setattr(carried_slices, "OWN_FILE_BYTES", 400)
    monkeypatch.setattr(carried_slices, "BLOCK_BYTES", 1_000)


@pytest.fixture
def apart(private_cluster: Cluster, tmp_path: Path) -> Iterator[Testbed]:
    """A testbed to which every node is elsewhere; nothing is left there at the end."""
    with Testbed(private_cluster.folder) as testbed:
        staging = set_apart(testbed, tmp_path / "hosts")
        yield testbed
        files = [path for folder in staging.values() for path in folder.rglob("*") if path.is_file()]
        assert files == []


def assert_good(testbed: Testbed, database: str) -> None:
    assert [str(check) for check in testbed.verify(database) if not check.is_good] == []


def test_two_transactions_are_the_same_on_nodes_elsewhere(
    testbed: Testbed, apart: Testbed, tmp_path: Path, database: str
) -> None:
    """Hosts partition; every table has the digest that it has where driver and nodes share a disk. Rebuilt indexes,
    compaction and the oracle's copy are right, too."""
    sources = [write_catalog(tmp_path / name, objects=20, seed=seed) for name, seed in ((FIRST, 1), (SECOND, 2))]
    for source in sources:
        apart.ingest(source, database=database, replicas=2)
        testbed.ingest(source, database=f"{database}_like", replicas=2)
    found, expected = (digests(testbed.registry.replicas.all(name)) for name in (database, f"{database}_like"))
    assert found == expected
    apart.rebuild_indexes(database)
    assert apart.compact(database, grace_s=0).tables
    assert_good(apart, database)
    rows = apart.load_mono(database)
    assert rows["Object"] == apart.query("SELECT COUNT(*) FROM Object", database=database).table[0][0].as_py()


def test_the_oracle_is_loaded_without_a_node_that_is_down(apart: Testbed, tmp_path: Path, database: str) -> None:
    """Other nodes have replicas of its rows; where they have not, it is named, and the oracle answers for none."""
    source = write_catalog(tmp_path / FIRST, objects=20, seed=1)
    single = f"{database}_1"
    for name, replicas in ((database, 2), (single, 1)):
        apart.ingest(source, database=name, replicas=replicas)
    assert isinstance(apart.cluster, PrivateCluster)
    apart.cluster.stop_server("node2")
    try:
        assert apart.load_mono(database)["Object"] == 20
        with pytest.raises(ClusterError, match="are on nodes that do not answer: node2; start these"):
            apart.load_mono(single)
    finally:
        apart.cluster.start()
    with pytest.raises(UserError):
        apart.query("SELECT COUNT(*) FROM Object", database=single, target="mono")
    assert_good(apart, database)


def test_the_driver_partitions_what_hosts_are_not_given_the_keys_of(
    apart: Testbed, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches for LOAD DATA come in Arrow files of the hosts."""
    monkeypatch.setattr(partition_places, "MOST_KEYS", -1)
    apart.ingest(write_catalog(tmp_path / "source", objects=20), database=database, loader=Loader.LOAD_DATA)
    assert_good(apart, database)


def test_blobs_and_regular_tables_reach_nodes_elsewhere(apart: Testbed, tmp_path: Path, database: str) -> None:
    """Arrow batches and row images of one catalog, one copy of each chunk: files are taken over by the tables."""
    apart.ingest(write_small_catalog(tmp_path / "small"), database=database)
    assert_good(apart, database)


def test_the_rows_of_a_recipe_are_made_where_they_will_be(apart: Testbed, tmp_path: Path, database: str) -> None:
    """What the generator knows is right of every row; copies on other nodes are there."""
    recipe = tmp_path / "sky.yaml"
    recipe.write_text(yaml.safe_dump(changed()))
    apart.ingest(recipe, database=database, replicas=2)
    assert_good(apart, database)


@pytest.mark.parametrize("stage", ["partition Source", "publish"])
def test_an_interrupted_ingest_goes_on_and_leaves_nothing(
    apart: Testbed, tmp_path: Path, database: str, stage: str
) -> None:
    """What hosts keep under way is found again, or made again, and gone at the end."""
    source = write_catalog(tmp_path / "source", objects=20)
    with pytest.raises(Stopped):
        apart.ingest(source, database=database, replicas=2, watcher=stop_at(stage))
    apart.ingest(source, database=database, replicas=2)
    assert_good(apart, database)


def test_a_transaction_that_is_taken_back_leaves_nothing(apart: Testbed, tmp_path: Path, database: str) -> None:
    """Neither tables nor bundles, on any host."""
    source = write_catalog(tmp_path / "source", objects=20)
    with pytest.raises(Stopped):
        apart.ingest(source, database=database, watcher=stop_at("load"))
    apart.abort_transaction(apart.registry.transactions.all(database)[-1]["id"])
    assert apart.registry.databases.state(database) is None
