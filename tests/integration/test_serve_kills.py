"""``skyshard serve`` killed with -9 amid what it was asked for: asked again it is done, and nothing is half."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from tests.support.asking import ASK_EVERY_S
from tests.support.depth import drawn
from tests.support.kill_catalog import write_catalog
from tests.support.killing import leftovers
from tests.support.served import served

from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

DOORS = ("--http", "127.0.0.1:0", "--ingest", "127.0.0.1:0", "--open")
LATEST_S = 0.4
"""A drop of the catalog's table takes about so long; what is brought, some more."""
TABLES = ["Cutout", "Object", "Source", "Visit"]
BROUGHT = [{"name": "n", "type": "INT"}, {"name": "word", "type": "VARCHAR(20)"}]


@pytest.fixture(scope="module")
def testbed(own_cluster: PrivateCluster) -> Iterator[Testbed]:
    with Testbed(own_cluster.folder) as made:
        yield made


def killed_amid(cluster: PrivateCluster, door: str, after_s: float, method: str, path: str, **content: Any) -> None:
    """A process that is asked for something, and killed so long afterwards."""
    with served(cluster.folder, *DOORS) as struck, ThreadPoolExecutor(1) as beside:
        begun = threading.Event()

        def ask() -> None:
            with httpx.Client(base_url=struck.doors[door].rstrip("/"), timeout=60) as client:
                begun.set()
                client.request(method, path, json=content)

        sent = beside.submit(ask)
        begun.wait()
        time.sleep(after_s)
        struck.end(signal.SIGKILL)
        wait([sent])


def said(client: httpx.Client, method: str, path: str, **content: Any) -> str:
    """The error in an envelope once what it was in the way of has ended; empty for none."""
    while True:
        found = client.request(method, path, json=content).json()
        if found["success"] or not found["error_ext"].get("retryable"):
            return str(found["error"])
        time.sleep(ASK_EVERY_S)


def assert_sound(testbed: Testbed, database: str) -> None:
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    assert list(leftovers(testbed, database)) == []


@pytest.mark.parametrize("seed", range(drawn(1)))
def test_a_table_is_dropped_whoever_is_killed(
    testbed: Testbed, own_cluster: PrivateCluster, tmp_path: Path, seed: int
) -> None:
    """The process, or a node's server: the table is as it was or gone, and gone once it is asked for again."""
    chance, database = random.Random(seed), f"struck{seed}"
    folder = write_catalog(tmp_path / "sky", objects=40, side_deg=4)
    testbed.ingest(folder, database=database)
    left = list(TABLES)
    for table in ("Cutout", "Source", "Object"):
        path = f"/ingest/table/{database}/{table}?version=55"
        killed_amid(own_cluster, "ingest", chance.uniform(0, LATEST_S), "DELETE", path)
        now = sorted(testbed.registry.published.catalog(database).tables)
        left.remove(table)
        assert now in (left, sorted([*left, table]))
        with (
            served(own_cluster.folder, *DOORS) as again,
            httpx.Client(base_url=again.doors["ingest"].rstrip("/"), timeout=60) as client,
        ):
            node = chance.choice(own_cluster.node_names)
            own_cluster.kill_server(node)
            error = str(client.delete(path).json()["error"])  # of a node that is down, or done before
            assert error == "" or node in error or f"no table {database}.{table}" in error, error
            own_cluster.start()
            error = said(client, "DELETE", path)
            assert error == "" or f"no table {database}.{table}" in error, error
        assert sorted(testbed.registry.published.catalog(database).tables) == left
        assert_sound(testbed, database)
    testbed.ingest(folder, database=database)
    assert sorted(testbed.registry.published.catalog(database).tables) == TABLES
    assert_sound(testbed, database)
    testbed.drop(database)


@pytest.mark.parametrize("seed", range(drawn(1)))
def test_a_table_that_is_brought_is_whole_or_not_there(
    testbed: Testbed, own_cluster: PrivateCluster, seed: int
) -> None:
    """And comes when it is brought again."""
    database = f"user_struck{seed}"
    rows = [[n, f"w{n}"] for n in range(20_000)]
    content = {"database": database, "table": "T", "schema": BROUGHT, "rows": rows, "charset_name": "utf8mb4"}
    after_s = random.Random(seed).uniform(0.1, 4 * LATEST_S)
    killed_amid(own_cluster, "http", after_s, "POST", "/ingest/data?version=55", **content)
    with (
        served(own_cluster.folder, *DOORS) as again,
        httpx.Client(base_url=again.doors["http"].rstrip("/"), timeout=60) as client,
    ):
        if database in testbed.registry.published.databases():
            assert testbed.query("SELECT COUNT(*) FROM T", database=database).table.column(0).to_pylist() == [20_000]
            assert said(client, "DELETE", f"/ingest/database/{database}?version=55") == ""
        assert said(client, "POST", "/ingest/data?version=55", **content) == ""
        assert testbed.query("SELECT SUM(n) FROM T", database=database).table.column(0).to_pylist() == [199_990_000]
        assert_sound(testbed, database)
        assert said(client, "DELETE", f"/ingest/database/{database}?version=55") == ""


def test_jobs_of_a_killed_process_end(testbed: Testbed, own_cluster: PrivateCluster, tmp_path: Path) -> None:
    """One that brings tables, one that is a submitted query: neither runs for ever, and nothing of them is left."""
    database = "struckjobs"
    testbed.ingest(write_catalog(tmp_path / "sky", objects=400, side_deg=4), database=database)
    slow = " + ".join(f"SIN(o.ra + {n})" for n in range(8))
    asked = [
        {"QUERY": f"SELECT SUM({slow}) FROM {database}.Object AS o, {database}.Visit AS v, {database}.Visit AS w"},
        {"QUERY": f"SELECT COUNT(*) FROM {database}.Object AS o, TAP_UPLOAD.mine AS m, {database}.Visit AS v"},
    ]
    table = "<TABLE><FIELD name='n' datatype='int'/><DATA><TABLEDATA><TR><TD>1</TD></TR></TABLEDATA></DATA></TABLE>"
    asked[1] |= {"UPLOAD": "mine,param:t", "t": f"<VOTABLE version='1.4'><RESOURCE>{table}</RESOURCE></VOTABLE>"}
    with (
        served(own_cluster.folder, *DOORS) as struck,
        httpx.Client(base_url=struck.doors["http"].rstrip("/"), timeout=60) as client,
    ):
        made = [client.post("/tap/async", data={**one, "PHASE": "RUN"}, follow_redirects=False) for one in asked]
        struck.end(signal.SIGKILL)
    places = [one.headers["location"].partition("/tap")[2] for one in made]
    with (
        served(own_cluster.folder, *DOORS) as again,
        httpx.Client(base_url=again.doors["http"].rstrip("/"), timeout=60) as client,
    ):
        for place in places:
            while (phase := client.get(f"/tap{place}/phase").text) in ("QUEUED", "EXECUTING"):
                time.sleep(ASK_EVERY_S)
            assert phase in ("COMPLETED", "ERROR", "ABORTED")
            assert (phase == "ERROR") <= (client.get(f"/tap{place}/error").status_code == 200)
            assert client.delete(f"/tap{place}", follow_redirects=False).status_code == 303
        assert list((own_cluster.folder / "tap-jobs").iterdir()) == []
    testbed.drop(database)
