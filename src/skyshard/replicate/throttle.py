"""A token bucket: how long to wait so that work keeps to a rate. No clock and no sleep in here."""

from __future__ import annotations


class TokenBucket:
    """Allows ``rate`` units a second on average, and ``burst`` of them at once; a rate of 0 allows everything.

    One take may be larger than the burst: it is waited for afterwards.

    >>> bucket = TokenBucket(rate=10, burst=5, now_s=100.0)
    >>> bucket.take(5, 100.0), bucket.take(20, 100.0), bucket.take(0, 101.0)
    (0.0, 2.0, 1.0)
    """

    def __init__(self, rate: float, burst: float, now_s: float) -> None:
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._at_s = now_s

    def take(self, amount: float, now_s: float) -> float:
        """Take tokens; the seconds to wait before the next step."""
        if self._rate <= 0:
            return 0.0
        self._tokens = min(self._burst, self._tokens + (now_s - self._at_s) * self._rate) - amount
        self._at_s = now_s
        return max(0.0, -self._tokens / self._rate)
