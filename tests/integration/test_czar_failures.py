"""Nodes that die under a query, and queries that are stopped: rows come exactly once, or an error says what is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.support.half_locked import half_locked
from tests.support.mag_catalog import ROWS, make_catalog

from skyshard.basics.errors import ClusterError, Refusal, UserError
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.czar.result.query_progress import Cancelled
from skyshard.czar.run.scratch_tables import query_name
from skyshard.czar.submitted_queries import QueryStatus
from skyshard.db.connection import Account, Connection, connect
from skyshard.db.sessions import Sessions
from skyshard.host.processes import own_name
from skyshard.registry.stored.lifecycle import QueryEvent, QueryState
from skyshard.testbed import Testbed

pytestmark = pytest.mark.integration

HEAVY = " + ".join(f"SIN(ra + {number})" for number in range(40))
"""Some work for each row."""
WAIT_S = 100.0
"""A bound that a loaded machine does not reach; nothing waits for its end."""


@pytest.fixture(scope="module")
def testbed(short_folder: Path) -> Iterator[Testbed]:
    """Two nodes; database ``twice`` has two replicas, ``once`` one."""
    cluster = PrivateCluster(short_folder / "failing")
    cluster.start(2)
    try:
        source = make_catalog(short_folder / "twice")
        with Testbed(cluster.folder) as testbed:
            testbed.ingest(source, database="once")
            testbed.ingest(source, database="twice", replicas=2)
            yield testbed
    finally:
        cluster.destroy()


@pytest.fixture
def all_nodes(testbed: Testbed) -> Iterator[None]:
    """Starts again what a test has killed."""
    yield
    testbed.cluster.start()


@pytest.mark.usefixtures("all_nodes")
@pytest.mark.parametrize(
    "sql", [f"SELECT objectId, {HEAVY} FROM Object", f"SELECT objectId FROM Object WHERE {HEAVY} < 99"]
)
def test_node_that_dies_while_its_rows_come_loses_and_doubles_none(testbed: Testbed, sql: str) -> None:
    """kill -9 of a node after the first rows: the other replica gives the rest, each row once."""
    with half_locked(testbed, "node1", "twice"), testbed.czar.open(sql, "twice") as answer:
        first = next(answer.batches)
        testbed.cluster.kill_server("node1")
        rest = list(answer.batches)
    ids = np.concatenate([batch.column(0).to_numpy() for batch in [first, *rest]])
    assert answer.running.retried > 0
    assert np.array_equal(np.sort(ids), np.arange(ROWS))


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def scratch_files(testbed: Testbed, node: str) -> list[str]:
    """Data files of scratch tables; also of a server that is dead."""
    return sorted(path.name for path in (testbed.cluster.data_dir(node) / SCRATCH_DATABASE).glob("q_*.MYD"))


@pytest.mark.usefixtures("all_nodes")
def test_what_a_dead_node_keeps_of_a_query_goes_when_it_is_back(testbed: Testbed) -> None:
    """kill -9 of a node in the middle of a scan: its living czar drops the tables there, with no other statement."""
    with (
        half_locked(testbed, "node1", "twice"),
        testbed.czar.open(f"SELECT objectId, {HEAVY} FROM Object", "twice") as answer,
    ):
        next(answer.batches)
        wait_until(lambda: bool(scratch_files(testbed, "node1")))
        testbed.cluster.kill_server("node1")
        for _ in answer.batches:
            pass
    assert scratch_files(testbed, "node1")
    testbed.cluster.start()
    wait_until(lambda: not scratch_files(testbed, "node1"))


def test_a_server_that_begins_drops_what_killed_processes_have_left(testbed: Testbed) -> None:
    """What a living one has there stays."""
    host, process, begun = own_name().split()
    names = [f"q_{host}_{process}_{int(begun) - shift}_1_p0" for shift in (0, 1)]
    with connect(testbed.cluster.endpoint("node2"), Account.ADMIN, SCRATCH_DATABASE) as connection:
        for name in names:
            connection.execute(f"CREATE TABLE {name} (a INT NOT NULL) ENGINE=MyISAM")
    testbed.cluster.kill_server("node2")
    testbed.cluster.start()
    with connect(testbed.cluster.endpoint("node2"), Account.ADMIN, SCRATCH_DATABASE) as connection:
        found = {str(row[0]) for row in connection.rows("SHOW TABLES LIKE 'q_%'")}
        connection.execute(f"DROP TABLE {names[0]}")
    assert found & set(names) == {names[0]}


@pytest.mark.usefixtures("all_nodes")
def test_node_that_dies_under_a_merge_changes_no_sum(testbed: Testbed) -> None:
    """Partial aggregates of a node that dies count once."""
    sql = f"SELECT COUNT(*), SUM(objectId), MIN({HEAVY}) IS NOT NULL FROM Object WHERE objectId >= 0"
    killer = threading.Timer(0.1, testbed.cluster.kill_server, ("node2",))
    killer.start()
    table = testbed.query(sql, database="twice").table
    killer.join()
    assert [column[0].as_py() for column in table.columns] == [ROWS, ROWS * (ROWS - 1) // 2, 1]


NEAR = "SELECT COUNT(*) FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.01"


def is_begun(testbed: Testbed, node: str, query: str) -> bool:
    """Whether a node has a scratch table of a query."""
    return any(query in name for name in scratch_files(testbed, node))


@pytest.mark.usefixtures("all_nodes")
def test_node_that_dies_while_pairs_are_counted_changes_no_count(testbed: Testbed) -> None:
    """kill -9 of a node that reads positions: the other replica's count, and each pair counts once."""
    want = testbed.query(f"{NEAR} AND b.objectId + 0 >= 0", database="twice").table.column(0)[0].as_py()

    name = query_name()

    def kill() -> None:
        wait_until(lambda: is_begun(testbed, "node1", name))
        testbed.cluster.kill_server("node1")

    with ThreadPoolExecutor(1) as beside, half_locked(testbed, "node1", "twice"):
        killed = beside.submit(kill)
        with testbed.czar.open(NEAR, "twice", query=name) as answer:
            got = answer.table().column(0)[0].as_py()
        killed.result()
    assert answer.running.retried > 0
    assert got == want > ROWS
    testbed.cluster.start()
    wait_until(lambda: not is_begun(testbed, "node1", name))


def test_count_of_pairs_that_is_cancelled_stops_on_all_nodes(testbed: Testbed) -> None:
    """While a node reads positions: it stops, and no table of them is left."""
    name = query_name()

    def cancel() -> None:
        wait_until(lambda: is_begun(testbed, "node1", name))
        assert testbed.czar.cancel(name)

    with ThreadPoolExecutor(1) as beside, half_locked(testbed, "node1", "once"):
        cancelled = beside.submit(cancel)
        with pytest.raises(Cancelled), testbed.czar.open(NEAR, "once", query=name) as answer:
            answer.table()
        cancelled.result()
    wait_until(lambda: not is_begun(testbed, "node1", name) and not is_begun(testbed, "node2", name))


@pytest.mark.usefixtures("all_nodes")
def test_dead_node_is_no_matter_where_there_is_a_replica(testbed: Testbed) -> None:
    """A node that died between two queries: sessions that waited are dead, the answer is whole."""
    sql = "SELECT COUNT(*) FROM Object WHERE mag > 0"
    for number in range(0, ROWS, ROWS // 20):
        testbed.query(f"SELECT ra FROM Object WHERE objectId = {number}", database="twice")
    testbed.cluster.kill_server("node1")
    assert testbed.query(sql, database="twice").table.column(0)[0].as_py() == ROWS
    for number in range(0, ROWS, ROWS // 20):
        assert testbed.query(f"SELECT ra FROM Object WHERE objectId = {number}", database="twice").rows == 1


@pytest.mark.usefixtures("all_nodes")
def test_no_replica_left_names_the_chunks_or_answers_in_part(testbed: Testbed) -> None:
    """Without another replica the error names chunks; on request the rest is answered, and how much that is."""
    sql = "SELECT COUNT(*) FROM Object WHERE mag > 0"
    testbed.query(sql, database="once")
    testbed.cluster.kill_server("node1")
    chunks = testbed.registry.published.catalog("once").tables["Object"].chunks
    dead = {chunk: entry.rows for chunk, entry in chunks.items() if entry.nodes == ("node1",)}
    with pytest.raises(ClusterError, match="no replica of chunks") as error:
        testbed.query(sql, database="once")
    assert str(min(dead)) in str(error.value)
    part = testbed.czar.execute(sql, "once", allow_partial=True)
    assert set(part.stats.lost) == set(dead)
    assert part.stats.coverage == pytest.approx(1 - len(dead) / len(chunks))
    assert part.table.column(0)[0].as_py() == ROWS - sum(dead.values())


def test_cancelled_query_stops_on_all_nodes(testbed: Testbed) -> None:
    """cancel() ends a long query, nothing of it runs on, and its scratch tables are gone."""
    name = query_name()
    long = "SELECT CRC32(REPEAT('x', 1000000 + a.objectId % 7)) FROM Object a"  # a millisecond a row

    def cancel() -> None:
        wait_until(lambda: bool(_running_statements(testbed, "CRC32(")))
        assert testbed.czar.cancel(name)

    with ThreadPoolExecutor(1) as beside:
        cancelled = beside.submit(cancel)
        with pytest.raises(Cancelled), testbed.czar.open(long, "once", query=name) as answer:
            answer.table()
        cancelled.result()
    for node in testbed.nodes:
        with connect(testbed.cluster.endpoint(node), Account.ADMIN) as connection:
            wait_until(lambda: not _running_statements(testbed, "CRC32("))
            assert connection.rows("SHOW TABLES FROM skyshard_scratch") == []


def test_a_query_that_is_cancelled_when_its_statements_are_about_to_begin_begins_none(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that have looked whether it goes on, and have no session yet that could be stopped."""
    name, take = query_name(), Sessions._take

    def cancelled(sessions: Sessions) -> Connection:
        if threading.current_thread().name.startswith("scan-"):
            testbed.czar.cancel(name)
        return take(sessions)

    def begun() -> list[tuple[object, ...]]:
        found = []
        for node in testbed.nodes:
            with connect(testbed.cluster.endpoint(node), Account.ADMIN) as connection:
                found += connection.rows("SHOW GLOBAL STATUS LIKE 'Com_insert_select'")
        return found

    before = begun()
    monkeypatch.setattr(Sessions, "_take", cancelled)
    with pytest.raises(Cancelled), testbed.czar.open(f"SELECT {HEAVY} FROM Object", "once", query=name) as answer:
        answer.table()
    assert begun() == before


def test_byte_limit_refuses_what_is_larger(testbed: Testbed) -> None:
    """A limit on the bytes of partial results ends the query with what was reached and what to do."""
    with pytest.raises(Refusal, match="limit is 100,000 bytes") as refusal:
        testbed.czar.execute("SELECT * FROM Object", "once", limit_bytes=100_000)
    assert refusal.value.code == "result-too-large"
    assert testbed.czar.execute("SELECT * FROM Object WHERE objectId = 7", "once", limit_bytes=100_000).rows == 1


def test_limit_reads_few_chunks(testbed: Testbed) -> None:
    """LIMIT without ORDER BY ends the walk when there are enough rows; after how many chunks is a matter of luck."""
    with testbed.czar.open("SELECT objectId FROM Object LIMIT 5", "once") as answer:
        assert answer.table().num_rows == 5
    assert answer.running.chunks_done < answer.running.chunks


def wait_for(testbed: Testbed, number: int, *states: QueryState) -> QueryStatus:
    deadline = time.monotonic() + WAIT_S
    while (status := testbed.submitted.status(number)).state not in states:
        assert time.monotonic() < deadline, status
        time.sleep(0.02)
    return status


SUBMITTED = "SELECT objectId, mag AS m, mag FROM Object WHERE mag < 17 ORDER BY objectId"


@pytest.fixture(scope="module")
def submitted(testbed: Testbed) -> int:
    """A query that was submitted and has ended."""
    number = testbed.submit(SUBMITTED, database="once")
    wait_for(testbed, number, QueryState.COMPLETED, QueryState.FAILED)
    return number


def test_submitted_query_is_answered_by_a_process_of_its_own(testbed: Testbed, submitted: int) -> None:
    """submit, status, result: names, types and rows are those of the same query answered at once."""
    status = testbed.submitted.status(submitted)
    assert (status.state, status.chunks_done) == (QueryState.COMPLETED, status.chunks)
    got, want = testbed.submitted.result(submitted), testbed.query(SUBMITTED, database="once")
    assert got.columns == want.columns == ("objectId", "m", "mag")
    assert got.table.equals(want.table)
    assert status.rows == want.rows


def test_submitted_query_that_fails_says_why(testbed: Testbed) -> None:
    """An error of the asynchronous phase is kept, and comes out of status and result."""
    number = testbed.submit("SELECT nothing FROM Object", database="once")
    status = wait_for(testbed, number, QueryState.FAILED)
    assert "nothing" in status.error
    with pytest.raises(UserError, match="unknown column 'nothing'"):
        testbed.submitted.result(number)


def test_submitted_query_is_cancelled_from_outside(testbed: Testbed) -> None:
    """cancel stops another process's query: no node works for it any more."""
    terms = (" + ".join(f"SIN(a.ra * {item} + {number})" for number in range(300)) for item in range(12))
    number = testbed.submit(f"SELECT {', '.join(terms)} FROM Object a", database="once")
    wait_for(testbed, number, QueryState.EXECUTING)
    wait_until(lambda: bool(_running_statements(testbed)))
    assert testbed.submitted.cancel(number).state is QueryState.CANCELLED
    wait_until(lambda: not _running_statements(testbed))
    with pytest.raises(UserError, match="is cancelled"):
        testbed.submitted.result(number)


def test_submitted_query_that_begins_while_it_is_cancelled_does_not_run_on(
    testbed: Testbed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was told to be cancelled, and its statements went on, when it began between a look at it and that."""
    terms = (" + ".join(f"SIN(a.ra * {item} + {number})" for number in range(300)) for item in range(12))
    number = testbed.submitted.submit(f"SELECT {', '.join(terms)} FROM Object a", "once")
    history = testbed.submitted._history
    look = history.get
    runner = threading.Thread(target=lambda: testbed.submitted.run(number, testbed.czar))

    def look_and_begin(asked: int) -> Any:
        row = look(asked)
        if row["state"] == QueryState.QUEUED and not runner.is_alive():
            runner.start()
            wait_until(lambda: bool(_running_statements(testbed)))
        return row

    monkeypatch.setattr(history, "get", look_and_begin)
    assert testbed.submitted.cancel(number).state is QueryState.CANCELLED
    wait_until(lambda: not _running_statements(testbed))
    assert not runner.is_alive()
    begun = testbed.submitted.submit(SUBMITTED, "once")
    history.move(begun, QueryEvent.BEGIN)
    assert not history.withdraw(begun)
    assert look(begun)["state"] == QueryState.EXECUTING
    history.move(begun, QueryEvent.CANCEL)


def test_submitted_query_that_is_late_is_cancelled_and_says_so(testbed: Testbed) -> None:
    """It has a time of its own, whichever process runs it; one that ends within it is as it would be without."""
    terms = (" + ".join(f"SIN(a.ra * {item} + {number})" for number in range(300)) for item in range(12))
    late = testbed.submitted.submit(f"SELECT {', '.join(terms)} FROM Object a", "once", limit_s=0.001)
    testbed.submitted.run(late, testbed.czar)
    found = testbed.submitted.status(late)
    assert (found.state, found.error) == (QueryState.CANCELLED, "it took longer than the 0.001 s that it was given")
    wait_until(lambda: not _running_statements(testbed))
    number = testbed.submitted.submit(SUBMITTED, "once", limit_s=600.0)
    testbed.submitted.run(number, testbed.czar)
    assert testbed.submitted.status(number).state is QueryState.COMPLETED


def _running_statements(testbed: Testbed, what: str = "SIN(") -> int:
    count = 0
    for node in testbed.nodes:
        with connect(testbed.cluster.endpoint(node), Account.ADMIN) as connection:
            count += sum(what in str(row[7]) for row in connection.rows("SHOW FULL PROCESSLIST"))
    return count


def test_history_keeps_what_was_asked(testbed: Testbed) -> None:
    """Statements answered at once are in the history, too, with rows, chunks and errors."""
    with Testbed(testbed.cluster.folder) as other:
        other.query("SELECT COUNT(*) FROM Object WHERE mag < 16", database="once")
        with pytest.raises(UserError):
            other.query("SELECT missing FROM Object", database="once")
    known = testbed.registry.history.last(99)  # what other tests asked may be noted later
    failed, done = (next(one for one in known if text in one["statement"]) for text in ("missing", "mag < 16"))
    assert (failed["state"], done["state"]) == (QueryState.FAILED, QueryState.COMPLETED)
    assert "missing" in failed["error"]
    assert (done["rows"], done["chunks"] > 10, done["kind"]) == (1, True, "aggregate")


def test_result_expires(testbed: Testbed, submitted: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result that has been kept long enough is removed, and the query says so."""
    monkeypatch.setattr("skyshard.registry.history.query_history.KEPT_S", -1.0)
    assert testbed.submitted.expire() >= 1
    assert testbed.submitted.status(submitted).state is QueryState.EXPIRED
    with pytest.raises(UserError, match="is expired"):
        testbed.submitted.result(submitted)


def test_analysis_accounts_for_every_chunk(testbed: Testbed) -> None:
    """explain --analyze: the nodes' chunks and rows add up to those of the query."""
    told = testbed.czar.analyze("SELECT objectId FROM Object WHERE mag < 20", "once")
    assert sum(node.chunks for node in told.nodes) == told.stats.chunks
    assert sum(node.rows for node in told.nodes) == told.stats.rows
    assert {node.node for node in told.nodes} == set(testbed.nodes)
    assert told.node_skew >= 1
    assert "skew" in told.as_text()


def test_nodes_analyse_what_they_were_asked(testbed: Testbed) -> None:
    """explain --analyze --server: a scan reads each row of the chunk once, whatever its path, and leaves no table."""
    for sql in (
        "SELECT objectId FROM Object WHERE mag < 20",  # a scan
        "SELECT COUNT(*), AVG(mag) FROM Object WHERE mag < 20 AND NOW() > '2020-01-01'",  # merged, at a time of day
    ):
        told = testbed.czar.analyze(sql, "once", on_servers=True)
        assert [plan.node for plan in told.servers] == sorted(testbed.nodes)
        for plan in told.servers:
            (table,) = [step for _, step in plan.step.walk() if step.what.startswith("table ")]
            with connect(testbed.cluster.endpoint(plan.node), Account.READER, "once") as node:
                rows, kept = node.rows(f"SELECT COUNT(*), SUM(mag < 20) FROM Object_{plan.chunk}")[0]
                assert node.rows("SHOW TABLES FROM skyshard_scratch") == []
            assert (table.access, table.rows_read) == ("ALL", rows)
            assert table.kept == pytest.approx(100 * float(kept) / rows, abs=0.01)
            assert f"server  {plan.node}: chunk {plan.chunk}" in told.as_text()


def test_nodes_analyse_pairs_with_their_overlap(testbed: Testbed) -> None:
    """The statement is the one that was sent: a table with its overlap is read as a union, an index by its key."""
    near = "SELECT COUNT(*) FROM Object a, Object b WHERE scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.001"
    (plan, *_) = testbed.czar.analyze(near, "once", on_servers=True).servers
    assert "FullOverlap" in plan.statement
    assert "union" in [step.what for _, step in plan.step.walk()]
    (plan,) = testbed.czar.analyze("SELECT mag FROM Object WHERE objectId = 17", "once", on_servers=True).servers
    (table,) = plan.step.steps
    assert (table.key, table.rows_estimated) == ("PRIMARY", 1)


KEPT: tuple[tuple[str, Callable[[int], list[tuple[object, ...]]]], ...] = (
    ("SELECT objectId FROM Object WHERE objectId = {n}", lambda n: [(n,)]),
    ("SELECT objectId, {n} + 1 FROM Object WHERE objectId = {n}", lambda n: [(n, n + 1)]),
    ("SELECT objectId FROM Object WHERE objectId IN ({n}, {n}, 17) ORDER BY objectId", lambda n: sorted({(n,), (17,)})),
    ("SELECT COUNT(*), MAX(objectId) FROM Object WHERE objectId = {n} OR objectId = 3", lambda n: [(2, n)]),
    ("SELECT objectId FROM Object WHERE objectId = {n} AND objectId < 5000", lambda n: [(n,)] if n < 5000 else []),
    ("SELECT objectId FROM Object WHERE objectId = {n} LIMIT {n}", lambda n: [(n,)]),
    ("SELECT objectId FROM Object WHERE objectId = -{n}", lambda n: []),
    ("SELECT COUNT(*) FROM Object WHERE objectId = {n}000000", lambda n: [(0,)]),
    ("SELECT a.objectId, b.objectId FROM Object a JOIN Object b USING (objectId) WHERE a.objectId = {n}",
     lambda n: [(n, n)]),
    ("SELECT '{n}', objectId FROM Object WHERE objectId = {n}", lambda n: [(str(n), n)]),
    ("SELECT objectId FROM Object WHERE objectId BETWEEN {n} AND {n} + 1", lambda n: [(n,), (n + 1,)]),
)  # fmt: skip


@pytest.mark.parametrize(("sql", "want"), KEPT, ids=lambda value: value if isinstance(value, str) else "")
def test_kept_plan_answers_other_keys_rightly(testbed: Testbed, sql: str, want: Callable[[int], list[Any]]) -> None:
    """A plan kept for a shape gives each key its own rows, whatever else the number stands for."""
    for number in (4, 999, 12_345, 7, 88_888, 4, 100_001):
        table = testbed.query(sql.format(n=number), database="once").table
        rows = sorted(zip(*(column.to_pylist() for column in table.columns), strict=True)) if table.num_rows else []
        assert rows == want(number), number


@pytest.mark.parametrize("items", ["COUNT(*), SUM(mag > 20)", "objectId", "mag, objectId"])
def test_kept_plan_answers_other_areas_rightly(testbed: Testbed, items: str) -> None:
    """A plan kept for any area gives each area its own rows: in one chunk, in many, in none, at one place twice."""
    end = "" if "COUNT" in items else " ORDER BY objectId LIMIT 50"
    for west, south, size in ((12, 1, 0.1), (14, -3, 0.2), (11, -7, 9), (200, 5, 3), (12, 1, 0.1), (15, 2, 0.05)):
        east, north = west + size, south + size
        area = testbed.query(
            f"SELECT {items} FROM Object WHERE qserv_areaspec_box({west}, {south}, {east}, {north}){end}",
            database="once",
        )
        plain = (
            f"SELECT {items} FROM Object WHERE ra BETWEEN {west} AND {east} AND decl BETWEEN {south} AND {north}{end}"
        )
        assert area.table == testbed.query(plain, database="once").table
        assert area.columns == tuple(items.split(", "))


def test_kept_plans_see_what_is_published(testbed: Testbed, short_folder: Path) -> None:
    """Rows of a transaction published meanwhile are seen by the next query, plans and catalogs kept or not."""
    by_id, by_mag = "SELECT objectId FROM Object WHERE objectId = {}", "SELECT COUNT(*) FROM Object WHERE mag < 99"
    by_area = "SELECT COUNT(*) FROM Object WHERE qserv_areaspec_circle(18, 0, {})"
    for number in range(5):
        assert testbed.query(by_area.format(100 + number), database="twice").table.column(0)[0].as_py() == ROWS
        assert testbed.query(by_id.format(number), database="twice").rows == 1
        assert testbed.query(by_mag, database="twice").table.column(0)[0].as_py() == ROWS
    assert testbed.query(by_id.format(ROWS + 5), database="twice").rows == 0
    testbed.ingest(make_catalog(short_folder / "more", 2000, ROWS), database="twice", replicas=2)
    assert testbed.query(by_id.format(ROWS + 5), database="twice").rows == 1
    assert testbed.query(by_mag, database="twice").table.column(0)[0].as_py() == ROWS + 2000
    assert testbed.query(by_area.format(99), database="twice").table.column(0)[0].as_py() == ROWS + 2000
    assert testbed.query("SELECT COUNT(*) FROM Object", database="twice").table.column(0)[0].as_py() == ROWS + 2000
