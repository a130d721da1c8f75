"""Watches the head of a joined Ray: which hosts belong to it, and whether it is heard at all. Ray is not imported.

Ray itself may never tell that a host is gone, and ends a driver whose head is gone: so its answers are counted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from skyshard.runtime.driver_messages import Members
from skyshard.runtime.ray_settings import HEAD_SILENCE_S

LOOK_EVERY_S = 0.5


class HeadWatch:
    """What the head said last, and from its first answer on a thread that notices when it says nothing for long.

    >>> watch = HeadWatch(lambda members, gone: print(*gone), lambda silent_s: None)
    >>> for nodes in ({"node1": "a", "node2": "b"}, {"node2": "b"}):
    ...     watch.hear(Members(nodes, cpus=2))
    node1
    >>> watch.end()
    """

    def __init__(
        self,
        on_change: Callable[[Members, frozenset[str]], None],
        on_silence: Callable[[float], None],
        *,
        silence_s: float = HEAD_SILENCE_S,
    ) -> None:
        """``on_change`` gets an answer that is unlike the one before, and the nodes that are gone since then;
        ``on_silence`` is called once, with the seconds, and ends the watch."""
        self._on_change = on_change
        self._on_silence = on_silence
        self._silence_s = silence_s
        self._ended = threading.Event()
        self._news = threading.Condition()
        self._answers = 0
        self._heard_s = time.monotonic()
        self.members = Members()

    def hear(self, members: Members) -> None:
        """Take an answer of the head."""
        with self._news:
            before, self.members, self._heard_s = self.members, members, time.monotonic()
            self._answers += 1
            if self._answers == 1:
                threading.Thread(target=self._look, name="ray-head-watch", daemon=True).start()
            self._news.notify_all()
        gone = members.gone_since(before)
        if members != before and before != Members():
            self._on_change(members, gone)

    def next_members(self, timeout_s: float) -> Members:
        """The next answer; the last one when none comes in time."""
        with self._news:
            known = self._answers
            self._news.wait_for(lambda: self._answers > known or self._ended.is_set(), timeout_s)
            return self.members

    def end(self) -> None:
        """Watch no more."""
        self._ended.set()
        with self._news:
            self._news.notify_all()

    def _look(self) -> None:
        looks = 0  # in a row at which it was silent: after this process was stopped, one comes before what it was told
        while not self._ended.wait(min(LOOK_EVERY_S, self._silence_s / 2)):
            silent_s = time.monotonic() - self._heard_s
            looks = looks + 1 if silent_s > self._silence_s else 0
            if looks > 1:
                self._ended.set()
                self._on_silence(silent_s)
