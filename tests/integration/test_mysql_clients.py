"""Clients of the MySQL protocol as programs use them, each over the door and over one server: what they give is equal.

A client that is not installed is skipped; docs/how-to/doors.md says which there are.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pymysql
import pytest
from tests.support.asking import ASK_EVERY_S
from tests.support.open_door import OpenDoor
from tests.support.trouble_sky import DATABASE, Sky

from skyshard.cluster.private_cluster import PrivateCluster

pytestmark = pytest.mark.integration

MANY = 100_000
STATEMENTS: Sequence[tuple[str, Sequence[Any]]] = (
    ("SELECT * FROM Object ORDER BY objectId", ()),
    ("SELECT * FROM Note ORDER BY noteId", ()),
    ("SELECT objectId, flux, name FROM Object WHERE ra > %s AND name <> %s ORDER BY objectId", (10.5, "é")),
    ("SELECT COUNT(*), AVG(mag) > 0, MIN(objectId), MAX(price), MIN(seen), MAX(fine) FROM Object", ()),
    ("SELECT %s, objectId FROM Object ORDER BY objectId LIMIT 2", ("é α 🔭",)),
    ("SHOW COLUMNS FROM Object", ()),
)
WRONG = "SELECT nothing FROM Object"
LONG = f"SELECT SUM({' + '.join(f'CRC32(REPEAT({n}, 1000000 + objectId % 7))' for n in range(200))}) FROM Object"
"""Some seconds."""
STREAMING = ("MySQLdb", "pymysql")
"""Packages whose cursors hold all rows, but for one of their own; those of mysql-connector-python never do."""
Place = dict[str, Any]
Client = Callable[[Place], Any]


def mysqlclient(place: Place) -> Any:
    module = pytest.importorskip("MySQLdb", reason="mysqlclient is not installed")
    return module.connect(charset="utf8mb4", database=DATABASE, **place)


def connector_of(*, is_pure: bool) -> Client:
    def connect(place: Place) -> Any:
        module = pytest.importorskip("mysql.connector", reason="mysql-connector-python is not installed")
        if not is_pure and not module.HAVE_CEXT:
            pytest.skip("mysql-connector-python has no part in C here")
        return module.connect(charset="utf8mb4", database=DATABASE, use_pure=is_pure, ssl_disabled=True, **place)

    return connect


def plain(place: Place) -> Any:
    return pymysql.connect(charset="utf8mb4", database=DATABASE, **place)


CLIENTS: dict[str, Client] = {
    "mysqlclient": mysqlclient,
    "PyMySQL": plain,
    "mysql-connector-python": connector_of(is_pure=True),
    "mysql-connector-python in C": connector_of(is_pure=False),
}


@pytest.fixture
def places(door: OpenDoor, sky: Sky, private_cluster: PrivateCluster) -> tuple[Place, Place]:
    native = {"unix_socket": private_cluster.endpoint("mono").socket, "user": "skyshard_reader"}
    return {"host": door.host, "port": door.port, "user": "me"}, native


@pytest.fixture(params=CLIENTS)
def connect(request: pytest.FixtureRequest) -> Client:
    return CLIENTS[request.param]


def both(connect: Client, places: tuple[Place, Place]) -> Iterator[Any]:
    for place in places:
        with contextlib.closing(connect(place)) as connection:
            yield connection


def test_values_names_and_errors_are_those_of_one_server(connect: Client, places: tuple[Place, Place]) -> None:
    seen: list[list[Any]] = []
    for connection in both(connect, places):
        seen.append([])
        for sql, values in STATEMENTS:
            with contextlib.closing(connection.cursor()) as cursor:
                cursor.execute(sql, values)
                seen[-1] += [[one[:2] for one in cursor.description], list(cursor.fetchall())]
        with contextlib.closing(connection.cursor()) as cursor:
            with pytest.raises(Exception, match="nothing") as caught:
                cursor.execute(WRONG)
            seen[-1].append((type(caught.value), caught.value.args[0]))
            cursor.execute("SELECT COUNT(*) FROM Filter")
            seen[-1].append(cursor.fetchall())
    assert len(seen[0][1]) == 155
    assert seen[0] == seen[1]


def test_many_rows_come_one_by_one(connect: Client, places: tuple[Place, Place]) -> None:
    """From a cursor that holds none of them, where the client has one."""
    pairs = "SELECT o.objectId, s.sourceId, o.name FROM Object o, Source s"
    many = f"SELECT o.objectId, o.ra, f.filterId FROM Object o, Source s, Source t, Filter f LIMIT {MANY}"
    seen: list[list[Any]] = []
    for connection in both(connect, places):
        package = type(connection).__module__.partition(".")[0]
        kind = importlib.import_module(f"{package}.cursors").SSCursor if package in STREAMING else None
        with contextlib.closing(connection.cursor(kind) if kind else connection.cursor()) as cursor:
            cursor.execute(pairs)
            seen.append(sorted(iter(cursor.fetchone, None), key=repr))
            cursor.execute(many)
            rows = 0
            while some := cursor.fetchmany(10_000):
                rows += len(some)
        assert rows == MANY
    assert len(seen[0]) > 10_000
    assert seen[0] == seen[1]


def test_what_a_client_runs_is_killed_from_another(connect: Client, places: tuple[Place, Place]) -> None:
    """By its number, as Ctrl-C does; its session goes on."""
    door = places[0]
    with contextlib.closing(connect(door)) as connection, contextlib.closing(connect(door)) as beside:
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute("SELECT CONNECTION_ID()")
            ((number,),) = cursor.fetchall()
        said: list[Exception] = []

        def ask() -> None:
            with contextlib.closing(connection.cursor()) as cursor:
                try:
                    cursor.execute(LONG)
                    cursor.fetchall()
                except Exception as error:
                    said.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        with contextlib.closing(beside.cursor()) as cursor:
            while asking.is_alive():
                cursor.execute("SHOW PROCESSLIST")
                if any("CRC32" in str(row) for row in cursor.fetchall()):
                    cursor.execute(f"KILL QUERY {number}")
                    break
                time.sleep(ASK_EVERY_S)
        asking.join()
        assert [error.args[0] for error in said] == [1317]
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute("SELECT COUNT(*) FROM Object")
            assert list(cursor.fetchall()) == [(155,)]


def test_the_command_that_ends_a_session_does(places: tuple[Place, Place]) -> None:
    """As ``kill()`` of PyMySQL and mysqlclient sends it."""
    for name in ("mysqlclient", "PyMySQL"):
        with (
            contextlib.closing(plain(places[0])) as connection,
            contextlib.closing(CLIENTS[name](places[0])) as beside,
        ):
            beside.kill(connection.thread_id())
            with pytest.raises(pymysql.OperationalError):
                connection.ping(reconnect=False)
            with pytest.raises(Exception, match="Unknown thread id"):
                beside.kill(4_000_000_000)


def test_asyncmy_reads_what_one_server_gives_it(places: tuple[Place, Place]) -> None:
    """At once, streamed, and prepared by the server."""
    module = pytest.importorskip("asyncmy", reason="asyncmy is not installed")
    streaming = importlib.import_module("asyncmy.cursors").SSCursor

    async def read(place: Place) -> list[Any]:
        found: list[Any] = []
        connection = await module.connect(database=DATABASE, charset="utf8mb4", **place)
        try:
            for sql, values in STATEMENTS:
                async with connection.cursor() as cursor:
                    await cursor.execute(sql, values or None)
                    found += [[one[:2] for one in cursor.description], list(await cursor.fetchall())]
            async with connection.cursor(streaming) as cursor:
                await cursor.execute("SELECT objectId FROM Object ORDER BY objectId")
                found.append([await cursor.fetchone(), *await cursor.fetchmany(9), *await cursor.fetchall()])
        finally:
            connection.close()
        return found

    got, want = (asyncio.run(read(place)) for place in places)
    assert len(got[-1]) == 155
    assert got == want
