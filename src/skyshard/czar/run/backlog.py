"""Rows that wait for their readers: how many bytes may, of one round, and of all rounds of a process.

Rules: no I/O. Whether a round pauses is told by what waits of it, so that it goes on when its own reader has taken it,
whatever the readers of other rounds do.
"""

from __future__ import annotations

import threading

HOLD_BYTES = 256 << 20
"""So much waits for a reader at most, before the scan lanes hold back and carried rows stay on their nodes."""
MOST_BYTES = 8 * HOLD_BYTES
"""So much waits for all readers of a process, before a round may keep no more than ``FEW_BYTES``."""
FEW_BYTES = HOLD_BYTES // 16


class WaitingBytes:
    """Of all rounds of a process. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bytes = 0

    def add(self, size: int) -> int:
        """So many more, or, below 0, less; returns how many there are."""
        with self._lock:
            self._bytes += size
            return self._bytes


class Backlog:
    """Of one round; its caller has one thread at a time in it, and closes it."""

    def __init__(self, of_all: WaitingBytes) -> None:
        self._of_all = of_all
        self._bytes = 0
        self.is_full = False
        """No more is to come, until half of what may wait is taken."""

    def add(self, size: int) -> bool:
        """So many bytes more wait, or, below 0, less; whether that changes ``is_full``.

        >>> one = Backlog(WaitingBytes())
        >>> [one.add(size) for size in (HOLD_BYTES, 1, 1, -(HOLD_BYTES // 2), -2)], one.is_full
        ([False, True, False, False, True], False)
        """
        self._bytes += size
        most = HOLD_BYTES if self._of_all.add(size) <= MOST_BYTES else FEW_BYTES
        before, self.is_full = self.is_full, self._bytes > (most // 2 if self.is_full else most)
        return self.is_full is not before

    def close(self) -> None:
        """Nothing of it waits any more."""
        self._of_all.add(-self._bytes)
        self._bytes = 0
