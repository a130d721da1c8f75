"""Answers to a client that reads slowly: whatever breaks one off, nothing comes behind its end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import cast

import pyarrow as pa
import pytest
from tests.support.played_services import PlayedQueries, played_services

from skyshard.serve.access import EVERYONE
from skyshard.serve.lanes import Lanes
from skyshard.serve.mysql.catalog_answer import Asking, send_catalog_answer
from skyshard.serve.mysql.describe import Describer
from skyshard.serve.mysql.door_sessions import StatementNow
from skyshard.serve.mysql.kept_definitions import KeptDefinitions
from skyshard.serve.mysql.last_answer import LastAnswer
from skyshard.serve.mysql.packets import error_of, is_eof, is_error, payloads_of
from skyshard.serve.mysql.session_state import NO_LIMIT, SessionState
from skyshard.serve.mysql.wire import Wire
from skyshard.serve.open_answer import NO_GENERATION

STATE = SessionState("utf8mb4", "utf8mb4", "utf8mb4_general_ci", NO_LIMIT, "sky", "+00:00", limit_s=0.2)
OUT_OF_TIME = 1969


@contextlib.contextmanager
def running(text: str, database: str) -> Iterator[StatementNow]:
    yield StatementNow(1, "ann", database, text, 0.0)


async def renewed() -> int:
    return NO_GENERATION


async def answered(table: pa.Table, rows: int) -> list[bytes]:
    """The payloads that a client reads who begins when the statement's time is over; ``rows`` are in a batch."""
    theirs, ours = socket.socketpair()
    queries = PlayedQueries({"SELECT a FROM t": table}, batch_rows=rows)
    services, lanes = played_services(queries), Lanes(queries)
    asking = Asking(
        services,
        lanes,
        cast(Describer, None),
        renewed,
        lambda: NO_GENERATION,
        KeptDefinitions(),
        running,
        EVERYONE,
        LastAnswer(),
    )
    reader, writer = await asyncio.open_connection(sock=ours)
    client = Wire(reader, writer)

    async def answer() -> None:
        await send_catalog_answer(asking, client, b"SELECT a FROM t", STATE)
        await client.close()

    def read() -> bytes:
        with theirs:
            return b"".join(iter(lambda: theirs.recv(1 << 20), b""))

    task = asyncio.ensure_future(answer())
    await asyncio.sleep(2 * STATE.limit_s)
    data = await asyncio.get_running_loop().run_in_executor(None, read)
    await task
    lanes.close()
    return [payload for _, payload in payloads_of(data)]


def test_an_answer_that_was_whole_has_nothing_behind_it() -> None:
    """All was written in time, and waits for who reads: an error there would be the answer of the next command."""
    got = asyncio.run(answered(pa.table({"a": pa.repeat("x" * 100_000, 300)}), 300))
    ends = [number for number, payload in enumerate(got) if is_eof(payload) or is_error(payload)]
    assert ends == [2, len(got) - 1]


def test_an_answer_that_was_not_whole_ends_with_the_error() -> None:
    """Which stands in place of the rows that did not come."""
    got = asyncio.run(answered(pa.table({"a": pa.repeat("x" * 1000, 60_000)}), 1000))
    assert [number for number, payload in enumerate(got) if is_error(payload)] == [len(got) - 1]
    assert error_of(got[-1])[0] == OUT_OF_TIME
    assert 3 < len(got) < 60_000


@pytest.mark.parametrize("rows", [0, 1])
def test_an_answer_in_time_is_as_without_a_limit(rows: int) -> None:
    """Rows and their end."""
    got = asyncio.run(answered(pa.table({"a": pa.array(["x"] * rows, pa.string())}), 300))
    assert (len(got), is_eof(got[-1])) == (rows + 4, True)
