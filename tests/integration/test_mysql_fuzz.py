"""Mutated packets at the MySQL door, thousands in a run of ``benchmarks/fuzz_mysql.py``, some hundreds here."""

from __future__ import annotations

import contextlib
import gc

import pytest
from psutil import Process
from tests.support.binary_client import BinaryClient, whole
from tests.support.open_door import OpenDoor, WireClient
from tests.support.running_site import wait_until
from tests.support.trouble_sky import DATABASE
from tests.support.wire_fuzz import Beside, Fuzz

from skyshard.db.connection import Account, connect

pytestmark = pytest.mark.integration

PACKETS = 600
PREPARED = f"SELECT filterName FROM {DATABASE}.Filter WHERE filterId = ?"


def sessions_behind(door: OpenDoor) -> int:
    """Sessions on the server behind the door, but for the one that asks."""
    with connect(door.door._server.endpoint, Account.ADMIN) as admin:
        others = "FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND host <> ''"
        return int(admin.rows(f"SELECT COUNT(*) {others}")[0][0])


def sockets_of(door: OpenDoor) -> int:
    """Both ends of its connections are of this process."""
    ends = (end for one in Process().net_connections("tcp") for end in (one.laddr, one.raddr) if end)
    return sum(end.port == door.port for end in ends)


def ask_soundly(client: WireClient) -> None:
    assert client.ask(f"SELECT COUNT(*) FROM {DATABASE}.Object").rows == [(b"155",)]
    found = BinaryClient(client.raw).ask(PREPARED, whole(2))
    assert found.rows == [b"\0\0\1g"]


@pytest.mark.parametrize("seed", [1, 2])
def test_mutated_packets_hurt_nobody(door: OpenDoor, seed: int) -> None:
    """A client beside them gets right answers; no session, no socket is left of them."""
    place = {"host": door.host, "port": door.port, "user": "me"}
    faults: list[str] = []
    door.loop.set_exception_handler(lambda _, context: faults.append(str(context)))
    with contextlib.closing(WireClient(**place)) as sound:
        ask_soundly(sound)
        sessions, sockets = sessions_behind(door), sockets_of(door)
        with Beside(lambda: ask_soundly(sound)) as beside:
            fuzz = Fuzz((door.host, door.port), seed, PREPARED)
            fuzz.run(PACKETS)
        assert not beside.problem
        assert beside.answers
        assert fuzz.counts["answers"] > PACKETS / 4
        gc.collect()  # tasks that failed say so when they are forgotten
        assert not faults
        wait_until(lambda: len(door.door._sessions) == 1, "only the sound client is there")
        wait_until(lambda: sessions_behind(door) <= sessions, "its sessions on the server are there, no others")
        wait_until(lambda: sockets_of(door) <= sockets, "no socket of the door is open that was not before")
