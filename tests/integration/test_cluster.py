"""The private cluster with real servers: start, stop, crash, interrupt, destroy, and nothing left behind."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import psutil
import pytest

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.cluster.server_status import ServerState
from skyshard.db.connection import Account, connect

pytestmark = pytest.mark.integration

COMMAND = [sys.executable, "-m", "skyshard.cli.app", "cluster"]


@pytest.fixture
def own_cluster(short_folder: Path) -> Iterator[PrivateCluster]:
    """A cluster that does not exist yet, for tests that break it."""
    cluster = PrivateCluster(short_folder / "own")
    yield cluster
    if cluster.exists:
        cluster.destroy()
    shutil.rmtree(cluster.folder, ignore_errors=True)


def processes_of(folder: Path) -> list[int]:
    """Every process that names a cluster's folder in its command line."""
    found = psutil.process_iter(["cmdline"])
    return [process.pid for process in found if any(str(folder) in word for word in process.info["cmdline"] or ())]


def states(cluster: PrivateCluster) -> dict[str, ServerState]:
    return {server.name: server.state for server in cluster.status()}


def run(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *words, "--cluster", str(folder)], capture_output=True, text=True)


def test_start_brings_up_the_czar_and_every_node(private_cluster: PrivateCluster) -> None:
    """A started cluster has N nodes and the czar's server, all answering; mono is started by those who need it."""
    found = states(private_cluster)
    found.pop("mono", None)
    assert found == dict.fromkeys(["czar", "node1", "node2"], ServerState.RUNNING)


def test_start_of_a_running_cluster_changes_nothing(private_cluster: PrivateCluster) -> None:
    """A second start keeps the processes; another number of nodes is refused."""
    before = [server.pid for server in private_cluster.status()]
    private_cluster.start()
    private_cluster.start(2)
    with pytest.raises(UserError, match="has 2 nodes, not 3"):
        private_cluster.start(3)
    assert [server.pid for server in private_cluster.status()] == before


def test_servers_live_in_sessions_of_their_own(private_cluster: PrivateCluster) -> None:
    """Ctrl-C in the terminal where the cluster was started does not reach its servers."""
    for server in private_cluster.status():
        assert server.pid is not None
        assert os.getsid(server.pid) == server.pid


def test_servers_listen_on_private_sockets_only(private_cluster: PrivateCluster) -> None:
    """No port is open, and the sockets' folder is closed to others."""
    for server in private_cluster.status():
        assert not psutil.Process(server.pid).net_connections(kind="inet")
        assert Path(server.socket).parent.stat().st_mode & 0o777 == 0o700


def test_data_survive_stop_and_start(own_cluster: PrivateCluster) -> None:
    """stop keeps the data, start brings them back."""
    own_cluster.start(1)
    with connect(own_cluster.endpoint("node1"), Account.LOADER) as connection:
        connection.execute("CREATE DATABASE q")
        connection.execute("CREATE TABLE q.t (x INT) ENGINE=MyISAM")
        connection.execute("INSERT INTO q.t VALUES (7)")
    own_cluster.stop()
    assert set(states(own_cluster).values()) == {ServerState.STOPPED}
    assert (own_cluster.data_dir("node1") / "q" / "t.MYD").stat().st_size == 7
    own_cluster.start()
    with connect(own_cluster.endpoint("node1")) as connection:
        assert connection.value("SELECT x FROM q.t") == 7


def test_destroy_leaves_nothing(own_cluster: PrivateCluster) -> None:
    """After destroy there is no folder, no socket and no process, mono included."""
    own_cluster.start(1)
    own_cluster.start_mono()
    assert states(own_cluster)["mono"] == ServerState.RUNNING
    sockets = Path(own_cluster.status()[0].socket).parent
    own_cluster.destroy()
    assert not own_cluster.folder.exists()
    assert not sockets.exists()
    assert processes_of(own_cluster.folder) == []


def test_servers_hold_no_file_of_the_process_that_starts_them(own_cluster: PrivateCluster, tmp_path: Path) -> None:
    """A server outlives its starter: a file that a library of that left open is not handed on to it."""
    with (tmp_path / "of_the_starter").open("w") as held:
        os.set_inheritable(held.fileno(), True)
        own_cluster.start(1)
    for server in own_cluster.status():
        assert server.pid is not None
        assert str(tmp_path / "of_the_starter") not in {file.path for file in psutil.Process(server.pid).open_files()}


def test_a_crashed_server_is_recognised_and_brought_back(own_cluster: PrivateCluster) -> None:
    """A killed server shows as crashed in spite of its stale pid and socket; start brings back that one only."""
    own_cluster.start(1)
    czar_pid = own_cluster.status()[0].pid
    own_cluster.kill_server("node1")
    assert states(own_cluster) == {"czar": ServerState.RUNNING, "node1": ServerState.CRASHED}
    with pytest.raises(UserError, match=r"not running \(node1 down\)"):
        own_cluster.require_running()
    own_cluster.start()
    own_cluster.require_running()
    assert own_cluster.status()[0].pid == czar_pid


def test_servers_whose_folder_was_removed_are_ended(own_cluster: PrivateCluster) -> None:
    """After `rm -rf` of a running cluster's folder, a start makes a new cluster and ends the old one's servers."""
    own_cluster.start(2)
    before = processes_of(own_cluster.folder)
    shutil.rmtree(own_cluster.folder)
    own_cluster.start(1)
    after = processes_of(own_cluster.folder)
    assert len(before) == 3
    assert len(after) == 2
    assert not set(before) & set(after)
    with connect(own_cluster.endpoint("node1"), Account.ADMIN) as connection:
        connection.execute("CREATE DATABASE fresh")


def test_a_stale_pid_that_belongs_to_another_process_is_left_alone(own_cluster: PrivateCluster) -> None:
    """A pid file whose number was taken by another process does not get that process killed."""
    own_cluster.start(1)
    own_cluster.kill_server("node1")
    with subprocess.Popen(["sleep", "600"]) as bystander:
        (own_cluster.folder / "servers" / "node1" / "server.pid").write_text(f"{bystander.pid}\n")
        own_cluster.destroy()
        assert bystander.poll() is None
        bystander.kill()


def test_a_start_that_fails_leaves_no_process_and_says_why(own_cluster: PrivateCluster) -> None:
    """When one server cannot start, the others are stopped again and the line tells what its log says."""
    own_cluster.start(1)
    own_cluster.stop()
    (own_cluster.data_dir("node1") / "ibdata1").write_bytes(b"not a tablespace" * 1024)
    with pytest.raises(ClusterError, match=r"server node1 died while starting: .*ERROR"):
        own_cluster.start()
    assert processes_of(own_cluster.folder) == []


def test_a_first_start_that_fails_leaves_nothing(own_cluster: PrivateCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that could not be made is not there."""
    own_cluster.folder.mkdir()
    monkeypatch.setattr("skyshard.cluster.server.server_options", lambda *_, **__: ["no-such-option=1"])
    with pytest.raises(ClusterError, match=r"cannot be initialised: .*no-such-option"):
        own_cluster.start(1)
    assert not own_cluster.folder.exists()


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("initialising", signal.SIGTERM),
        ("starting", signal.SIGINT),
        pytest.param("initialising", signal.SIGINT, marks=pytest.mark.deep),
        pytest.param("starting", signal.SIGTERM, marks=pytest.mark.deep),
    ],
)
def test_an_interrupted_start_leaves_nothing(own_cluster: PrivateCluster, moment: str, number: signal.Signals) -> None:
    """Ctrl-C or SIGTERM during the first start leaves no process and no folder."""
    command = [*COMMAND, "start", "--nodes", "2", "--cluster", str(own_cluster.folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith(moment):
                os.killpg(process.pid, number)
                break
        assert process.wait(200) != 0
    assert processes_of(own_cluster.folder) == []
    assert not own_cluster.folder.exists()


def test_a_start_waits_for_servers_that_a_killed_one_left_on_their_way(own_cluster: PrivateCluster) -> None:
    """It was killed when their processes were there, and no socket yet: once the next start ends, all answer."""
    own_cluster.start(1)
    own_cluster.stop()
    with subprocess.Popen([*COMMAND, "start", "--cluster", str(own_cluster.folder)], stderr=subprocess.DEVNULL) as one:
        while len(servers := psutil.Process(one.pid).children()) < 2:
            assert one.poll() is None
        one.kill()
    for server in servers:
        server.suspend()

    def go_on() -> None:
        for server in servers:
            server.resume()

    Timer(0.5, go_on).start()
    own_cluster.start()
    for name in ("czar", "node1"):
        with connect(own_cluster.endpoint(name)) as connection:
            assert connection.value("SELECT 1") == 1


def test_a_start_brings_back_servers_that_a_killed_stop_left_on_their_way(own_cluster: PrivateCluster) -> None:
    """A stop was killed when servers had been asked to end: they are started once they have ended."""
    own_cluster.start(1)
    before = [server.pid for server in own_cluster.status()]
    for pid in before:
        assert pid is not None
        os.kill(pid, signal.SIGTERM)
    while any(Path(server.socket).exists() for server in own_cluster.status()):
        time.sleep(0.001)
    own_cluster.start()
    own_cluster.require_running()
    for name in ("czar", "node1"):
        with connect(own_cluster.endpoint(name)) as connection:
            assert connection.value("SELECT 1") == 1
    assert {server.pid for server in own_cluster.status()}.isdisjoint(before)


def test_a_start_leaves_the_temporary_tables_of_other_servers_alone(
    own_cluster: PrivateCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server removes what it finds in its folder of temporary tables, so no step of a start may use a shared one."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    others = [tmp_path / f"#sql-1234-5{ending}" for ending in (".frm", ".MYD", ".MYI")]
    for file in others:
        file.write_bytes(b"of a server that is being initialised")
    own_cluster.start(1)
    assert all(file.exists() for file in others)


def test_two_starts_at_once_make_one_cluster(own_cluster: PrivateCluster) -> None:
    """Of two starts at the same time one makes the cluster and the other one finds it."""
    command = [*COMMAND, "start", "--nodes", "1", "--cluster", str(own_cluster.folder)]
    starts = [subprocess.Popen(command, stderr=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(200) for process in starts] == [0, 0]
    assert len(processes_of(own_cluster.folder)) == 2
    own_cluster.require_running()


def test_status_prints_json(private_cluster: PrivateCluster) -> None:
    """`status --json` says what the API says."""
    answer = json.loads(run("status", "--json", folder=private_cluster.folder).stdout)
    assert [server["name"] for server in answer["servers"]] == list(states(private_cluster))
    assert {"czar", "node1", "node2"} <= {server["name"] for server in answer["servers"]}
    assert {server["state"] for server in answer["servers"]} == {"running"}


def test_a_second_server_on_the_same_data_is_impossible(private_cluster: PrivateCluster) -> None:
    """A lost pid file does not lose the server: it is found by its data folder."""
    server = private_cluster.status()[1]
    pid_file = private_cluster.folder / "servers" / server.name / "server.pid"
    pid_file.rename(pid_file.with_suffix(".lost"))
    try:
        assert private_cluster.status()[1].pid == server.pid
    finally:
        pid_file.with_suffix(".lost").rename(pid_file)


def test_stop_that_takes_too_long_kills(
    own_cluster: PrivateCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that has not stopped when its time is over is killed, and the report says so."""
    monkeypatch.setattr("skyshard.cluster.run_servers.STOP_TIMEOUT_S", 0.5)
    own_cluster.start(1)
    lines: list[str] = []
    with reading_without_end(own_cluster, "node1", tmp_path):
        own_cluster.stop(report=lines.append)
    assert any("node1 did not stop" in line for line in lines)
    assert processes_of(own_cluster.folder) == []


@contextmanager
def reading_without_end(cluster: PrivateCluster, node: str, folder: Path) -> Iterator[None]:
    """A statement reads a pipe to which nobody writes: a server that is asked to stop waits for it."""
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    with connect(cluster.endpoint(node), Account.ADMIN) as connection, ThreadPoolExecutor() as pool:
        connection.execute("CREATE DATABASE waits")
        connection.execute("CREATE TABLE waits.t (x INT)")
        reads = pool.submit(connection.execute, f"LOAD DATA INFILE '{pipe}' INTO TABLE waits.t")
        with pipe.open("wb") as writer:  # which is open when the server has opened it, too
            writer.write(b"1\n")
            writer.flush()
            pid = next(one.pid for one in cluster.status() if one.name == node)
            while not is_asleep(pid, pipe):
                time.sleep(0.01)
            yield
        with pytest.raises(ClusterError, match="Lost connection"):
            reads.result()


def is_asleep(pid: int | None, pipe: Path) -> bool:
    """A server has read all that is in a pipe, and none of its threads runs: one waits for more."""
    with open(os.open(pipe, os.O_RDONLY | os.O_NONBLOCK), "rb") as reader:
        left = struct.unpack("i", fcntl.ioctl(reader, termios.FIONREAD, b"\0" * 4))[0]
    states = [stat.read_text().rpartition(")")[2].split()[0] for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    return not left and set(states) == {"S"}


def test_a_frozen_server_is_stopped_like_any_other(own_cluster: PrivateCluster) -> None:
    """It goes on for that, so that nothing has to be killed."""
    own_cluster.start(1)
    pid = own_cluster.status()[1].pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    lines: list[str] = []
    own_cluster.stop(report=lines.append)
    assert not any("did not stop" in line for line in lines)
    assert processes_of(own_cluster.folder) == []
