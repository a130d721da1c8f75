"""A socket to a server, connected before the driver speaks on it: the driver forgets to close its own when no one
answers.

The system asks a server that says nothing whether it is there, so that the sessions of a host that is gone end.
"""

from __future__ import annotations

import socket

ASK_AFTER_S, ASK_EVERY_S, ASK_TIMES = 15, 5, 3
"""After so many seconds without a word the other host is asked, so often, so many times."""
UNANSWERED_S = 30.0
"""What was sent may be without an answer of the other host for so long, unless a session says otherwise."""


def reach(path: str, host: str, port: int, timeout_s: float) -> socket.socket:
    """A connected socket, to ``path`` where one is given, else to host and port. Raises OSError."""
    if not path:
        remote = socket.create_connection((host, port), timeout_s)
        remote.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        remote.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (("KEEPIDLE", ASK_AFTER_S), ("KEEPINTVL", ASK_EVERY_S), ("KEEPCNT", ASK_TIMES)):
            _set_tcp(remote, name, value)
        limit_unanswered(remote, UNANSWERED_S)
        return remote
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        found.settimeout(timeout_s)
        found.connect(path)
    except BaseException:
        found.close()
        raise
    return found


def limit_unanswered(remote: socket.socket, seconds: float) -> None:
    """End a connection whose other host does not take what was sent for so long; one of this host is left as it is."""
    if remote.family != socket.AF_UNIX:
        _set_tcp(remote, "USER_TIMEOUT", max(1, round(1000 * seconds)))


def _set_tcp(remote: socket.socket, name: str, value: int) -> None:
    """Set an option where the system has it."""
    option = getattr(socket, f"TCP_{name}", None)
    if option is not None:
        remote.setsockopt(socket.IPPROTO_TCP, option, value)
