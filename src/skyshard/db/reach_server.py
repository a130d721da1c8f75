"""A socket to a server, connected before the driver speaks on it: the driver forgets to close its own when no one
answers."""

from __future__ import annotations

import socket


def reach(path: str, host: str, port: int, timeout_s: float) -> socket.socket:
    """A connected socket, to ``path`` where one is given, else to host and port. Raises OSError."""
    if not path:
        remote = socket.create_connection((host, port), timeout_s)
        remote.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        remote.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return remote
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        found.settimeout(timeout_s)
        found.connect(path)
    except BaseException:
        found.close()
        raise
    return found
