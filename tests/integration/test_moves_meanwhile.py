"""What changes while a job copies chunks: nodes that are closed, replicas that turn bad, databases in use."""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from tests.support.kill_catalog import write_catalog

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Progress
from skyshard.catalog.layout import Layout, Striping
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.registry.jobs.job_table import Jobs
from skyshard.registry.jobs.moved_chunks import MovedChunks
from skyshard.registry.stored import retired_tables, sql_tables
from skyshard.registry.stored.job_rows import StepState
from skyshard.registry.stored.lifecycle import Event, JobState, NodeEvent, NodeState, ReplicaState
from skyshard.registry.transactions import transaction_steps
from skyshard.registry.transactions.transactions import Transactions
from skyshard.replicate import JobPlan
from skyshard.testbed import Testbed


@pytest.fixture(scope="module")
def testbed(short_folder: Path) -> Iterator[Testbed]:
    """Three nodes."""
    cluster = PrivateCluster(short_folder / "meanwhile")
    try:
        cluster.start(3)
        with Testbed(cluster.folder) as opened:
            yield opened
    finally:
        if cluster.exists:
            cluster.destroy()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_catalog(tmp_path_factory.mktemp("sky"), objects=40, seed=1, side_deg=3)


@pytest.fixture
def database(testbed: Testbed, source: Path) -> Iterator[str]:
    """One at level 2; dropped at the end."""
    name = f"w{uuid.uuid4().hex[:10]}"
    testbed.ingest(source, database=name, replicas=2)
    yield name
    for number in [one.job.id for one in testbed.jobs.list() if one.job.ended_s is None]:
        testbed.jobs.cancel(number)
    for node in testbed.nodes:
        with suppress(ClusterError):
            testbed.registry.nodes.set(node, NodeEvent.ENABLE)
    testbed.drop(name)


def begin(testbed: Testbed, plan: JobPlan) -> int:
    return testbed.jobs.begin(plan, rate_bytes_s=0, grace_s=0)


def before_showing(monkeypatch: pytest.MonkeyPatch, change: Callable[[], None]) -> None:
    """Have something change once, when chunks were copied and are about to be shown."""
    show, left = MovedChunks.move_chunks, [change]

    def changed(self: MovedChunks, *arguments: Any) -> None:
        if left:
            left.pop()()
        show(self, *arguments)

    monkeypatch.setattr(MovedChunks, "move_chunks", changed)


def emptied(testbed: Testbed, node: str) -> None:
    """Let a node hold no chunk and take chunks."""
    assert testbed.jobs.run(begin(testbed, testbed.replicas.plan_drain(node))).is_whole
    testbed.registry.nodes.set(node, NodeEvent.ENABLE)


def chunks_on(testbed: Testbed, database: str) -> set[str]:
    return {one.node for one in testbed.registry.replicas.all(database) if one.chunk >= 0}


def assert_whole(testbed: Testbed, database: str) -> None:
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    (health,) = testbed.replicas.status(database).databases
    assert health.under == 0, health


def test_a_node_that_is_closed_while_chunks_are_copied_to_it_does_not_get_them(
    testbed: Testbed, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those steps fail and say why, also the ones that were not copied yet; the chunks stay where they were."""
    node = testbed.nodes[2]
    emptied(testbed, node)
    number = begin(testbed, testbed.replicas.plan_rebalance())

    def close() -> None:
        testbed.node_life.read_only(node)

    before_showing(monkeypatch, close)
    done = testbed.jobs.run(number)
    assert set(done.job.steps) == {StepState.FAILED}
    assert {ended.error for _, ended in done.left} == {f"{node} is read-only"}
    assert node not in chunks_on(testbed, database)
    assert_whole(testbed, database)


def test_the_last_good_replica_stays_where_the_one_beside_it_turns_bad_meanwhile(
    testbed: Testbed, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lower level removes replicas; one that is the last good one by then is kept, and repairs the other."""
    registry = testbed.registry
    testbed.replicas.set_level(database, 1)
    plan = testbed.replicas.plan_fill()
    stay = {move.chunk: move.after for move in plan.moves.moves}
    (chunk, (node,)) = next((chunk, after) for chunk, after in sorted(stay.items()) if chunk >= 0 and len(after) == 1)

    def turn_bad() -> None:
        known = registry.replication.of_node(database, node)
        mine = [one for one in known if one.replica.chunk == chunk]
        assert registry.replication.mark(database, (), dict.fromkeys(mine, "it was read wrong")) == set(mine)

    before_showing(monkeypatch, turn_bad)
    done = testbed.jobs.run(begin(testbed, plan))
    failed = [(step.chunk, ended.error) for step, ended in done.left if ended.state is StepState.FAILED]
    assert [one for one, _ in failed] == [chunk]
    assert "would be good on 0 nodes" in failed[0][1]
    good = [one for one in registry.replicas.all(database) if one.chunk == chunk and one.state is ReplicaState.GOOD]
    assert good
    assert node not in {one.node for one in good}
    testbed.replicas.repair(database)
    assert testbed.jobs.run(begin(testbed, testbed.replicas.plan_fill())).is_whole
    assert_whole(testbed, database)


def test_a_node_that_a_job_has_to_do_with_is_not_removed(testbed: Testbed, database: str) -> None:
    """It holds no chunk yet; one line names the job; the node stays what it was."""
    node = testbed.nodes[2]
    emptied(testbed, node)
    number = begin(testbed, testbed.replicas.plan_rebalance())
    wanted = rf"job {number} \(rebalance\) has not ended, and has to do with {node}; let it end, or run"
    with pytest.raises(UserError, match=wanted):
        testbed.node_life.remove(node)
    with pytest.raises(UserError, match=wanted):
        testbed.registry.nodes.remove(node)
    assert testbed.registry.nodes.state(node) is NodeState.ACTIVE
    testbed.jobs.cancel(number)
    testbed.registry.nodes.require_no_job(node)


def test_a_job_is_cancelled_while_a_database_is_in_use(testbed: Testbed, database: str) -> None:
    """It ends; what it has left is cleared by whoever uses the database next."""
    number = begin(testbed, testbed.replicas.plan_drain(testbed.nodes[0]))
    with testbed.registry.ingesting(database):
        done = testbed.jobs.cancel(number)
    assert done.job.state is JobState.CANCELLED
    assert_whole(testbed, database)


def test_a_node_whose_drain_is_refused_stays_as_it_is(
    testbed: Testbed, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another job was begun at the same time."""
    node = testbed.nodes[0]
    plan = testbed.replicas.plan_drain(node)
    begin(testbed, testbed.replicas.plan_drain(testbed.nodes[1]))
    monkeypatch.setattr(Jobs, "require_none_open", lambda _, **__: None)  # it was not there yet
    with pytest.raises(UserError, match=rf"\(drain {testbed.nodes[1]}\) is running"):
        begin(testbed, plan)
    assert testbed.registry.nodes.state(node) is NodeState.ACTIVE
    assert testbed.registry.nodes.state(testbed.nodes[1]) is NodeState.DRAINING


def test_a_node_is_not_drained_while_a_transaction_may_bring_it_something(testbed: Testbed, database: str) -> None:
    """The job ends, and says that the node stays draining; another one drains it, whatever begins elsewhere."""
    registry, node = testbed.registry, testbed.nodes[0]
    number = begin(testbed, testbed.replicas.plan_drain(node))
    other = f"w{uuid.uuid4().hex[:10]}"
    layout = Layout(striping=Striping(stripes=10, substripes=2, overlap_deg=0.1))
    mine = registry.transactions.begin(other, layout, "source", "plan", {node: 1.0})
    done = testbed.jobs.run(number)
    assert done.job.state is JobState.DONE
    assert done.job.error.startswith(f"{node} stays draining: it holds something, or a transaction")
    assert not done.is_whole
    assert registry.nodes.state(node) is NodeState.DRAINING
    assert node in registry.nodes.holding(testbed.nodes)
    registry.transactions.move(mine, Event.ABORT)
    registry.transactions.take_back(other, mine)
    used = testbed.wiring.site().nodes
    assert set(used) == {*testbed.nodes} - {node}
    later = registry.transactions.begin(other, layout, "source", "plan", dict.fromkeys(used, 1.0))
    again = testbed.jobs.run(begin(testbed, testbed.replicas.plan_drain(node)))
    assert (again.job.error, registry.nodes.state(node)) == ("", NodeState.DRAINED)
    with pytest.raises(ClusterError, match=f"node '{node}' is drained"):
        registry.transactions.take_over(later, testbed.nodes)
    registry.transactions.move(later, Event.ABORT)
    registry.transactions.take_back(other, later)


def test_visits_bring_no_chunk_to_a_node_that_is_being_drained(testbed: Testbed, database: str) -> None:
    """Nothing would move it. One that came when the drain was planned keeps the node draining, and is named."""
    node, name = testbed.nodes[0], f"w{uuid.uuid4().hex[:10]}"
    striping = Striping(stripes=85, substripes=12, overlap_deg=0.01667)
    survey = testbed.apdb.create(name, Layout(striping=striping, mutable=True, engine="InnoDB"))
    held = testbed.registry.placements.of_family(striping.family)
    first = next(chunk for chunk, nodes in held.items() if nodes[0] == node)
    plan = testbed.replicas.plan_drain(node)
    assert survey.nodes_of([first]) == [node]
    done = testbed.jobs.run(begin(testbed, plan))
    assert done.job.error.startswith(f"{node} stays draining: {node} has 1 chunks of mutable database '{name}'")
    assert (done.is_whole, testbed.registry.nodes.state(node)) == (False, NodeState.DRAINING)
    testbed.drop(name)
    testbed.registry.nodes.set(node, NodeEvent.ENABLE)
    survey = testbed.apdb.create(name, Layout(striping=striping, mutable=True, engine="InnoDB"))
    number = begin(testbed, testbed.replicas.plan_drain(node))
    assert set(survey.nodes_of(list(held))) <= {*testbed.nodes} - {node}
    assert testbed.jobs.run(number).is_whole
    assert testbed.registry.nodes.state(node) is NodeState.DRAINED
    testbed.drop(name)


def test_a_drain_waits_for_visits_that_bring_the_first_chunks_of_a_family(testbed: Testbed, database: str) -> None:
    """They may have chosen the node before it was being drained, and have told nobody yet."""
    node, name = testbed.nodes[0], f"w{uuid.uuid4().hex[:10]}"
    striping = Striping(stripes=85, substripes=24, overlap_deg=0.01667)
    testbed.apdb.create(name, Layout(striping=striping, mutable=True, engine="InnoDB"))
    number = begin(testbed, testbed.replicas.plan_drain(node))
    said: list[str] = []
    with ExitStack() as placing:
        placing.enter_context(testbed.registry.exclusive(f"placement in {striping.family}"))

        def watch(progress: Progress) -> None:
            if progress.note:
                said.append(progress.note)
                placing.close()

        assert testbed.jobs.run(number, watcher=watch).is_whole
    assert f"job {number} waits for an ingest that places chunks of {striping.family}" in said
    testbed.registry.nodes.set(node, NodeEvent.ENABLE)
    testbed.drop(name)


def test_a_drain_waits_for_nodes_that_only_do_not_answer(testbed: Testbed, database: str) -> None:
    """Its chunks have no other node now: that is no error of who asks, and says which node to start."""
    node, away = testbed.nodes[0], testbed.nodes[2]
    testbed.cluster.kill_server(away)
    try:
        with pytest.raises(ClusterError, match=f"cannot be drained now: .*, and {away} does not answer") as refused:
            testbed.replicas.plan_drain(node)
    finally:
        testbed.cluster.start()
    assert refused.value.retryable
    assert testbed.replicas.plan_drain(node).moves.chunks
    assert testbed.registry.nodes.state(node) is NodeState.ACTIVE


def test_a_transaction_and_the_end_of_a_drain_do_not_miss_each_other(testbed: Testbed, database: str) -> None:
    """While a transaction begins the drain does not end; once it has ended, none begins that would use the node."""
    registry, node = testbed.registry, testbed.nodes[0]
    number, ended = begin(testbed, testbed.replicas.plan_drain(node)), queue.SimpleQueue[NodeState]()
    testbed.jobs.run(number)
    assert registry.nodes.state(node) is NodeState.DRAINED
    layout = registry.databases.layout(database)
    assert layout is not None
    what = (database, layout, "source", "plan", dict.fromkeys(testbed.nodes, 1.0))
    with pytest.raises(ClusterError, match=f"node '{node}' is drained since a moment ago; run it again") as refused:
        registry.transactions.begin(*what)
    assert refused.value.retryable
    registry.nodes.set(node, NodeEvent.DRAIN)
    with registry._engines.writer.begin() as connection:
        mine = transaction_steps.begin(connection, *what)
        ending = threading.Thread(target=lambda: ended.put(registry.nodes.end_drain(node)))
        ending.start()
        wait_for_lock(testbed)
    ending.join()
    assert ended.get() is NodeState.DRAINING
    registry.transactions.move(mine, Event.ABORT)
    registry.transactions.take_back(database, mine)
    assert registry.nodes.end_drain(node) is NodeState.DRAINED


def wait_for_lock(testbed: Testbed) -> None:
    """Until a session of the registry waits for a lock of another one."""
    waiting = "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'"
    deadline = time.monotonic() + 100
    with connect(testbed.cluster.endpoint(CZAR_NAME), Account.ADMIN) as connection:
        while not connection.value(waiting):
            assert time.monotonic() < deadline
            time.sleep(0.2)  # the server makes the table anew for who has not asked for 0.1 s


def test_a_job_waits_for_whoever_places_chunks(testbed: Testbed, database: str) -> None:
    """It says so, and pauses when it is asked to; it does not end with an error."""
    number = begin(testbed, testbed.replicas.plan_drain(testbed.nodes[0]))
    (family,) = testbed.registry.jobs.families(number)

    def pause(progress: Progress) -> None:
        if "waits for an ingest that places chunks" in progress.note:
            testbed.jobs.pause(number)

    with testbed.registry.exclusive(f"placement in {family}"):
        assert testbed.jobs.run(number, watcher=pause).job.state is JobState.PAUSED
    testbed.jobs.resume(number)
    assert testbed.jobs.run(number).is_whole


def test_a_job_gives_up_only_what_jobs_have_left_behind(testbed: Testbed, database: str, tmp_path: Path) -> None:
    """Tables that a compaction keeps for queries stay for its own time of grace, however short that of the job is."""
    registry, node = testbed.registry, testbed.nodes[0]
    testbed.ingest(write_catalog(tmp_path / "more", objects=20, seed=2, side_deg=3), database=database)
    testbed.compact(database, grace_s=3600)
    kept = registry.transactions.retired_tables(database)
    assert kept[node]
    assert testbed.jobs.run(begin(testbed, testbed.replicas.plan_drain(node))).is_whole
    assert registry.transactions.retired_tables(database) == kept


def test_what_a_job_has_left_stays_for_the_time_of_the_job(testbed: Testbed, database: str) -> None:
    """A compaction sweeps by its own time of grace what compactions have left, and by a job's what that has."""
    registry, node, other = testbed.registry, testbed.nodes[0], testbed.nodes[1]
    plan = testbed.replicas.plan_drain(node)
    assert testbed.jobs.run(testbed.jobs.begin(plan, rate_bytes_s=0, grace_s=7200)).is_whole
    left = registry.transactions.retired_tables(database)[node]
    assert left
    registry.nodes.set(node, NodeEvent.ENABLE)
    with registry._engines.writer.begin() as connection:
        row = {"server": other, "database": database, "name": "Object_1_g2"}
        connection.execute(sa.insert(sql_tables.retired).values(**row, since_s=1.0))
    testbed.compact(database, grace_s=0)
    assert registry.transactions.retired_tables(database) == {node: left}
    files = {path.stem for path in (testbed.cluster.data_dir(node) / database).glob("*.MYD")}
    assert {name for name in left if "_g" not in name} <= files


def test_a_node_that_dies_before_it_is_swept_keeps_nothing_unaccounted_for(
    testbed: Testbed, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is whole, what is left there is known as left, and the next sweep drops it."""
    node, look = testbed.nodes[0], Transactions.over_retired

    def dies(self: Transactions, *arguments: Any) -> dict[str, set[str]]:
        monkeypatch.setattr(Transactions, "over_retired", look)
        testbed.cluster.kill_server(node)
        return look(self, *arguments)

    plan = testbed.replicas.plan_drain(node)
    monkeypatch.setattr(Transactions, "over_retired", dies)
    assert testbed.jobs.run(begin(testbed, plan)).is_whole
    testbed.cluster.start()
    left = testbed.registry.transactions.retired_tables(database)[node]
    assert [one for one in testbed.verify(database) if not one.is_good] == []
    testbed.registry.nodes.set(node, NodeEvent.ENABLE)
    testbed.ingest(write_catalog(tmp_path / "more", objects=20, seed=2, side_deg=3), database=database)
    assert not testbed.registry.transactions.retired_tables(database).get(node)
    held = {one.name for one in testbed.registry.replicas.all(database) if one.node == node}
    files = {path.stem for path in (testbed.cluster.data_dir(node) / database).glob("*.MYD")}
    assert left
    assert not (left - held) & files


def test_tables_that_are_retired_again_stay_for_the_whole_time_of_grace(testbed: Testbed, database: str) -> None:
    """A chunk has come back to a node since its tables there were retired first."""
    t = sql_tables.retired
    row = {"server": testbed.nodes[0], "database": database, "name": "Object_1_g2"}
    with testbed.registry._engines.writer.begin() as connection:
        connection.execute(sa.insert(t).values(**row, since_s=1.0))
        retired_tables.retire(connection, database, -1, {testbed.nodes[0]: ["Object_1_g2"]})
        since_s = connection.scalar(sa.select(t.c.since_s).where(t.c.database == database, t.c.name == row["name"]))
        assert retired_tables.over(connection, database, 3600) == {}
        assert retired_tables.read(connection, database) == {testbed.nodes[0]: {"Object_1_g2"}}
        connection.execute(sa.delete(t).where(t.c.database == database))
    assert since_s is not None
    assert since_s > 1.0
