"""A socket to a server: of whichever kind, and closed where no one answers."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest

from skyshard.db.reach_server import reach


def test_a_path_is_reached_before_a_host_and_port() -> None:
    """A server on this host listens on its socket; the other words then mean nothing."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{folder}/s")
        server.listen()
        with reach(f"{folder}/s", "no.such.host.invalid", 1, 1.0) as found:
            assert found.family == socket.AF_UNIX
            assert found.getpeername() == f"{folder}/s"


def test_a_port_is_reached_without_delay_of_small_packets() -> None:
    """Statements are small: each is sent at once, and a peer that vanished is noticed."""
    with socket.socket(socket.AF_INET) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        host, port = server.getsockname()
        with reach("", host, port, 1.0) as found:
            assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            asked = [found.getsockopt(socket.IPPROTO_TCP, option) for option in (
                socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT
            )]  # fmt: skip
            assert asked == [15, 5, 3, 30_000]


@pytest.mark.filterwarnings("error::ResourceWarning")
def test_nobody_there_leaves_no_open_socket(tmp_path: Path) -> None:
    """The error is the system's."""
    with pytest.raises(FileNotFoundError):
        reach(str(tmp_path / "none"), "", 0, 1.0)
