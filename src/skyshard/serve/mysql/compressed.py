"""The compressed protocol, for clients that speak it though nobody has offered it: framed, and what they send unpacked.

A packet is its payload, compressed or not, behind a header of seven bytes: its length, a sequence number, its length
when it is unpacked, 0 where it is not compressed. Answers are not compressed. Source: MariaDB's "Client/Server
Protocol", section "Compressed packet".
"""

from __future__ import annotations

import asyncio
import struct
import zlib

from skyshard.serve.mysql.packets import MOST

HEADER = 7


class UnpackingReader:
    """Gives the bytes within compressed packets. ``sequence``: of the packet that was read last."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._held = bytearray()
        self.sequence = 0

    async def readexactly(self, n: int) -> bytes:
        """As of ``asyncio.StreamReader``; OSError where what comes is not what its header says."""
        while len(self._held) < n:
            self._held += await self._packet()
        found = bytes(self._held[:n])
        del self._held[:n]
        return found

    async def _packet(self) -> bytes:
        header = await self._reader.readexactly(HEADER)
        length, whole = int.from_bytes(header[:3], "little"), int.from_bytes(header[4:], "little")
        self.sequence = header[3]
        packed = await self._reader.readexactly(length)
        return unpacked(packed, whole) if whole else packed


def unpacked(packed: bytes, whole: int) -> bytes:
    """So many bytes of a compressed payload, and no more; OSError where there are others.

    >>> unpacked(zlib.compress(b"abc"), 3)
    b'abc'
    """
    try:
        unpacking = zlib.decompressobj()
        found = unpacking.decompress(packed, whole)
    except zlib.error as error:
        raise OSError(f"a packet cannot be unpacked: {error}") from None
    if len(found) != whole or unpacking.decompress(unpacking.unconsumed_tail, 1):
        raise OSError("a packet is unpacked to another length than it says")
    return found


def in_packets(data: bytes | memoryview, sequence: int) -> tuple[bytes, int]:
    """Bytes in packets that are not compressed, and the sequence number of the next one.

    >>> in_packets(b"abc", 1)
    (b'\\x03\\x00\\x00\\x01\\x00\\x00\\x00abc', 2)
    """
    parts: list[bytes | memoryview] = []
    for begin in range(0, len(data), MOST):
        part = data[begin : begin + MOST]
        parts += [struct.pack("<I", len(part) | (sequence & 0xFF) << 24) + bytes(3), part]
        sequence += 1
    return b"".join(parts), sequence & 0xFF
