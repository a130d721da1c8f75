"""Queries whose rows are being read now: listed, stopped, and cleaned up after however they end.

Rules: safe for threads. Whatever a query made in scratch databases is gone when it ends, also by an error or Ctrl-C.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from skyshard.basics.errors import SkyshardError
from skyshard.czar.result.answer import Answer
from skyshard.czar.result.query_progress import Running
from skyshard.czar.run.clean_up import CleanUp
from skyshard.czar.run.stored_result import in_words


class QueriesUnderWay:
    """Those of one czar, by name."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, Running] = {}

    def __contains__(self, query: str) -> bool:
        return query in self._running

    def list(self) -> list[Running]:
        """Their counters go on."""
        with self._lock:
            return list(self._running.values())

    def stop(self, query: str, clean_up: CleanUp) -> bool:
        """Stop a query on all servers; False if it is not under way here."""
        with self._lock:
            running = self._running.get(query)
        if running is None:
            return False
        running.stop()
        clean_up.cancel(query)
        return True

    @contextlib.contextmanager
    def hold(
        self, running: Running, answer: Answer, clean_up: CleanUp, beats: Callable[[], AbstractContextManager[None]]
    ) -> Iterator[None]:
        """The query can be stopped; whatever happens, nothing of it is left."""
        with self._lock:
            self._running[running.query] = running
        try:
            try:
                with beats():
                    yield
            finally:
                answer.close()
        except SkyshardError as error:
            clean_up.clean(running.query)
            running.check()
            raise in_words(error, running.query) from error.__cause__
        except BaseException:
            clean_up.clean(running.query)
            raise
        finally:
            with self._lock:
                del self._running[running.query]
