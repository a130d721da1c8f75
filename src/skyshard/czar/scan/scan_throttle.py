"""Scan throttle: while interactive statements run, scans leave one processor of this host free.

Rules: a unit that is under way goes on, only the next one waits; one unit may always run. Where there are no more scan
threads than processors but one, nothing ever waits. While both run, they keep to different processors.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from skyshard.czar.scan.cpu_affinity import Processors
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import SCAN_THROTTLED

GRACE_S = 0.02
"""Interactive statements that follow one another within this time count as one."""


class ScanThrottle:
    """Counts the units that run on this host, and the interactive statements under way.

    ``count``: of processors, if these are not the host's.
    """

    def __init__(self, count: int = 0) -> None:
        self.processors = Processors()
        self._most = max(1, (count or self.processors.count) - 1)
        self._changed = threading.Condition()
        self._running = 0
        self._interactive = 0
        self._until = 0.0

    @contextlib.contextmanager
    def unit(self) -> Iterator[None]:
        """Around a unit of a scan: waits until it may begin."""
        with self._changed:
            if self._running >= self._most and self._interactive_s():
                self._step_aside()
            self._running += 1
            if self._interactive_s():
                self.processors.separate()
            else:
                self.processors.share()
        try:
            with self.processors.keep_apart():
                yield
        finally:
            with self._changed:
                self._running -= 1
                self._changed.notify_all()

    def _step_aside(self) -> None:
        """Wait until a unit may begin; the caller holds the lock."""
        since = time.monotonic()
        while self._running >= self._most and (left := self._interactive_s()):
            self._changed.wait(left)
        ONLY_LOGGED.tell(SCAN_THROTTLED, waited_s=time.monotonic() - since)

    @contextlib.contextmanager
    def interactive(self) -> Iterator[None]:
        """Around an interactive statement."""
        with self._changed:
            self._interactive += 1
            if self._running:
                self.processors.separate()
        try:
            with self.processors.keep_caller_apart():
                yield
        finally:
            with self._changed:
                self._interactive -= 1
                self._until = time.monotonic() + GRACE_S
                if not self._interactive:
                    self._changed.notify_all()

    def _interactive_s(self) -> float:
        """Seconds for which interactive statements are expected at least; 0 when there are none."""
        return GRACE_S if self._interactive else max(0.0, self._until - time.monotonic())
