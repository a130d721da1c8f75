"""What the registry keeps of nodes: states that follow their lifecycle, outages, names that are taken."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from skyshard.basics.errors import ClusterError, UserError
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.registry.catalog.nodes import DOWN_AFTER_S, Nodes
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import NodeEvent, NodeState

pytestmark = pytest.mark.integration


@pytest.fixture
def nodes(private_cluster: PrivateCluster) -> Iterator[Nodes]:
    """Nothing is known of any node; what other tests have had known of them is afterwards, as before."""
    czar = private_cluster.endpoint(CZAR_NAME)
    registry = Registry(czar, private_cluster.folder)
    registry.prepare()
    tables = [f"skyshard_registry.{name}" for name in ("outages", "nodes", "policies")]
    with connect(czar, Account.ADMIN) as admin:
        kept = {table: admin.rows(f"SELECT * FROM {table}") for table in tables}
        try:
            for table in tables:
                admin.execute(f"DELETE FROM {table}")
            yield registry.nodes
        finally:
            for table in tables:
                admin.execute(f"DELETE FROM {table}")
            for table in reversed(tables):  # outages name nodes, which come first
                for row in kept[table]:
                    admin.execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", list(row))
            registry.close()


def test_a_node_of_which_nothing_was_decided_is_active(nodes: Nodes) -> None:
    """So that clusters of older releases go on as they were."""
    assert (nodes.state("node1"), nodes.states(), nodes.marks()) == (NodeState.ACTIVE, {}, {})
    assert nodes.members(["node1", "node2"]) == ("node1", "node2")
    assert nodes.rows(["node1"])["node1"].state is NodeState.ACTIVE


def test_states_follow_the_lifecycle(nodes: Nodes) -> None:
    """Drained by way of draining only, and removed once drained."""
    assert nodes.set("node1", NodeEvent.DRAIN) is NodeState.DRAINING
    with pytest.raises(ClusterError, match="a node in state 'draining' cannot take 'remove'"):
        nodes.set("node1", NodeEvent.REMOVE)
    assert nodes.set("node1", NodeEvent.DRAINED) is NodeState.DRAINED
    assert nodes.set("node1", NodeEvent.REMOVE) is NodeState.REMOVED
    assert nodes.members(["node1", "node2"]) == ("node2",)
    with pytest.raises(ClusterError, match="'removed' cannot take 'enable'"):
        nodes.set("node1", NodeEvent.ENABLE)


def test_the_name_of_a_removed_node_does_not_come_back_unasked(nodes: Nodes) -> None:
    """Another data folder under an old name is something that somebody has to want."""
    nodes.join("node4")
    nodes.join("node4")  # goes on
    assert nodes.members(["node4"]) == ()
    nodes.set("node4", NodeEvent.JOINED)
    with pytest.raises(UserError, match="node4 is a node already"):
        nodes.join("node4")
    for event in (NodeEvent.DRAIN, NodeEvent.DRAINED, NodeEvent.REMOVE):
        nodes.set("node4", event)
    nodes.set_mark("node4", "a" * 32)
    with pytest.raises(UserError, match="there was a node node4, which was removed"):
        nodes.join("node4")
    nodes.join("node4", again=True)
    assert (nodes.state("node4"), nodes.marks()) == (NodeState.JOINING, {})


def test_an_outage_lasts_from_the_first_silence_to_the_next_answer(nodes: Nodes) -> None:
    """However often it is looked at; several at once."""
    began_s = time.time()
    for _ in range(2):
        nodes.see({"node1": None, "node2": None, "node3": 1000.0})
    rows = nodes.rows()
    assert [name for name, row in rows.items() if row.down_s] == ["node1", "node2"]
    assert all(abs(rows[name].down_s - began_s) < 60 for name in ("node1", "node2"))
    assert [rows[name].outages for name in ("node1", "node2", "node3")] == [1, 1, 0]
    nodes.see({"node1": 900.0})
    assert (nodes.rows()["node1"].down_s, nodes.rows()["node1"].started_s) == (0.0, 900.0)
    assert nodes.outages("node1")[0][1] is not None
    assert nodes.outages("node2")[0][1] is None


def test_a_restart_that_nobody_saw_is_an_outage(nodes: Nodes) -> None:
    """A node that flaps is known by how often its server was started."""
    now_s = float(int(time.time()))
    for ago_s in (900.0, 898.6, 500.0, 500.0, 100.0):
        nodes.see({"node1": now_s - ago_s})
    assert [ended_s for _, ended_s in nodes.outages("node1")] == [now_s - 500, now_s - 100]
    assert nodes.rows()["node1"].outages == 2


def test_the_time_until_a_node_is_replaced_is_the_clusters(nodes: Nodes) -> None:
    """600 s unless something else was chosen."""
    assert nodes.down_after_s == DOWN_AFTER_S
    nodes.set_down_after(42.5)
    assert nodes.down_after_s == 42.5
    with pytest.raises(UserError, match="after 0 s"):
        nodes.set_down_after(0)


def test_one_of_several_looks_at_the_nodes(nodes: Nodes) -> None:
    """However many czars there are, the servers are asked once in a while."""
    assert [nodes.take_look(60.0) for _ in range(3)] == [True, False, False]
    assert nodes.take_look(0.0)
