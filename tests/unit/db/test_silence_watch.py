"""The watch over a server that may be silent, without one."""

from __future__ import annotations

import time
from pathlib import Path

from skyshard.db.connection import Account, Endpoint
from skyshard.db.silence_watch import SilenceWatch


def test_a_server_that_cannot_be_asked_for_want_of_a_password_is_not_silent_for_ever(tmp_path: Path) -> None:
    """The thread that asks goes on, and whoever comes next hears what is wrong from his own session."""
    endpoint = Endpoint(socket=str(tmp_path / "node1.sock"), secrets=str(tmp_path / "none"), label="node1")
    watch = SilenceWatch(endpoint, Account.READER, silence_s=0.1)
    watch.suspect()
    deadline = time.monotonic() + 60
    while watch.is_silent and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not watch.is_silent
    watch.close()
