"""Chunks that go from node to node: answers stay as they are, before, during and after."""

from __future__ import annotations

import os
import signal
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from tests.support.asking import ASK_EVERY_S
from tests.support.depth import drawn
from tests.support.kept_entries import assert_entries_agree
from tests.support.kill_catalog import write_catalog
from tests.support.killing import leftovers
from tests.support.same_answer import rows_in
from tests.support.stepping import Fuse, Fused, Stopped, some_steps
from tests.support.warm_processes import run_warm, start_warm

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.registry.stored.job_rows import StepState
from skyshard.registry.stored.lifecycle import JobState, NodeEvent, NodeState
from skyshard.replicate.job_run import run_job
from skyshard.replicate.place import NodePlace, ReplicaPlace
from skyshard.testbed import Testbed

STATEMENTS = (
    "SELECT COUNT(*), SUM(objectId), MIN(ra), SUM(flag) FROM Object",
    "SELECT COUNT(*), SUM(sourceId), SUM(objectId) FROM Source",
    "SELECT COUNT(*) FROM Object o JOIN Source s ON o.objectId = s.objectId",
)


@pytest.fixture(scope="module")
def cluster(short_folder: Path) -> Iterator[PrivateCluster]:
    """Three nodes."""
    made = PrivateCluster(short_folder / "moves")
    try:
        made.start(3)
        yield made
    finally:
        if made.exists:
            made.destroy()


@pytest.fixture(scope="module")
def testbed(cluster: PrivateCluster) -> Iterator[Testbed]:
    with Testbed(cluster.folder) as testbed:
        yield testbed


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("skies")
    return [write_catalog(folder / str(seed), objects=60, seed=seed, side_deg=4) for seed in (1, 2, 3)]


@pytest.fixture
def databases(testbed: Testbed, sources: list[Path]) -> Iterator[list[str]]:
    """Two of one family, of two and of one transactions, at levels 2 and 1; dropped at the end."""
    names = [f"m{uuid.uuid4().hex[:10]}" for _ in range(2)]
    for source in sources[:2]:
        testbed.ingest(source, database=names[0], replicas=2)
    testbed.ingest(sources[2], database=names[1], replicas=1)
    yield names
    for number in [one.job.id for one in testbed.jobs.list() if one.job.ended_s is None]:
        testbed.jobs.cancel(number)
    for node in testbed.nodes:
        with suppress(ClusterError):
            testbed.registry.nodes.set(node, NodeEvent.ENABLE)
    for name in names:
        testbed.drop(name)


def answers(testbed: Testbed, names: list[str]) -> list[object]:
    return [rows_in(testbed.query(sql, database=name).table) for name in names for sql in STATEMENTS]


def drain(testbed: Testbed, node: str, grace_s: float = 0.0) -> int:
    return testbed.jobs.begin(testbed.replicas.plan_drain(node), rate_bytes_s=0, grace_s=grace_s)


def assert_well(testbed: Testbed, names: list[str]) -> None:
    """Every database verifies, is at its level, and nothing is left over."""
    for name in names:
        assert [check for check in testbed.verify(name) if not check.is_good] == []
        (health,) = testbed.replicas.status(name).databases
        assert health.under == 0, health
        assert list(leftovers(testbed, name)) == []
        assert_entries_agree(testbed.cluster.endpoint(CZAR_NAME), name)


def test_rows_that_one_node_has_not_yet_are_not_merged_on_the_others(testbed: Testbed, sources: list[Path]) -> None:
    """A level that was raised, an ingest, and a compaction before the fill: no node answers without the old rows."""
    name = f"m{uuid.uuid4().hex[:10]}"
    testbed.ingest(sources[0], database=name, replicas=1)
    testbed.replicas.set_level(name, 2)
    testbed.ingest(sources[1], database=name)
    before = answers(testbed, [name])
    assert [row[0] for row in before[0]] == [120]  # type: ignore[attr-defined]
    testbed.compact(name, grace_s=0)
    for _ in range(4):  # nodes take turns
        with Testbed(testbed.cluster.folder) as other:
            assert answers(other, [name]) == before
    number = testbed.jobs.begin(testbed.replicas.plan_fill(), rate_bytes_s=0, grace_s=0)
    testbed.jobs.run(number)
    assert testbed.compact(name, grace_s=0).tables > 0
    assert answers(testbed, [name]) == before
    assert_well(testbed, [name])
    testbed.drop(name)


def nodes_with_chunks(testbed: Testbed, name: str) -> set[str]:
    return {replica.node for replica in testbed.registry.replicas.all(name) if replica.chunk >= 0}


def siblings(testbed: Testbed, names: list[str]) -> dict[int, set[frozenset[str]]]:
    """Chunk → the sets of nodes that its tables are on, by database and table, cut to the first of each."""
    by_table: dict[tuple[str, str, int], set[str]] = {}
    for name in names:
        for replica in testbed.registry.replicas.all(name):
            if replica.chunk >= 0:
                by_table.setdefault((name, replica.table, replica.chunk), set()).add(replica.node)
    found: dict[int, set[frozenset[str]]] = {}
    for (name, _, chunk), nodes in by_table.items():
        if name == names[0]:
            found.setdefault(chunk, set()).add(frozenset(nodes))
    return found


@contextmanager
def asked_all_the_while(testbed: Testbed, names: list[str], expected: list[object]) -> Iterator[list[str]]:
    """Threads ask meanwhile; yields what was wrong, and how often they asked."""
    ended, wrong, counts = threading.Event(), list[str](), [0, 0]

    def ask(number: int) -> None:
        while not ended.wait(ASK_EVERY_S):
            try:
                if (found := answers(testbed, names)) != expected:
                    wrong.append(f"{found}")
            except Exception as error:
                wrong.append(repr(error))
            counts[number] += 1

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        while not all(counts):
            ended.wait(0.01)
        ended.set()
        for thread in threads:
            thread.join()


def test_a_drained_node_holds_nothing_and_answers_stay_as_they_are(testbed: Testbed, databases: list[str]) -> None:
    """All chunks of both databases go to the others; siblings stay together; the level holds; nothing is left over."""
    node, before = testbed.nodes[0], answers(testbed, databases)
    assert node in nodes_with_chunks(testbed, databases[0]) & nodes_with_chunks(testbed, databases[1])
    plan = testbed.replicas.plan_drain(node)
    assert plan.moves.bytes == plan.moves.minimum_bytes > 0
    with asked_all_the_while(testbed, databases, before) as wrong:
        number = drain(testbed, node)
        done = testbed.jobs.run(number)
    assert (done.is_whole, wrong) == (True, [])
    assert answers(testbed, databases) == before
    assert node not in nodes_with_chunks(testbed, databases[0]) | nodes_with_chunks(testbed, databases[1])
    assert testbed.registry.nodes.state(node) is NodeState.DRAINED
    assert all(len(sets) == 1 for sets in siblings(testbed, databases).values())
    assert_well(testbed, databases)


def test_a_rebalance_fills_a_node_that_may_have_chunks_again(testbed: Testbed, databases: list[str]) -> None:
    """After a drain the node is empty; with the fewest bytes it gets its share, and regular tables first."""
    node, before = testbed.nodes[1], answers(testbed, databases)
    testbed.jobs.run(drain(testbed, node))
    assert testbed.replicas.plan_rebalance().moves.moves == ()
    testbed.registry.nodes.set(node, NodeEvent.ENABLE)
    plan = testbed.replicas.plan_rebalance()
    with asked_all_the_while(testbed, databases, before) as wrong:
        done = testbed.jobs.run(testbed.jobs.begin(plan, rate_bytes_s=0, grace_s=0))
    assert (done.is_whole, wrong) == (True, [])
    assert node in nodes_with_chunks(testbed, databases[0])
    status = {one.node: one.bytes for one in testbed.replicas.status().nodes}
    assert status == {name: plan.moves.after[name] for name in status}
    assert_well(testbed, databases)


def test_what_is_moved_away_stays_for_the_time_of_grace_and_may_come_back(
    testbed: Testbed, databases: list[str]
) -> None:
    """A catalog that was read before goes on to answer; tables that are still there are looked at and kept."""
    node, before = testbed.nodes[0], answers(testbed, databases)
    held = set(testbed.cluster.data_dir(node).joinpath(databases[0]).glob("Object_*.MYD"))
    testbed.jobs.run(drain(testbed, node, grace_s=3600))
    assert set(testbed.cluster.data_dir(node).joinpath(databases[0]).glob("Object_*.MYD")) == held
    assert_well(testbed, databases)
    testbed.registry.nodes.set(node, NodeEvent.ENABLE)
    plan = testbed.replicas.plan_rebalance()
    done = testbed.jobs.run(testbed.jobs.begin(plan, rate_bytes_s=0, grace_s=0))
    assert done.is_whole
    assert (
        sum(ended.copied_bytes for _, ended in testbed.registry.jobs.steps(done.job.id, StepState.DONE, most=10_000))
        < plan.moves.bytes
    )
    assert answers(testbed, databases) == before
    assert_well(testbed, databases)


def test_a_dead_node_is_replaced_and_what_it_has_is_swept_when_it_is_back(
    testbed: Testbed, databases: list[str]
) -> None:
    """Chunks that others have come to their level; what it has alone waits, and is read again when it is back."""
    node, before = testbed.nodes[2], answers(testbed, databases)
    testbed.cluster.kill_server(node)
    try:
        assert testbed.replicas.plan_fill().gone == ()
        plan = testbed.replicas.plan_fill(at_once=True)
        assert plan.gone == (node,)
        alone = sum(plan.moves.short.values())
        done = testbed.jobs.run(testbed.jobs.begin(plan, rate_bytes_s=0, grace_s=0))
        assert done.is_whole
        assert answers(testbed, databases[:1]) == before[: len(STATEMENTS)]
        (health,) = testbed.replicas.status(databases[0]).databases
        assert (health.under, alone > 0) == (0, True)
        assert testbed.replicas.plan_fill(at_once=True).moves.moves == ()
        with pytest.raises(ClusterError, match=f"node {node} does not answer, and no node that does has chunks"):
            testbed.replicas.plan_drain(node)
    finally:
        testbed.cluster.start()
    assert answers(testbed, databases) == before
    for name in databases:  # what could not be swept is known until it is
        assert [check for check in testbed.verify(name) if not check.is_good] == []
        testbed.compact(name, grace_s=0)
    assert_well(testbed, databases)


def test_a_node_that_is_back_keeps_what_it_has(testbed: Testbed, databases: list[str]) -> None:
    """It flaps: steps that were planned while it was away are passed over."""
    node = testbed.nodes[2]
    testbed.cluster.kill_server(node)
    try:
        plan = testbed.replicas.plan_fill(at_once=True)
        number = testbed.jobs.begin(plan, rate_bytes_s=0, grace_s=0)
    finally:
        testbed.cluster.start()
    done = testbed.jobs.run(number)
    assert done.job.steps == {StepState.SKIPPED: len(plan.moves.moves)}
    assert {ended.error for _, ended in done.left} == {f"{node} is back"}
    assert_well(testbed, databases)


def test_a_database_gets_another_level(testbed: Testbed, databases: list[str]) -> None:
    """More replicas are made, then the last ones removed; more than there are nodes is listed."""
    before = answers(testbed, databases)
    for level, made, short in ((3, 3, 0), (4, 3, 1), (1, 1, 0), (2, 2, 0)):
        testbed.replicas.set_level(databases[1], level)
        plan = testbed.replicas.plan_fill()
        assert bool(plan.moves.short) == bool(short)
        if number := testbed.jobs.begin(plan, rate_bytes_s=0, grace_s=0):
            assert testbed.jobs.run(number).is_whole
        (health,) = testbed.replicas.status(databases[1]).databases
        assert dict(health.levels) == {made: health.chunks}
        assert answers(testbed, databases) == before
    assert all(len(sets) == 1 for sets in siblings(testbed, databases).values())
    assert_well(testbed, databases)


def test_a_job_waits_for_an_ingest_and_an_ingest_for_a_job(
    testbed: Testbed, databases: list[str], sources: list[Path]
) -> None:
    """An ingest, a compaction and a drain at the same time: all of them come to their end."""
    node = testbed.nodes[0]
    number = drain(testbed, node)
    errors: list[Exception] = []

    def change() -> None:
        try:
            with Testbed(testbed.cluster.folder) as other:
                other.ingest(sources[2], database=databases[0])
                other.compact(databases[0], grace_s=0)
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=change)
    thread.start()
    done = testbed.jobs.run(number)
    thread.join()
    assert (errors, done.is_whole) == ([], True)
    assert node not in nodes_with_chunks(testbed, databases[0]) | nodes_with_chunks(testbed, databases[1])
    assert_well(testbed, databases)


def test_a_job_is_paused_gone_on_with_and_cancelled(testbed: Testbed, databases: list[str]) -> None:
    """Another job is refused meanwhile; what has moved stays where it is, and nothing half made is left."""
    node, before = testbed.nodes[0], answers(testbed, databases)
    plan = testbed.replicas.plan_drain(node)
    number = testbed.jobs.begin(plan, rate_bytes_s=1e5, grace_s=0)
    with pytest.raises(UserError, match=rf"job {number} \(drain {node}\) is interrupted; `skyshard jobs resume"):
        testbed.jobs.begin(testbed.replicas.plan_rebalance())
    refused: list[str] = []

    def pause(progress: object) -> None:
        if not refused:
            with pytest.raises(UserError) as error:
                testbed.jobs.begin(testbed.replicas.plan_rebalance())
            refused.append(str(error.value))
        testbed.jobs.pause(number)

    paused = testbed.jobs.run(number, watcher=pause)
    assert f"job {number} (drain {node}) is running; let it end" in refused[0]
    assert (paused.job.state, paused.is_at_work) == (JobState.PAUSED, False)
    assert paused.job.steps[StepState.WAITING] > 0
    testbed.jobs.resume(number)
    cancelled = testbed.jobs.cancel(number)
    assert cancelled.job.state is JobState.CANCELLED
    with pytest.raises(UserError, match=f"job {number} is cancelled"):
        testbed.jobs.resume(number)
    assert answers(testbed, databases) == before
    assert_well(testbed, databases)


def test_what_cannot_be_drained_is_refused_with_one_line(testbed: Testbed, databases: list[str]) -> None:
    """An unknown node; one whose chunks no other node may get. Nothing is changed."""
    with pytest.raises(UserError, match="no node 'node9'; the cluster has node1, node2, node3"):
        testbed.replicas.plan_drain("node9")
    for name in testbed.nodes[1:]:
        testbed.registry.nodes.set(name, NodeEvent.READ_ONLY)
    with pytest.raises(UserError, match="node1 cannot be drained: no other node that answers may get its chunks"):
        testbed.replicas.plan_drain(testbed.nodes[0])
    testbed.registry.nodes.set(testbed.nodes[1], NodeEvent.ENABLE)
    with pytest.raises(UserError, match="of its chunks have no other node: level 2 needs 2 nodes"):
        testbed.replicas.plan_drain(testbed.nodes[0])
    with pytest.raises(UserError, match="there is no job 999"):
        testbed.jobs.show(999)
    assert testbed.registry.nodes.state(testbed.nodes[0]) is NodeState.ACTIVE
    assert all(one.job.ended_s is not None for one in testbed.jobs.list())


def stepped(testbed: Testbed, fuse: Fuse) -> ReplicaPlace:
    """The place of a testbed, whose every registry write and call of a node burns the fuse."""
    inner = testbed.wiring.replica_place()

    def node(name: str) -> NodePlace:
        found = inner.node(name)
        return replace(
            found, loader=cast("Any", Fused(found.loader, fuse)), files=cast("Any", Fused(found.files, fuse))
        )

    registry: Any = Fused(inner.registry, fuse)
    return replace(inner, registry=registry, node=node)


@pytest.mark.timeout(1200)
def test_a_job_may_end_at_any_step_and_is_gone_on_with(testbed: Testbed, databases: list[str]) -> None:
    """Answers are right after each stop, no chunk is below its level, and the job is ended or cancelled after it."""
    before, nodes = answers(testbed, databases), list(testbed.nodes)
    fuse = Fuse()
    run_job(stepped(testbed, fuse), drain(testbed, nodes[0]))
    assert_well(testbed, databases)
    stops = some_steps(fuse.burnt, max(1, fuse.burnt // drawn(4)))
    for turn, stop in enumerate(stops, 1):
        for name in nodes:
            testbed.registry.nodes.set(name, NodeEvent.ENABLE)
        number = drain(testbed, nodes[turn % len(nodes)])
        with suppress(Stopped):
            run_job(stepped(testbed, Fuse(stop)), number)
        assert answers(testbed, databases) == before, stop
        levels = [one.under for one in testbed.replicas.status().databases if one.database in databases]
        assert levels == [0, 0], stop
        if testbed.jobs.show(number).job.ended_s is None:
            if turn % 3 == 0:
                assert testbed.jobs.cancel(number).job.state is JobState.CANCELLED
            else:
                assert testbed.jobs.run(number).is_whole, stop
        if turn % 3 == 0:
            assert_well(testbed, databases)


@pytest.mark.parametrize("struck", [signal.SIGKILL, signal.SIGINT])
def test_a_command_that_is_struck_leaves_a_job_that_another_goes_on_with(
    testbed: Testbed, databases: list[str], struck: signal.Signals, tmp_path: Path
) -> None:
    """Killed it is interrupted, by Ctrl-C paused, which the command says; `jobs resume` ends it."""
    before, node, where = answers(testbed, databases), testbed.nodes[1], ["--cluster", str(testbed.cluster.folder)]
    process = start_warm(["replicas", "drain", node, "--rate", "0.004", "--grace", "0", *where], tmp_path / "said")
    while not (mine := [one for one in testbed.jobs.list() if one.job.ended_s is None and one.is_at_work]):
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(struck)
    process.wait(200)
    said = (tmp_path / "said").read_text()
    number = str(mine[0].job.id)
    left = testbed.jobs.show(int(number))
    assert (left.is_at_work, left.job.steps[StepState.WAITING] > 0) == (False, True)
    assert left.job.state is (JobState.PAUSED if struck == signal.SIGINT else JobState.RUNNING)
    assert struck == signal.SIGKILL or f"`skyshard jobs resume {number}` goes on with it" in said
    assert answers(testbed, databases) == before
    with connect(testbed.cluster.endpoint(CZAR_NAME), Account.ADMIN, "skyshard_registry") as admin:
        admin.execute("UPDATE jobs SET rate_bytes_s = 0 WHERE id = %s", [number])
    resumed = run_warm(["jobs", "resume", number, *where], os.environ)
    assert resumed.returncode == 0, resumed.stderr
    assert testbed.jobs.show(int(number)).is_whole
    assert answers(testbed, databases) == before
    assert_well(testbed, databases)
