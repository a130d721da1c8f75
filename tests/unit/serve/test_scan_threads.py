"""Turns of scans: how many work, who waits, who goes first."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from tests.support.running_site import wait_until

from skyshard.serve.scan_threads import ScanThreads

LONG_S = 60.0


@pytest.fixture
def threads() -> Iterator[ScanThreads]:
    made = ScanThreads(1, "scan", most_away=1)
    yield made
    made.shutdown()


class Reader:
    """Work that is away until its reader reads on."""

    def __init__(self, threads: ScanThreads) -> None:
        self._threads = threads
        self.is_away, self.reads_on, self.has_left = threading.Event(), threading.Event(), threading.Event()

    def __call__(self) -> str:
        with self._threads.away(self.has_left.is_set):
            self.is_away.set()
            assert self.reads_on.wait(LONG_S)
        return "read"


def test_work_is_done_in_turn_and_its_errors_come(threads: ScanThreads) -> None:
    """By one thread after another, where there is one turn."""
    done: list[int] = []
    futures = [threads.submit(done.append, number) for number in range(9)]
    failed = threads.submit(int, "none")
    for future in futures:
        future.result(LONG_S)
    assert done == list(range(9))
    with pytest.raises(ValueError, match="none"):
        failed.result(LONG_S)


def test_others_work_while_one_is_away(threads: ScanThreads) -> None:
    """And it goes on when its reader does."""
    reader = Reader(threads)
    away = threads.submit(reader)
    assert threads.submit(str, 7).result(LONG_S) == "7"
    reader.reads_on.set()
    assert away.result(LONG_S) == "read"


def test_no_more_are_away_than_may_be(threads: ScanThreads) -> None:
    """The second one keeps its turn; what comes next waits."""
    first, second = Reader(threads), Reader(threads)
    away = threads.submit(first)
    assert first.is_away.wait(LONG_S)
    keeping = threads.submit(second)
    assert second.is_away.wait(LONG_S)
    waiting = threads.submit(str, 7)
    assert not waiting.running()
    second.reads_on.set()
    assert (keeping.result(LONG_S), waiting.result(LONG_S)) == ("read", "7")
    first.reads_on.set()
    assert away.result(LONG_S) == "read"


def test_whoever_comes_back_waits_for_a_turn_and_goes_before_new_work(threads: ScanThreads) -> None:
    reader, order = Reader(threads), []
    away = threads.submit(lambda: order.append(reader()))
    assert reader.is_away.wait(LONG_S)
    is_over = threading.Event()
    working = threads.submit(is_over.wait, LONG_S)
    later = threads.submit(order.append, "new")
    reader.reads_on.set()
    wait_until(lambda: threads._back == 1, "it comes back")
    assert order == []
    is_over.set()
    for future in (working, away, later):
        future.result(LONG_S)
    assert order == ["read", "new"]


def test_who_has_left_needs_no_turn_to_end(threads: ScanThreads) -> None:
    """However long others work."""
    reader, is_over = Reader(threads), threading.Event()
    away = threads.submit(reader)
    assert reader.is_away.wait(LONG_S)
    working = threads.submit(is_over.wait, LONG_S)
    reader.has_left.set()
    reader.reads_on.set()
    assert away.result(LONG_S) == "read"
    assert not working.done()
    is_over.set()


def test_what_has_not_begun_is_cancelled_at_the_end(threads: ScanThreads) -> None:
    """What has is waited for; nothing more is taken in."""
    is_over = threading.Event()
    working, waiting = threads.submit(is_over.wait, LONG_S), threads.submit(str, 7)
    threads.shutdown(wait=False, cancel_futures=True)
    assert waiting.cancelled()
    with pytest.raises(RuntimeError, match="no more work"):
        threads.submit(str, 7)
    is_over.set()
    threads.shutdown()
    assert working.result(0)
