"""A check of clusters on this host: a good one, and servers and folders that are not as they should be."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from skyshard.catalog.cluster_file import describe_cluster
from skyshard.cluster.cluster import CZAR_NAME, Cluster
from skyshard.cluster.named_cluster import NamedCluster
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.runtime import open_runtime
from skyshard.testbed.check.ask_workers import ask_workers, heard
from skyshard.testbed.check.check_cluster import NO_RAY, check_cluster
from skyshard.testbed.check.cluster_check import CheckedServer


def checked(cluster: Cluster) -> dict[str, CheckedServer]:
    return {server.name: server for server in check_cluster(cluster).servers}


def named(servers: PrivateCluster, folder: Path, **sockets: Path) -> Cluster:
    """A named cluster of the czar of a private one and nodes at these sockets."""
    file = folder / "cluster.yaml"
    czar = f"{{socket: {servers.endpoint(CZAR_NAME).socket}, data: {servers.data_dir(CZAR_NAME)}}}"
    nodes = [f"- {{name: {name}, socket: {place}, data: /nowhere/{name}}}" for name, place in sockets.items()]
    file.write_text("\n".join(["version: 1", "name: sockets", f"czar: {czar}", "nodes:", *nodes]))
    described = describe_cluster(file)
    cluster = NamedCluster(folder / "named")
    cluster.describe(described)  # type: ignore[arg-type]
    return cluster


def test_a_private_cluster_is_good(private_cluster: PrivateCluster) -> None:
    """Without Ray every worker proves its folder."""
    found = check_cluster(private_cluster)
    assert (found.is_good, found.faults, found.remarks) == (True, (), ())
    assert [server.name for server in found.servers] == [CZAR_NAME, *private_cluster.node_names]
    assert all(server.is_proved for server in found.servers[1:])


def test_a_node_that_is_down_is_named(private_cluster: PrivateCluster) -> None:
    """The others are checked all the same."""
    private_cluster.stop_server("node2")
    try:
        found = checked(private_cluster)
    finally:
        private_cluster.start()
    assert "node2" in found["node2"].faults[0]
    assert (found["node1"].faults, found["node1"].is_proved) == ((), True)


def test_the_worker_of_a_silent_server_is_not_asked(private_cluster: PrivateCluster) -> None:
    """Its host may be gone; the others are asked, and of it nothing is said."""
    nodes = {name: private_cluster.node(name) for name in private_cluster.node_names}
    asked = ask_workers(private_cluster, nodes, lambda: {"node2"})
    assert (set(asked.hellos), asked.unheard) == (set(nodes) - {"node2"}, {})


def test_a_worker_that_says_nothing_is_named_when_the_others_have_answered(private_cluster: PrivateCluster) -> None:
    """It is waited for as long as they make likely; here its server is stopped, so that it waits itself."""
    nodes = [private_cluster.node(name) for name in private_cluster.node_names]
    [pid] = [server.pid for server in private_cluster.status() if server.name == "node2"]
    assert pid
    with open_runtime("inline", private_cluster.node_names) as runtime:
        os.kill(pid, signal.SIGSTOP)
        try:
            hellos, unheard = heard(runtime, nodes)
        finally:
            os.kill(pid, signal.SIGCONT)
    assert set(hellos) == {node.name for node in nodes} - {"node2"}
    assert list(unheard) == ["node2"]
    assert "its worker gives no answer in " in unheard["node2"]


def test_two_nodes_that_are_one_server_are_named(private_cluster: PrivateCluster, tmp_path: Path) -> None:
    """By whatever names they are reached; of a cluster without Ray more cannot be known, which is said."""
    node1 = Path(private_cluster.endpoint("node1").socket)
    (tmp_path / "twin.sock").symlink_to(node1)
    found = check_cluster(named(private_cluster, tmp_path, one=node1, twin=tmp_path / "twin.sock"))
    faults = {server.name: server.faults for server in found.servers if server.faults}
    assert list(faults) == ["twin"]
    assert "twin: its data folder is that of one" in faults["twin"][0]
    assert found.remarks == (NO_RAY,)


@pytest.mark.parametrize("place", ["nowhere.sock", "no-server.sock"])
def test_a_socket_without_a_server_is_named(private_cluster: PrivateCluster, tmp_path: Path, place: str) -> None:
    (tmp_path / "no-server.sock").touch()
    found = checked(named(private_cluster, tmp_path, lost=tmp_path / place))
    assert "lost" in found["lost"].faults[0]
    assert "no server answers" in found["lost"].faults[0]
