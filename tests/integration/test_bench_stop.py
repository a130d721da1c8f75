"""A query that is late is stopped where it runs, whatever the target; clients as Ray actors run a whole workload."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from skyshard.bench.drive.driver import Timeout, run_within
from skyshard.bench.targets.duckdb_target import DuckDBTarget
from skyshard.bench.targets.url_target import UrlTarget
from skyshard.cli.app import app
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.host.shipped_data import data_folder
from skyshard.runtime.on_ray.calls import ActorProcess
from skyshard.scenarios.open_target import open_target
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed

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
STEADY = f"""
version: 1
name: steady
description: Look-ups at a rate, until it is ended.
database: {DATABASE}
seed: 3
check_answers: false
phases:
  - name: one
    classes:
      - class: LV
        templates: [object_by_id]
        arrivals: {{loop: open, rate_per_s: 40, clients: 2}}
        duration_s: 400
"""
LATE = f"""-- class: FTSObj
-- description: minutes of work
-- why: it has to be stopped
{LONG}
"""


@pytest.fixture(scope="module")
def sky(private_cluster: PrivateCluster, tmp_path_factory: pytest.TempPathFactory) -> Path:
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


def at_work(cluster: PrivateCluster) -> Iterator[str]:
    """What the servers run of the long statement."""
    for name in ("czar", "node1", "node2", "mono"):
        with connect(cluster.endpoint(name), Account.ADMIN) as connection:
            yield from (str(row[7]) for row in connection.rows("SHOW FULL PROCESSLIST") if "CRC32(" in str(row[7]))


def is_idle(cluster: PrivateCluster) -> bool:
    """Nothing of the long statement is left in the end."""
    deadline = time.monotonic() + 100
    while any(True for _ in at_work(cluster)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("name", ["czar", "mono", "url"])
def test_a_late_query_is_stopped_on_the_servers(private_cluster: PrivateCluster, sky: Path, name: str) -> None:
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
    private_cluster: PrivateCluster, sky: Path, workload: Path, tmp_path: Path
) -> None:
    """Two actors send the whole schedule; two queries are counted as timeouts, and nothing of them is left."""
    out = tmp_path / "trial"
    asked = ["run", str(workload), "--ray", "--processes", "2", "--out", str(out)]
    result = CliRunner().invoke(app, ["bench", *asked, "--cluster", str(private_cluster.folder)])
    assert result.exit_code == 1, result.output  # a class without a single answer fails
    assert is_idle(private_cluster)
    samples = pq.read_table(out / "samples.parquet")
    assert samples.num_rows == 22
    assert set(samples["process"].to_pylist()) == {0, 1}
    summary = json.loads((out / "summary.json").read_text())
    assert [one["errors_by_class"] for one in summary["classes"]] == [{}, {"Timeout": 2}]
    assert json.loads((out / "manifest.json").read_text())["driver"] == {"runtime": "ray", "processes": 2}


def seats() -> list[psutil.Process]:
    """The processes of Ray actors below this one."""
    found = []
    for one in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "".join(one.cmdline()[:1]).partition(".")[0] == f"ray::{ActorProcess.__name__}":
                found.append(one)
    return found


def selects(cluster: PrivateCluster) -> int:
    """Statements that the nodes were sent so far."""
    count = 0
    for name in ("node1", "node2"):
        with connect(cluster.endpoint(name), Account.ADMIN) as connection:
            count += int(connection.rows("SHOW GLOBAL STATUS LIKE 'Com_select'")[0][1])
    return count


def test_a_ray_actor_that_is_killed_costs_its_own_samples_only(
    private_cluster: PrivateCluster, sky: Path, tmp_path: Path
) -> None:
    """kill -9 of one of two actors: the trial is kept as partial with the other's samples; one line, exit code 3."""
    file = tmp_path / "queries" / "workloads" / "steady.yaml"
    file.parent.mkdir(parents=True)
    (tmp_path / "queries" / "sql").symlink_to(data_folder("queries", "sql"))
    file.write_text(STEADY)
    found: list[Result] = []
    asked = ["run", str(file), "--ray", "--processes", "2", "--out", str(tmp_path / "trial")]
    trial = threading.Thread(
        target=lambda: found.append(
            CliRunner().invoke(app, ["bench", *asked, "--cluster", str(private_cluster.folder)])
        )
    )
    trial.start()
    try:
        deadline = time.monotonic() + 200
        while len(actors := seats()) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        before = selects(private_cluster)
        while selects(private_cluster) < before + 100 and time.monotonic() < deadline:
            time.sleep(0.1)
        actors[0].kill()
    finally:
        trial.join()
    assert found[0].exit_code == 3, found[0].output
    assert "Stopped early since 1 of 2 driver processes died in phase one" in found[0].output
    samples = pq.read_table(tmp_path / "trial" / "samples.parquet")
    assert samples.num_rows > 0
    assert len(set(samples["process"].to_pylist())) == 1
