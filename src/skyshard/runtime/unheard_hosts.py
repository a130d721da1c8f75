"""Hosts of a joined Ray that gave no answer in the middle of a call. Pure: the clock is given.

Ray says of such a call at once that it may or may not have been done, and some seconds later whether the host is gone.
Until then other calls would wait for the same host, one after the other.
"""

from __future__ import annotations

import time
from collections.abc import Callable

UNHEARD_S = 10.0
"""For so long nothing is asked of a host that did not answer: until then Ray knows whether it is gone."""


class UnheardHosts:
    """By the names of their nodes.

    >>> now = 100.0
    >>> unheard = UnheardHosts(lambda: now)
    >>> unheard.note("node1")
    >>> "node1" in unheard, "node2" in unheard
    (True, False)
    >>> now += UNHEARD_S
    >>> "node1" in unheard
    False
    >>> unheard.note("node2")
    >>> unheard.forget("node2")
    >>> "node2" in unheard
    False
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}

    def note(self, node: str) -> None:
        """Nothing was heard of it now."""
        self._since[node] = self._clock()

    def forget(self, node: str) -> None:
        """Ray knows that it is gone: when the host joins again, it may be asked at once."""
        self._since.pop(node, None)

    def __contains__(self, node: str) -> bool:
        return node in self._since and self._clock() - self._since[node] < UNHEARD_S
