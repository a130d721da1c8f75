"""Scenarios on real servers: what fails, fails; answers stay right; every fault is undone, also one that was left."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from typer.testing import CliRunner

from skyshard.basics.errors import SkyshardError
from skyshard.bench.record.fault_record import FaultImpact
from skyshard.bench.record.trial_folder import read_trial
from skyshard.cli.app import app
from skyshard.cluster.cluster import Cluster
from skyshard.cluster.left_faults import has_faults
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.db.silence_watch import SILENCE_VARIABLE
from skyshard.host.shipped_data import data_folder
from skyshard.story.read_story import Stories
from skyshard.synth.recipe.recipe import read_recipe
from skyshard.synth.write.write_catalog import write_catalog
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
WORKLOAD = """
version: 1
name: few
description: Look-ups and scans.
database: tiny
seed: 3
phases:
  - name: one
    classes:
      - {class: LV, templates: [object_by_id, small_area], arrivals: {loop: closed, clients: 2}, count: 150}
      - {class: FTSObj, templates: [extent, density], count: 30}
"""
THEN = """  - name: then
    classes:
"""
SCANS = f"{WORKLOAD}{THEN}      - {{class: FTSObj, templates: [extent, density], count: 4}}\n"
"""Scans of a second phase meet what the first one's events have left, however late those came."""
FEW = WORKLOAD.replace("150", "10").replace("30", "6")
LOOK_UPS = f"{FEW}{THEN}      - {{class: LV, templates: [object_by_id, small_area], count: 60}}\n"
"""Of the second phase's queries some are answered before its events, or in spite of them: a class with none fails."""


@pytest.fixture(scope="module")
def cluster(short_folder: Path) -> Iterator[PrivateCluster]:
    """Three nodes; ``tiny`` at level 2 with its oracle, ``once`` at level 1."""
    cluster = PrivateCluster(short_folder / "faults")
    cluster.start(3)
    write_catalog(read_recipe("tiny"), short_folder / "faults-sky", fraction=0.02)
    with Testbed(cluster.folder) as testbed:
        testbed.ingest(short_folder / "faults-sky", database="tiny", replicas=2)
        testbed.ingest(short_folder / "faults-sky", database="once")
        testbed.load_mono("tiny")
        testbed.load_mono("once")
    yield cluster
    cluster.destroy()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the workload beside the shipped templates."""
    (tmp_path / "queries" / "workloads").mkdir(parents=True)
    (tmp_path / "queries" / "sql").symlink_to(data_folder("queries", "sql"))
    write(tmp_path, WORKLOAD)
    return tmp_path


def write(folder: Path, workload: str) -> None:
    (folder / "queries" / "workloads" / "few.yaml").write_text(workload)


def scenario(folder: Path, *events: dict[str, Any], **more: object) -> str:
    """A scenario file with these events."""
    content = {"version": 1, "name": "made", "description": "Made for a test.", "events": list(events), **more}
    (folder / "made.yaml").write_text(yaml.safe_dump(content))
    return str(folder / "made.yaml")


def arguments(cluster: Cluster, folder: Path, name: str, *more: str) -> list[str]:
    workload = folder / "queries" / "workloads" / "few.yaml"
    return [
        "bench", "run", str(workload), "--scenario", name, "--out", str(folder / "trial"), "--cluster",
        str(cluster.folder), "--no-page", *more,
    ]  # fmt: skip


def run(cluster: Cluster, folder: Path, name: str, *more: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, arguments(cluster, folder, name, *more))
    if isinstance(result.exception, SkyshardError):
        return result.exception.exit_code, str(result.exception)
    return result.exit_code, result.output


def impact(folder: Path) -> FaultImpact:
    found = read_trial(folder / "trial").summary.faults
    assert found is not None
    return found


def require_as_before(cluster: PrivateCluster, database: str = "tiny") -> None:
    """Every server runs and answers, nothing is kept of a fault, and every check of the database is good."""
    assert cluster.is_running
    assert not has_faults(cluster.folder)
    states = {psutil.Process(one.pid).status() for one in cluster.status() if one.pid}
    assert psutil.STATUS_STOPPED not in states
    with Testbed(cluster.folder) as testbed:
        (scrubbed,) = testbed.replicas.verify(database)
        assert scrubbed.is_good
        assert testbed.replicas.status(database).is_whole
        assert [check for check in testbed.verify(database) if not check.is_good] == []


def test_a_node_that_dies_costs_no_answer_at_level_2_and_the_report_shows_it(
    cluster: PrivateCluster, folder: Path
) -> None:
    """The czar meets it and asks others; the node is back when the trial has ended."""
    write(folder, SCANS)
    code, text = run(cluster, folder, "one_node_dies", "--page")
    assert code == 0, text
    found = impact(folder)
    (event,) = found.events
    assert (event.do, event.node in cluster.node_names, event.error) == ("kill", True, "")
    assert event.noticed_s is not None
    assert event.failed_over_s is not None
    assert event.failed_over_s >= event.noticed_s > 0
    assert (found.errors, found.wrong) == ({}, 0)
    page = (folder / "trial" / "report.html").read_text()
    assert "What failed: one_node_dies" in page
    assert f"kill {event.node}" in page
    assert "What failed: one_node_dies" in (folder / "trial" / "report.md").read_text()
    manifest = json.loads((folder / "trial" / "manifest.json").read_text())
    assert manifest["scenario"]["name"] == "one_node_dies"
    require_as_before(cluster)


def test_a_frozen_node_is_left_after_the_silence_and_goes_on_afterwards(
    cluster: PrivateCluster, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No query fails, with driver processes neither; servers that say nothing keep no reading waiting."""
    monkeypatch.setenv(SILENCE_VARIABLE, "6")  # the other nodes, of a busy host, answer before that
    write(folder, SCANS)
    name = scenario(folder, {"do": "stop", "node": "largest", "at_s": 0.2, "for_s": 60})
    code, text = run(cluster, folder, name, "--processes", "2")
    assert code == 0, text
    assert impact(folder).events[0].noticed_s is not None
    require_as_before(cluster)


def test_two_dead_nodes_cost_answers_which_are_refused_and_none_is_wrong(cluster: PrivateCluster, folder: Path) -> None:
    """It is said before; the scenario allows it, without that the trial fails."""
    write(folder, LOOK_UPS)
    events = [{"do": "kill", "node": node, "phase": "then", "at_share": 0.3} for node in ("node1", "node2")]
    code, text = run(cluster, folder, scenario(folder, *events, errors_allowed=True))
    assert "2 nodes may be down at once, and there are 2 replicas of each chunk" in text
    assert code == 0, text
    found = impact(folder)
    assert found.errors["ClusterError"] > 0
    assert found.errors_forgiven == sum(found.errors.values())
    assert found.wrong == 0
    (folder / "trial").rename(folder / "allowed")
    code, text = run(cluster, folder, scenario(folder, *events))
    assert code == 1
    assert re.search(r"LV \(then\): \d+ of 60 queries failed", text)
    require_as_before(cluster)


@pytest.mark.parametrize("damage", ["torn", pytest.param("removed", marks=pytest.mark.deep)])
def test_damaged_replicas_are_read_elsewhere_found_and_repaired(
    damage: str, cluster: PrivateCluster, folder: Path
) -> None:
    """Answers are right all the while; the level is whole again within the trial."""
    events = [
        {"do": "corrupt", "node": "node1", "damage": damage, "tables": 3, "table": "Object", "at_share": 0.2},
        {"do": "verify", "at_share": 0.4},
        {"do": "repair", "at_share": 0.5},
    ]
    code, text = run(cluster, folder, scenario(folder, *events))
    assert code == 0, text
    found = impact(folder)
    assert [one.error for one in found.events] == ["", "", ""]
    damaged = found.events[0].detail.count("Object_")
    assert damaged > 1
    assert found.events[1].detail.endswith(f", {damaged} bad")
    assert found.events[2].detail.startswith(f"{damaged} replicas mended")
    assert found.whole_again_s is not None
    assert found.level == ""
    require_as_before(cluster)


def test_swapped_values_are_brought_back_where_nobody_repairs(cluster: PrivateCluster, folder: Path) -> None:
    """At level 1 there is no other copy; whatever was answered meanwhile, the rows are as before."""
    name = scenario(folder, {"do": "corrupt", "node": "node2", "damage": "swapped", "tables": 3, "at_share": 0.2})
    code, text = run(cluster, folder, name, "--database", "once")
    assert "what is damaged cannot be read elsewhere" in text
    assert code in (0, 1), text
    assert "swapped: " in impact(folder).events[0].detail
    require_as_before(cluster, "once")


def test_queries_fail_while_the_czar_restarts_and_only_then(cluster: PrivateCluster, folder: Path) -> None:
    """The same czar, in the same process, answers afterwards."""
    write(folder, LOOK_UPS)
    event = {"do": "restart", "node": "czar", "phase": "then", "at_share": 0.1}
    code, text = run(cluster, folder, scenario(folder, event, errors_allowed=True))
    assert code == 0, text
    found = impact(folder)
    assert found.errors
    assert found.wrong == 0
    require_as_before(cluster)


def test_what_a_drain_costs_queries_is_in_the_report(cluster: PrivateCluster, folder: Path) -> None:
    """No query fails; those within the moves are compared with those before and after; chunks come back."""
    code, text = run(cluster, folder, "node_drained", "--page")
    assert code == 0, text
    found = impact(folder)
    drained, enabled, rebalanced = found.events
    assert [(one.do, one.error) for one in found.events] == [("drain", ""), ("enable", ""), ("rebalance", "")]
    assert "chunks, " in drained.detail
    assert drained.node == enabled.node
    assert rebalanced.ended_s is not None
    assert (found.begun_s, found.ended_s) == (drained.begun_s, rebalanced.ended_s)
    assert (found.errors, found.wrong, found.level) == ({}, 0, "")
    assert {"before", "within"} <= {one.when for one in found.windows}
    assert "What was moved: node_drained" in (folder / "trial" / "report.html").read_text()
    decided = [one.text for one in Stories(cluster.folder).node(drained.node).events if one.event == "node_state"]
    assert decided == [f"is {state} from now on" for state in ("draining", "drained", "active")]
    require_as_before(cluster)


def test_a_server_has_a_wrong_clock_meanwhile(cluster: PrivateCluster, folder: Path) -> None:
    """While the fault is on its NOW() is ahead; afterwards it is right."""
    if not list(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")):
        pytest.skip("needs the package faketime")
    lasting = WORKLOAD.replace("{loop: closed, clients: 2}", "{loop: open, rate_per_s: 10, clients: 2}")
    write(folder, lasting.replace("count: 150", "count: 100"))  # which lasts longer than a start of a server
    name = scenario(folder, {"do": "clock", "node": "node1", "shift_s": 3600, "at_query": 1})
    seen: list[float] = []
    with subprocess.Popen([sys.executable, "-m", "skyshard.cli.app", *arguments(cluster, folder, name)]) as process:
        while process.poll() is None:
            seen += off_s(cluster, "node1")
            time.sleep(0.05)
    assert process.returncode == 0
    assert max(seen) == pytest.approx(3600, abs=5)
    assert off_s(cluster, "node1")[0] == pytest.approx(0, abs=5)
    require_as_before(cluster)


def off_s(cluster: Cluster, node: str) -> list[float]:
    """How far a server's clock is ahead; nothing while it restarts."""
    try:
        with connect(cluster.endpoint(node), Account.READER) as connection:
            return [float(str(connection.value("SELECT UNIX_TIMESTAMP(NOW(6))"))) - time.time()]
    except SkyshardError:
        return []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_benchmark_that_is_ended_leaves_nothing_or_the_next_command_says_what(
    number: signal.Signals, cluster: PrivateCluster, folder: Path
) -> None:
    """After SIGTERM all is undone; after -9 a node is frozen, which is said, and ``cluster start`` lets it go on."""
    name = scenario(folder, {"do": "stop", "node": "node3", "at_query": 5})
    command = [sys.executable, "-m", "skyshard.cli.app", *arguments(cluster, folder, name)]
    environment = {**os.environ, SILENCE_VARIABLE: "6"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as process:
        (pid,) = (one.pid for one in cluster.status() if one.name == "node3")
        assert pid is not None
        while psutil.Process(pid).status() != psutil.STATUS_STOPPED:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
    where = ["--cluster", str(cluster.folder)]
    told = CliRunner().invoke(app, ["databases", *where])
    words = "left a fault: node3 is frozen (scenario made, event 1); `skyshard cluster start` undoes it"
    assert (words in told.stderr) is (number is signal.SIGKILL)
    started = CliRunner().invoke(app, ["cluster", "start", *where])
    assert started.exit_code == 0
    assert ("took back a fault" in started.output) is (number is signal.SIGKILL)
    require_as_before(cluster)


REFUSED = {
    "cable_out, node: node1": "'cable_out' cannot be had here: servers of a private cluster talk through sockets",
    "full_disk, node: node1": "'full_disk' cannot be had here: nodes of a private cluster share the disk of this host",
    "restart_head": "'restart_head' cannot be had here: a private cluster has no Ray head",
    "drain, node: czar": "the czar's server holds no replicas; name a node",
    "stop, node: czar": "'stop' cannot be had here: queries would wait for a frozen czar for ever",
    "corrupt, node: node1, table: Nothing": "node1 holds no rows of table 'Nothing' of 'tiny'",
    "kill, node: node7": "the cluster has no node 'node7'; name one of node1, node2, node3, czar, random or largest",
    "kill, node: node1, at_query: 1000": "phase 'one' has 180 queries: it ends with or before number 1000",
}


@pytest.mark.parametrize("event", REFUSED)
def test_what_cannot_be_had_is_refused_before_anything_runs(event: str, cluster: PrivateCluster, folder: Path) -> None:
    """One line with file, line and why, exit code 2; no folder, no fault."""
    name = scenario(folder, yaml.safe_load(f"{{do: {event}}}"))
    code, text = run(cluster, folder, name)
    assert code == 2
    assert REFUSED[event] in text
    assert f"'{name}', line " in text
    assert "\n" not in text.strip()
    assert not (folder / "trial").exists()


def test_a_scenario_is_about_the_czars_servers_alone(cluster: PrivateCluster, folder: Path) -> None:
    """Not about mono."""
    code, text = run(cluster, folder, "one_node_dies", "--target", "mono")
    assert (code, "leave --target out" in text) == (2, True)


def test_a_command_has_a_fault_where_skyshard_cannot(cluster: PrivateCluster, folder: Path) -> None:
    """It knows its node, and is undone."""
    said = folder / "said"
    event = {
        "do": "cable_out", "node": "node2", "at_share": 0.3, "for_share": 0.3,
        "command": f'echo "out $SKYSHARD_NODE" >> {said}', "undo": f'echo "in $SKYSHARD_NODE" >> {said}',
    }  # fmt: skip
    code, text = run(cluster, folder, scenario(folder, event))
    assert code == 0, text
    assert said.read_text().splitlines() == ["out node2", "in node2"]
