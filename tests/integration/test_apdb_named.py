"""A mutable database of a named cluster, whose nodes' files are not this host's: rows travel as text both ways."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
from tests.support.drawn_tiles import FIELDS, drawn_tile, expected_history, expected_objects, region_of, sorted_rows
from tests.support.named_servers import cluster_file

from skyshard.apdb.stores.open_store import open_store
from skyshard.catalog.cluster_file import describe_cluster
from skyshard.catalog.layout import read_layout
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.host.shipped_data import data_file
from skyshard.testbed import Testbed
from skyshard.testbed.start_cluster import start_cluster

pytestmark = [pytest.mark.integration, pytest.mark.timeout(150)]
NIGHT = 60_000.0


def test_visits_are_stored_and_read_over_the_nodes_of_a_named_cluster(
    private_cluster: PrivateCluster, short_folder: Path
) -> None:
    """All values come back as they were stored; the czar has them, too; months are dropped."""
    folder = short_folder / "named"
    start_cluster(folder, described=describe_cluster(cluster_file(private_cluster, short_folder)))
    tiles = [drawn_tile(3, visit, FIELDS[visit % 3], NIGHT + 20.0 * visit) for visit in range(6)]
    with Testbed(folder) as testbed:
        testbed.apdb.create("distant", read_layout(data_file("ingest", "layouts", "apdb-85-12.yaml")))
        with (
            closing(open_store("cluster:distant", cluster=folder)) as store,
            closing(store.open_session()) as session,
        ):
            for tile in (*tiles, tiles[0]):
                session.store(tile)
            for field in FIELDS[:3]:
                region = region_of(field)
                last = session.read_objects(region).rows
                assert sorted_rows(last, "DiaObjectLast") == sorted_rows(
                    expected_objects(tiles, region), "DiaObjectLast"
                )
                sources = session.read_sources(region, 0.0, 1e6, None).rows
                wanted = expected_history(tiles, "DiaSource", region, 0.0, 1e6)
                assert sorted_rows(sources, "DiaSource") == sorted_rows(wanted, "DiaSource")
        counted = "SELECT COUNT(*) AS n FROM DiaSource"
        assert testbed.query(counted, database="distant").table["n"].to_pylist() == [
            sum(tile.sources.num_rows for tile in tiles)
        ]
        assert testbed.apdb.drop_month("distant", 2000, force=True) > 0
        assert testbed.query(counted, database="distant").table["n"].to_pylist() == [
            sum(tile.sources.num_rows for tile in tiles if tile.tile.time >= NIGHT + 30.0)
        ]
    with Testbed(private_cluster.folder) as testbed:  # dropping needs what runs on the nodes' hosts
        testbed.drop("distant")
    shutil.rmtree(folder, ignore_errors=True)
