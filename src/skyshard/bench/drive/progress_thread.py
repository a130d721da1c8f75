"""Reports a phase's progress from a thread of its own, so that what is measured never waits for a terminal."""

from __future__ import annotations

import threading
from collections.abc import Callable

from skyshard.basics.progress import Stage

PERIOD_S = 0.2


class ProgressThread(threading.Thread):
    """Reports a stage five times a second while the ``with`` block runs, and once when it ends.

    ``count`` returns the steps done so far; it is called from this thread. Total 0 means that the end is not known.
    """

    def __init__(self, stage: Stage, count: Callable[[], int]) -> None:
        super().__init__(daemon=True, name="bench-progress")
        self._stage, self._count = stage, count
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(PERIOD_S):
            done = self._count()
            self._stage.report(done, total=self._stage.total or done + 1)  # an unknown total stays one ahead

    def __enter__(self) -> None:
        self.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()
        self._stage.report(self._count(), total=self._count())
