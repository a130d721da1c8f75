"""Every engine of layouts keeps the same rows: loaded, added to, merged, checked, and there after their server died."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.csv_catalog import OBJECT, director, table, write_mapping, write_table
from tests.support.kill_catalog import STRIPING, write_catalog
from tests.support.killing import digests, forget
from tests.support.raw_engines import require_engine_there
from tests.support.same_answer import rows_in

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Progress
from skyshard.catalog.layout import Layout
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.node.messages import Loader
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

WAYS: dict[str, dict[str, Any]] = {
    "Aria": {"engine": "Aria"},
    "Aria fixed": {"engine": "Aria", "storage": {"row_format": "fixed"}},
    "InnoDB": {"engine": "InnoDB"},
    "InnoDB 8 KiB": {"engine": "InnoDB", "storage": {"key_block_kib": 8}},
    "InnoDB pages": {"engine": "InnoDB", "storage": {"page_compressed": 6}},
    "MyRocks": {"engine": "MyRocks"},
    "MyRocks zstd": {"engine": "MyRocks", "storage": {"compression": "zstd", "block_kib": 16}},
}
MADE_AS = {
    "Aria fixed": "ROW_FORMAT=FIXED TRANSACTIONAL=0",
    "InnoDB 8 KiB": "ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8",
    "InnoDB pages": "`PAGE_COMPRESSED`='1' `PAGE_COMPRESSION_LEVEL`='6'",
    "MyRocks zstd": "COMMENT 'skyshard_zstd_16k'",
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("sources")
    return [write_catalog(folder / str(seed), objects=10, seed=seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def right(testbed: Testbed, sources: list[Path]) -> Iterator[str]:
    """A database of MyISAM with all rows."""
    name = f"x{uuid.uuid4().hex[:10]}"
    for source in sources:
        testbed.ingest(source, database=name)
    yield name
    forget(testbed, name)


@pytest.fixture
def database(testbed: Testbed) -> Iterator[str]:
    name = f"x{uuid.uuid4().hex[:10]}"
    yield name
    forget(testbed, name)


def layout_of(way: str, cluster: PrivateCluster) -> Layout:
    require_engine_there(cluster, WAYS[way]["engine"])
    return Layout.model_validate({"striping": STRIPING, **WAYS[way]})


def faults(testbed: Testbed, database: str) -> list[Any]:
    return [check for check in testbed.verify(database) if not check.is_good]


@pytest.mark.parametrize("way", WAYS)
def test_the_rows_are_those_of_myisam(
    testbed: Testbed, private_cluster: PrivateCluster, sources: list[Path], right: str, database: str, way: str
) -> None:
    """By both loaders, in two transactions, merged, and copied to the oracle; the server made what was asked for."""
    layout = layout_of(way, private_cluster)
    for source, loader in zip(sources, (None, Loader.LOAD_DATA), strict=True):
        testbed.ingest(source, database=database, layout=layout, loader=loader)
    assert digests(testbed.registry.replicas.all(database)) == digests(testbed.registry.replicas.all(right))
    assert testbed.compact(database, grace_s=0.0).tables
    assert faults(testbed, database) == []
    assert testbed.load_mono(database)["Object"] == 20
    sql = "SELECT COUNT(*), MIN(flux), MAX(flag) FROM Object o, Source s WHERE o.objectId = s.objectId"
    assert len({repr(rows_in(testbed.query(sql, database=database, target=t).table)) for t in ("czar", "mono")}) == 1
    replica = next(r for r in testbed.registry.replicas.all(database) if r.table == "Object" and not r.is_overlap)
    with connect(private_cluster.endpoint(replica.node), Account.ADMIN) as server:
        made = server.rows(f"SHOW CREATE TABLE {database}.{replica.name}")[0][1]
        assert MADE_AS.get(way, "") in made
        assert server.rows("SHOW TABLES IN skyshard_scratch") == []


@pytest.mark.parametrize("way", ["Aria", "InnoDB", "MyRocks"])
@pytest.mark.parametrize("loader", [Loader.IMAGE, Loader.LOAD_DATA])
def test_rows_with_one_key_are_refused(
    testbed: Testbed, private_cluster: PrivateCluster, tmp_path: Path, database: str, way: str, loader: Loader
) -> None:
    """However the engine loads, of a primary key and of another unique one; nothing is left of the transaction."""
    layout = layout_of(way, private_cluster)
    write_table(tmp_path, "Object", [*OBJECT, "kind"], [(i, 10 + i / 1e3, 1, min(i, 7)) for i in range(9)])
    write_table(tmp_path, "Filter", ["n", "m"], [(i, min(i, 3)) for i in range(5)])
    star = director(OBJECT | {"kind": "int"}) | {"primary_key": ["kind"]}
    colour = table({"n": "int", "m": "int"}, files="Filter.csv", primary_key=["m"])
    for made, words in (({"Object": star}, "'Object': kind 7"), ({"Filter": colour}, "'Filter': m 3")):
        with pytest.raises(UserError, match=f"table {words} occurs twice, and is a primary or unique key"):
            testbed.ingest(write_mapping(tmp_path, database, made, striping=STRIPING), layout=layout, loader=loader)
    assert database not in testbed.registry.published.databases()


def test_text_fills_whole_pages(
    testbed: Testbed, private_cluster: PrivateCluster, tmp_path: Path, database: str
) -> None:
    """InnoDB sorts the indexes of a table that comes as text, as it does with images: its files are as small."""
    layout = layout_of("InnoDB", private_cluster)
    rows = [((i * 7919) % 30_011, (i * 104_729) % 30_011) for i in range(30_000)]
    write_table(tmp_path, "Filter", ["n", "m"], rows)
    star = table({"n": "int", "m": "int"}, files="Filter.csv", primary_key=["n"], indexes=[["m"]])
    source, taken = write_mapping(tmp_path, database, {"Filter": star}, striping=STRIPING), []
    for loader in (Loader.IMAGE, Loader.LOAD_DATA):
        name = f"{database}_{loader.name.lower()}"
        testbed.ingest(source, database=name, layout=layout, loader=loader)
        taken.append({one.bytes for one in testbed.registry.replicas.all(name) if one.table == "Filter"})
        forget(testbed, name)
    assert taken[0] == taken[1]


@pytest.mark.parametrize(
    ("way", "loader"),
    [
        ("Aria", Loader.IMAGE),
        ("MyRocks", Loader.IMAGE),
        ("InnoDB", Loader.IMAGE),
        pytest.param("Aria fixed", Loader.IMAGE, marks=pytest.mark.deep),
        pytest.param("InnoDB", Loader.LOAD_DATA, marks=pytest.mark.deep),
    ],
)
def test_rows_outlive_their_server(
    testbed: Testbed,
    private_cluster: PrivateCluster,
    sources: list[Path],
    right: str,
    database: str,
    way: str,
    loader: Loader,
) -> None:
    """A server that is killed while it loads, and again as soon as rows are published, loses none."""
    layout = layout_of(way, private_cluster)

    def strike(progress: Progress) -> None:
        if progress.stage == "load" and progress.done > 8:
            kill(private_cluster)

    for source in sources:
        with suppress(ClusterError):
            testbed.ingest(source, database=database, layout=layout, loader=loader, watcher=strike)
        private_cluster.start()
        testbed.ingest(source, database=database, layout=layout, loader=loader)
        kill(private_cluster)
        private_cluster.start()
        assert faults(testbed, database) == []
    assert digests(testbed.registry.replicas.all(database)) == digests(testbed.registry.replicas.all(right))


def kill(cluster: PrivateCluster) -> None:
    """End the first node's server without warning."""
    for server in cluster.status():
        if server.name == "node1" and server.pid:
            os.kill(server.pid, signal.SIGKILL)
