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
        self.is_away, self.reads_on = threading.Event(), threading.Event()

    def __call__(self) -> str:
        with self._threads.away():
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


def test_whoever_comes_back_goes_on_at_once(threads: ScanThreads) -> None:
    """However long others work: its rows are here, and it waited for the end of somebody else's scan with each batch.
    New work begins when there is a turn for it."""
    reader, is_over = Reader(threads), threading.Event()
    away = threads.submit(reader)
    assert reader.is_away.wait(LONG_S)
    working, later = threads.submit(is_over.wait, LONG_S), threads.submit(str, 7)
    reader.reads_on.set()
    assert away.result(LONG_S) == "read"
    assert (working.done(), later.running(), later.done()) == (False, False, False)
    is_over.set()
    assert (working.result(LONG_S), later.result(LONG_S)) == (True, "7")


def test_so_many_threads_are_there_at_most(threads: ScanThreads) -> None:
    """However often they go away and come back: as many as have turns, and as may be away."""
    is_over = threading.Event()

    def work() -> int:
        for _ in range(20):
            with threads.away():
                is_over.wait(0.001)
        return len(threads._threads)

    assert max(future.result(LONG_S) for future in [threads.submit(work) for _ in range(20)]) <= 2


def test_work_that_the_system_gives_no_thread_for_takes_no_turn(
    threads: ScanThreads, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is refused, or, where other work ends later, begun then; its turn was gone for ever."""

    def refused(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    is_over = threading.Event()
    working = threads.submit(is_over.wait, LONG_S)
    with monkeypatch.context() as patched:
        waiting = threads.submit(str, 7)
        patched.setattr(threading.Thread, "start", refused)
        is_over.set()
        assert working.result(LONG_S)
        wait_until(lambda: not threads._threads, "its thread has ended")
        with pytest.raises(RuntimeError, match="no thread"):
            threads.submit(str, 8)
    assert threads.submit(str, 9).result(LONG_S) == "9"
    assert waiting.result(LONG_S) == "7"


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
