"""A query that is late is stopped where it runs, whatever the target; clients as Ray actors run a whole workload."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from skyshard.bench.driver import Timeout, run_within
from skyshard.bench.duckdb_target import DuckDBTarget
from skyshard.bench.url_target import UrlTarget
from skyshard.cli.bench import bench_app
from skyshard.cluster import Cluster
from skyshard.db.connection import Account, connect
from skyshard.resources import data_folder
from skyshard.synth.recipe import read_recipe
from skyshard.synth.write import write_catalog
from skyshard.testbed import Testbed
from skyshard.trial_targets import open_target

DATABASE = "bench_stop"
LONG = "SELECT COUNT(CRC32(REPEAT('x', 9000000 + a.objectId % 7))) FROM Object a"
"""Minutes on any machine."""
WORKLOAD = f"""
version: 1
name: late
description: Queries that are late, and others.
database: {DATABASE}
seed: 3
check_answers: false
phases:
  - name: one
    classes:
      - {{class: LV, templates: [object_by_id, cone], arrivals: {{loop: closed, clients: 2}}, count: 20}}
      - {{class: FTSObj, templates: [late], count: 2, timeout_s: 0.3, errors_allowed: 2}}
"""
LATE = f"""-- class: FTSObj
-- description: minutes of work
-- why: it has to be stopped
{LONG}
"""


@pytest.fixture(scope="module")
def sky(private_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A thin sky, ingested, with its oracle; both go with the cluster."""
    folder = tmp_path_factory.mktemp("stop") / "sky"
    write_catalog(read_recipe("tiny"), folder, fraction=0.02)
    with Testbed(private_cluster.folder) as testbed:
        testbed.ingest(folder, database=DATABASE)
        testbed.load_mono(DATABASE)
    return folder


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    """A workload with a template of its own that takes minutes."""
    file = tmp_path / "queries" / "workloads" / "late.yaml"
    file.parent.mkdir(parents=True)
    for kind in ("LV", "FTSObj"):
        folder = tmp_path / "queries" / "sql" / kind
        folder.mkdir(parents=True)
        for one in data_folder("queries", "sql", kind).glob("*.sql"):
            (folder / one.name).symlink_to(one)
    (tmp_path / "queries" / "sql" / "FTSObj" / "late.sql").write_text(LATE)
    file.write_text(WORKLOAD)
    return file


def at_work(cluster: Cluster) -> Iterator[str]:
    """What the servers run of the long statement."""
    for name in ("czar", "node1", "node2", "mono"):
        with connect(cluster.endpoint(name), Account.ADMIN) as connection:
            yield from (str(row[7]) for row in connection.rows("SHOW FULL PROCESSLIST") if "CRC32(" in str(row[7]))


def is_idle(cluster: Cluster) -> bool:
    """Nothing of the long statement is left within a few seconds."""
    deadline = time.monotonic() + 5
    while any(True for _ in at_work(cluster)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("name", ["czar", "mono", "url"])
def test_a_late_query_is_stopped_on_the_servers(private_cluster: Cluster, sky: Path, name: str) -> None:
    """A Timeout says that the engine has stopped, no server is at it any more, and the next query is answered."""
    socket = private_cluster.endpoint("mono").socket
    url = f"mysql+pymysql://{Account.ADMIN.value}@localhost/{DATABASE}?unix_socket={socket}"
    target = UrlTarget(url) if name == "url" else open_target(name, private_cluster.folder)
    try:
        with pytest.raises(Timeout, match=r"no answer within 0\.3 s, stopped"):
            run_within(target, LONG, DATABASE, 0.3)
        assert is_idle(private_cluster)
        assert run_within(target, "SELECT COUNT(*) FROM Object", DATABASE, 30).rows == 1
    finally:
        target.close()


def test_a_late_query_of_duckdb_is_stopped(sky: Path) -> None:
    """The cursor of the late query is interrupted; others go on."""
    target = DuckDBTarget(sky)
    with pytest.raises(Timeout, match=r"no answer within 0\.3 s, stopped"):
        run_within(target, "SELECT COUNT(*) FROM Object a, Object b, Object c WHERE a.ra + b.ra + c.ra > 7", "", 0.3)
    assert run_within(target, "SELECT COUNT(*) FROM Object", "", 30).rows == 1
    target.close()


def test_ray_actors_drive_a_workload_and_stop_what_is_late(
    private_cluster: Cluster, sky: Path, workload: Path, tmp_path: Path
) -> None:
    """Two actors send the whole schedule; two queries are counted as timeouts, and nothing of them is left."""
    out = tmp_path / "trial"
    asked = ["run", str(workload), "--ray", "--processes", "2", "--out", str(out)]
    result = CliRunner().invoke(bench_app, [*asked, "--cluster", str(private_cluster.folder)])
    assert result.exit_code == 1, result.output  # a class without a single answer fails
    assert is_idle(private_cluster)
    samples = pq.read_table(out / "samples.parquet")
    assert samples.num_rows == 22
    assert set(samples["process"].to_pylist()) == {0, 1}
    summary = json.loads((out / "summary.json").read_text())
    assert [one["errors_by_class"] for one in summary["classes"]] == [{}, {"Timeout": 2}]
    assert json.loads((out / "manifest.json").read_text())["driver"] == {"runtime": "ray", "processes": 2}
