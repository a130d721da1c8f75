"""The book of what is not settled on a joined Ray: what is asked for after a loss fails at once."""

from __future__ import annotations

import pytest

from skyshard.basics.errors import Bug, ClusterError
from skyshard.runtime.driver_messages import Done, Failed, Fetch, Fetched, Order, RunTask, pickled_error
from skyshard.runtime.joined_calls import JoinedFuture, Pending, lost

TIMEOUT_S = 60


class Ray:
    """What orders go to; ``is_gone`` says that nobody will answer any more."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.is_gone = False
        self.pending = Pending(self.orders.append, self.orders.append, self._why_none)

    def _why_none(self, future: JoinedFuture[int]) -> Exception | None:
        return lost("it is gone", future.what) if self.is_gone else None

    def ordered(self, number: int) -> JoinedFuture[int]:
        future = JoinedFuture[int](self.pending, number, "task a", "")
        return self.pending.ordered(RunTask(number, b"", (), "task a", "", 0), future)


def test_a_large_result_fails_when_it_is_asked_for_after_the_loss() -> None:
    """The future has been settled, so the loss itself says nothing to it; it is not asked for, and comes not back."""
    ray = Ray()
    future = ray.ordered(1)
    ray.pending.settle(Done(1, None))
    assert future.exception(TIMEOUT_S) is None
    ray.is_gone = True
    ray.pending.fail(lambda one: lost("it is gone", one.what), frozenset())
    with pytest.raises(ClusterError, match="it is gone: task a"):
        future.result(TIMEOUT_S)
    assert not any(isinstance(order, Fetch) for order in ray.orders)
    ray.pending.give_up()


def test_a_large_result_is_brought_when_it_is_asked_for() -> None:
    """Once, however often it is asked for."""
    ray = Ray()
    future = ray.ordered(1)
    ray.pending.settle(Done(1, None))
    assert future.exception(TIMEOUT_S) is None
    with pytest.raises(TimeoutError):
        future.result(0.05)
    ray.pending.settle(Fetched(1, b"\x80\x05K\x07."))
    assert (future.result(TIMEOUT_S), future.result(TIMEOUT_S)) == (7, 7)
    assert [order for order in ray.orders if isinstance(order, Fetch)] == [Fetch(1)]
    ray.pending.give_up()


def test_a_call_that_nothing_is_heard_of_names_its_node() -> None:
    """So that whatever else waits for that host need not wait longer; any other error names none."""
    ray = Ray()
    futures = [ray.ordered(number) for number in (1, 2)]
    futures[0].node = futures[1].node = "node1"
    error = pickled_error(ClusterError("its host does not answer"), "task a")
    assert ray.pending.settle(Failed(1, error, is_lost=False, is_unheard=True)) == "node1"
    assert ray.pending.settle(Failed(2, error, is_lost=False)) == ""
    for future in futures:
        with pytest.raises(ClusterError, match="does not answer"):
            future.result(TIMEOUT_S)
    ray.pending.give_up()


def test_what_is_ordered_after_all_that_waited_was_told_of_the_loss_fails_at_once() -> None:
    """Whoever looked whether Ray is there before it was lost gets a future that is settled."""
    ray = Ray()
    ray.is_gone = True
    ray.pending.fail(lambda one: lost("it is gone", one.what), frozenset())
    with pytest.raises(ClusterError, match="it is gone: task a"):
        ray.ordered(1).result(TIMEOUT_S)
    assert not any(isinstance(order, RunTask) for order in ray.orders)
    ray.pending.give_up()


def test_a_result_that_cannot_be_read_here_is_an_error_and_others_are_settled() -> None:
    """One thread settles all: it goes on."""
    ray = Ray()
    first, second, third = (ray.ordered(number) for number in (1, 2, 3))
    ray.pending.settle(Done(1, b"no pickle"))
    ray.pending.settle(Failed(2, b"no pickle", is_lost=False))
    ray.pending.settle(Done(3, b"\x80\x05K\x07."))
    for one in (first, second):
        with pytest.raises(Bug, match="task a gave what cannot be read here"):
            one.result(TIMEOUT_S)
    assert third.result(TIMEOUT_S) == 7
    ray.pending.give_up()
