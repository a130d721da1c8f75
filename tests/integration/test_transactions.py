"""Transactions side by side with queries and with each other: all of one is seen or nothing, one at a time works."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.asking import ASK_EVERY_S
from tests.support.kill_catalog import write_catalog
from tests.support.killing import Driver
from tests.support.same_answer import rows_in
from tests.support.stepping import Stopped, stop_at

from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.layout import Layout, Striping
from skyshard.db.connection import Account, connect
from skyshard.node.mariadb_loader import MariaDBLoader
from skyshard.node.server import server_sessions
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.registry.stored.lifecycle import Event
from skyshard.registry.transactions.transaction_report import TransactionReport
from skyshard.testbed import Testbed


@pytest.fixture
def database() -> str:
    return f"x{uuid.uuid4().hex[:10]}"


def test_a_new_table_is_hidden_until_it_is_published(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """A table that a second transaction brings is in no catalog before the transaction is finished."""
    source = write_catalog(tmp_path / "source", objects=60)
    testbed.ingest(source, database=database, tables=["Object"])
    with pytest.raises(Stopped):
        testbed.ingest(source, database=database, watcher=stop_at("load"))
    assert list(testbed.registry.published.catalog(database).tables) == ["Object"]
    testbed.ingest(source, database=database)
    assert len(testbed.registry.published.catalog(database).tables) == 4
    assert [check for check in testbed.verify(database) if not check.is_good] == []


def test_queries_see_one_transaction_or_both(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """While a second transaction is ingested, with its driver killed once, every answer is the old or the new one."""
    first, second = (write_catalog(tmp_path / str(seed), objects=1_000, seed=seed) for seed in (1, 2))
    testbed.ingest(first, database=database)
    old = testbed.registry.published.catalog(database)
    testbed.ingest(first, database=f"{database}_like")
    testbed.ingest(second, database=f"{database}_like")
    right = [answers_of(testbed, database), answers_of(testbed, f"{database}_like")]
    is_over = threading.Event()
    seen: list[Answers] = []

    def ask() -> None:
        with Testbed(testbed.cluster.folder) as mine:
            while not is_over.wait(ASK_EVERY_S):
                seen.append(answers_of(mine, database))

    def asked_since(count: int) -> None:
        """Until two more answers have come: one that was under way, and one that was begun since."""
        while len(seen) < count + 2:
            assert asking.is_alive()
            time.sleep(0.02)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        driver = Driver(testbed.cluster.folder, second, database, "inline", tmp_path / "log", hold="load")
        driver.wait_for(lambda lines: "load" in lines)
        asked_since(0)
        driver.process.kill()
        driver.end()
        testbed.ingest(second, database=database)
        asked_since(len(seen))
    finally:
        is_over.set()
        asking.join()
    each = [[answers[number] for answers in seen] for number in range(len(STATEMENTS))]
    for number, answers in enumerate(each):
        allowed = [states[number] for states in right]
        assert all(answer in allowed for answer in answers)
        assert answers == sorted(answers, key=allowed.index)
    assert each[0][0] != each[0][-1]
    assert answers_of(testbed, database) == right[1]
    assert rows_of(testbed, old) == 1_000


def test_new_shapes_see_what_another_process_published(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """A czar that has read one generation answers statements it never saw from the next one: rows, tables, refusals."""
    first, second = (write_catalog(tmp_path / str(seed), objects=200, seed=seed) for seed in (1, 2))
    testbed.ingest(first, database=database, tables=["Object"])

    def ids(mine: Testbed) -> list[int]:
        return [
            row["objectId"] for row in mine.query("SELECT objectId FROM Object", database=database).table.to_pylist()
        ]

    with Testbed(testbed.cluster.folder) as mine:
        old = set(ids(mine))
        with pytest.raises(UserError, match="unknown table"):
            mine.query("SELECT COUNT(*) FROM Source", database=database)
        testbed.ingest(second, database=database)
        new = next(key for key in ids(testbed) if key not in old)
        assert mine.query(f"SELECT objectId AS a FROM Object WHERE objectId = {new}", database=database).rows == 1
        testbed.ingest(first, database=f"{database}_2")
        one = mine.query(f"SELECT ra AS b FROM Object WHERE objectId IN ({min(old)}, {new})", database=database)
        assert one.rows == 2
        assert mine.query("SELECT COUNT(*) + 1 AS c FROM Source", database=f"{database}_2").rows == 1
        with pytest.raises(UserError, match="unknown column"):
            mine.query("SELECT nothing FROM Object", database=database)


STATEMENTS = (
    "SELECT COUNT(*), SUM(flag), MAX(objectId) FROM Object",
    "SELECT COUNT(*), MAX(sourceId) FROM Source",
    "SELECT COUNT(*), MAX(o.objectId), MAX(s.sourceId) FROM Object o JOIN Source s USING (objectId)",
    "SELECT COUNT(*) FROM Visit",
)
Answers = tuple[str, ...]


def answers_of(testbed: Testbed, database: str) -> Answers:
    return tuple(str(rows_in(testbed.query(sql, database=database).table)) for sql in STATEMENTS)


def rows_of(testbed: Testbed, catalog: Catalog) -> int:
    """Rows of Object under the names that a catalog gives."""
    total = 0
    for chunk, entry in catalog.tables["Object"].chunks.items():
        with connect(testbed.cluster.endpoint(entry.nodes[0]), Account.READER, catalog.database) as connection:
            total += int(connection.value(f"SELECT COUNT(*) FROM Object_{chunk}{entry.suffix}"))
    return total


def test_who_was_overtaken_publishes_nothing(testbed: Testbed, database: str) -> None:
    """An ingest whose transaction another one has taken over can not end it, well or not."""
    layout = Layout(striping=Striping(stripes=10, substripes=2, overlap_deg=0.1))
    mine = testbed.registry.transactions.begin(database, layout, "somewhere", "plan", {})
    theirs = testbed.registry.transactions.take_over(mine)
    steps: tuple[Callable[[], object], ...] = (
        lambda: testbed.registry.transactions.move(mine, Event.COMMIT),
        lambda: testbed.registry.transactions.publish(database, mine, TransactionReport()),
        lambda: testbed.registry.transactions.take_back(database, mine),
    )
    for step in steps:
        with pytest.raises(ClusterError, match="taken over by another ingest"):
            step()
    testbed.registry.transactions.move(theirs, Event.ABORT)
    testbed.registry.transactions.take_back(database, theirs)
    assert testbed.registry.databases.state(database) is None


@pytest.fixture
def loaders(testbed: Testbed, monkeypatch: pytest.MonkeyPatch) -> tuple[MariaDBLoader, MariaDBLoader]:
    """Two of one node; none waits for the other."""
    monkeypatch.setattr(server_sessions, "HOLD_TIMEOUT_S", 0)
    where = testbed.cluster.endpoint("node1"), str(testbed.cluster.data_dir("node1"))
    return MariaDBLoader("node1", *where), MariaDBLoader("node1", *where)


def test_a_loader_that_lives_on_keeps_the_next_one_out(
    loaders: tuple[MariaDBLoader, MariaDBLoader], database: str
) -> None:
    """Two loaders never work on one database of a node; when the first one's session ends, the second one comes in."""
    orphan, heir = loaders
    orphan.hold(database)
    with pytest.raises(ClusterError, match=r"node 'node1': another ingest of .* is still at work"):
        heir.hold(database)
    orphan.release(database)
    heir.hold(database)
    heir.release(database)


def test_the_next_loader_waits_for_sessions_that_help(
    testbed: Testbed, loaders: tuple[MariaDBLoader, MariaDBLoader], database: str
) -> None:
    """A session that helped a loader whose own one is gone keeps the next one out; none begins to help any more."""
    orphan, heir = loaders
    orphan.hold(database)
    orphan.make_database(database)
    still_at_work = "another ingest of .* is still at work"
    with orphan._sessions.beside(database, server_sessions.SESSIONS - 1):
        with connect(testbed.cluster.endpoint("node1"), Account.ADMIN) as admin:
            admin.execute(f"KILL {orphan._sessions._held[database].thread_id}")
        with pytest.raises(ClusterError, match=still_at_work):
            heir.hold(database)
    heir.hold(database)
    with pytest.raises(ClusterError, match=still_at_work), orphan._sessions.beside(database, 1):
        pass
    orphan.release(database)
    heir.drop_database(database)
    heir.release(database)


def test_a_lost_session_does_not_come_back(testbed: Testbed, database: str) -> None:
    """A loader whose session died with its lock makes nothing any more, though the server answers others."""
    loader = MariaDBLoader("node1", testbed.cluster.endpoint("node1"), str(testbed.cluster.data_dir("node1")))
    loader.hold(database)
    loader.make_database(database)
    with connect(testbed.cluster.endpoint("node1"), Account.ADMIN) as admin:
        admin.execute(f"KILL {loader._sessions._held[database].thread_id}")
    for _ in range(2):
        with pytest.raises(ClusterError):
            loader.run(database, ["CREATE TABLE t (i INT)"])
    loader.release(database)
    assert loader.tables(database) == []
    loader.drop_database(database)


def test_databases_are_ingested_side_by_side(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """Ingests of several databases of a family at once give what they give alone; their chunks are together."""
    sources = [write_catalog(tmp_path / str(seed), objects=400, seed=seed) for seed in (1, 2, 3)]

    def ingest(number: int) -> int:
        with Testbed(testbed.cluster.folder) as mine:
            return mine.ingest(sources[number], database=f"{database}_{number}").rows

    with ThreadPoolExecutor(3) as threads:
        rows = list(threads.map(ingest, range(3)))
    placed: dict[int, set[str]] = {}
    for number, source in enumerate(sources):
        name, alone = f"{database}_{number}", f"{database}_alone{number}"
        testbed.ingest(source, database=alone)
        assert testbed.registry.contributions.data_digest(name) == testbed.registry.contributions.data_digest(alone)
        assert [check for check in testbed.verify(name) if not check.is_good] == []
        for replica in testbed.registry.replicas.all(name):
            placed.setdefault(replica.chunk, set()).add(replica.node)
    assert rows == [2_850] * 3
    assert all(len(nodes) == 1 for chunk, nodes in placed.items() if chunk >= 0)


def test_a_director_elsewhere_is_held_while_its_dependents_come(
    testbed: Testbed, tmp_path: Path, database: str
) -> None:
    """While the director's database is ingested, who follows it waits, and says so; then it goes on."""
    source = write_catalog(tmp_path / "source", objects=60)
    testbed.ingest(source, database=database, tables=["Object"])
    manifest = (
        (source / "manifest.json").read_text().replace('"director": "Object"', f'"director": "{database}.Object"')
    )
    (source / "manifest.json").write_text(manifest)
    with (
        testbed.registry.exclusive(f"ingest of {database}"),
        pytest.raises(ClusterError, match=f"ingest of {database} is under way"),
    ):
        testbed.ingest(source, database=f"{database}_more", tables=["Source"])
    assert testbed.registry.databases.state(f"{database}_more") is None
    assert testbed.ingest(source, database=f"{database}_more", tables=["Source"]).rows == 180
