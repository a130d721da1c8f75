"""Keeps scans and short statements on different processors of a host while both run.

The system's scheduler may let a thread wait behind a scan until the next tick (4 ms), although another processor is
idle. So scans keep to one set of processors, and work for the czar to the other.

Rules: only threads of this czar and of its own nodes' scan sessions are moved; a thread that asks the czar is moved
where its program allows it (``host.process_tuning``). Where the system has no such call, or does not allow it, nothing
happens.
"""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager

from skyshard.basics.errors import SkyshardError
from skyshard.db.connection import Connection
from skyshard.host.process_tuning import is_tuning_allowed

OWN_SHARE = 4
"""One processor of so many is the czar's own, at least one."""


class Processors:
    """The processors that this process may use, in two sides; ``is_apart`` says whether scans keep to theirs."""

    def __init__(self) -> None:
        self._all = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        own = max(1, len(self._all) // OWN_SHARE)
        self._own, self._scans = self._all[:own], self._all[own:]
        self._lock = threading.Lock()
        self._sessions: weakref.WeakKeyDictionary[Connection, int] = weakref.WeakKeyDictionary()
        self.is_apart = False

    @property
    def count(self) -> int:
        return max(1, len(self._all) or os.cpu_count() or 1)

    def add_scans(self, session: Connection) -> None:
        """Take in a session of a node on this host, which runs nothing but scans."""
        if not self._scans:
            return
        with contextlib.suppress(SkyshardError):
            thread = int(session.value("SELECT TID FROM information_schema.PROCESSLIST WHERE ID = CONNECTION_ID()"))
            with self._lock:
                self._sessions[session] = thread
                if self.is_apart:
                    _move(thread, self._scans)

    def separate(self) -> None:
        """Scans keep to their side from now on."""
        self._set(True, self._scans)

    def share(self) -> None:
        """Everything may run everywhere again."""
        self._set(False, self._all)

    def _set(self, is_apart: bool, processors: Collection[int]) -> None:
        if self.is_apart is is_apart or not self._scans:
            return
        with self._lock:
            self.is_apart = is_apart
            for session, thread in list(self._sessions.items()):
                if session.is_open:
                    _move(thread, processors)

    @contextlib.contextmanager
    def keep_apart(self) -> Iterator[None]:
        """Around work for the czar: the calling thread keeps to the czar's side if scans keep to theirs."""
        if not self.is_apart:
            yield
            return
        before = os.sched_getaffinity(0)
        _move(0, self._own)
        try:
            yield
        finally:
            _move(0, before)

    def keep_caller_apart(self) -> AbstractContextManager[None]:
        """The same for a thread that is the program's."""
        return self.keep_apart() if is_tuning_allowed() else contextlib.nullcontext()


def _move(thread: int, processors: Collection[int]) -> None:
    with contextlib.suppress(OSError):
        os.sched_setaffinity(thread, processors)
