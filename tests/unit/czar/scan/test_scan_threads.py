"""Threads of scan lanes: as many as a node was given, else its share of the cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skyshard.cluster.node import Node
from skyshard.czar.scan.scan_threads import MOST_THREADS, scan_threads_of, scan_threads_on
from skyshard.db.connection import Endpoint

AT = Endpoint(socket="node.sock")


def node(*, is_here: bool = True, cores: int = 0, scan_threads: int = 0) -> Node:
    return Node("node", AT, AT, Path(), Path(), is_here=is_here, cores=cores, scan_threads=scan_threads)


@pytest.mark.parametrize(("nodes", "cores", "threads"), [(2, 16, 8), (4, 16, 4), (3, 8, 2), (5, 4, 1), (0, 4, 4)])
def test_cores_are_shared_out(nodes: int, cores: int, threads: int) -> None:
    """Each node has at least one thread, and none has more than eight."""
    assert scan_threads_of(nodes, cores) == threads


def test_a_node_has_the_threads_that_it_was_given() -> None:
    """Whatever its host has."""
    assert scan_threads_on(node(cores=2, scan_threads=5), 3) == 5


def test_a_node_elsewhere_shares_its_cores_with_none_of_here() -> None:
    """The cores it named are its own."""
    assert scan_threads_on(node(is_here=False, cores=6), 3) == 6
    assert scan_threads_on(node(cores=6), 3) == 6


def test_nodes_of_this_host_share_its_cores() -> None:
    """Where they named none."""
    share = max(1, min(MOST_THREADS, (os.cpu_count() or 1) // 2))
    assert scan_threads_on(node(), 2) == share
