"""Commands that are ended from outside: nothing of theirs goes on, on no server, or the next command ends it."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from tests.support.small_catalog import write_small_catalog

from skyshard.basics.errors import UserError
from skyshard.cli.terminal.answer_output import write_answer
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.host.processes import own_name
from skyshard.registry.stored.lifecycle import QueryEvent, QueryState
from skyshard.registry.stored.sql_tables import REGISTRY_DATABASE
from skyshard.testbed import TargetName, Testbed

pytestmark = pytest.mark.integration

DATABASE = "ended"
GATHERED = "SELECT COUNT(*) FROM Object a, Object b, Object c, Object d WHERE a.ra * b.ra < c.ra + d.ra"
ON_A_NODE = "SELECT SUM(f0.filterId * f15.filterId) AS x FROM " + ", ".join(f"Filter f{number}" for number in range(16))
TARGETS: tuple[TargetName, ...] = ("czar", "mono")
WAIT_S = 100.0


@pytest.fixture(scope="module")
def testbed(private_cluster: PrivateCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Testbed]:
    """The small catalog, sharded and in the oracle."""
    source = write_small_catalog(tmp_path_factory.mktemp("source"), database=DATABASE)
    with Testbed(private_cluster.folder) as made:
        made.ingest(source, database=DATABASE)
        made.load_mono(DATABASE)
        yield made


@pytest.fixture(autouse=True)
def nothing_goes_on(testbed: Testbed) -> Iterator[None]:
    """A test that fails leaves no statement to the next one, which counts them."""
    yield
    for endpoint in testbed.cluster.running_endpoints():
        with connect(endpoint, Account.ADMIN) as connection:
            for row in connection.rows("SHOW FULL PROCESSLIST"):
                if row[1] == Account.READER and row[4] == "Query":
                    with contextlib.suppress(UserError):  # it has ended meanwhile
                        connection.execute(f"KILL {int(row[0])}")


@contextlib.contextmanager
def commanded(testbed: Testbed, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that is under way; gone in the end."""
    process = command(testbed, *words)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def command(testbed: Testbed, *words: str) -> subprocess.Popen[bytes]:
    line = [sys.executable, "-m", "skyshard.cli.app", *words, "--cluster", str(testbed.cluster.folder)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def left(testbed: Testbed) -> list[str]:
    """What the servers do for readers at the moment."""
    found = []
    for endpoint in testbed.cluster.running_endpoints():
        with connect(endpoint, Account.ADMIN) as connection:
            rows = connection.rows("SHOW FULL PROCESSLIST")
        found += [str(row[7]) for row in rows if row[1] == Account.READER and row[4] == "Query"]
    return [text for text in found if " FROM " in text]


def lasting(testbed: Testbed) -> list[str]:
    """Of these, the statements that take hours: not what gathers their rows before."""
    return [text for text in left(testbed) if "b.ra" in text or "f15" in text]


def scratch(testbed: Testbed) -> list[str]:
    found: list[str] = []
    for endpoint in testbed.cluster.running_endpoints():
        with connect(endpoint, Account.ADMIN) as connection:
            found += [str(name) for (name,) in connection.rows(f"SHOW TABLES FROM {SCRATCH_DATABASE}")]
    return found


def wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("words", "sql", "number"),
    [
        (("query",), GATHERED, signal.SIGTERM),
        (("query",), GATHERED, signal.SIGINT),
        (("query",), ON_A_NODE, signal.SIGHUP),
        (("query", "--target", "mono"), GATHERED, signal.SIGTERM),
        (("explain", "--analyze"), ON_A_NODE, signal.SIGTERM),
    ],
)
def test_a_command_that_is_told_to_end_leaves_nothing(
    testbed: Testbed, words: Sequence[str], sql: str, number: signal.Signals
) -> None:
    """The exit code names the signal, one line says so; no statement goes on and no scratch table stays."""
    with commanded(testbed, *words, sql, "-d", DATABASE) as process:
        wait_until(lambda: bool(lasting(testbed)))
        process.send_signal(number)
        _, said = process.communicate(timeout=WAIT_S)
        assert process.returncode == 128 + number
    assert said.decode().splitlines()[-1] in ("skyshard: interrupted", f"skyshard: ended by {number.name}")
    wait_until(lambda: not left(testbed))
    assert scratch(testbed) == []


@pytest.mark.parametrize(
    ("words", "sql"),
    [(("query",), GATHERED), (("query",), ON_A_NODE), (("query", "--target", "mono"), GATHERED)],
    ids=["gathered", "on a node", "oracle"],
)
def test_the_next_command_ends_what_a_killed_one_left(testbed: Testbed, words: Sequence[str], sql: str) -> None:
    """A killed command can tidy up nothing; opening the cluster does, and leaves the living alone."""
    living = command(testbed, "query", sql, "-d", DATABASE)
    try:
        wait_until(lambda: len(lasting(testbed)) == 1)
        killed = command(testbed, *words, sql, "-d", DATABASE)
        wait_until(lambda: len(lasting(testbed)) == 2)
        killed.kill()
        killed.communicate()
        assert len(lasting(testbed)) == 2
        with Testbed(testbed.cluster.folder) as again:
            again.registry.published.databases()
        wait_until(lambda: len(left(testbed)) == 1)
    finally:
        living.terminate()
        living.communicate(timeout=WAIT_S)
    wait_until(lambda: not left(testbed))
    with Testbed(testbed.cluster.folder) as again:
        for target in TARGETS:
            again.query("SELECT SUM(flag) AS s FROM Object WHERE ra >= 0", database=DATABASE, target=target)
    wait_until(lambda: scratch(testbed) == [])


def test_a_submitted_query_whose_process_is_killed_has_failed_and_does_not_go_on(testbed: Testbed) -> None:
    """Its rows are refused with the reason, and what it ran ends with the next look at it."""
    number = testbed.submit(GATHERED, database=DATABASE)
    wait_until(lambda: bool(lasting(testbed)))
    with pytest.raises(UserError, match=f"query {number} is executing; wait for it"):
        testbed.submitted.open(number)
    process = testbed.registry.history.get(number)["process"]
    assert subprocess.run(["kill", "-9", str(process)], check=False).returncode == 0
    wait_until(lambda: testbed.submitted.status(number).state is QueryState.FAILED)
    with Testbed(testbed.cluster.folder):
        pass
    wait_until(lambda: not left(testbed))
    with pytest.raises(UserError, match="is failed: the process that ran the query is gone"):
        testbed.submitted.open(number)


def test_a_query_of_another_host_lives_as_long_as_its_heartbeats(testbed: Testbed) -> None:
    """No process of this host stands for one of another; one that was begun just now may not have written one yet."""
    number, host = testbed.registry.history.submit("q_1", "SELECT 1", DATABASE), "0123abcd"
    testbed.registry.history.move(number, QueryEvent.BEGIN, host=host, process=7, process_began=99)
    assert testbed.submitted.status(number).state is QueryState.EXECUTING
    with connect(testbed.cluster.endpoint("czar"), Account.ADMIN, REGISTRY_DATABASE) as czar:
        czar.execute("UPDATE queries SET begun_s = begun_s - 3600 WHERE id = %s", [number])
        czar.execute("INSERT INTO heartbeats VALUES (%s, @@timestamp)", [f"{host} 7 99"])
        assert testbed.submitted.status(number).state is QueryState.EXECUTING
        czar.execute("UPDATE heartbeats SET beat_s = beat_s - 3600 WHERE process = %s", [f"{host} 7 99"])
    assert testbed.submitted.status(number).state is QueryState.FAILED
    testbed.registry.heartbeats.beat()
    assert own_name() in testbed.registry.heartbeats.living()
    testbed.registry.heartbeats.end()
    assert own_name() not in testbed.registry.heartbeats.living()


def test_rows_of_a_query_that_keeps_none_are_refused(testbed: Testbed) -> None:
    """One line with the reason and what to do: answered at once, cancelled, unknown."""
    testbed.query("SELECT COUNT(*) FROM Filter", database=DATABASE)
    testbed.wiring.recorder.flush()
    at_once = testbed.registry.history.last(1)[0]["id"]
    with pytest.raises(UserError, match=f"query {at_once} was answered at once, its rows were not kept; submit it"):
        testbed.submitted.open(at_once)
    number = testbed.submitted.submit("SELECT 1", DATABASE)
    with pytest.raises(UserError, match=f"query {number} is queued; wait for it: skyshard status {number}"):
        testbed.submitted.open(number)
    testbed.submitted.cancel(number)
    with pytest.raises(UserError, match=f"query {number} is cancelled; submit it again"):
        testbed.submitted.open(number)
    for unknown in (0, -1, 10**6, 10**30):
        with pytest.raises(UserError, match=f"no query {unknown}; skyshard queries"):
            testbed.submitted.open(unknown)


def test_a_reader_that_leaves_early_is_no_error(testbed: Testbed) -> None:
    """`skyshard query ... | head -1` ends quietly, and nothing goes on."""
    sql = "SELECT a.*, b.* FROM Object a, Object b"
    process = command(testbed, "query", sql, "-d", DATABASE, "--format", "csv")
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stderr as errors:
        process.stdout.readline()
        process.stdout.close()
        said = errors.read()
    assert (process.wait(WAIT_S), said) == (128 + signal.SIGPIPE, b"")
    wait_until(lambda: not left(testbed))


@pytest.mark.parametrize(
    "words",
    [
        ("query", "SELECT * FROM Object", "-d", DATABASE),
        ("queries",),
        pytest.param(("transactions",), marks=pytest.mark.deep),
    ],
)
def test_a_full_standard_output_is_said(testbed: Testbed, words: Sequence[str]) -> None:
    """Whatever a command prints: the line names the stream and the reason, and it is nobody's bug."""
    line = [sys.executable, "-m", "skyshard.cli.app", *words, "--cluster", str(testbed.cluster.folder)]
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(line, stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 3
    assert ended.stderr == b"skyshard: standard output: No space left on device; make room, or write elsewhere\n"


@pytest.mark.parametrize("form", ["csv", "json", "parquet", "arrow"])
def test_a_file_that_cannot_be_written_is_not_the_servers(testbed: Testbed, form: str) -> None:
    """The error names the file and the reason, whatever the format."""
    place = Path(f"/proc/answer.{form}")
    with (
        pytest.raises(UserError, match=f"^{place} cannot be written: .*; choose another place$"),
        testbed.czar.open("SELECT * FROM Filter", DATABASE) as answer,
    ):
        write_answer(answer, form, place, header=True)
