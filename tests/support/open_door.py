"""A MySQL door in a thread of the test's process, over any services, and a client that shows what came to it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pymysql
from pymysql.cursors import SSCursor

from skyshard.serve.admission import Admission
from skyshard.serve.door import Address
from skyshard.serve.lanes import Lanes
from skyshard.serve.mysql.mysql_door import MysqlDoor
from skyshard.serve.services import Services
from skyshard.serve.submitted_runs import SubmittedRuns

KEY_FLAGS = 2 | 4 | 8 | 0x4000 | 0x1000
"""PRIMARY, UNIQUE, MULTIPLE, PART OF KEY, NO DEFAULT: the oracle's keys are other ones."""


@dataclass
class OpenDoor:
    """A door that is open; ``loop`` is where it runs."""

    host: str
    port: int
    door: MysqlDoor
    loop: asyncio.AbstractEventLoop


@contextlib.contextmanager
def open_door(services: Services, tls: ssl.SSLContext | None = None) -> Iterator[OpenDoor]:
    """Opened at entering, drained and closed at leaving."""
    ready, ended = threading.Event(), threading.Event()
    made: list[OpenDoor | BaseException] = []

    async def serve() -> None:
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        lanes = Lanes(services.queries)
        runs = SubmittedRuns(services.submissions, lanes, services.access)
        door = MysqlDoor(
            "mysql", Address("127.0.0.1", 0), services, lanes, runs, Admission(services.access, lanes), tls
        )
        address = Address.of((await door.open()).removeprefix("mysql://").rstrip("/"))
        made.append(OpenDoor(address.host, address.port, door, loop))
        ready.set()
        waiting = loop.run_in_executor(None, ended.wait)
        await waiting
        end.set()
        await door.drain(5.0)
        await door.close()
        lanes.close()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            made.append(error)
        finally:
            ready.set()

    thread = threading.Thread(target=run, name="open-door")
    thread.start()
    ready.wait()
    try:
        first = made[0]
        if isinstance(first, BaseException):
            raise first
        yield first
    finally:
        ended.set()
        thread.join()
    if isinstance(made[-1], BaseException):
        raise made[-1]


@dataclass
class WireAnswer:
    """What a client got: definitions, and values as the bytes that came."""

    fields: list[tuple[Any, ...]] = field(default_factory=list)
    rows: list[tuple[bytes | None, ...]] = field(default_factory=list)
    error: tuple[Any, ...] = ()

    @property
    def sorted(self) -> list[tuple[bytes | None, ...]]:
        return sorted(self.rows, key=lambda row: [(value is None, value or b"") for value in row])


class WireClient:
    """PyMySQL without its conversions."""

    def __init__(self, **place: Any) -> None:
        self.raw = pymysql.connect(charset="utf8mb4", autocommit=True, **place)
        self.raw.decoders = {}
        self.raw.encoding = "latin1"  # of what comes: each byte one letter

    def ask(self, sql: str | bytes) -> WireAnswer:
        try:
            with self.raw.cursor(SSCursor) as cursor:
                cursor.execute(sql.encode() if isinstance(sql, str) else sql)
                rows = [tuple(_bytes(value) for value in row) for row in cursor.fetchall()]
                fields = [] if cursor.description is None else [_field(one) for one in cursor._result.fields]
                return WireAnswer(fields, rows)
        except pymysql.MySQLError as error:
            return WireAnswer(error=error.args)

    def close(self) -> None:
        self.raw.close()


def _bytes(value: Any) -> bytes | None:
    return value.encode("latin1") if isinstance(value, str) else value


def _field(one: Any) -> tuple[Any, ...]:
    flags = one.flags & ~KEY_FLAGS
    return (
        one.name, one.org_name, one.table_name, one.org_table, one.db, one.charsetnr, one.length, one.type_code,
        flags, one.scale,
    )  # fmt: skip
