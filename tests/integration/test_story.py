"""What a cluster tells of itself: fail-overs, interruptions, and silence where nobody asked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.support.half_locked import half_locked
from tests.support.kill_catalog import write_catalog
from tests.support.killing import Driver
from tests.support.mag_catalog import make_catalog
from tests.support.stepping import Stopped, stop_at
from tests.support.warm_processes import run_warm

from skyshard.basics.errors import UserError
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.czar import Czar
from skyshard.db.silence_watch import SILENCE_VARIABLE
from skyshard.log.line_output import FILE_VARIABLE
from skyshard.registry.catalog_cache import CatalogCache
from skyshard.runtime import open_runtime
from skyshard.story.read_story import Stories
from skyshard.story.timeline import Story
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

HEAVY = " + ".join(f"SIN(ra + {number})" for number in range(40))
"""Some work for each row."""


@pytest.fixture(scope="module")
def testbed(short_folder: Path) -> Iterator[Testbed]:
    """Two nodes; database ``twice`` has two replicas."""
    cluster = PrivateCluster(short_folder / "told")
    cluster.start(2)
    try:
        with Testbed(cluster.folder) as testbed:
            testbed.ingest(make_catalog(short_folder / "told-source"), database="twice", replicas=2)
            yield testbed
    finally:
        cluster.destroy()


@pytest.fixture
def stories(testbed: Testbed) -> Iterator[Stories]:
    """Starts again what a test has killed."""
    yield Stories(testbed.cluster.folder)
    testbed.cluster.start()


def skyshard(*words: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """The command as a process of its own."""
    return run_warm(words, {**os.environ, **(environment or {})})


def events_of(story: Story) -> list[str]:
    return [event.event for event in story.events]


def last_query(testbed: Testbed) -> int:
    """The number of the query that ended last, when the history has it."""
    deadline = time.monotonic() + 100
    while time.monotonic() < deadline:
        for found in testbed.registry.history.last(9):
            if HEAVY[:20] in found["statement"]:
                return int(found["id"])
        time.sleep(0.1)
    raise AssertionError("the query is not in the history")


def test_a_node_that_dies_under_a_query_is_in_both_stories(testbed: Testbed, stories: Stories) -> None:
    """kill -9 of a node: the query's story names the fail-over, the node's the query, also while the node is down."""
    with (
        half_locked(testbed, "node1", "twice"),
        testbed.czar.open(f"SELECT objectId, {HEAVY} FROM Object", "twice") as answer,
    ):
        next(answer.batches)
        testbed.cluster.kill_server("node1")
        list(answer.batches)
    query = last_query(testbed)
    story = stories.query(query)
    assert events_of(story) == ["asked", "units_failed", "failed_over", "query_ended", "query_completed"]
    failed, over = (event for event in story.events if event.event in ("units_failed", "failed_over"))
    assert failed.text.startswith("node1 did not give ")
    assert over.text.endswith("are asked of node2 instead")
    node = stories.node("node1")
    assert node.facts["state"] == "crashed"
    assert {"server_started", "tables_loaded", "units_failed", "server_killed"} <= set(events_of(node))
    assert any(event.text.startswith(f"query {query}: node1 did not give") for event in node.events)


def test_a_silent_node_is_told_when_it_falls_silent_and_when_it_answers(
    testbed: Testbed, stories: Stories, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is stopped for a while: sessions that were cut, the queries that it failed, its answer again."""
    monkeypatch.setenv(SILENCE_VARIABLE, "6")  # the other node, of a busy host, answers before that
    cluster = testbed.cluster
    source = CatalogCache(testbed.registry, cluster.endpoint("czar"))
    process = next(one.pid for one in cluster.status() if one.name == "node2")
    assert process is not None
    with Czar(source, cluster.endpoint("czar"), cluster.nodes, cluster.data_dir("czar"), events=cluster.events) as czar:
        czar.execute("SELECT MAX(mag) FROM Object", "twice")
        os.kill(process, signal.SIGSTOP)
        try:
            assert czar.execute("SELECT MIN(mag), COUNT(*) FROM Object WHERE mag > 0", "twice").rows == 1
        finally:
            os.kill(process, signal.SIGCONT)
        deadline = time.monotonic() + 100
        while "node_answers" not in events_of(stories.node("node2")) and time.monotonic() < deadline:
            time.sleep(0.1)
    told = events_of(stories.node("node2"))
    assert told.index("node_silent") < told.index("node_answers")
    assert "units_failed" in told


def test_a_submitted_query_is_told_in_full(testbed: Testbed, stories: Stories) -> None:
    """Submitted, begun, planned, its rounds, its end: by the process that answered it."""
    number = testbed.submit("SELECT COUNT(*) FROM Object WHERE mag > 3", database="twice")
    deadline = time.monotonic() + 100
    while testbed.submitted.status(number).state not in ("completed", "failed") and time.monotonic() < deadline:
        time.sleep(0.1)
    story = stories.query(number)
    assert events_of(story) == [
        "submitted", "query_begun", "query_planned", "round_begun", "query_ended", "query_completed",
    ]  # fmt: skip
    assert len({event.process for event in story.events if event.process}) == 1
    assert os.getpid() not in {event.process for event in story.events}


def test_an_interrupted_transaction_tells_that_it_went_on(testbed: Testbed, stories: Stories, tmp_path: Path) -> None:
    """Broken off in the middle and run again: one transaction, both attempts in its story."""
    source = write_catalog(tmp_path / "source", objects=60)
    with pytest.raises(Stopped):
        testbed.ingest(source, database="resumed", watcher=stop_at("load", 1))
    number = testbed.registry.transactions.all("resumed")[-1]["id"]
    assert stories.transaction(number).events[-1].event == "interrupted"
    assert testbed.ingest(source, database="resumed").transaction == number
    told = events_of(stories.transaction(number))
    assert told.index("begun") < told.index("interrupted") < told.index("resumed") < told.index("published")
    tables = {fact["table"]: fact["rows"] for fact in stories.transaction(number).facts["tables"]}
    assert tables["Object"] == 60


def test_a_killed_ingest_is_told_up_to_the_moment(testbed: Testbed, stories: Stories, tmp_path: Path) -> None:
    """kill -9 of the process that ingests: what it told is there, and the next process tells that it took over."""
    source = write_catalog(tmp_path / "source", objects=300)
    driver = Driver(testbed.cluster.folder, source, "killed", "inline", tmp_path / "log", hold="load")
    driver.wait_for(lambda lines: "load" in lines)
    os.kill(driver.process.pid, signal.SIGKILL)
    assert driver.end() == "killed"
    number = testbed.registry.transactions.all("killed")[-1]["id"]
    before = events_of(stories.transaction(number))
    assert before[0] == "begun"
    assert {"table_partitioned", "chunks_placed"} <= set(before)
    testbed.ingest(source, database="killed")
    story = stories.transaction(number)
    processes = {event.event: event.process for event in story.events}
    assert (processes["begun"], processes["resumed"]) == (driver.process.pid, os.getpid())
    assert story.events[-1].event == "published"


def test_a_transaction_that_was_aborted_with_its_database_is_still_told(
    testbed: Testbed, stories: Stories, tmp_path: Path
) -> None:
    """The registry forgets it; the log does not."""
    source = write_catalog(tmp_path / "source", objects=60)
    with pytest.raises(Stopped):
        testbed.ingest(source, database="aborted", watcher=stop_at("load", 1))
    number = testbed.registry.transactions.all("aborted")[-1]["id"]
    testbed.abort_transaction(number)
    story = stories.transaction(number)
    assert events_of(story)[-3:] == ["interrupted", "aborting", "aborted"]
    assert story.notes


def test_a_compaction_is_told_as_a_transaction(testbed: Testbed, stories: Stories, tmp_path: Path) -> None:
    """Its parts, its end."""
    for seed in (1, 2):
        testbed.ingest(write_catalog(tmp_path / str(seed), objects=60, seed=seed), database="compacted")
    number = testbed.compact("compacted").transaction
    assert events_of(stories.transaction(number)) == ["compaction_begun", "parts_merged", "published"]


def test_what_is_not_there_has_no_story(testbed: Testbed, stories: Stories) -> None:
    """Numbers and names that are none: one line, exit code 2."""
    for words in (("query", "999999"), ("transaction", "999999"), ("node", "node9")):
        ended = skyshard("story", *words, "--cluster", str(testbed.cluster.folder))
        assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
        assert ended.stderr.startswith(f"skyshard: no {words[0]} ")
    with pytest.raises(UserError, match="no node 'node9'"):
        stories.node("node9")


def test_a_command_is_silent_unless_it_is_asked(testbed: Testbed) -> None:
    """Nothing on standard error without -v; with it, what happens and nothing else."""
    words = ["query", "SELECT COUNT(*) FROM Object WHERE mag > 3", "--database", "twice", "--format", "csv"]
    words += ["--cluster", str(testbed.cluster.folder)]
    silent, verbose = skyshard(*words), skyshard("-vv", "--log-json", *words)
    assert (silent.returncode, silent.stderr) == (0, "")
    assert verbose.stdout == silent.stdout
    assert {json.loads(line)["event"] for line in verbose.stderr.splitlines()} >= {"query_planned", "round_begun"}


def test_a_submitted_query_logs_into_the_file_of_its_command(testbed: Testbed, tmp_path: Path) -> None:
    """``--log-file`` is handed on to the process that answers; no row and no long text is in it."""
    file, cluster = tmp_path / "skyshard.log", str(testbed.cluster.folder)
    sql = f"SELECT objectId, {HEAVY} AS heavy FROM Object WHERE objectId < 5 AND mag > -1234567"
    submitted = skyshard("-vv", "--log-file", str(file), "submit", sql, "--database", "twice", "--cluster", cluster)
    number = int(submitted.stdout)
    deadline = time.monotonic() + 100
    while testbed.submitted.status(number).state not in ("completed", "failed") and time.monotonic() < deadline:
        time.sleep(0.1)
    lines = file.read_text().splitlines()
    assert any("query_ended" in line for line in lines)
    assert max(map(len, lines)) < 1000
    heavy = testbed.submitted.result(number).table.column(1).to_pylist()
    assert not any(repr(value) in line for value in heavy for line in lines)


def _tell_from_here() -> int:
    from skyshard.log.event_log import ONLY_LOGGED
    from skyshard.log.events import NODE_ANSWERS

    ONLY_LOGGED.tell(NODE_ANSWERS, node="node1")
    return os.getpid()


def test_processes_of_ray_log_into_the_file_of_their_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks in other processes append to the same file."""
    file = tmp_path / "skyshard.log"
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    with open_runtime("ray", ["node1"]) as runtime:
        process = runtime.submit(_tell_from_here).result()
    assert process != os.getpid()
    assert f"[{process}] node_answers: node1: answers again" in file.read_text()


def test_without_the_registry_the_log_tells_alone(testbed: Testbed, stories: Stories) -> None:
    """With the czar's server down (last test here) nodes and transactions are told, and what their stories lack."""
    testbed.cluster.stop_server("czar")
    node, transaction = stories.node("czar"), stories.transaction(1)
    assert node.facts["state"] == "stopped"
    assert node.events[-1].event == "server_stopped"
    assert "published" in events_of(transaction)
    assert all("the registry cannot be read" in story.notes[0] for story in (node, transaction))
    with pytest.raises(UserError, match="czar down"):
        stories.query(1)
