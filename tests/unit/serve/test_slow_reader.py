"""Who stops reading is told from who reads slowly, over a real connection."""

from __future__ import annotations

import asyncio
import socket

import pytest

from skyshard.serve.slow_reader import SlowReader, acknowledged_bytes

MUCH = 30_000_000
"""More than two sockets hold."""


async def connected() -> tuple[asyncio.StreamWriter, socket.socket]:
    """The writing end, and the other one."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        reader = socket.create_connection(listening.getsockname())
        accepted, _ = listening.accept()
    _, writer = await asyncio.open_connection(sock=accepted)
    return writer, reader


class Clock:
    """A time that only the test moves."""

    now_s = 100.0


@pytest.mark.parametrize("is_reading", [False, True])
def test_only_one_that_takes_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch, is_reading: bool) -> None:
    """In nine tenths of the time, again and again, a little is read, or nothing."""
    given_up: list[bool] = []

    async def run() -> None:
        writer, reader = await connected()
        monkeypatch.setattr(SlowReader, "_now_s", staticmethod(lambda: Clock.now_s))
        slow = SlowReader(writer.transport, lambda: given_up.append(True), 10.0)
        writer.write(bytes(MUCH))
        slow.begin()
        for _ in range(4):
            Clock.now_s += 9.0
            before = acknowledged_bytes(writer.transport)
            while is_reading and acknowledged_bytes(writer.transport) == before:
                reader.recv(1_000_000)
                await asyncio.sleep(0)
            if not given_up:
                slow._look_now()
        slow.end()
        writer.transport.abort()
        reader.close()

    asyncio.run(run())
    assert given_up == ([] if is_reading else [True])
