"""Cleaning up after queries where servers do not answer; what answers is in the integration tests of the czar."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from skyshard.cluster.node import Node
from skyshard.czar.run.clean_up import CleanUp
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.scan.left_tables import LeftTables
from skyshard.czar.scan.query_worker import QueryWorker
from skyshard.czar.scan.scan_throttle import ScanThrottle
from skyshard.db.connection import Endpoint
from skyshard.db.sessions import Sessions
from skyshard.log.event_log import ONLY_LOGGED

QUERY = "q_0c6f12ab_77_5_1"


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[NodeWorkers]:
    """Of two nodes whose servers do not run."""
    made = {}
    for name in ("node1", "node2"):
        at = Endpoint(socket=str(tmp_path / f"{name}.sock"))
        made[name] = QueryWorker(Node(name, at, at, Path(), Path(), is_here=True))
    left = LeftTables(wait_s=60)
    with closing(NodeWorkers(made, ThreadPoolExecutor(1), ScanThrottle(), left=left)) as workers:
        yield workers


@pytest.fixture
def clean_up(workers: NodeWorkers, tmp_path: Path) -> CleanUp:
    own = Sessions(Endpoint(socket=str(tmp_path / "czar.sock")))
    return CleanUp(own, workers, ONLY_LOGGED, lambda: None)


def test_what_servers_hold_that_do_not_answer_is_left_to_be_dropped(clean_up: CleanUp, workers: NodeWorkers) -> None:
    """The end of a query is no error of its own, however many servers are gone."""
    clean_up.clean(QUERY)
    assert workers.left.queries == {QUERY}
    assert len(workers.left._waiting()) == 3


def test_of_a_node_that_has_left_the_cluster_nothing_is_cleaned(clean_up: CleanUp, workers: NodeWorkers) -> None:
    """It would be asked for as long as the czar lives."""
    workers.meet({"node1": workers.by_name["node1"].node}, QueryWorker)
    clean_up.clean(QUERY)
    assert len(workers.left._waiting()) == 2


def test_a_sweep_passes_servers_that_do_not_answer(clean_up: CleanUp) -> None:
    """It has dropped nothing there, and says so; to stop a query that is nowhere is no error."""
    assert clean_up.sweep() == 0
    clean_up.cancel(QUERY)
