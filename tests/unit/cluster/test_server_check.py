"""What a check calls a server that gives no answer."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from skyshard.cluster import server_check
from skyshard.db.connection import Endpoint


def test_a_server_that_says_nothing_is_silent_and_one_that_refuses_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the first may be on a host that is gone."""
    place = tmp_path / "mute"
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(place))
        refused = server_check.check_server(Endpoint(str(place), label="node1"))
        monkeypatch.setattr(server_check, "REACH_S", 0.2)
        mute.listen()
        silent = server_check.check_server(Endpoint(str(place), label="node1"))
    assert (refused.is_silent, silent.is_silent) == (False, True)
