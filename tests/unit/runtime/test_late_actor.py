"""An actor that is made late is made once, by whoever calls first, and not at all for nobody."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from skyshard.basics.errors import ClusterError
from skyshard.runtime import open_runtime
from skyshard.runtime.base import Handle, Runtime
from skyshard.runtime.late_actor import LateActor


@pytest.fixture
def runtime() -> Iterator[Runtime]:
    with open_runtime("inline") as opened:
        yield opened


def test_nothing_is_made_before_the_first_call(runtime: Runtime) -> None:
    """Nor does looking whether it is dead make it."""
    made: list[str] = []

    def make() -> Handle[list[int]]:
        made.append("one")
        return runtime.actor("numbers", list[int])

    actor = LateActor(make)
    assert not actor.is_dead
    assert made == []
    actor.call(list.append, 1).result()
    assert actor.call(list.copy).result() == [1]
    assert made == ["one"]


def test_callers_at_the_same_time_share_one(runtime: Runtime) -> None:
    """Each of their calls is carried out by the same actor."""
    together, actor = threading.Barrier(4), LateActor(lambda: runtime.actor("numbers", list[int]))

    def add(number: int) -> None:
        together.wait()
        actor.call(list.append, number).result()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(add, range(4)))
    assert sorted(actor.call(list.copy).result()) == [0, 1, 2, 3]


def test_one_that_cannot_be_made_is_tried_again(runtime: Runtime) -> None:
    """The error is that of the host which has not joined; the next call may find it there."""
    hosts: list[str] = []

    def make() -> Handle[list[int]]:
        if not hosts:
            raise ClusterError("node1 has not joined", retryable=True)
        return runtime.actor("numbers", list[int])

    actor = LateActor(make)
    with pytest.raises(ClusterError, match="node1 has not joined"):
        actor.call(list.copy)
    assert not actor.is_dead
    hosts.append("node1")
    assert actor.call(list.copy).result() == []
