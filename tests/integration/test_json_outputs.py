"""Each command's ``--json`` is what its model says, run one after the other over a small catalog."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.visit_release import detectors_table, patches_table, write_release
from typer.testing import CliRunner

from skyshard.bench.record.visit_summary import VisitSummary
from skyshard.cli.app import app
from skyshard.cli.terminal.json_models.output import ProgressOutput
from skyshard.cli.terminal.json_outputs import OUTPUTS, validate_output
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.registry.stored.lifecycle import NodeEvent
from skyshard.testbed import Testbed

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]
SQL = "SELECT COUNT(*) AS n FROM Object"


@pytest.fixture
def cluster(short_folder: Path) -> Iterator[PrivateCluster]:
    """One of its own: nodes are drained, which what other tests have stored on a shared one would forbid."""
    made = PrivateCluster(short_folder / "json")
    try:
        made.start(2)
        yield made
    finally:
        if made.exists:
            made.destroy()


def test_what_every_command_prints_is_described(cluster: PrivateCluster, tmp_path: Path) -> None:
    """No command prints a key that its model does not know, or leaves one out."""
    described: set[str] = set()
    where = ["--cluster", str(cluster.folder)]

    def run(command: str, *words: str, form: bool = False) -> str:
        group = command.split()
        options = ["--format", "json"] if form else ["--json"]
        at = [] if command in ("synth", "mapping", "schema list", "schema show") else where
        found = CliRunner().invoke(app, [*group, *words, *options, *at])
        assert found.exit_code == 0, found.output
        validate_output(command, found.stdout)
        for line in found.stderr.splitlines():
            if line.startswith("{"):
                ProgressOutput.model_validate_json(line)
        described.add(command)
        return found.stdout

    sky = str(tmp_path / "sky")
    in_sky = ("--database", "json_sky")
    run("synth", "mini", "--out", sky, "--fraction", "0.2", "--profile", "kpm")
    run("synth", "mini", "--out", str(tmp_path / "planned"), "--dry-run")
    run("plan", sky, *in_sky)
    run("ingest", sky, *in_sky, "--runtime", "inline")
    for command in ("transactions", "contributions"):
        run(command, *in_sky)
    run("verify", "json_sky")
    run("files", "json_sky")
    for command in ("columns build", "columns status", "columns drop"):
        run(command, "json_sky")
    run("replicas status", *in_sky)
    run("replicas verify", "json_sky")
    run("replicas repair", "json_sky", "--plan")
    run("replicas repair", "json_sky")
    chunk = max(row["chunk"] for row in json.loads(run("contributions", *in_sky)))
    run("replicas explain", str(chunk), *in_sky)
    with Testbed(cluster.folder) as testbed:
        moved(run, testbed)
    key = json.loads(run("query", "SELECT objectId FROM Object LIMIT 1", *in_sky, form=True))["rows"][0][0]
    run("where-from", "json_sky", "Object", str(key))
    run("token create", "reader", "--scope", "ingest")
    run("token quota", "reader", "--quota", "queries=4")
    run("token list")
    run("token revoke", "reader")
    run("compact", "json_sky")
    run("diff", "json_sky", "json_sky")
    run("schema diff", "db:json_sky", "json_sky")
    run_weekly(run, tmp_path)
    run("index rebuild", "json_sky")
    run("mono load", "json_sky")
    run("query", SQL, *in_sky, form=True)
    run("explain", SQL, *in_sky)
    run("explain", SQL, *in_sky, "--analyze")
    servers = json.loads(run("explain", f"{SQL} WHERE ra > 0", *in_sky, "--analyze", "--server"))["analysis"]["servers"]
    assert servers[0]["raw"]["query_block"]
    submitted(run, in_sky)
    run("story transaction", str(json.loads(run("transactions", *in_sky))[-1]["id"]))
    run("alias", "json_latest", "=", "json_sky")
    run("rename", "json_sky", "json_old")
    run("databases")
    run("drop", "json_old", "--with-alias", "--yes")
    run("nodes list")
    run("nodes read-only", "node1")
    run("nodes enable", "node1")
    run("nodes down-after")
    run("cluster status")
    run("cluster check")
    run("cluster upgrade", "--dry-run")
    run("mapping", sky)
    run("schema list")
    run("schema show", "hsc")
    run("story node", "node1")
    run_visits(run, str(cluster.folder), tmp_path)
    elsewhere = {"transactions abort", "bench calibrate"}  # test_ending, test_projection
    elsewhere |= {f"registry {word}" for word in ("dump", "restore", "rebuild")}  # test_lost_czar
    elsewhere |= {"nodes add", "nodes remove"}  # test_nodes
    assert set(OUTPUTS) - described == elsewhere


def run_visits(run: Callable[..., str], cluster: str, folder: Path) -> None:
    """A mutable database in which a tile is stored, and the observations of a release."""
    run("apdb create", "json_apdb")
    words = ["bench", "run", "apdb-quick", "--visits", "1", "--target", "cluster:json_apdb", "--cluster", cluster]
    visited = CliRunner().invoke(app, [*words, "--out", str(folder / "visits"), "--json"])
    VisitSummary.model_validate_json(visited.stdout)
    run("apdb status", "json_apdb")
    assert json.loads(run("apdb publish", "json_apdb", "--into", "json_ppdb", "--all"))
    run("apdb upkeep", "json_apdb", "scan-unassociated")
    release = write_release(folder / "release", detectors_table(), patches_table(), "json_release")
    run("ingest", str(release), "--runtime", "inline")
    run("obscore", "json_release", "--into", "json_ivoa", "--plan")
    run("obscore", "json_release", "--into", "json_ivoa")


def run_weekly(run: Callable[..., str], folder: Path) -> None:
    """A weekly's tree, and what is counted while it is ingested."""
    run("synth", "--as", "hsc-gen2", "--objects", "10", "--columns", "few", "--out", str(folder / "tree"))
    mapping = folder / "weekly.yaml"
    mapping.write_text(f"version: 1\nextends: hsc-gen2\ndatabase: json_weekly\ninput: {folder / 'tree'}\n")
    run("ingest", str(mapping), "--runtime", "inline")
    run("quality", "json_weekly")


def moved(run: Callable[..., str], testbed: Testbed) -> None:
    """A node is drained, with a pause; another drain is cancelled; then nodes are even again."""
    first, last = testbed.nodes[0], testbed.nodes[-1]
    run("replicas level", "json_sky", "1")
    run("replicas fill", "--now")
    run("replicas drain", last, "--plan")
    number = str(testbed.jobs.begin(testbed.replicas.plan_drain(last), grace_s=0))
    run("jobs pause", number)
    run("jobs resume", number, "--background")
    deadline = time.monotonic() + 200
    while json.loads(run("jobs show", number))["state"] != "done":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    testbed.registry.nodes.set(last, NodeEvent.ENABLE)
    cancelled = testbed.jobs.begin(testbed.replicas.plan_drain(first), grace_s=0)
    run("jobs cancel", str(cancelled))
    testbed.registry.nodes.set(first, NodeEvent.ENABLE)
    run("replicas rebalance", "--grace", "0")
    run("replicas drain", last, "--rate", "0", "--grace", "0")
    testbed.registry.nodes.set(last, NodeEvent.ENABLE)
    run("replicas rebalance", "--grace", "0")
    run("jobs")


def submitted(run: Callable[..., str], in_sky: tuple[str, ...]) -> None:
    """A query that is answered in the background."""
    number = str(json.loads(run("submit", SQL, *in_sky))["query"])
    deadline = time.monotonic() + 200
    while json.loads(run("status", number))["state"] != "completed":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    run("result", number, form=True)
    run("cancel", number)
    run("queries")
    run("story query", number)
