"""The inline runtime's own promises; those of every runtime are tested in integration/test_runtime.py."""

from __future__ import annotations

import operator
import threading
from concurrent.futures import wait

import pytest

from skyshard.basics.errors import Bug, UserError
from skyshard.runtime import open_runtime


def test_close_leaves_no_thread() -> None:
    """After close the process has the threads that it had before."""
    before = set(threading.enumerate())
    with open_runtime("inline", ["node1"]) as runtime:
        wait([runtime.submit(operator.add, 1, 2), runtime.actor("a", list, node="node1").call(list.append, 1)])
    assert set(threading.enumerate()) <= before


def test_actors_run_at_the_same_time() -> None:
    """Two actors that wait for each other both get there."""
    barrier = threading.Barrier(2)
    with open_runtime("inline") as runtime:
        handles = [runtime.actor(name, lambda: barrier) for name in "ab"]
        done = wait([handle.call(threading.Barrier.wait, 60.0) for handle in handles], timeout=100).done
    assert sorted(future.result() for future in done) == [0, 1]


def test_calls_that_wait_at_close_are_cancelled() -> None:
    """close finishes what runs and gives up what has not begun."""
    gate, started = threading.Event(), threading.Event()

    def hold() -> bool:
        started.set()
        return gate.wait(60)

    with open_runtime("inline", cpus=1) as runtime:
        running, waiting = runtime.submit(hold), runtime.submit(gate.wait)
        assert started.wait(60)
        threading.Timer(0.05, gate.set).start()
    assert running.result() is True
    assert waiting.cancelled()


def test_an_unknown_node_is_refused() -> None:
    """An actor lives only beside a node that the runtime was opened for."""
    with open_runtime("inline", ["node1"]) as runtime, pytest.raises(UserError, match="no node 'node7'"):
        runtime.actor("a", list, node="node7")


def test_calls_after_close_are_refused() -> None:
    """A closed runtime takes nothing any more, and says so at once."""
    with open_runtime("inline") as runtime:
        handle = runtime.actor("a", list[int])
    with pytest.raises(Bug, match="closed"):
        handle.call(list.copy)
    with pytest.raises(Bug, match="closed"):
        runtime.submit(operator.add, 1, 2)
    with pytest.raises(Bug, match="closed"):
        runtime.actor("b", list[int])
