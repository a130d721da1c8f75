"""The threads of scans: so many work at a time, and one that waits for its slow reader gives its turn to another scan.

Rules: what has a turn is bounded, and so is what waits without one. A thread whose reader reads on goes on at once, as
the rows are here; nothing new begins until fewer work than have turns. Work keeps its thread from its beginning to its
end.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
MOST_AWAY = 56
"""Scans that may wait for their readers without a turn: each holds its rows of a moment, and its sessions."""


class ScanThreads(Executor):
    """Threads that are there while there is work: ``most`` have a turn, ``most_away`` others wait for readers."""

    def __init__(self, most: int, name: str, most_away: int = MOST_AWAY) -> None:
        self._most, self._name, self._most_away = most, name, most_away
        self._lock = threading.RLock()
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._threads: set[threading.Thread] = set()
        self._at_work = self._away = self._begun = 0
        self._is_closed = False

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a call done when it is its turn; RuntimeError once these threads are to end, or where there are none."""
        future: Future[T] = Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("no more work is taken in")
            self._waiting.append((future, partial(function, *args, **kwargs)))
            self._begin_next()
            if not self._threads:
                self._waiting.pop()
                raise RuntimeError("the system gives no thread")
        return future

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """The turn of the calling thread is another one's meanwhile, unless too many are away already."""
        with self._lock:
            is_away = self._away < self._most_away
            if is_away:
                self._away += 1
                self._leave()
        try:
            yield
        finally:
            if is_away:
                with self._lock:
                    self._away -= 1
                    self._at_work += 1

    def _leave(self) -> None:
        """One less is at work."""
        self._at_work -= 1
        self._begin_next()

    def _begin_next(self) -> None:
        while self._waiting and self._at_work < self._most:
            self._begun += 1
            begun = partial(self._serve, *self._waiting[0])
            thread = threading.Thread(target=begun, name=f"{self._name}_{self._begun}")
            try:
                thread.start()
            except RuntimeError:  # the system gives no more: it waits for the next occasion
                return
            self._waiting.popleft()
            self._threads.add(thread)
            self._at_work += 1

    def _serve(self, future: Future[Any], call: Callable[[], Any]) -> None:
        _done(future, call)
        del future, call  # else what they hold stays until the thread has ended
        with self._lock:
            self._threads.discard(threading.current_thread())
            self._leave()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work in; what has not begun is done yet, or cancelled."""
        with self._lock:
            self._is_closed = True
            left = [future for future, _ in self._waiting] if cancel_futures else []
            if cancel_futures:
                self._waiting.clear()
        for future in left:
            future.cancel()
        while wait and (thread := self._any_thread()) is not None:
            thread.join()

    def _any_thread(self) -> threading.Thread | None:
        with self._lock:
            return next(iter(self._threads), None)


def _done(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        found = call()
    except BaseException as error:
        future.set_exception(error)
        del future  # else the error holds itself
    else:
        future.set_result(found)
