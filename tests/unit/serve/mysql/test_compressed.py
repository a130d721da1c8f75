"""The compressed protocol at a wire: what a client packs is read, and no more than it says."""

from __future__ import annotations

import asyncio
import socket
import struct
import zlib

import pytest

from skyshard.serve.mysql.compressed import in_packets, unpacked
from skyshard.serve.mysql.packets import MOST, framed
from skyshard.serve.mysql.wire import Wire


def packed(content: bytes, sequence: int, *, is_compressed: bool) -> bytes:
    """One packet as a client sends it."""
    inside = zlib.compress(content) if is_compressed else content
    whole = len(content) if is_compressed else 0
    return struct.pack("<I", len(inside) | sequence << 24) + struct.pack("<I", whole)[:3] + inside


@pytest.mark.parametrize("is_compressed", [False, True])
def test_payloads_are_read_wherever_packets_are_cut(is_compressed: bool) -> None:
    """Two in one packet, one in two; the answer is in one packet, with the next number."""

    async def run() -> None:
        theirs, ours = socket.socketpair()
        wire = Wire(*await asyncio.open_connection(sock=ours))
        wire.compress()
        content = framed(b"one", 0) + framed(b"two", 0) + framed(b"three", 0)
        for sequence, (begin, end) in enumerate([(0, 14), (14, 17), (17, len(content))]):
            theirs.sendall(packed(content[begin:end], sequence, is_compressed=is_compressed))
        assert [await wire.read() for _ in range(3)] == [b"one", b"two", b"three"]
        wire.begin_answer()
        await wire.send(b"four", b"five")
        assert theirs.recv(100) == packed(framed(b"four", 1) + framed(b"five", 2), 3, is_compressed=False)
        theirs.close()
        await wire.close()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("content", "whole"), [(zlib.compress(bytes(99)), 98), (zlib.compress(bytes(99)), 100), (b"no", 1), (b"", 1)]
)
def test_what_is_not_as_long_as_it_says_is_refused(content: bytes, whole: int) -> None:
    """Nothing is unpacked beyond that."""
    with pytest.raises(OSError, match="unpacked"):
        unpacked(content, whole)


def test_long_answers_are_several_packets() -> None:
    data, sequence = in_packets(bytes(MOST + 1), 255)
    assert (data[:7], data[7 + MOST :], sequence) == (b"\xff\xff\xff\xff\0\0\0", b"\1\0\0\0\0\0\0\0", 1)


def test_a_client_that_packs_wrongly_has_gone() -> None:
    """Its session ends as if it had left."""

    async def run() -> None:
        theirs, ours = socket.socketpair()
        wire = Wire(*await asyncio.open_connection(sock=ours))
        wire.compress()
        theirs.sendall(b"\2\0\0\0\1\0\0no")
        assert await wire.read() is None
        theirs.close()
        await wire.close()

    asyncio.run(run())
