"""Calls that are under way, never too many, and what becomes of them when one fails."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest

from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.schema import Table
from skyshard.ingest.on_nodes.bounded_futures import (
    PER_NODE,
    BackgroundThread,
    about,
    answer,
    answers,
    drain,
    in_order_of_end,
)
from skyshard.node.messages import BuildOrder, BuiltTable, Loader
from skyshard.node.node_loader import NodeLoader


class HandNode:
    """A node whose orders end when the test says so."""

    def __init__(self) -> None:
        self.running: list[tuple[BuildOrder, Future[list[BuiltTable]]]] = []
        self.most = 0

    def call(self, method: Callable[..., Any], order: BuildOrder) -> Future[Any]:
        future: Future[list[BuiltTable]] = Future()
        self.running.append((order, future))
        self.most = max(self.most, len(self.running))
        return future

    def end(self, error: Exception | None = None) -> None:
        """End the order that was sent first."""
        order, future = self.running.pop(0)
        if error is None:
            future.set_result([BuiltTable(order.database, 1, 1, "")])
        else:
            future.set_exception(error)


def orders(*names: str) -> list[BuildOrder]:
    return [BuildOrder(name, Table("t", ()), Loader.IMAGE, ()) for name in names]


def drained(queues: Mapping[str, list[BuildOrder]], nodes: Any, ended: list[str]) -> Exception | None:
    """Drain in this thread, noting the orders that came back; returns the error."""
    try:
        for _, order, _ in drain(queues, lambda node, order: nodes[node].call(NodeLoader.build, order)):
            ended.append(order.database)
    except Exception as error:
        return error
    return None


def run_drain(
    queues: Mapping[str, list[BuildOrder]], nodes: Mapping[str, HandNode], steps: Callable[[], None]
) -> tuple[list[str], Exception | None]:
    """Drain in a thread while ``steps`` ends orders; what came back, and the error."""
    ended: list[str] = []
    found: list[Exception | None] = []
    thread = threading.Thread(target=lambda: found.append(drained(queues, nodes, ended)))
    thread.start()
    steps()
    thread.join(60)
    assert not thread.is_alive()
    return ended, found[0]


def wait_for(node: HandNode, count: int) -> None:
    """Until a node has so many orders under way."""
    for _ in range(60_000):
        if len(node.running) >= count:
            return
        threading.Event().wait(0.001)
    raise AssertionError(f"{len(node.running)} orders under way where {count} were due")


def test_each_node_has_its_own_queue() -> None:
    """A node that does not answer keeps no other from its orders, and none has more than its share under way."""
    slow, quick = HandNode(), HandNode()

    def steps() -> None:
        for left in (2, 2, 1):
            wait_for(quick, left)
            quick.end()
        wait_for(slow, 1)
        slow.end()

    queues = {"slow": orders("s"), "quick": orders("a", "b", "c")}
    ended, error = run_drain(queues, {"slow": slow, "quick": quick}, steps)
    assert error is None
    assert [name for name in ended if name != "s"] == ["a", "b", "c"]
    assert len(ended) == 4
    assert quick.most == PER_NODE


def test_after_an_error_nothing_more_is_sent_and_what_is_under_way_comes_back() -> None:
    """The other node's order is waited for and yielded, so that it can be recorded; the error names the node."""
    bad, good = HandNode(), HandNode()

    def steps() -> None:
        wait_for(bad, 2)
        wait_for(good, 2)
        bad.end(ClusterError("it is gone", retryable=True))
        bad.end()
        good.end()
        good.end()

    queues = {"bad": orders("x", "y", "z"), "good": orders("a", "b", "c")}
    ended, error = run_drain(queues, {"bad": bad, "good": good}, steps)
    assert sorted(ended) == ["a", "b", "y"]
    assert isinstance(error, ClusterError)
    assert "node 'bad': it is gone" in error.what


def test_what_an_order_brings_about_is_sent_once_it_is_carried_out() -> None:
    """To a node that had nothing to do, and to the same node behind the rest of its queue; no more at a time."""
    one, other = HandNode(), HandNode()
    nodes = {"one": one, "other": other}
    queues = {"one": orders("a", "b", "c"), "other": []}
    late = {"a": {"one": orders("d"), "other": orders("e", "f", "g")}}
    ended: list[str] = []

    def work() -> None:
        built = drain(
            queues, lambda node, order: nodes[node].call(NodeLoader.build, order),
            lambda _, order, __: late.get(order.database, {}),
        )  # fmt: skip
        ended.extend(order.database for _, order, _ in built)

    thread = threading.Thread(target=work)
    thread.start()
    wait_for(one, 2)
    assert not other.running
    for node in (one, other):
        for left in (2, 2, 2, 1) if node is one else (2, 2, 1):
            wait_for(node, left)
            node.end()
    thread.join(60)
    assert not thread.is_alive()
    assert ended[0] == "a"
    assert sorted(ended) == list("abcdefg")
    assert (one.most, other.most) == (PER_NODE, PER_NODE)


def test_results_come_with_their_items_and_no_more_than_the_limit_are_under_way() -> None:
    """A call is started only when another one has ended."""
    under_way: list[str] = []

    def start(word: str) -> Future[int]:
        under_way.append(word)
        future: Future[int] = Future()
        future.set_result(len(word))
        return future

    words = ("a", "bb", "ccc")
    results = in_order_of_end((partial(start, word) for word in words), words, limit=1)
    assert next(iter(results)) == (1, "a")
    assert under_way == ["a", "bb"]


def test_wrong_input_is_raised_once_nothing_is_under_way() -> None:
    """Work that goes on is waited for, so that what was done can be taken back."""
    slow: Future[int] = Future()
    wrong: Future[int] = Future()
    wrong.set_exception(UserError("wrong row"))
    threading.Timer(0.05, slow.set_result, [1]).start()
    with pytest.raises(UserError, match="wrong row"):
        list(in_order_of_end([lambda: slow, lambda: wrong], ("slow", "wrong"), limit=2))
    assert slow.done()


def test_a_lost_worker_is_not_waited_for() -> None:
    """Who does not answer holds nothing up: the error comes at once, what has not begun is cancelled."""
    waiting: Future[int] = Future()
    lost: Future[int] = Future()
    lost.set_exception(ClusterError("gone"))
    with pytest.raises(ClusterError, match="gone"):
        list(in_order_of_end([lambda: waiting, lambda: lost], ("waiting", "lost"), limit=2))
    assert waiting.cancelled()


def test_all_nodes_have_answered_before_an_error_is_raised() -> None:
    """One that failed at once does not leave another one at work."""
    failed: Future[int] = Future()
    failed.set_exception(ClusterError("no"))
    slow: Future[int] = Future()
    threading.Timer(0.05, slow.set_result, [1]).start()
    with pytest.raises(ClusterError, match="node 'a': no"):
        answers({"a": failed, "b": slow})
    assert slow.done()


def test_an_error_names_its_node_once() -> None:
    """A node that says its name already is not named again; one that may come back is told how to go on."""
    named = ClusterError("node 'a', table t: torn", remedy="run the ingest again")
    assert about("a", ClusterError("node 'a': torn")).what == "node 'a': torn"
    assert about("b", named).what == "node 'b': node 'a', table t: torn"
    assert "skyshard cluster start" in about("a", ClusterError("silent", retryable=True)).remedy


def test_errors_of_the_user_stay_as_they_are() -> None:
    """Wrong input is no fault of the node that found it."""
    refused: Future[int] = Future()
    refused.set_exception(UserError("a value"))
    with pytest.raises(UserError, match=r"^a value"):
        answer("a", refused)


def test_the_first_error_of_a_background_thread_is_raised_at_its_end() -> None:
    """Calls go on behind one that failed, and their order is that in which they were given."""
    done: list[int] = []
    thread = BackgroundThread("test")
    thread.do(done.append, 1)
    thread.do([].remove, 1)
    thread.do(done.append, 2)
    with pytest.raises(ValueError, match="not in list"):
        thread.finish()
    thread.finish()
    thread.close()
    assert done == [1, 2]
