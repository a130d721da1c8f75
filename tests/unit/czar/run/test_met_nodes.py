"""Nodes that come and go under a czar: looked for only when a plan needs it, or its beat asks."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from skyshard.cluster.node import Node
from skyshard.czar.plan.query_plan import Kind, QueryPlan
from skyshard.czar.run.met_nodes import MetNodes
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.scan.query_worker import QueryWorker
from skyshard.czar.scan.scan_throttle import ScanThrottle
from skyshard.db.connection import Endpoint


def node(name: str, socket: str = "") -> Node:
    at = Endpoint(socket=socket or f"{name}.sock")
    return Node(name, at, at, Path(), Path(), is_here=True)


def asking(*names: str) -> QueryPlan:
    """A plan that reads what these nodes hold."""
    return QueryPlan(Kind.CATALOG, (), holders=frozenset(names))


class Cluster:
    """Which nodes there are, and how often somebody looked."""

    def __init__(self, *names: str) -> None:
        self.nodes = {name: node(name) for name in names}
        self.looks = 0

    def find(self) -> dict[str, Node]:
        self.looks += 1
        return dict(self.nodes)


@pytest.fixture
def workers() -> Iterator[NodeWorkers]:
    made = {name: QueryWorker(node(name)) for name in ("node1", "node2")}
    with closing(NodeWorkers(made, ThreadPoolExecutor(1), ScanThrottle())) as workers:
        yield workers


def test_nobody_looks_for_nodes_while_a_plan_asks_known_ones(workers: NodeWorkers) -> None:
    """A look costs a question to the registry, which a short statement does not pay."""
    cluster = Cluster("node1", "node2", "node3")
    met = MetNodes(workers, cluster.find, QueryWorker)
    met.meet(asking("node1", "node2"))
    assert cluster.looks == 0
    met.meet(asking("node3"))
    assert (cluster.looks, workers.nodes) == (1, ["node1", "node2", "node3"])
    met.meet(asking("node3"))
    assert cluster.looks == 1


def test_a_node_that_has_left_is_lost_to_plans_that_ask_it_alone(workers: NodeWorkers) -> None:
    """Its worker stays to be found by name; a plan over the others goes on."""
    cluster = Cluster("node1")
    met = MetNodes(workers, cluster.find, QueryWorker)
    assert met.has_lost(asking("node1", "node2"))
    assert not met.has_lost(asking("node1"))
    assert [worker.name for worker in workers.serving] == ["node1"]
    assert set(workers.by_name) == {"node1", "node2"}


def test_a_node_that_moved_has_another_worker(workers: NodeWorkers) -> None:
    """What is the same keeps its worker, and with it the sessions."""
    cluster = Cluster("node1", "node2")
    cluster.nodes["node2"] = node("node2", "elsewhere.sock")
    before = dict(workers.by_name)
    MetNodes(workers, cluster.find, QueryWorker).meet()
    assert workers.by_name["node1"] is before["node1"]
    assert workers.by_name["node2"].node == cluster.nodes["node2"]


def test_without_a_way_to_find_nodes_they_stay_as_they_were(workers: NodeWorkers) -> None:
    """A plan that asks one which nobody knows is told so."""
    met = MetNodes(workers, None, QueryWorker)
    met.meet()
    assert workers.nodes == ["node1", "node2"]
    assert met.has_lost(asking("node3"))
