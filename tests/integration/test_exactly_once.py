"""Exactly once: whatever is killed at whatever instant, the next ingest goes on and every row is there once."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.kill_catalog import write_catalog
from tests.support.killing import FIRST, SECOND, Kind, Range, digests
from tests.support.small_catalog import write_small_catalog
from tests.support.stepping import (
    STEPS_LIMIT_S,
    Fuse,
    Stopped,
    assert_gone,
    assert_right,
    some_steps,
    steps_of,
    stop,
    stop_at,
)

from skyshard.basics.errors import ClusterError, UserError
from skyshard.basics.progress import Progress
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.db.connection import Account, connect
from skyshard.db.silence_watch import SILENCE_VARIABLE
from skyshard.ingest.partition import bundle
from skyshard.node.messages import Loader
from skyshard.registry.stored.sql_tables import INDEX_DATABASE
from skyshard.testbed import Testbed

ROUNDS = [
    (Kind.WORKER, FIRST), (Kind.RAY_DRIVER, FIRST),
    (Kind.DRIVER, SECOND), (Kind.NODE, SECOND), (Kind.CZAR, SECOND), (Kind.ACTOR, SECOND),
    *(pytest.param(kind, FIRST, marks=pytest.mark.deep) for kind in (Kind.DRIVER, Kind.NODE, Kind.CZAR)),
]  # fmt: skip
"""What is struck, and in which transaction."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sources")
    return {
        name: write_catalog(folder / name, objects=60, seed=seed, side_deg=4)
        for name, seed in ((FIRST, 1), (SECOND, 2))
    }


@pytest.fixture
def database() -> str:
    return f"x{uuid.uuid4().hex[:10]}"


@pytest.fixture(autouse=True)
def short_own_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process, segments of some rows have files of their own, which tables take over."""
    monkeypatch.setattr(bundle, "OWN_FILE_BYTES", 400)


# processes killed at random instants


@pytest.fixture(scope="module")
def place(short_folder: Path) -> Iterator[Range]:
    place = Range(short_folder / "range", rows=6_000, seed=20261121)
    try:
        place.open(["inline"])
        yield place
    finally:
        if place.cluster.exists:
            place.cluster.destroy()


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("kind", "transaction"), ROUNDS)
def test_killed_at_a_random_instant(place: Range, kind: Kind, transaction: str) -> None:
    """After kill -9 of any process, and another run, everything is as if nothing had happened."""
    strike = place.strike(kind, transaction)
    assert strike.wrong == []
    assert strike.retries == []


# every instant, one after the other


@pytest.mark.timeout(STEPS_LIMIT_S)
def test_stopped_at_every_step_of_a_first_transaction(
    testbed: Testbed, sources: dict[str, Path], database: str
) -> None:
    """Wherever the driver stops, nothing is published, and the next run makes the same of it."""
    steps = steps_of(testbed, sources[FIRST], database)
    assert steps > 80
    for step in some_steps(steps):
        name = f"{database}_{step}"
        with pytest.raises(Stopped):
            stop(testbed, sources[FIRST], name, Fuse(step))
        if name in testbed.registry.published.databases():
            assert_right(testbed, name, database, is_tidy=False)
        testbed.ingest(sources[FIRST], database=name)
        assert_right(testbed, name, database)


@pytest.mark.timeout(STEPS_LIMIT_S)
def test_stopped_at_every_step_of_a_second_transaction(
    testbed: Testbed, sources: dict[str, Path], database: str
) -> None:
    """Wherever the driver stops, the first transaction stays as it was, verified, until the second is whole."""
    testbed.ingest(sources[FIRST], database=database)
    first = digests(testbed.registry.replicas.all(database))
    steps = steps_of(testbed, sources[SECOND], database)
    for step in some_steps(steps):
        name = f"{database}_{step}"
        testbed.ingest(sources[FIRST], database=name)
        with pytest.raises(Stopped):
            stop(testbed, sources[SECOND], name, Fuse(step))
        assert [check for check in testbed.verify(name) if not check.is_good] == []
        assert digests(testbed.registry.replicas.all(name)) in (first, digests(testbed.registry.replicas.all(database)))
        testbed.ingest(sources[SECOND], database=name)
        assert_right(testbed, name, database)


# what else may come in between


@pytest.mark.timeout(1200)
def test_taking_back_is_stopped_at_every_step(
    testbed: Testbed, sources: dict[str, Path], database: str, tmp_path: Path
) -> None:
    """Wrong input is taken back wholly, however often that is interrupted; what was published stays."""
    right = write_small_catalog(tmp_path / "right", objects=40)
    wrong = write_small_catalog(tmp_path / "wrong", objects=40, seed=6, first_key=500_000_000_000_000)
    (wrong / "data" / "Filter.tsv").write_bytes(b"1\tu\tthree\n")
    for is_published in (False, True):
        if is_published:
            testbed.ingest(right, database=database)
        fuse = Fuse()
        with pytest.raises(UserError, match="3 columns where the table has 2"):
            stop(testbed, wrong, database, fuse)
        for step in some_steps(fuse.burnt - 2):
            with pytest.raises(Stopped):
                stop(testbed, wrong, database, Fuse(1 + step))
            with pytest.raises(UserError):
                testbed.ingest(wrong, database=database)
            if not is_published:
                assert_gone(testbed, database)
    testbed.ingest(right, database=f"{database}_like")
    assert_right(testbed, database, f"{database}_like")


def test_another_plan_takes_the_interrupted_one_back(testbed: Testbed, sources: dict[str, Path], database: str) -> None:
    """Another source, other tables or another loader do not go on with what was interrupted, and lose nothing."""
    testbed.ingest(sources[SECOND], database=f"{database}_like")
    choices: tuple[dict[str, Any], ...] = ({}, {"loader": Loader.LOAD_DATA})
    for number, options in enumerate(choices):
        name = f"{database}_{number}"
        with pytest.raises(Stopped):
            testbed.ingest(sources[FIRST if not options else SECOND], database=name, watcher=stop_at("load"))
        testbed.ingest(sources[SECOND], database=name, **options)
        assert_right(testbed, name, f"{database}_like")
        assert len(testbed.registry.transactions.all(name)) == 1


def test_a_part_that_changes_in_between(testbed: Testbed, database: str, tmp_path: Path) -> None:
    """The rows of a file as it is now are there, not those of the file that was interrupted."""
    catalog = write_small_catalog(tmp_path / "small")
    with pytest.raises(Stopped):
        testbed.ingest(catalog, database=database, watcher=stop_at("load"))
    path = catalog / "data" / "Filter.tsv"
    path.write_bytes(path.read_bytes() + b"7\tw\n")
    testbed.ingest(catalog, database=database)
    testbed.ingest(catalog, database=f"{database}_like")
    assert testbed.registry.published.catalog(database).tables["Filter"].rows == 7
    assert_right(testbed, database, f"{database}_like")


def test_an_index_that_was_never_published_goes(testbed: Testbed, sources: dict[str, Path], database: str) -> None:
    """The director index of a table that a second transaction would have brought is taken back with it."""
    testbed.ingest(sources[FIRST], database=database, tables=["Visit"])
    with pytest.raises(Stopped):
        testbed.ingest(sources[FIRST], database=database, watcher=stop_at("publish"))
    assert index_tables(testbed, database) != []
    testbed.ingest(sources[SECOND], database=database, tables=["Visit"])
    assert index_tables(testbed, database) == []
    assert [check for check in testbed.verify(database) if not check.is_good] == []


def index_tables(testbed: Testbed, database: str) -> list[str]:
    with connect(testbed.cluster.endpoint("czar"), Account.ADMIN) as connection:
        names = [str(name) for (name,) in connection.rows(f"SHOW TABLES IN {INDEX_DATABASE}")]
    return [name for name in names if name.startswith(f"{database}__")]


def test_a_silent_node_is_an_error_in_the_end(
    testbed: Testbed, sources: dict[str, Path], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that hangs in the middle of loading is named once it was silent; works it again, the ingest goes on."""
    testbed.ingest(sources[FIRST], database=f"{database}_like")
    monkeypatch.setenv(SILENCE_VARIABLE, "6")  # the other node, of a busy host, answers before that
    pid = next(server.pid for server in testbed.cluster.status() if server.name == "node2")
    assert pid is not None

    def hang(progress: Progress) -> None:
        if progress.stage == "load":
            os.kill(pid, signal.SIGSTOP)

    try:
        with (
            Testbed(testbed.cluster.folder) as mine,
            pytest.raises(ClusterError, match=r"node 'node2': .*no answer for.*skyshard cluster status"),
        ):
            mine.ingest(sources[FIRST], database=database, watcher=hang)
    finally:
        os.kill(pid, signal.SIGCONT)
    testbed.ingest(sources[FIRST], database=database)
    assert_right(testbed, database, f"{database}_like")


def test_a_dead_node_is_named_and_the_rest_is_done_later(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """The error names the node and the remedy; the next run builds what no node has recorded, and nothing else."""
    source = write_catalog(tmp_path / "many", objects=400)
    testbed.ingest(source, database=f"{database}_like")
    loads: list[Progress] = []

    def kill_once(progress: Progress) -> None:
        if progress.stage == "load":
            if not loads:
                testbed.cluster.kill_server("node2")
            loads.append(progress)

    try:
        with pytest.raises(ClusterError, match=r"node 'node2'.*skyshard cluster start") as caught:
            testbed.ingest(source, database=database, watcher=kill_once)
        assert "\n" not in str(caught.value)
        with Testbed(testbed.cluster.folder) as other, pytest.raises(ClusterError, match="node2"):
            other.ingest(source, database=database)
    finally:
        testbed.cluster.start()
    open_transaction = testbed.registry.transactions.find_open(database)
    assert open_transaction is not None
    recorded = testbed.registry.replicas.all(database, transaction=open_transaction.id)
    assert {replica.node for replica in recorded} >= {"node1"}
    loads.clear()
    loads.append(Progress("load", 0, 0))  # the node is not killed again
    testbed.ingest(source, database=database, watcher=kill_once)
    rebuilt = max(progress.total for progress in loads)
    replicas, dummies = testbed.registry.replicas.all(database), 4 * len(testbed.nodes)
    assert rebuilt == len(replicas) - len(recorded) + dummies
    assert_right(testbed, database, f"{database}_like")


def test_recorded_tables_are_read_again_after_a_restart(
    testbed: Testbed, sources: dict[str, Path], database: str
) -> None:
    """A recorded table that is not what it was when its server comes back is built again."""
    testbed.ingest(sources[FIRST], database=f"{database}_like")
    with pytest.raises(Stopped):
        testbed.ingest(sources[FIRST], database=database, watcher=stop_at("director index"))
    found = testbed.registry.transactions.find_open(database)
    assert found is not None
    victim = next(
        r for r in testbed.registry.replicas.all(database, transaction=found.id) if r.rows and r.node == "node1"
    )
    testbed.cluster.kill_server("node1")
    for ending in (".MYD", ".MYI"):
        (testbed.cluster.data_dir("node1") / database / f"{victim.name}{ending}").write_bytes(b"")
    testbed.cluster.start()
    testbed.ingest(sources[FIRST], database=database)
    assert_right(testbed, database, f"{database}_like")


def test_files_that_a_killed_load_left_go(testbed: Testbed, sources: dict[str, Path], database: str) -> None:
    """Half-written files do not keep a database from being dropped, are seen by verify, and are swept."""
    with pytest.raises(Stopped):
        testbed.ingest(sources[FIRST], database=database, watcher=stop_at("load"))
    data = testbed.cluster.data_dir("node1")
    text = f"{SCRATCH_DATABASE}/load-{database}-Cutout_1-77.tsv"
    for name in (f"{database}/Object_1.MYD", f"{database}/Object_6800.TMD", text):
        (data / name).write_bytes(b"half")
    testbed.ingest(sources[SECOND], database=database)
    assert [check for check in testbed.verify(database) if not check.is_good] == []
    (data / database / "Object_1.TMD").write_bytes(b"half")
    assert [check.name for check in testbed.verify(database) if not check.is_good] == ["files of no table"]
    (data / database / "Object_1.TMD").unlink()
