"""Mutated packets at the MySQL door, thousands in a run of ``benchmarks/fuzz_mysql.py``, some hundreds here."""

from __future__ import annotations

import contextlib
import gc
import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from psutil import Process
from tests.support.authority import Authority
from tests.support.binary_client import BinaryClient, whole
from tests.support.depth import drawn
from tests.support.open_door import OpenDoor, WireClient, open_door
from tests.support.played_services import PlayedQueries, played_services
from tests.support.running_site import wait_until
from tests.support.trouble_sky import DATABASE
from tests.support.wire_fuzz import Beside, Fuzz

from skyshard.cluster.door_server import DoorServer
from skyshard.cluster.private_cluster import PrivateCluster
from skyshard.db.connection import Account, connect
from skyshard.serve.access import NO_QUOTA, Identity, Quota, Scope
from skyshard.serve.door import tls_context

pytestmark = pytest.mark.integration

PACKETS = 600
TOKEN = "the token of me"
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


def ask_constants(client: WireClient) -> None:
    assert client.ask("SELECT 1").rows == [(b"1",)]


class OneToken:
    """That of "me" is the only one."""

    def identify(self, token: str) -> Identity | None:
        return Identity("me", Scope.QUERY) if token == TOKEN else None

    def quota_of(self, name: str) -> Quota:
        return NO_QUOTA

    def is_known(self, name: str) -> bool:
        return name == "me"


@contextlib.contextmanager
def unhurt(door: OpenDoor, sound: WireClient, ask: Callable[[WireClient], None]) -> Iterator[None]:
    """A client beside what is done meanwhile gets right answers; no session, no socket, no fault is left of that."""
    faults: list[str] = []
    door.loop.set_exception_handler(lambda _, context: faults.append(str(context)))
    ask(sound)
    sessions, sockets = sessions_behind(door), sockets_of(door)
    with Beside(lambda: ask(sound)) as beside:
        yield
    assert not beside.problem
    assert beside.answers
    gc.collect()  # tasks that failed say so when they are forgotten
    assert not faults
    wait_until(lambda: len(door.door._sessions) == 1, "only the sound client is there")
    wait_until(lambda: sessions_behind(door) <= sessions, "its sessions on the server are there, no others")
    wait_until(lambda: sockets_of(door) <= sockets, "no socket of the door is open that was not before")


@pytest.mark.parametrize("seed", range(1, 1 + drawn(1)))
def test_mutated_packets_hurt_nobody(door: OpenDoor, seed: int) -> None:
    """Commands and logins, values and long data, files nobody asked for, in compressed packets or not."""
    with contextlib.closing(WireClient(host=door.host, port=door.port, user="me")) as sound:
        with unhurt(door, sound, ask_soundly):
            fuzz = Fuzz((door.host, door.port), seed, PREPARED)
            fuzz.run(PACKETS)
        assert fuzz.counts["answers"] > PACKETS / 4


def test_mutated_handshakes_and_tokens_hurt_nobody(private_cluster: PrivateCluster, tmp_path: Path) -> None:
    """TLS that is asked for and left, or changed, in the middle; behind it tokens and commands that are changed."""
    tls = Authority(tmp_path / "authority").issue(tmp_path / "tls", "localhost", "127.0.0.1")
    services = replace(played_services(PlayedQueries({}), OneToken()), empty_server=DoorServer(private_cluster.folder))
    with open_door(services, tls_context(Path(tls.cert), Path(tls.key))) as door:
        place = {"host": door.host, "port": door.port, "ssl": {"ca": tls.ca}}
        with contextlib.closing(WireClient(user="me", password=TOKEN, **place)) as sound:
            with unhurt(door, sound, ask_constants):
                trusted = ssl.create_default_context(cafile=tls.ca)
                fuzz = Fuzz((door.host, door.port), 1, PREPARED, tls=trusted, token=TOKEN.encode())
                fuzz.run(PACKETS // 3)
                while fuzz.counts["handshakes"] < 3:  # how many come depends on when the door hangs up
                    fuzz.run(fuzz.counts["packets"] + PACKETS // 12)
            assert fuzz.counts["answers"] > PACKETS / 12
