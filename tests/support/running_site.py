"""A named cluster in hosts as operators run it: `skyshard head run` on the czar's, `skyshard node run` on each other.

Servers, Ray's head and Ray's workers, with TLS, passwords and a token. Paths are the same on every host (``lab.own``).

    with running_site(lab, nodes=2) as site:
        site.skyshard("ingest", "tiny", ...)              # a command on the czar's host
        lab["node1"].kill(); site.boot("node1")           # power off and on, with what runs there
        with site.czar.network(), Testbed(site.folder) as testbed:
            ...                                           # this thread, as on the czar's host
"""

from __future__ import annotations

import contextlib
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.authority import Authority
from tests.support.hosts import Host, Lab, Running
from tests.support.network_server import write_passwords

CZAR = "czar"
COMMAND = (sys.executable, "-m", "skyshard.cli.app")
SPARE_MEMORY: Mapping[str, str] = {"RAY_memory_monitor_refresh_ms": "0"}
"""The hosts share this machine's memory: none of them is to end work for lack of it."""
READY_TIMEOUT_S = 180.0
"""A bound that a loaded machine does not reach; nothing waits for its end."""
SOCKET = "run/mysqld.sock"
"""Of a server, in its host's folder."""
_OF_RAY = re.compile(r"^skyshard: Ray (is ready|ended|waits)", re.MULTILINE)
BETWEEN_COMMANDS_S = 0.5
"""A command that asks whether hosts are ready takes a core from them for a second."""


@dataclass
class RunningSite:
    """Hosts with their supervisors; ``folder`` is the cluster's."""

    lab: Lab
    folder: Path
    supervisors: dict[str, Running] = field(default_factory=dict)
    silence_s: float = 3.0
    data: str = "mysql"
    """The data folder of each server, below its host's folder."""
    secret: str = ""
    """The token of Ray."""
    authority: Authority | None = None

    @property
    def czar(self) -> Host:
        return self.lab[CZAR]

    @property
    def nodes(self) -> list[Host]:
        return [host for name, host in self.lab.hosts.items() if name != CZAR]

    @property
    def file(self) -> Path:
        """The cluster file, on every host."""
        return self.lab.own / "cluster.yaml"

    def skyshard(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on the czar's host, for this cluster."""
        return self.czar.skyshard(*arguments, check=check, variables={"SKYSHARD_CLUSTER": str(self.folder)})

    def at_once(self, code: str, *arguments: str) -> str:
        """Run code with a ``testbed`` of this cluster on the czar's host (``Host.at_once``); what it printed."""
        return self.czar.at_once(self.folder, code, *arguments).stdout

    def prepare(self, name: str, nodes: list[str]) -> Host:
        """A new host with all that its supervisor needs, and a cluster file that has these nodes."""
        assert self.authority is not None
        host = self.lab.add(name)
        self.authority.issue(host.folder / "tls", name, host.address)
        write_passwords(host.folder / "passwords")
        (host.folder / "token").touch(0o600)
        (host.folder / "token").write_text(self.secret)
        (host.folder / "cluster.yaml").write_text(_cluster_file(self.lab.own, nodes, self.silence_s, self.data))
        return host

    def launch(self, name: str) -> None:
        """Start a host's supervisor."""
        role = ["head", "run"] if name == CZAR else ["node", "run", name]
        command = [*COMMAND, *role, "--file", str(self.file)]
        self.supervisors[name] = self.lab[name].start(*command, variables=SPARE_MEMORY)

    def boot(self, name: str) -> None:
        """Switch a host on again, and wait until it is as before."""
        self.lab[name].boot()
        self.launch(name)
        self.wait_good()

    def wait_good(self) -> None:
        """Wait until the check of the cluster finds nothing; it is not run before each supervisor's Ray is up."""
        wait_until(self._is_up, f"Ray is ready on {', '.join(self.supervisors)}")
        deadline = time.monotonic() + READY_TIMEOUT_S
        while (found := self.skyshard("cluster", "check", check=False)).returncode:
            self.require_running()
            assert time.monotonic() < deadline, found.stdout + found.stderr + self.said
            time.sleep(BETWEEN_COMMANDS_S)

    def when_good(self, code: str) -> None:
        """The same by code as of ``at_once`` instead of the check; it is run again while it meets a ClusterError."""
        wait_until(self._is_up, f"Ray is ready on {', '.join(self.supervisors)}")
        deadline = time.monotonic() + READY_TIMEOUT_S
        while (found := self.czar.at_once(self.folder, code, check=False)).returncode:
            self.require_running()
            assert "ClusterError" in found.stderr, found.stderr
            assert time.monotonic() < deadline, found.stderr + self.said
            time.sleep(BETWEEN_COMMANDS_S)

    def _is_up(self) -> bool:
        self.require_running()
        return is_ray_up(self.supervisors.values())

    @property
    def said(self) -> str:
        """What the supervisors wrote."""
        return "".join(f"\n{name}: {supervisor.output}" for name, supervisor in self.supervisors.items())

    def require_running(self) -> None:
        """A supervisor goes on, whatever becomes of what it runs."""
        assert all(supervisor.is_running for supervisor in self.supervisors.values()), self.said

    def end(self) -> None:
        """End the supervisors as an operator does."""
        running = [one for one in self.supervisors.values() if one.is_running]
        for supervisor in running:
            supervisor.signal(signal.SIGTERM)
        for supervisor in running:
            supervisor.wait()


@contextlib.contextmanager
def running_site(
    lab: Lab,
    nodes: int = 2,
    *,
    silence_s: float = 3.0,
    data: str = "mysql",
    prepare: Callable[[Host], None] = lambda _: None,
) -> Iterator[RunningSite]:
    """Hosts ``czar``, ``node1`` and so on, all running, and the cluster's folder on the first.

    Args:
        prepare: done to each host before anything runs there.
    """
    names = [f"node{number + 1}" for number in range(nodes)]
    site = RunningSite(lab, lab.folder / CZAR / "cluster", silence_s=silence_s, data=data, secret=secrets.token_hex(32))
    site.authority = Authority(lab.folder / "authority")
    for name in (CZAR, *names):
        prepare(site.prepare(name, names))
        site.launch(name)
    _first_start(site)
    yield site
    site.end()


def _first_start(site: RunningSite) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    for name, host in site.lab.hosts.items():
        wait_until((host.folder / SOCKET).exists, f"the server of {name} listens", site.supervisors[name])
    while (found := site.skyshard("cluster", "start", "--file", str(site.file), check=False)).returncode:
        site.require_running()
        assert found.returncode == 3, found.stderr
        assert time.monotonic() < deadline, found.stderr + site.said
        time.sleep(BETWEEN_COMMANDS_S)
    site.wait_good()


def _cluster_file(own: Path, names: list[str], silence_s: float, data: str) -> str:
    """Also the same on every host; a core each, so that hosts of one machine do not crowd it."""
    place = f"socket: {own}/{SOCKET}, data: {own}/{data}"
    lines = [
        "version: 1",
        "name: lab",
        f"silence_s: {silence_s}",
        f"czar: {{{place}}}",
        f"defaults: {{{place}, staging: {own}/staging, cores: 1}}",
        f"tls: {{ca: {own}/tls/ca.crt, cert: {own}/tls/tls.crt, key: {own}/tls/tls.key}}",
        f"passwords: {own}/passwords",
        f'ray: {{address: "{CZAR}:6379", token: {own}/token}}',
        "nodes:",
        *(f"- {{name: {name}, host: {name}}}" for name in names),
    ]
    return "\n".join(lines) + "\n"


def is_ray_up(supervisors: Iterable[Running]) -> bool:
    """Whether what each wrote last about Ray is that it is ready."""
    return all(_OF_RAY.findall(supervisor.output)[-1:] == ["is ready"] for supervisor in supervisors)


def wait_until(is_so: Callable[[], bool], what: str, running: Running | None = None, *, every_s: float = 0.05) -> None:
    """Wait until something is so; fails with what was waited for, and what a command has written."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while not is_so():
        assert time.monotonic() < deadline, (what, running.output if running else "")
        time.sleep(every_s)
