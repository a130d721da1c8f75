"""Queries under way: listed while they are, stopped by name, cleaned up after however they end. Servers do not run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pymysql
import pytest

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.cluster.node import Node
from skyshard.czar.plan.query_plan import Kind, QueryPlan
from skyshard.czar.result.answer import Answer
from skyshard.czar.result.query_progress import Cancelled, Running
from skyshard.czar.run.clean_up import CleanUp
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.run.queries_under_way import QueriesUnderWay
from skyshard.czar.scan.left_tables import LeftTables
from skyshard.czar.scan.query_worker import QueryWorker
from skyshard.czar.scan.scan_throttle import ScanThrottle
from skyshard.db.connection import Endpoint
from skyshard.db.sessions import Sessions
from skyshard.log.event_log import ONLY_LOGGED

QUERY = "q_0c6f12ab_77_5_1"


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[NodeWorkers]:
    at = Endpoint(socket=str(tmp_path / "node1.sock"))
    worker = QueryWorker(Node("node1", at, at, Path(), Path(), is_here=True))
    left = LeftTables(wait_s=60)
    with closing(NodeWorkers({"node1": worker}, ThreadPoolExecutor(1), ScanThrottle(), left=left)) as made:
        yield made


@pytest.fixture
def clean_up(workers: NodeWorkers, tmp_path: Path) -> CleanUp:
    return CleanUp(Sessions(Endpoint(socket=str(tmp_path / "czar.sock"))), workers, ONLY_LOGGED, lambda: None)


def answer_of(running: Running) -> Answer:
    return Answer((), pa.schema([]), QueryPlan(Kind.CATALOG, ()), running, (), 0.0, 0.0)


def test_a_query_is_listed_while_it_is_under_way(clean_up: CleanUp, workers: NodeWorkers) -> None:
    """And nothing of it is to be dropped when it ends as it should."""
    queries, running = QueriesUnderWay(), Running(QUERY)
    with queries.hold(running, answer_of(running), clean_up, contextlib.nullcontext):
        assert queries.list() == [running]
        assert QUERY in queries
    assert queries.list() == []
    assert QUERY not in queries
    assert workers.left.queries == set()


def test_a_query_is_stopped_by_its_name(clean_up: CleanUp, workers: NodeWorkers) -> None:
    """Whatever error its servers then give, it says that the query was cancelled; what it made is dropped."""
    queries, running = QueriesUnderWay(), Running(QUERY)
    assert not queries.stop(QUERY, clean_up)
    with contextlib.ExitStack() as caught:
        caught.enter_context(pytest.raises(Cancelled, match=QUERY))
        caught.enter_context(queries.hold(running, answer_of(running), clean_up, contextlib.nullcontext))
        assert not queries.stop("another", clean_up)
        assert queries.stop(QUERY, clean_up)
        raise SkyshardError("a session was cut")
    assert workers.left.queries == {QUERY}
    assert not queries.stop(QUERY, clean_up)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("of the reader")])
def test_whatever_ends_a_query_nothing_of_it_is_left(
    clean_up: CleanUp, workers: NodeWorkers, error: BaseException
) -> None:
    """The error is the caller's; tables that servers still hold are dropped when they answer."""
    queries, running = QueriesUnderWay(), Running(QUERY)
    with (
        pytest.raises(type(error)) as caught,
        queries.hold(running, answer_of(running), clean_up, contextlib.nullcontext),
    ):
        raise error
    assert caught.value is error
    assert queries.list() == []
    assert workers.left.queries == {QUERY}


def test_a_servers_error_is_told_without_scratch_names(clean_up: CleanUp) -> None:
    """In the words of the statement as it was asked."""
    queries, running = QueriesUnderWay(), Running(QUERY)
    refused = UserError("/run/czar.sock: Subquery returns more than 1 row (1242)")
    refused.__cause__ = pymysql.OperationalError(1242, "Subquery returns more than 1 row")
    with (
        pytest.raises(UserError, match=r"^the server refuses the statement: Subquery returns more than 1 row"),
        queries.hold(running, answer_of(running), clean_up, contextlib.nullcontext),
    ):
        raise refused
