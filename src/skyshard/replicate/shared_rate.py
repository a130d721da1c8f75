"""A rate that several threads keep to, each node at its own: what goes from one to another counts for both."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from skyshard.replicate.throttle import TokenBucket


class SharedRate:
    """Bytes a second of each node, at most, on average; 0 for no limit. ``counted`` is told of all bytes."""

    def __init__(self, rate_bytes_s: float, counted: Callable[[int], None] = lambda _: None) -> None:
        self._rate = rate_bytes_s
        self._counted = counted
        self._buckets: dict[str, TokenBucket] = {}
        self._lock = threading.Lock()

    def took(self, count: int, *nodes: str) -> None:
        """Count bytes that nodes gave or got, and wait until the next ones may go."""
        now_s = time.monotonic()
        with self._lock:
            self._counted(count)
            waits = [self._bucket(node, now_s).take(count, now_s) for node in nodes]
        time.sleep(max(waits, default=0.0))

    def _bucket(self, node: str, now_s: float) -> TokenBucket:
        return self._buckets.setdefault(node, TokenBucket(self._rate, self._rate, now_s))
