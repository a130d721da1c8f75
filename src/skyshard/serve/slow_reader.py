"""Whether the other end of a connection takes what is written to it, or has stopped reading.

Rules: what counts is what the other end's system has acknowledged, as this one says, however much it is: a slow reader
has all the time it needs, one that takes nothing at all has so many seconds.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable

WRITE_S = 60.0
"""So long a client may take nothing of what is written to it."""
_LOOKS = 8
"""So often the connection is looked at in that time."""
_ACKNOWLEDGED_AT = 120
"""Place of ``tcpi_bytes_acked`` in Linux' ``tcp_info``."""


class SlowReader:
    """Watches the reader at the other end of a transport while writing waits for it; ``give_up`` ends the connection
    once it has taken nothing for ``seconds``, which may be changed at any time."""

    def __init__(
        self, transport: asyncio.WriteTransport, give_up: Callable[[], object], seconds: float = WRITE_S
    ) -> None:
        self.seconds = seconds
        self._transport, self._give_up = transport, give_up
        self._look: asyncio.TimerHandle | None = None
        self._taken, self._since_s = (0, 0), 0.0

    def begin(self) -> None:
        """Writing waits from now on."""
        if self._look is None:
            self._taken, self._since_s = self._taken_now(), self._now_s()
            self._look_later()

    def end(self) -> None:
        """Writing waits no more."""
        if self._look is not None:
            self._look.cancel()
            self._look = None

    def _look_later(self) -> None:
        left_s = self._since_s + self.seconds - self._now_s()
        delay_s = min(max(left_s, 0.0), self.seconds / _LOOKS)
        self._look = asyncio.get_running_loop().call_later(delay_s, self._look_now)

    def _look_now(self) -> None:
        if (taken := self._taken_now()) != self._taken:
            self._taken, self._since_s = taken, self._now_s()
        if self._now_s() - self._since_s >= self.seconds:
            self._look = None
            self._give_up()
        else:
            self._look_later()

    def _taken_now(self) -> tuple[int, int]:
        """Changes with all that the other end takes while writing waits."""
        return acknowledged_bytes(self._transport), self._transport.get_write_buffer_size()

    @staticmethod
    def _now_s() -> float:
        return asyncio.get_running_loop().time()


def acknowledged_bytes(transport: asyncio.WriteTransport) -> int:
    """What the other end's system has taken so far; 0 where this one does not say, as of sockets in the file system."""
    sock = transport.get_extra_info("socket")
    try:
        told = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKNOWLEDGED_AT + 8)
    except (AttributeError, OSError):
        return 0
    return int(struct.unpack_from("<Q", told, _ACKNOWLEDGED_AT)[0]) if len(told) >= _ACKNOWLEDGED_AT + 8 else 0
