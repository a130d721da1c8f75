"""One workload through every front door of a real ``skyshard serve``: same answers; refused, stopped, killed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.support.served import Served, served
from typer.testing import CliRunner

from skyshard.basics.errors import ClusterError, SkyshardError, UserError
from skyshard.bench.target import Cancels
from skyshard.bench.targets.door_access import DoorAccess
from skyshard.cli.app import app
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.host.shipped_data import data_folder
from skyshard.registry.access.tokens import Scope
from skyshard.scenarios.open_target import AskedOf, open_target
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

DATABASE = "bench_doors"
WORKLOAD = f"""
version: 1
name: doors
description: Every kind of statement, a few times.
database: {DATABASE}
seed: 3
phases:
  - name: one
    classes:
      - class: LV
        templates: [object_by_id, small_area, object_source_small_area, light_curve, cone]
        arrivals: {{loop: closed, clients: 3}}
        count: 10
      - {{class: FTSObj, templates: [extent, density, flux_window_z, small_sigma_u], count: 4}}
      - {{class: nearN, templates: [count_pairs], count: 1}}
      - {{class: mobu, templates: [object_one, cone_source, polygon_object, histogram_magnitude], count: 4}}
"""
LONG = f"""
version: 1
name: long
description: Look-ups for so long that the server is killed in between.
database: {DATABASE}
seed: 3
check_answers: false
phases:
  - name: one
    classes:
      - {{class: LV, templates: [object_by_id], arrivals: {{loop: closed, clients: 2, think_time_s: 0.3}}, count: 50}}
"""
KINDS = ("mysql", "tap", "qserv")
SLOW = f"SELECT SUM({' + '.join(f'MOD(objectId, {n}) * MOD(objectId, {n + 1})' for n in range(2, 40))}) FROM Object a"
RUNNING = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%MOD(%' AND ID <> CONNECTION_ID()"


@pytest.fixture(scope="module", autouse=True)
def sky(private_cluster: PrivateCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("doors") / "sky"
    write_catalog(read_recipe("tiny"), folder, fraction=0.02)
    with Testbed(private_cluster.folder) as testbed:
        testbed.ingest(folder, database=DATABASE)
        try:
            yield
        finally:
            testbed.drop(DATABASE)


@pytest.fixture(scope="module")
def server(private_cluster: PrivateCluster) -> Iterator[Served]:
    """Of all tests but those that end it: it takes as long to start as they take."""
    with served(private_cluster.folder, "--http", "127.0.0.1:0", "--mysql", "127.0.0.1:0", "--open") as made:
        yield made


@pytest.fixture
def doomed(private_cluster: PrivateCluster) -> Iterator[Served]:
    with served(private_cluster.folder, "--http", "127.0.0.1:0", "--mysql", "127.0.0.1:0", "--open") as made:
        yield made


def targets_of(server: Served) -> dict[str, str]:
    """The doors as the bench names them."""
    http = server.doors["http"].rstrip("/")
    return {
        "mysql": f"{server.doors['mysql'].rstrip('/')}/{DATABASE}",
        "tap": f"tap:{http}/tap",
        "qserv": f"qserv:{http}",
    }


def workload(folder: Path, text: str) -> Path:
    file = folder / "queries" / "workloads" / "doors.yaml"
    file.parent.mkdir(parents=True)
    (folder / "queries" / "sql").symlink_to(data_folder("queries", "sql"))
    file.write_text(text)
    return file


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 240
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def test_every_door_answers_as_the_czar(server: Served, private_cluster: PrivateCluster, tmp_path: Path) -> None:
    """The same statements through czar, MySQL, TAP and REST: each answer compared, what TAP cannot take is counted."""
    targets = targets_of(server)
    named = [word for target in ("czar", *targets.values()) for word in ("--target", target)]
    arguments = ["run", str(workload(tmp_path, WORKLOAD)), "--out", str(tmp_path / "out"), *named]
    result = CliRunner().invoke(app, ["bench", *arguments, "--cluster", str(private_cluster.folder)])
    assert result.exit_code == 0, result.output
    asked = {}
    for kind in ("czar", *KINDS):
        folder = tmp_path / "out" / kind
        manifest, summary = (json.loads((folder / f"{name}.json").read_text()) for name in ("manifest", "summary"))
        assert manifest["target"] == kind
        assert summary["wrong_answers"] == []
        if kind != "czar":
            assert manifest["oracle"] == "czar"
            assert sum(one["unchecked"] for one in summary["classes"]) == 0
        samples = pq.read_table(folder / "samples.parquet").to_pylist()
        assert all(one["first_row_s"] is not None for one in samples if one["rows"])
        sql = pq.read_table(folder / "statements.parquet")["sql"].to_pylist()
        asked[kind] = {(sql[one["statement"]], one["rows"]) for one in samples}
        missed = {one["template"]: one["reason"] for one in summary["not_answered"]}
        assert [*missed] == (["mobu/cone_source"] if kind == "tap" else [])
    assert asked["mysql"] == asked["qserv"] == asked["czar"]
    left_out = {sql for sql, _ in asked["czar"] - asked["tap"]}
    assert len(left_out) == 1
    assert asked["tap"] < asked["czar"]
    trials = [str(tmp_path / "out" / kind) for kind in ("tap", "czar")]
    compared = CliRunner().invoke(
        app, ["bench", "compare", trials[0], "--against", trials[1], "--out", str(tmp_path / "c"), "--json"]
    )
    assert compared.exit_code in (0, 1), compared.output
    found = json.loads(compared.output)
    assert {"what": "target", "weight": "breaks", "new": ["tap"], "old": ["czar"]} in found["differences"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_late_statement_is_stopped_on_the_nodes(server: Served, private_cluster: PrivateCluster, kind: str) -> None:
    """KILL QUERY, hanging up, DELETE: nothing of it runs on, and the next statement is answered."""
    target = open_target(targets_of(server)[kind], private_cluster.folder)
    place = private_cluster.endpoint("node1")
    with contextlib.closing(target), connect(place, Account.ADMIN, DATABASE) as lock, ThreadPoolExecutor(1) as pool:
        chunks = lock.rows("SHOW TABLES WHERE Tables_in_bench_doors REGEXP '^Object_[0-9]+$'")
        lock.execute(f"LOCK TABLES {', '.join(f'`{name}` WRITE' for (name,) in chunks)}")  # so that no answer can come
        with connect(place, Account.ADMIN) as node:
            assert isinstance(target, Cancels)
            call = target.begin(SLOW, DATABASE)
            asked = pool.submit(call.answer)
            until(lambda: node.value(RUNNING) > 0 or asked.done(), "the statement has not begun")
            assert call.cancel()
            with pytest.raises(ClusterError):
                asked.result(60)
            until(lambda: node.value(RUNNING) == 0, "the statement runs on")
        lock.execute("UNLOCK TABLES")
        assert target.run("SELECT COUNT(*) FROM Object", DATABASE).table["c0"][0].as_py() > 0


@pytest.mark.parametrize("kind", ["mysql", pytest.param("qserv", marks=pytest.mark.deep)])
def test_a_server_that_is_killed_gives_a_failed_trial(
    doomed: Served, private_cluster: PrivateCluster, tmp_path: Path, kind: str
) -> None:
    """In the middle of a trial: what was answered counts, the rest are errors of one line, and the trial ends."""
    command = [sys.executable, "-m", "skyshard.cli.app", "bench", "run", str(workload(tmp_path, LONG))]
    command += ["--out", str(tmp_path / "out"), "--target", targets_of(doomed)[kind]]
    with Testbed(private_cluster.folder) as testbed:
        history = testbed.registry.history
        before = max((row["id"] for row in history.last(1)), default=0)
        with (tmp_path / "log").open("wb") as log:
            trial = subprocess.Popen([*command, "--cluster", str(private_cluster.folder)], stdout=log, stderr=log)

        def has_begun() -> bool:
            found = [row for row in history.last(50) if row["id"] > before and " = " in row["statement"]]
            return len(found) >= 5 or trial.poll() is not None

        until(has_begun, "the trial has not begun")
    doomed.process.send_signal(signal.SIGKILL)
    assert trial.wait(300) == 1, (tmp_path / "log").read_text()
    (one,) = json.loads((tmp_path / "out" / "summary.json").read_text())["classes"]
    assert one["n"] == 50
    assert 1 <= one["errors"] < 50
    texts = set(pq.read_table(tmp_path / "out" / "samples.parquet")["error_text"].drop_null().to_pylist())
    assert texts
    assert [text for text in texts if not text.startswith(f"{kind}: ") or "\n" in text] == []


@pytest.mark.parametrize("kind", ["mysql", "qserv", pytest.param("tap", marks=pytest.mark.deep)])
def test_doors_refuse_a_wrong_token_and_take_the_right_one(
    private_cluster: PrivateCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """From a file or the environment; before anything is sent, as the user's error, in which it is not named."""
    monkeypatch.delenv("SKYSHARD_TOKEN", raising=False)
    with served(private_cluster.folder, "--http", "127.0.0.1:0", "--mysql", "127.0.0.1:0") as server:
        spec = targets_of(server)[kind]
        with Testbed(private_cluster.folder) as testbed:
            token = testbed.registry.tokens.create(f"bench-{kind}", Scope.QUERY)
        try:
            file = tmp_path / "token"
            file.touch(0o600)
            for wrong in ("", "wrong-token-of-nobody"):
                file.write_text(wrong or token[:-1])
                with pytest.raises(UserError) as caught:
                    open_target(spec, private_cluster.folder, asked=AskedOf(DoorAccess(file)))
                assert file.read_text() not in str(caught.value)
            file.write_text(token)
            for access in (DoorAccess(file), DoorAccess()):
                os.environ["SKYSHARD_TOKEN"] = "" if access.token_file else token
                target = open_target(spec, private_cluster.folder, asked=AskedOf(access))
                assert target.run("SELECT COUNT(*) FROM Object", DATABASE).rows == 1
                assert token not in json.dumps(dict(target.describe()))
                target.close()
        finally:
            with Testbed(private_cluster.folder) as testbed:
                testbed.registry.tokens.revoke(f"bench-{kind}")


@pytest.mark.parametrize("spec", ["mysql://127.0.0.1:1/db", "tap:http://127.0.0.1:1/tap", "qserv:http://127.0.0.1:1"])
def test_where_nobody_listens_there_is_an_error_of_one_line(private_cluster: PrivateCluster, spec: str) -> None:
    """It names the door and where it was looked for."""
    with pytest.raises(ClusterError, match=r"127\.0\.0\.1") as caught:
        open_target(spec, private_cluster.folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_of_statements_are_the_servers(server: Served, private_cluster: PrivateCluster, kind: str) -> None:
    """One that no table has; the next statement is answered."""
    target = open_target(targets_of(server)[kind], private_cluster.folder)
    with pytest.raises(SkyshardError, match=f"^{kind}: .*nothing"):
        target.run("SELECT nothing FROM Object", DATABASE)
    assert target.run("SELECT COUNT(*) FROM Object", DATABASE).rows == 1
    target.close()
