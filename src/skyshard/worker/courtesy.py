"""Scans step aside: while interactive statements come, one processor of this host is left to them.

Rules: a unit that is under way goes on, only the next one waits; one unit may always run. Where there are no more scan
threads than processors but one, nobody ever waits.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

GRACE_S = 0.02
"""Interactive statements that follow one another within this time are taken for one visit."""


class Courtesy:
    """Counts the units that run on this host, and the interactive statements under way; ``processors`` are its own."""

    def __init__(self, processors: int) -> None:
        self._most = max(1, processors - 1)
        self._changed = threading.Condition()
        self._running = 0
        self._visitors = 0
        self._until = 0.0

    @contextlib.contextmanager
    def unit(self) -> Iterator[None]:
        """Around a unit of a scan: waits until it may begin."""
        with self._changed:
            while self._running >= self._most and (left := self._visit_s()):
                self._changed.wait(left)
            self._running += 1
        try:
            yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    @contextlib.contextmanager
    def visit(self) -> Iterator[None]:
        """Around an interactive statement."""
        with self._changed:
            self._visitors += 1
        try:
            yield
        finally:
            with self._changed:
                self._visitors -= 1
                self._until = time.monotonic() + GRACE_S
                if not self._visitors:
                    self._changed.notify_all()

    def _visit_s(self) -> float:
        """How long the present visit lasts at least; 0 when there is none."""
        return GRACE_S if self._visitors else max(0.0, self._until - time.monotonic())
