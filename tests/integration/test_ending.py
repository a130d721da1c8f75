"""Whatever ends an ingest, its transaction can be gone on with, or is taken back; what is open can be aborted."""

from __future__ import annotations

import errno
import json
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.csv_catalog import OBJECT, director, table, write_mapping, write_table
from tests.support.kill_catalog import write_catalog
from tests.support.killing import Driver, digests, leftovers
from tests.support.stepping import (
    MORE_STOPS_THAN,
    STEPS_LIMIT_S,
    STRIDE,
    Fuse,
    Stopped,
    assert_gone,
    assert_right,
    fused,
    steps_on,
    stop,
    stop_at,
)
from typer.testing import CliRunner

from skyshard.basics.errors import ClusterError, SkyshardError, UserError, words_of
from skyshard.basics.progress import Progress
from skyshard.cli.app import app
from skyshard.ingest.transaction.ending import abort
from skyshard.registry.stored.lifecycle import Event
from skyshard.testbed import Testbed


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("sources")
    return [write_catalog(folder / str(seed), objects=40, seed=seed, side_deg=4) for seed in (1, 2)]


@pytest.fixture
def database() -> str:
    return f"x{uuid.uuid4().hex[:10]}"


def open_number(testbed: Testbed, database: str) -> int:
    found = testbed.registry.transactions.find_open(database)
    assert found is not None
    return found.id


# aborting by number


@pytest.mark.timeout(STEPS_LIMIT_S)
@pytest.mark.parametrize("is_published", [False, True])
def test_aborted_wherever_it_stopped(testbed: Testbed, sources: list[Path], database: str, is_published: bool) -> None:
    """Aborting a transaction that stopped anywhere leaves what was before it: nothing, or what was published."""
    source = sources[int(is_published)]
    if is_published:
        testbed.ingest(sources[0], database=database)
    before = digests(testbed.registry.replicas.all(database)) if is_published else {}
    aborted = 0
    for step in steps_on(max(1, STRIDE // 2)):  # one at least in the middle: the first may come before it has begun
        try:
            stop(testbed, source, database, Fuse(step))
            break
        except Stopped:
            found = testbed.registry.transactions.find_open(database)
        if found is None:  # it did not begin, or stopped when all was done
            continue
        assert testbed.abort_transaction(found.id) == database
        aborted += 1
        if is_published:
            assert digests(testbed.registry.replicas.all(database)) == before
            assert [check for check in testbed.verify(database) if not check.is_good] == []
            assert list(leftovers(testbed, database)) == []
        else:
            assert_gone(testbed, database)
    assert aborted > MORE_STOPS_THAN


@pytest.mark.timeout(STEPS_LIMIT_S)
@pytest.mark.parametrize("is_published", [False, True])
def test_aborting_is_stopped_at_every_step(
    testbed: Testbed, sources: list[Path], database: str, is_published: bool
) -> None:
    """Who is killed while aborting aborts again, as often as it takes; then nothing is left."""
    if is_published:
        testbed.ingest(sources[0], database=database)
    with pytest.raises(Stopped):
        testbed.ingest(sources[1], database=database, watcher=stop_at("publish"))
    number, step = open_number(testbed, database), 1
    while True:
        try:
            abort(fused(testbed, Fuse(step)), number)
            break
        except UserError:  # it stopped when all was done
            break
        except Stopped:
            step += 1
    assert step > 8
    if is_published:
        (row,) = [row for row in testbed.registry.transactions.all(database) if row["id"] == number]
        assert (row["state"], row["error"]) == ("aborted", "aborted by its number")
        assert_right(testbed, database, database)
    else:
        assert_gone(testbed, database)
    testbed.ingest(sources[1], database=database)
    assert [check for check in testbed.verify(database) if not check.is_good] == []


def test_only_what_is_open_is_aborted(testbed: Testbed, sources: list[Path], database: str) -> None:
    """A finished, an aborted and an unknown transaction are told apart, and nothing happens to them."""
    testbed.ingest(sources[0], database=database)
    (finished,) = (row["id"] for row in testbed.registry.transactions.all(database))
    with pytest.raises(Stopped):
        testbed.ingest(sources[1], database=database, watcher=stop_at("load"))
    aborted = open_number(testbed, database)
    testbed.abort_transaction(aborted)
    for number, words in (
        (finished, f"transaction {finished} of '{database}' is finished, queries see what it brought"),
        (aborted, f"transaction {aborted} of '{database}' is aborted; nothing of it is left"),
        (2**31 - 1, "there is no transaction 2147483647"),
        (-1, "there is no transaction -1"),
        (2**70, "there is no transaction"),
    ):
        with pytest.raises(UserError, match=words):
            testbed.abort_transaction(number)
    assert_right(testbed, database, database)


def test_a_running_ingest_is_not_aborted(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """The transaction of an ingest that is at work stays its own; killed, it can be aborted."""
    source = write_catalog(tmp_path / "many", objects=400)
    driver = Driver(testbed.cluster.folder, source, database, "inline", tmp_path / "log", hold="load")
    driver.wait_for(lambda lines: "load" in lines)
    number = open_number(testbed, database)
    with pytest.raises(ClusterError, match=f"ingest of {database} is under way elsewhere"):
        testbed.abort_transaction(number)
    driver.process.kill()
    driver.end()
    testbed.abort_transaction(number)
    assert_gone(testbed, database)


def test_an_interrupted_compaction_is_aborted(testbed: Testbed, sources: list[Path], database: str) -> None:
    """A compaction is a transaction like any other."""
    for source in sources:
        testbed.ingest(source, database=database)
    with pytest.raises(Stopped) as caught:
        testbed.compact(database, watcher=stop_at("compact"))
    number = open_number(testbed, database)
    assert f"transaction {number} stays open" in words_of(caught.value)
    testbed.abort_transaction(number)
    assert_right(testbed, database, database)
    assert testbed.compact(database, grace_s=0).tables
    assert_right(testbed, database, database)


def test_the_command(testbed: Testbed, sources: list[Path], database: str) -> None:
    """``transactions`` lists, of all databases or one; ``abort N`` ends one, wherever the cluster is named."""
    cluster = ["--cluster", str(testbed.cluster.folder)]
    with pytest.raises(Stopped):
        testbed.ingest(sources[0], database=database, watcher=stop_at("load"))
    number = open_number(testbed, database)
    listed = CliRunner().invoke(app, ["transactions", *cluster, "--database", database, "--json"])
    assert [(row["id"], row["state"]) for row in json.loads(listed.stdout)] == [(number, "started")]
    assert str(number) in CliRunner().invoke(app, ["transactions", *cluster]).stdout
    ended = CliRunner().invoke(app, ["transactions", *cluster, "abort", str(number)])
    assert (ended.exit_code, ended.stdout) == (
        0, f"transaction {number} of {database} is aborted: nothing of it is left\n",
    )  # fmt: skip
    again = CliRunner().invoke(app, ["transactions", "abort", str(number), "--json", *cluster])
    assert isinstance(again.exception, UserError)
    assert_gone(testbed, database)


# what ends an ingest


class Untold(Exception):
    """An error whose text cannot be made."""

    def __str__(self) -> str:
        raise KeyError("text")


def failing(stage: str, error: BaseException) -> Callable[[Progress], None]:
    def watch(progress: Progress) -> None:
        if progress.stage == stage:
            raise error

    return watch


ERRORS: dict[str, Callable[[], BaseException]] = {
    "user": lambda: UserError("wrong", remedy="mend it"),
    "letters": lambda: UserError("a file called \udcff"),
    "long": lambda: UserError("x" * 200_000 + "\u20ac"),
    "bug": lambda: ZeroDivisionError("division by zero"),
    "untold": Untold,
    "empty": AssertionError,
}
WORDS = {
    "user": "wrong; mend it", "letters": r"a file called \udcff", "long": "x" * 60_000, "bug": "division by zero",
    "untold": "Untold, whose text cannot be made (KeyError)", "empty": "AssertionError",
}  # fmt: skip


EARLIER_AND_LATER = {"prepare": "letters", "partition Source": "untold", "publish": "user"}
"""Stages, each with the kind of error that a usual run has there; at the load every kind comes."""


@pytest.mark.parametrize(
    ("stage", "kind"),
    [
        pytest.param(stage, kind, marks=() if EARLIER_AND_LATER.get(stage, kind) == kind else pytest.mark.deep)
        for stage in ("prepare", "partition Source", "load", "publish")
        for kind in ERRORS
    ],
)
def test_errors_that_would_come_again(
    testbed: Testbed, sources: list[Path], database: str, kind: str, stage: str
) -> None:
    """Wrong input and bugs are taken back, whatever their text; the first of them is the error, and it says so."""
    if stage == "load":
        testbed.ingest(sources[0], database=database)
    before = digests(testbed.registry.replicas.all(database))
    error = ERRORS[kind]()
    with pytest.raises(type(error)) as caught:
        testbed.ingest(sources[1], database=database, watcher=failing(stage, error))
    assert caught.value is error
    assert ("was taken back, nothing of it is left" in words_of(error)) is not isinstance(error, UserError)
    if stage == "load":
        assert digests(testbed.registry.replicas.all(database)) == before
        assert testbed.registry.transactions.all(database)[-1]["error"] == WORDS[kind]
        assert_right(testbed, database, database)
    else:
        assert_gone(testbed, database)


@pytest.mark.parametrize("kind", [MemoryError, KeyboardInterrupt, ClusterError])
def test_errors_that_may_pass(testbed: Testbed, sources: list[Path], database: str, kind: type) -> None:
    """After trouble of the machine, of servers, and after Ctrl-C the same command goes on; the error says how."""
    error = kind("trouble")
    with pytest.raises(kind):
        testbed.ingest(sources[0], database=database, watcher=failing("load", error))
    number = open_number(testbed, database)
    assert words_of(error) == (
        f"trouble; transaction {number} stays open: run the same command again, or end it with "
        f"`skyshard transactions abort {number}`"
    )
    assert testbed.ingest(sources[0], database=database).transaction == number
    assert_right(testbed, database, database)


def test_files_that_cannot_be_written(testbed: Testbed, sources: list[Path], database: str) -> None:
    """Trouble with files is the machine's: named, with the way to go on; only a full disk calls for room."""
    for number, words in ((errno.EACCES, "make it writable"), (errno.ENOSPC, "free disk space")):
        error = OSError(number, "trouble", "/some/file")
        with pytest.raises(ClusterError, match=f"cannot write '/some/file': trouble; {words}") as caught:
            testbed.ingest(sources[0], database=database, watcher=failing("load", error))
        assert "stays open: run the same command again" in words_of(caught.value)
    testbed.ingest(sources[0], database=database)
    assert_right(testbed, database, database)


def test_an_error_after_publishing_takes_nothing_back(testbed: Testbed, sources: list[Path], database: str) -> None:
    """What is published stays, whatever happens to the last report of progress."""

    def watch(progress: Progress) -> None:
        if progress.stage == "publish" and progress.done:
            raise UnicodeEncodeError("latin-1", "\u2192", 0, 1, "ordinal not in range")

    with pytest.raises(UnicodeEncodeError):
        testbed.ingest(sources[0], database=database, watcher=watch)
    assert testbed.registry.transactions.find_open(database) is None
    assert_right(testbed, database, database)


def test_wrong_input_while_a_node_dies(testbed: Testbed, sources: list[Path], database: str) -> None:
    """Wrong input that cannot be taken back now says both; once the node is there, the number ends it."""

    def watch(progress: Progress) -> None:
        if progress.stage == "load":
            testbed.cluster.kill_server("node2")
            raise UserError("wrong input")

    try:
        with pytest.raises(UserError) as caught:
            testbed.ingest(sources[0], database=database, watcher=watch)
    finally:
        testbed.cluster.start()
    number = open_number(testbed, database)
    assert words_of(caught.value).startswith(f"wrong input; transaction {number} is not taken back yet (node 'node2'")
    (row,) = testbed.registry.transactions.all(database)
    assert (row["state"], row["error"]) == ("aborting", "wrong input")
    with Testbed(testbed.cluster.folder) as mine:
        mine.abort_transaction(number)
    assert_gone(testbed, database)


def test_who_was_overtaken_ends_nothing(testbed: Testbed, sources: list[Path], database: str) -> None:
    """An ingest that fails after another one took its transaction over leaves it to that one."""

    def watch(progress: Progress) -> None:
        if progress.stage == "load":
            found = testbed.registry.transactions.find_open(database)
            assert found is not None
            testbed.registry.transactions.take_over(found)
            raise UserError("wrong input")

    with pytest.raises(UserError, match="wrong input") as caught:
        testbed.ingest(sources[0], database=database, watcher=watch)
    assert "was taken over by another ingest" in words_of(caught.value)
    found = testbed.registry.transactions.find_open(database)
    assert found is not None
    testbed.registry.transactions.move(found, Event.ABORT)
    testbed.abort_transaction(found.id)
    assert_gone(testbed, database)


def test_late_errors_of_real_input(testbed: Testbed, tmp_path: Path, database: str) -> None:
    """An unknown key found when all directors are through, in a second transaction, leaves the first as it was."""
    follow = {"role": "dependent", "director": "Object", "key": "id", "orphans": "refuse"}
    tables = {"Object": director(), "Source": table({"id": "bigint", "n": "int"}, files="Source*.csv", **follow)}
    path = write_mapping(tmp_path, database, tables)
    write_table(tmp_path, "Object1", list(OBJECT), [(i, 10.0 * i, 5.0) for i in range(20)])
    write_table(tmp_path, "Source1", ["id", "n"], [(i, i) for i in range(20)])
    testbed.ingest(path)
    before = digests(testbed.registry.replicas.all(database))
    write_table(tmp_path, "Object2", list(OBJECT), [(i, 10.0 * i, 5.0) for i in range(20, 30)])
    write_table(tmp_path, "Source2", ["id", "n"], [(25, 1), (99, 2)])
    with pytest.raises(SkyshardError, match="99"):
        testbed.ingest(path)
    assert digests(testbed.registry.replicas.all(database)) == before
    assert_right(testbed, database, database)
