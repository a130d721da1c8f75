"""Wrong tokens slow down whoever sends them: how long a try has to wait. Values, no I/O, its own clock.

Rules: after a wrong token the next tries from that address are looked at one after the other, the pause between two
doubling with each wrong one up to ``LONGEST_S``; a try whose turn is later than that is refused unseen. What was right
from an address before never waits, so that nobody who works is locked out by others behind the same address. Other
addresses are none the slower. All that is remembered has a greatest number, and is forgotten in time.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from skyshard.basics.errors import UserError
from skyshard.registry.access.tokens import digest_of

FIRST_S, LONGEST_S = 0.5, 8.0
FORGOTTEN_S = 900.0
"""So long after its last wrong token an address is as good as any."""
MOST_ADDRESSES = MOST_RIGHT = 10_000
_V6_NETWORK = 64


class TooManyTries(UserError):
    """A try that is not looked at; the next one may be in ``wait_s``."""

    def __init__(self, wait_s: float) -> None:
        self.wait_s = math.ceil(wait_s)
        super().__init__("too many wrong tokens came from this address", remedy=f"try again in {self.wait_s} s")


@dataclass(slots=True)
class _Mark:
    """Wrong tokens of an address: how many, the last one's time, and when the next try may be looked at."""

    wrong: int = 0
    last_s: float = 0.0
    free_s: float = 0.0


class BackOff:
    """What is known of addresses. Only for the event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._marks: OrderedDict[str, _Mark] = OrderedDict()
        self._right: OrderedDict[tuple[str, str], None] = OrderedDict()

    def turn(self, address: str, token: str) -> float:
        """Take the next turn of an address; in how many seconds it is.

        Raises:
            TooManyTries: it is too late for anybody to wait.
        """
        origin, now = origin_of(address), self._clock()
        mark = self._marks.get(origin)
        if mark is None or (origin, digest_of(token)) in self._right:
            return 0.0
        wait_s = max(0.0, mark.free_s - now)
        if wait_s > LONGEST_S:
            raise TooManyTries(wait_s - LONGEST_S)
        mark.free_s = now + wait_s + _pause(mark.wrong)
        return wait_s

    def note(self, address: str, token: str, *, is_right: bool) -> None:
        """What was found of a try."""
        origin = origin_of(address)
        key = (origin, digest_of(token))
        if is_right:
            self._right[key] = None
            _keep_last(self._right, key, MOST_RIGHT)
            return
        self._right.pop(key, None)
        now, mark = self._clock(), self._marks.get(origin, _Mark())
        if now - mark.last_s > FORGOTTEN_S:
            mark = _Mark()
        mark.wrong, mark.last_s = mark.wrong + 1, now
        mark.free_s = max(mark.free_s, now + _pause(mark.wrong))
        self._marks[origin] = mark
        _keep_last(self._marks, origin, MOST_ADDRESSES)

    @property
    def remembered(self) -> tuple[int, int]:
        """Addresses of wrong tokens, and right tokens."""
        return len(self._marks), len(self._right)


def origin_of(address: str) -> str:
    """What counts as one address: of IPv6 a network of those that one client has.

    >>> origin_of("192.0.2.7"), origin_of("2001:db8::1:2"), origin_of("::ffff:192.0.2.7"), origin_of("")
    ('192.0.2.7', '2001:db8::', '192.0.2.7', '')
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _V6_NETWORK), strict=False).network_address)


def _pause(wrong: int) -> float:
    return min(LONGEST_S, FIRST_S * 2.0 ** (min(wrong, 30) - 1))


def _keep_last(kept: OrderedDict[Any, Any], key: Any, most: int) -> None:
    """The one that was used last is the last one to be forgotten."""
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)
