"""A named cluster in hosts with a Ray: its head beside the czar's server, a worker beside each node's.

with ray_lab(lab, nodes=2) as made:
    made.skyshard("ingest", "tiny.yaml")           # on the host of the czar; with --cluster
    made.restart("node1")                          # after its power was gone: server and Ray
"""

from __future__ import annotations

import contextlib
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.support.authority import Authority
from tests.support.hosts import Host, Lab, Running
from tests.support.network_server import NetworkServer, Servers, wait_ready
from tests.support.running_site import wait_until

from skyshard.db.tls import Tls
from skyshard.runtime.ray_commands import RayStart, start_head, start_node
from skyshard.runtime.ray_service import STARTED

CZAR = "czar"
RAY_PORT = 6379
JOIN_TIMEOUT_S = 400.0
"""A bound that a loaded machine does not reach; nothing waits for its end."""
_JOINED = """
import sys, time
from skyshard.basics.errors import ClusterError
from skyshard.cluster.cluster import Cluster
from skyshard.runtime import open_runtime
cluster, wanted = Cluster.at(sys.argv[1]), set(sys.argv[2:])
while True:
    try:
        with open_runtime("ray", cluster.node_names, join=cluster.ray) as runtime:
            while runtime.joined() < wanted:
                time.sleep(0.5)
            break
    except ClusterError:
        time.sleep(0.5)
"""


@dataclass
class RayLab:
    """The hosts, their servers and their Ray by the names of the hosts."""

    lab: Lab
    nodes: tuple[str, ...]
    servers: Servers
    certificates: dict[str, Tls] = field(default_factory=dict)
    running: dict[str, NetworkServer] = field(default_factory=dict)
    ray: dict[str, Running] = field(default_factory=dict)

    @property
    def czar(self) -> Host:
        return self.lab[CZAR]

    @property
    def cluster(self) -> Path:
        """The folder of the cluster, on the host of the czar."""
        return self.czar.folder / "cluster"

    def skyshard(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on the czar's host, with this cluster."""
        return self.czar.skyshard(*arguments, "--cluster", str(self.cluster), check=check)

    def at_once(self, code: str, *arguments: str) -> str:
        """Run code with a ``testbed`` of this cluster on the czar's host (``Host.at_once``); what it printed."""
        return self.czar.at_once(self.cluster, code, *arguments).stdout

    def restart(self, name: str) -> None:
        """Start server and Ray of a host that was booted."""
        self.running[name] = self.servers.launch(self.lab[name], self.certificates[name])
        wait_ready(self.running[name])
        self.start_ray(name)

    def restart_server(self, name: str, variables: Mapping[str, str] | None = None) -> None:
        """Stop a server, and start it with these variables in its environment."""
        self.running[name].process.signal(signal.SIGTERM)
        self.running[name].process.wait()
        self.running[name] = self.servers.launch(self.lab[name], self.certificates[name], variables=variables)
        wait_ready(self.running[name])

    def start_ray(self, name: str) -> None:
        """Start Ray on a host, again whenever it ends."""
        host, token = self.lab[name], self.lab.own / "token"
        if name == CZAR:
            start = start_head(Path("/tmp/ray"), host.address, RAY_PORT, token)
        else:
            start = start_node(name, 1, f"{self.czar.address}:{RAY_PORT}", Path("/tmp/ray"), host.address, token)
        self.ray[name] = host.start("sh", "-c", _again(start), variables={**_new(start, host), **_SMALL})

    def kill_ray(self, name: str) -> None:
        """Kill Ray on a host, and let it not come again."""
        self.lab[name].run("pkill", "-9", "-f", "while :", check=False)
        self.lab[name].run("pkill", "-9", "-f", "/ray/", check=False)

    def wait_joined(self) -> None:
        """Until every node's host belongs to the Ray; the command that asks is run when Ray has started on each."""
        for name, running in self.ray.items():
            wait_until(partial(_has_started, running), f"Ray has started on {name}", running)
        self.czar.run(sys.executable, "-c", _JOINED, str(self.cluster), *self.nodes, timeout_s=JOIN_TIMEOUT_S)


def _has_started(running: Running) -> bool:
    return STARTED in running.output


_SMALL = {"RAY_memory_monitor_refresh_ms": "0"}  # the hosts share the machine's memory


@contextlib.contextmanager
def ray_lab(lab: Lab, nodes: int) -> Iterator[RayLab]:
    """Hosts ``czar``, ``node1`` and so on, with a server and a Ray each, until the block ends."""
    names = tuple(f"node{number + 1}" for number in range(nodes))
    authority, made = Authority(lab.folder / "authority"), RayLab(lab, names, Servers(lab.folder / "template"))
    for name in (CZAR, *names):
        host = lab.add(name)
        (host.folder / "token").write_text("a secret of the hosts of this test only")
        (host.folder / "token").chmod(0o600)
        made.certificates[name] = authority.issue(host.folder / "tls", name, host.address)
        made.running[name] = made.servers.launch(host, made.certificates[name])
    for name in (CZAR, *names):
        made.start_ray(name)
    for server in made.running.values():
        wait_ready(server)
    (made.czar.folder / "cluster.yaml").write_text(_cluster_file(made))
    made.skyshard("cluster", "start", "--file", str(made.czar.folder / "cluster.yaml"))
    made.wait_joined()
    try:
        yield made
    finally:
        for running in [*made.ray.values(), *(server.process for server in made.running.values())]:
            with contextlib.suppress(Exception):
                running.signal(signal.SIGKILL)


def _again(start: RayStart) -> str:
    return f"while :; do {shlex.join(start.command)}; sleep 1; done"


def _new(start: RayStart, host: Host) -> dict[str, str]:
    return {name: value for name, value in start.environment.items() if host.environment.get(name) != value}


def _cluster_file(made: RayLab) -> str:
    own = made.lab.own
    lines = ["version: 1", "name: lab", "silence_s: 6", f"passwords: {own / 'passwords'}"]
    lines += [f"tls: {{ca: {own / 'tls/ca.crt'}, cert: {own / 'tls/tls.crt'}, key: {own / 'tls/tls.key'}}}"]
    lines += [f"ray: {{address: '{made.czar.address}:{RAY_PORT}', token: {own / 'token'}}}"]
    lines += [f"czar: {{socket: {made.running[CZAR].beside.socket}, data: {made.running[CZAR].data}}}", "nodes:"]
    for name in made.nodes:
        server = made.running[name]
        place = f"socket: {server.beside.socket}, data: {server.data}, staging: {made.lab[name].folder / 'staging'}"
        lines.append(f"- {{name: {name}, host: {name}, cores: 1, {place}}}")
    return "\n".join(lines) + "\n"
