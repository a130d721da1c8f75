"""Writes heartbeats while a czar works, so that czars of other hosts leave its scratch tables alone.

Rules: a thread of its own writes, never a query; what ends within the first interval costs nothing. A beat that cannot
be written is no error: the next one may be. A czar that ends does not wait for a registry that does not answer.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Protocol

from skyshard.basics.errors import SkyshardError

EACH_S = 10.0
CLOSING_S = 3.0
"""So long a czar that ends waits for a beat under way."""


class Beats(Protocol):
    """Where heartbeats are kept: ``registry.history.heartbeats``."""

    def beat(self) -> None: ...
    def end(self) -> None: ...
    def living(self) -> frozenset[str]: ...


class CzarBeats:
    """The beats of one czar, every ``each_s`` seconds while it works.

    ``meanwhile`` is called as often, also when there is no more work.
    """

    def __init__(
        self, beats: Beats | None, meanwhile: Callable[[], None] = lambda: None, each_s: float = EACH_S
    ) -> None:
        self._beats, self._meanwhile, self._each_s = beats, meanwhile, each_s
        self._working = 0
        self._has_beaten = False
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def during(self) -> Iterator[None]:
        """Around a query."""
        with self._lock:
            self._working += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._beat_on, name="beats", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._working -= 1

    def _beat_on(self) -> None:
        while not self._closed.wait(self._each_s):
            if self._beats is not None and self._working:
                with contextlib.suppress(Exception):  # without beats others would take its tables for left behind
                    self._beats.beat()
                    self._has_beaten = True
            with contextlib.suppress(Exception):
                self._meanwhile()

    def living(self) -> frozenset[str] | None:
        """The processes whose beats are fresh; None where that is not known."""
        with contextlib.suppress(SkyshardError):
            return self._beats.living() if self._beats is not None else None
        return None

    def close(self) -> None:
        """No more beats; the last one is taken back, unless one is still being written: that one ends by its age."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(CLOSING_S)
            if self._thread.is_alive():
                return
        if self._beats is not None and self._has_beaten:
            with contextlib.suppress(SkyshardError):
                self._beats.end()
