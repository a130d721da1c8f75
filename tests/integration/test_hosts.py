"""Hosts that are made of namespaces are hosts: what else is told about several machines rests on it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import host_faults as faults
from tests.support.hosts import CHECKOUT, Host, Lab, Running

pytestmark = pytest.mark.hosts
PORT = 4000
ECHO = f"""
import socket, threading
def answer(session):
    while said := session.recv(100):
        session.sendall(said)
server = socket.create_server(("", {PORT}))
print("ready", flush=True)
while True:
    threading.Thread(target=answer, args=[server.accept()[0]], daemon=True).start()
"""
SCRIPT = """
import sys, time
from contextlib import closing
from tests.support.hosts import Lab
from tests.support.namespaces import NoHostsHere
try:
    lab = Lab()
except NoHostsHere as error:
    sys.exit(str(error))
with closing(lab):
    one, other = lab.add("one"), lab.add("other")
    sleeper = one.start("sleep", "1000")
    one.freeze()
    one.thaw()
    print(lab.folder, one.pid, other.run("hostname").stdout, flush=True)
    print(one.run("sh", "-c", "echo hello >/tmp/seen; getent hosts other").stdout, flush=True)
    print((one.folder / "tmp" / "seen").read_text(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def near(lab: Lab) -> Host:
    return lab.add("near")


@pytest.fixture(scope="module")
def far(lab: Lab, near: Host) -> Host:
    return lab.add("far")


@pytest.fixture
def echo(near: Host, far: Host) -> Iterator[Running]:
    """A server on the far host that says again what it hears."""
    server = far.start(sys.executable, "-c", ECHO)
    while "ready" not in server.output:
        assert server.is_running, server.output
        time.sleep(0.01)
    yield server
    if server.is_running:
        server.signal(signal.SIGTERM)
        server.wait()


@contextlib.contextmanager
def session_from(host: Host, other: Host) -> Iterator[socket.socket]:
    """A session of this process, as if it ran on a host, with a server on another one."""
    with host.network():
        opened = socket.create_connection((other.name, PORT), timeout=60)
    with opened:
        yield opened


def says(session: socket.socket, timeout_s: float = 60.0) -> bytes:
    """What comes within a time; empty when nothing does."""
    session.settimeout(timeout_s)
    try:
        return session.recv(100)
    except TimeoutError:
        return b""


def test_a_host_has_a_name_a_network_and_a_disk_of_its_own(lab: Lab, near: Host, far: Host) -> None:
    """Another host sees none of its files, and nothing of the machine can be written to."""
    here = near.run("sh", "-c", "echo mine >/tmp/note; hostname; ls /tmp $HOME; ps -e | wc -l; ip route").stdout
    assert here.startswith("near\n")
    assert "note" in here
    assert "default" not in here
    assert (near.folder / "tmp" / "note").read_text() == near.run("cat", str(near.folder / "tmp" / "note")).stdout
    there = far.run("sh", "-c", f"ls /tmp {near.folder}; touch {CHECKOUT}/made /usr/made", check=False)
    assert "note" not in there.stdout
    assert there.stderr.count("No such file") == 1
    assert there.stderr.count("Read-only") == 2
    assert near.run("cat", str(lab.own / "tmp" / "note")).stdout == (lab.own / "tmp" / "note").read_text() == "mine\n"
    assert "No such file" in far.run("cat", str(lab.own / "tmp" / "note"), check=False).stderr
    assert far.run("getent", "hosts", "near").stdout.split() == [near.address, "near"]


def test_a_pulled_cable_is_silence_until_it_is_put_in_again(near: Host, far: Host, echo: Running) -> None:
    """Nothing is reset, and what was sent meanwhile arrives."""
    with session_from(near, far) as session:
        far.pull_cable()
        session.sendall(b"heard?")
        assert says(session, 0.3) == b""
        far.plug()
        assert says(session) == b"heard?"


def test_a_frozen_host_says_nothing_and_goes_on_when_thawed(near: Host, far: Host, echo: Running) -> None:
    """Its kernel still takes sessions and bytes."""
    far.freeze()
    with session_from(near, far) as session:
        session.sendall(b"heard?")
        assert says(session, 0.2) == b""
        far.thaw()
        assert says(session) == b"heard?"
    assert far.run("hostname").stdout == "far\n"


def test_a_host_without_power_falls_silent_and_keeps_its_disk(near: Host, far: Host, echo: Running) -> None:
    """Nobody hears that its sessions ended; after the next start its processes and its memory are gone."""
    far.run("sh", "-c", "echo kept >/tmp/note; echo lost >/dev/shm/note")
    with session_from(near, far) as session:
        far.kill()
        assert says(session, 0.2) == b""
        assert echo.wait() == -signal.SIGKILL % 256 or not echo.is_running
        far.boot()
        assert far.run("sh", "-c", "cat /tmp/note; ls /dev/shm; ps -e").stdout.split()[0] == "kept"
        assert "python" not in far.run("ps", "-e").stdout
        session.sendall(b"heard?")
        with pytest.raises(ConnectionResetError):
            says(session)


def test_a_firewall_counts_what_it_drops(near: Host, far: Host, echo: Running) -> None:
    """Open ports pass without a loss."""
    try:
        faults.close_all_but(far, [PORT])
        with session_from(near, far) as session:
            session.sendall(b"heard?")
            assert says(session) == b"heard?"
        assert faults.lost_packets(far) == 0
        faults.close_all_but(far, [])
        with near.network(), pytest.raises(TimeoutError):
            socket.create_connection(("far", PORT), timeout=0.1)
        assert faults.lost_packets(far) > 0
    finally:
        faults.nft(far, "flush ruleset")


def test_a_session_is_reset(near: Host, far: Host, echo: Running) -> None:
    """The client hears of it at once, as of nothing else."""
    with session_from(near, far) as session:
        faults.reset_sessions(far, PORT)
        with pytest.raises(ConnectionResetError):
            says(session)


def test_a_clock_is_off_by_an_hour(near: Host) -> None:
    """A process reads the wrong time of day."""
    there_s = int(near.run("date", "+%s", variables=faults.clock("+1h")).stdout)
    assert 3500 < there_s - time.time() < 3700


def test_a_disk_is_full_until_it_is_larger(near: Host) -> None:
    """A folder of a host has so much room."""
    near.run("mkdir", "/tmp/small")
    faults.small_disk(near, "/tmp/small", "1m")
    fill = ("dd", "if=/dev/zero", "of=/tmp/small/file", "bs=1M", "count=2")
    assert "No space left" in near.run(*fill, check=False).stderr
    faults.small_disk(near, "/tmp/small", "4m")
    near.run(*fill)


def test_a_network_is_slow(near: Host, far: Host) -> None:
    """The limit is there; how slow it is says the kernel."""
    faults.slow_network(near, "80mbit")
    assert "rate 80Mbit" in near.run("tc", "qdisc", "show", "dev", "eth0").stdout
    near.run("tc", "qdisc", "del", "dev", "eth0", "root")


def _run_script(*before: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, sys.executable, "-c", SCRIPT], cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def test_hosts_are_gone_when_the_tests_are_killed(lab: Lab) -> None:
    """Their processes end and their folder is removed, though nobody was left to do it."""
    script = _run_script()
    assert script.stdout is not None
    folder, pid, name = script.stdout.readline().split()
    assert name == "other"
    script.kill()
    script.communicate()
    deadline = time.monotonic() + 100
    while Path(folder).exists() or Path("/proc", pid).exists():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_who_is_not_root_has_hosts_in_a_user_namespace(lab: Lab) -> None:
    """Without privileges all is as with them; where the system forbids it, its error is named.

    Root is one who is not, without its capabilities, but for the one without which it may not call itself root again.
    """
    script = _run_script("setpriv", "--bounding-set=-all,+setfcap", "--inh-caps=-all")
    out, error = script.communicate()
    if script.returncode:
        assert "no namespaces here: E" in error
        pytest.skip(error.strip())
    assert out.split()[2:] == ["other", "10.99.7.12", "other", "hello"]


def test_where_there_can_be_no_hosts_the_error_is_named(lab: Lab) -> None:
    """What is skipped says why, and what to do."""
    none = 'echo 0 >/proc/sys/user/max_net_namespaces && exec "$@"'
    script = _run_script("unshare", "--user", "--map-root-user", "sh", "-c", none, "sh")
    error = script.communicate()[1]
    assert "no namespaces here: ENOSPC" in error
    assert "run as root" in error
