"""A named cluster whose servers are those of a private one, reached by their sockets."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.named_servers import cluster_file

from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.cluster_file import describe_cluster, read_named_file
from skyshard.cluster.cluster import Cluster
from skyshard.cluster.named_cluster import NamedCluster
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.cluster.server_status import ServerState
from skyshard.testbed.start_cluster import start_cluster


@pytest.fixture
def named(private_cluster: PrivateCluster, short_folder: Path) -> Iterator[NamedCluster]:
    folder = short_folder / "named"
    start_cluster(folder, described=describe_cluster(cluster_file(private_cluster, short_folder)))
    found = Cluster.at(folder)
    assert isinstance(found, NamedCluster)
    yield found
    shutil.rmtree(folder, ignore_errors=True)


def test_a_folder_becomes_a_named_cluster(named: NamedCluster, private_cluster: PrivateCluster) -> None:
    """Every command finds it by its folder; nodes are reached, and their files are another host's."""
    assert named.node_names == private_cluster.node_names
    assert {one.state for one in named.status()} == {ServerState.RUNNING}
    named.require_running()
    node = named.node("node1")
    assert (node.sql.socket, node.is_here) == (private_cluster.endpoint("node1").socket, False)
    with pytest.raises(UserError, match="the data folder of node1 is on another host"):
        named.data_dir("node1")


def test_servers_of_others_are_not_stopped_from_here(named: NamedCluster, private_cluster: PrivateCluster) -> None:
    for refused in (named.stop_server, named.kill_server, named.log_file):
        with pytest.raises(UserError, match="others run the server of node1"):
            refused("node1")
    with pytest.raises(UserError, match="is on many machines: others run its servers; write settings under `options`"):
        named.change_settings(["flush=ON"])
    named.stop()
    named.destroy()
    assert not named.folder.exists()
    assert private_cluster.is_running


def test_a_node_with_rows_keeps_its_name(named: NamedCluster, short_folder: Path) -> None:
    """One that is renamed would leave its rows behind; one that never had rows may go."""
    file = short_folder / "cluster.yaml"
    file.write_text(file.read_text().replace("name: node2", "name: other"))
    renamed = read_named_file(file)
    with pytest.raises(UserError, match="node 'node2' has rows, and the cluster file does not name it"):
        named.describe(renamed, has_rows=["node1", "node2"])
    assert named.node_names == ("node1", "node2")
    named.describe(renamed, has_rows=["node1"])
    assert named.node_names == ("node1", "other")


def test_what_cannot_be_compared_with_the_registry_is_not_described(named: NamedCluster, short_folder: Path) -> None:
    """A czar's server that is down may know rows on the node that the new file leaves out."""
    before, file = named.description, short_folder / "cluster.yaml"
    file.write_text(file.read_text().replace("name: node2", "name: other").replace("czar.sock", "nowhere.sock"))
    with pytest.raises(ClusterError, match="no server answers"):
        start_cluster(named.folder, described=describe_cluster(file))
    assert named.description == before


def test_files_of_another_kind_or_cluster_are_refused(
    named: NamedCluster, private_cluster: PrivateCluster, short_folder: Path
) -> None:
    described = describe_cluster(cluster_file(private_cluster, short_folder, name="third"))
    with pytest.raises(UserError, match="is cluster 'others', not 'third'"):
        start_cluster(named.folder, described=described)
    with pytest.raises(UserError, match="is a private cluster"):
        start_cluster(private_cluster.folder, described=described)
    with pytest.raises(UserError, match="its number of nodes is that of its cluster file"):
        start_cluster(named.folder, nodes=5)


def test_servers_that_do_not_answer_are_named(named: NamedCluster, short_folder: Path) -> None:
    file = short_folder / "cluster.yaml"
    file.write_text(file.read_text().replace("node2.sock", "nowhere.sock"))
    named.describe(read_named_file(file))
    with pytest.raises(ClusterError, match="1 of 3 servers of cluster others cannot be used: node2 "):
        named.start()


def test_a_server_says_its_caches_and_what_it_does_not_follow(named: NamedCluster, short_folder: Path) -> None:
    """Settings of the cluster file are those of its hosts' servers; a node's own win."""
    file = short_folder / "cluster.yaml"
    options = "options: {nodes: {key_buffer_size: 9M, sort_buffer_size: 4M}, node2: {sort_buffer_size: 5M}}\n"
    file.write_text(file.read_text() + options)
    named.describe(read_named_file(file))
    czar, node1, node2 = named.status()[:3]
    assert min(node1.caches.values()) > 0
    assert (czar.settings, list(node1.settings)) == ({}, ["key_buffer_size", "sort_buffer_size"])
    assert (list(node1.not_in_force), list(node2.not_in_force)) == (
        ["key_buffer_size"],
        ["key_buffer_size", "sort_buffer_size"],
    )
