"""Hosts on one machine: each with a network, a process space, a name and a disk of its own, on one switch.

For root, or an ordinary user who may make user namespaces. What the first process of each reads is held open by the
test's process: when that ends, also by kill -9, every host and all that runs in it is gone, and so is the folder.
No route leads out. A host's folder has the same path in the test and in the host, and no other host sees it; of the
machine's disk all see the rest, read-only.

    with closing(Lab()) as lab:
        czar, node1 = lab.add("czar"), lab.add("node1")
        server = node1.start(sys.executable, "-m", "http.server", "80")     # goes on: .signal(), .wait(), .output
        page = czar.run("curl", "-s", "http://node1/").stdout               # ends; raises with what it said on failure
        czar.skyshard("query", "SELECT 1")                                  # the command; .python("code") likewise
        node1.pull_cable(); node1.plug()                                    # packets vanish, no reset
        node1.freeze(); node1.thaw()                                        # nothing runs; the kernel still answers
        node1.kill(); node1.boot()                                          # power: the disk stays, processes do not
        (node1.folder / "tmp" / "seen").read_text()                         # the host's /tmp/seen
        lab.own / "tls"                                                     # on each host: its folder's tls
        with czar.network():                                                # this thread, and those that it starts,
            Testbed(cluster_folder)                                         # are on the host's network (root only)

In tests: ``pytestmark = pytest.mark.hosts`` and the fixture ``lab``, one a module, which begins without hosts. More
faults, certificates, servers: ``host_faults.py``, ``authority.py``, ``network_server.py`` beside this file; whole
clusters: ``named_lab.py`` without Ray, ``running_site.py`` as operators run them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import psutil
from tests.support.host_script import BRIDGE, OWN, host_script, outermost
from tests.support.namespaces import NoHostsHere, Switch, is_privileged, on_network_of
from tests.support.warm_processes import run_program, run_warm, warm_up

CHECKOUT = Path(__file__).resolve().parents[2]
PREFIX = "10.99.7."
FIRST_ADDRESS = 11
RUN_TIMEOUT_S = 300.0
"""A bound that a loaded machine does not reach; nothing waits for its end."""
RUNTIME = "XDG_RUNTIME_DIR"
NONE: Mapping[str, str] = MappingProxyType({})
TMP = Path("/tmp")
KEPT = outermost([CHECKOUT, Path(sys.prefix), Path(sys.base_prefix)])
_WITH_TESTBED = """
import sys
from skyshard.testbed import Testbed
cluster, *argv = sys.argv[1:]
def require_good(database):
    assert [check for check in testbed.verify(database) if not check.is_good] == []
with Testbed(cluster) as testbed:
"""
COMMAND = (sys.executable, "-c", "from skyshard.cli.app import main; main()")


class Running:
    """A command that goes on in a host; its output is a file."""

    def __init__(self, command: list[str], environment: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as out:
            self._popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment
            )

    @property
    def output(self) -> str:
        """What it wrote so far, to either stream."""
        return self._log.read_text(errors="replace")

    @property
    def is_running(self) -> bool:
        return self._popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """To the command itself: ending what waits for it here would not end it."""
        for child in psutil.Process(self._popen.pid).children():
            child.send_signal(number)

    def wake(self) -> None:
        """Let what waits for it here go on, if it was stopped with it: else nobody collects it when it ends."""
        if self.is_running:
            self._popen.send_signal(signal.SIGCONT)

    def wait(self, timeout_s: float = RUN_TIMEOUT_S) -> int:
        """Its exit code; negative: ended by that signal."""
        return self._popen.wait(timeout_s)


class Host:
    """A host; ``folder`` is its disk: ``tmp`` and ``home`` there are its own ``/tmp`` and home."""

    def __init__(self, switch: Switch, folder: Path, address: str, addresses: Mapping[str, str]) -> None:
        self.name, self.folder, self.address = folder.name, folder, address
        self._switch, self._addresses = switch, addresses
        self._started: list[Running] = []
        for part, mode in {"tmp": 0o1777, "home": 0o700, "run": 0o700, "etc": 0o755, "logs": 0o755}.items():
            (folder / part).mkdir(parents=True)
            (folder / part).chmod(mode)
        (folder / "etc" / "machine-id").write_text(hashlib.md5(bytes(folder)).hexdigest() + "\n")
        self.learn_names()
        self.boot()

    @property
    def pid(self) -> int:
        """Of its first process, as the test sees it."""
        return self._first.pid

    @property
    def entering(self) -> list[str]:
        """What a command of the test's own begins with, to run in the host."""
        return self._switch.entering(self._first)

    @property
    def environment(self) -> dict[str, str]:
        """Of its commands: the test's, with paths that are the host's own."""
        known = {name: value for name, value in os.environ.items() if name != "TMPDIR"}
        return {**known, RUNTIME: str(self.folder / "run"), "HOSTNAME": self.name}

    def boot(self) -> None:
        """Switch it on; its disk is as it was left."""
        home = Path(os.environ.get("HOME", "/"))
        script = self.folder / "etc" / "boot.sh"
        script.write_text(host_script(self.name, self.folder, home, KEPT))
        self._first = self._switch.new_host(script)
        try:
            self._plug_in()
        except BaseException:
            self._first.kill()
            raise

    def _plug_in(self) -> None:
        plug = f"v-{self.name}"
        card = f"eth0 address 02:00:00:00:00:{self.address.rpartition('.')[2]}"  # at each start: others remember it
        self._switch.ip(
            f"link add {plug} type veth peer name {card} netns {self.pid}", f"link set {plug} master {BRIDGE} up"
        )
        self.run("ip", "-batch", "-", send=f"addr add {self.address}/24 dev eth0\nlink set eth0 up\n")

    def run(
        self,
        *command: str,
        check: bool = True,
        timeout_s: float = RUN_TIMEOUT_S,
        send: str = "",
        variables: Mapping[str, str] = NONE,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in its /tmp; ``variables`` are more of its environment."""
        found = subprocess.run(
            [*self.entering, *command], env={**self.environment, **variables}, input=send,
            capture_output=True, text=True, timeout=timeout_s,
        )  # fmt: skip
        self._require_good(found, check)
        return found

    def _require_good(self, found: subprocess.CompletedProcess[str], check: bool) -> None:
        if check and found.returncode:
            said = found.stdout + found.stderr
            raise AssertionError(f"{self.name}: {found.args} ended with {found.returncode}: {said}")

    def python(self, code: str, *arguments: str, check: bool = True, variables: Mapping[str, str] = NONE) -> str:
        """Run Python code, with the product's packages; what it printed."""
        return self.run(sys.executable, "-c", code, *arguments, check=check, variables=variables).stdout

    def skyshard(
        self, *arguments: str, check: bool = True, variables: Mapping[str, str] = NONE, folder: Path = TMP
    ) -> subprocess.CompletedProcess[str]:
        """Run the product's command in a folder; for root in a process that need not read the program anew."""
        if not is_privileged():
            shell = ("sh", "-c", 'cd "$0" && exec "$@"', str(folder))
            return self.run(*shell, *COMMAND, *arguments, check=check, variables=variables)
        environment = {**self.environment, **variables}
        found = run_warm(arguments, environment, folder, host=self.pid, timeout_s=RUN_TIMEOUT_S)
        self._require_good(found, check)
        return found

    def at_once(
        self, cluster: Path, code: str, *arguments: str, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run Python code with a ``testbed``, which joins the cluster's Ray once for all that the code does.

        The code has the arguments in ``argv``, and ``require_good(database)``. Of as many commands each starts a driver
        of Ray and an actor on each node, in several seconds of processor time.
        """
        file = self.folder / "at_once.py"
        file.write_text(_WITH_TESTBED + textwrap.indent(textwrap.dedent(code), "    "))
        words = [str(cluster), *arguments]
        if not is_privileged():
            return self.run(sys.executable, str(file), *words, check=check)
        found = run_program(file, self.environment, TMP, words, host=self.pid, timeout_s=RUN_TIMEOUT_S)
        self._require_good(found, check)
        return found

    def start(self, *command: str, variables: Mapping[str, str] = NONE) -> Running:
        """Start a command that goes on."""
        log = self.folder / "logs" / f"{len(self._started)}.log"
        entered = [*self.entering, *command]
        self._started.append(Running(entered, {**self.environment, **variables}, log))
        return self._started[-1]

    def pull_cable(self) -> None:
        """From now on packets to and from it vanish."""
        self._switch.ip(f"link set v-{self.name} down")

    def plug(self) -> None:
        """Put the cable in again."""
        self._switch.ip(f"link set v-{self.name} up")

    def freeze(self) -> None:
        """Stop all its processes; its kernel still acknowledges what comes."""
        self._first.stop_all()

    def thaw(self) -> None:
        """Let all its processes go on."""
        self._first.continue_all()

    def kill(self) -> None:
        """Take its power away: nobody hears from it, not even the end of a session."""
        self.pull_cable()
        self.end()
        with contextlib.suppress(AssertionError):  # it may have gone with the host
            self._switch.ip(f"link del v-{self.name}")

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Put this thread, and threads and processes that it starts, on the host's network, and let it know the names.

        What was started before stays where it was.
        """
        outside, runtime = socket.getaddrinfo, os.environ.get(RUNTIME)
        with on_network_of(self.pid):
            socket.getaddrinfo = lambda host, *more, **named: outside(self._addresses.get(host, host), *more, **named)
            os.environ[RUNTIME] = self.environment[RUNTIME]
            try:
                yield
            finally:
                socket.getaddrinfo = outside
                os.environ.pop(RUNTIME)
                os.environ.update({RUNTIME: runtime} if runtime is not None else {})

    def learn_names(self) -> None:
        """Write its /etc/hosts: all hosts that there are."""
        lines = [f"{address} {name}\n" for name, address in self._addresses.items()]
        (self.folder / "etc" / "hosts").write_text("".join(["127.0.0.1 localhost\n", *lines]))

    def end(self) -> None:
        """End all that runs in it."""
        for running in self._started:
            running.wake()
        self._first.kill()
        for running in self._started:
            running.wait()


class Lab:
    """Hosts on one switch; it begins with none.

    Raises:
        NoHostsHere: this machine, or this user, cannot have hosts.
    """

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self._addresses: dict[str, str] = {}
        self.folder = Path(tempfile.mkdtemp(prefix="skyshard-lab-", dir="/tmp"))
        self.own = self.folder / OWN
        """Where each host finds its own folder, so that paths can be the same on all; in the test, the first one's."""
        try:
            self._switch = Switch(self.folder)
        except NoHostsHere:
            shutil.rmtree(self.folder)
            raise
        warm_up()

    def add(self, name: str) -> Host:
        """A host of this name, of at most 13 letters; all know each other's names."""
        assert name not in self.hosts
        assert len(name) <= 13
        if not self.hosts:
            self.own.symlink_to(self.folder / name)
        address = self._addresses[name] = f"{PREFIX}{FIRST_ADDRESS + len(self.hosts)}"
        self.hosts[name] = Host(self._switch, self.folder / name, address, self._addresses)
        for host in self.hosts.values():
            host.learn_names()
        return self.hosts[name]

    def __getitem__(self, name: str) -> Host:
        return self.hosts[name]

    def close(self) -> None:
        """End all hosts; nothing of them is left."""
        for host in self.hosts.values():
            host.end()
        self._switch.end()
