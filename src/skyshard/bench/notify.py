"""Telling of progress, from a thread of its own, so that what is measured never waits for a terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable

Notify = Callable[[str, int, int], None]
"""Told of progress: what is done, how much of it, out of how much (0 = not known)."""


def say_nothing(what: str, done: int, total: int) -> None:
    """Tell nobody."""


class Telling(threading.Thread):
    """Tells of progress five times a second while a phase runs, from a thread of its own."""

    def __init__(self, tell: Notify, what: str, count: Callable[[], int], total: int) -> None:
        super().__init__(daemon=True, name="bench-progress")
        self._tell, self._what, self._count, self._total = tell, what, count, total
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.2):
            done = self._count()
            self._tell(self._what, done, self._total or done + 1)  # an unknown total is not yet reached

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        self._tell(self._what, self._count(), self._count())
