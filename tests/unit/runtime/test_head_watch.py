"""The watch over a head: who is gone, and when nothing was heard for long."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue

import pytest

from skyshard.runtime.driver_messages import Members
from skyshard.runtime.head_watch import HeadWatch


def test_a_node_that_is_there_anew_was_gone() -> None:
    """Ray that was started again on a host has another number: what ran before is gone, and nothing else is."""
    changes: list[tuple[Members, frozenset[str]]] = []
    watch = HeadWatch(lambda members, gone: changes.append((members, gone)), lambda _: None)
    first, again = Members({"node1": "a", "node2": "b"}, 4), Members({"node1": "c", "node2": "b"}, 4)
    for members in (first, first, again, again):
        watch.hear(members)
    watch.end()
    assert changes == [(again, frozenset({"node1"}))]


def test_silence_is_told_once() -> None:
    """A head that answered once and says nothing more is reported, with the seconds."""
    silences = SimpleQueue[float]()
    watch = HeadWatch(lambda *_: None, silences.put, silence_s=0.1)
    watch.hear(Members())
    assert silences.get(timeout=60) > 0.1
    with pytest.raises(Empty):
        silences.get(timeout=0.3)


def test_who_waits_for_the_next_answer_gets_it() -> None:
    """A question is answered by what comes after it; when nothing comes, by what is known."""
    watch = HeadWatch(lambda *_: None, lambda _: None)
    watch.hear(Members(cpus=1))
    threading.Timer(0.1, watch.hear, [Members(cpus=2)]).start()
    assert watch.next_members(10).cpus == 2
    assert watch.next_members(0.01).cpus == 2
    watch.end()
