"""A named cluster in hosts: the czar's server on one, a node on each other one, TLS and passwords between them.

No Ray, no ingest: rows are put into the servers through sessions (``split_sky``, ``trouble_sky``).

    with named_lab(lab, nodes=3) as made:
        made.cluster.endpoint("node1")              # for this thread, which is on the network of the host ``czar``
        lab["node1"].pull_cable()
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tests.support.authority import Authority
from tests.support.hosts import Lab
from tests.support.network_server import NetworkServer, Servers, wait_ready

from skyshard.catalog.cluster_file import describe_cluster
from skyshard.cluster.cluster import Cluster
from skyshard.testbed.start_cluster import start_cluster

CZAR = "czar"
NO_DATA: Mapping[str, Path] = MappingProxyType({})


@dataclass(frozen=True)
class NamedLab:
    """The hosts, the cluster as the host ``czar`` sees it, and the servers by the names of their hosts."""

    lab: Lab
    cluster: Cluster
    servers: dict[str, NetworkServer]


@contextlib.contextmanager
def named_lab(
    lab: Lab, nodes: int, *, silence_s: float = 3.0, data: Mapping[str, Path] = NO_DATA
) -> Iterator[NamedLab]:
    """Hosts ``czar``, ``node1`` and so on, with a server each, until the block ends.

    Args:
        data: name → the data folder of a stopped server, which moves to the host.
    """
    authority = Authority(lab.folder / "authority")
    servers = Servers(lab.folder / "template")
    launched = {}
    for name in (CZAR, *(f"node{number + 1}" for number in range(nodes))):
        host = lab.add(name)
        if name in data:
            (host.folder / "mysql").mkdir()
            data[name].rename(host.folder / "mysql" / "data")
        launched[name] = servers.launch(host, authority.issue(host.folder / "tls", name, host.address))
    for server in launched.values():
        wait_ready(server)
    folder = lab[CZAR].folder / "cluster"
    described = describe_cluster(_cluster_file(lab, launched, silence_s))
    with lab[CZAR].network():
        start_cluster(folder, described=described)
        cluster = Cluster.at(folder)
        try:
            yield NamedLab(lab, cluster, launched)
        finally:
            cluster.destroy()
            for server in launched.values():
                server.process.signal(signal.SIGKILL)
                server.process.wait()


def _cluster_file(lab: Lab, servers: dict[str, NetworkServer], silence_s: float) -> Path:
    czar = lab[CZAR].folder
    lines = ["version: 1", "name: lab", f"silence_s: {silence_s}", f"passwords: {czar / 'passwords'}"]
    lines += [f"tls: {{ca: {czar / 'tls/ca.crt'}, cert: {czar / 'tls/tls.crt'}, key: {czar / 'tls/tls.key'}}}"]
    lines += [f"czar: {{socket: {servers[CZAR].beside.socket}, data: {servers[CZAR].data}}}", "nodes:"]
    for name, server in servers.items():
        if name != CZAR:
            place = f"socket: {server.beside.socket}, data: {server.data}, cores: 2"
            lines.append(f"- {{name: {name}, host: {name}, {place}}}")
    file = czar / "cluster.yaml"
    file.write_text("\n".join(lines) + "\n")
    return file
