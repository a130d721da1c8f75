"""One end of a connection: whole packets in and out, with their sequence numbers."""

from __future__ import annotations

import asyncio
import contextlib

from skyshard.serve.mysql.compressed import UnpackingReader, in_packets
from skyshard.serve.mysql.packets import AUTOCOMMIT, HEADER, MOST, framed, packets_in
from skyshard.serve.slow_reader import SlowReader

STREAM_BYTES = 1 << 16
MOST_BYTES = 1 << 30
"""Of a payload, where nobody says less."""
SENT_AHEAD_BYTES = 1 << 20
"""So much waits for a slow reader; then whoever writes waits."""


class TooLong(Exception):
    """The other end sent a payload of more bytes than it may."""


class Watched(asyncio.StreamReaderProtocol):
    """A protocol that says when the other end sends no more, whatever it has sent before."""

    def __init__(self, reader: asyncio.StreamReader, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(reader, loop=loop)
        self.ended: asyncio.Future[None] = loop.create_future()

    def eof_received(self) -> bool | None:
        self._end()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()
        super().connection_lost(exc)

    def _end(self) -> None:
        if not self.ended.done():
            self.ended.set_result(None)


class Wire:
    """Reads and writes payloads. ``most_bytes``: no payload that is read may be longer. ``ended``: done when the other
    end has gone."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        most_bytes: int = MOST_BYTES,
        ended: asyncio.Future[None] | None = None,
    ) -> None:
        self._reader: asyncio.StreamReader | UnpackingReader = reader
        self._writer = writer
        self._packed: UnpackingReader | None = None
        self._packed_sequence = 0
        self.ended = ended or asyncio.get_running_loop().create_future()
        self._most_bytes = most_bytes
        self.sequence = 0
        """Of the packet that is to be sent next, when an answer is written."""
        self.is_answered = False
        """All of an answer has been put, though much of it may wait for a slow reader."""
        self.last_read = 0
        """Sequence number of the packet that was read last."""
        self.status = AUTOCOMMIT
        """Flags of the session, as the end of each answer says them."""
        self._unsent: list[bytes | memoryview] = []
        writer.transport.set_write_buffer_limits(high=SENT_AHEAD_BYTES)
        self._slow = SlowReader(writer.transport, self.abort)

    def wait_for_reader(self, seconds: float) -> None:
        """From here on end a connection whose other end takes nothing for so long."""
        self._slow.seconds = seconds

    def compress(self) -> None:
        """From here on both ends speak the compressed protocol."""
        assert isinstance(self._reader, asyncio.StreamReader)
        self._reader = self._packed = UnpackingReader(self._reader)

    def allow(self, most_bytes: int) -> None:
        """Take payloads of so many bytes from here on."""
        self._most_bytes = most_bytes

    async def read(self) -> bytes | None:
        """The next payload; None when the other end has gone.

        Raises:
            TooLong: it is longer than allowed; nothing can be read any more.
        """
        payload = b""
        while True:
            try:
                header = await self._reader.readexactly(HEADER)
                length = int.from_bytes(header[:3], "little")
                if len(payload) + length > self._most_bytes:
                    raise TooLong
                part = await self._reader.readexactly(length)
            except (asyncio.IncompleteReadError, OSError):
                return None
            self.last_read = header[3]
            payload = payload + part if payload else part
            if length < MOST:
                return payload

    async def reply(self, *payloads: bytes) -> None:
        """Write payloads that answer the packet that was read last."""
        self.begin_answer()
        await self.send(*payloads)

    def begin_answer(self) -> None:
        """What is written from here on answers the packet that was read last."""
        self.sequence, self.is_answered = self.last_read + 1 & 0xFF, False
        self._packed_sequence = self._packed.sequence + 1 if self._packed is not None else 0

    async def send_last(self, payload: bytes) -> None:
        """As :meth:`send`, of the last payload of an answer."""
        self.is_answered = True
        await self.send(payload)

    async def send_instead(self, payload: bytes) -> None:
        """As :meth:`send_last`, where an answer was broken off; one that was whole by then stays so, since what came
        behind it would be read as the answer of the next command."""
        if self.is_answered:
            await self.drain()
        else:
            await self.send_last(payload)

    async def send(self, *payloads: bytes) -> None:
        """Write payloads, and wait while much of what was written has not been taken."""
        for payload in payloads:
            self.put(payload)
        await self.drain()

    def put(self, payload: bytes) -> None:
        """Have a payload written with what is sent next."""
        self.put_packets(framed(payload, self.sequence), self.sequence + packets_in(len(payload)))

    def put_packets(self, data: bytes | memoryview, sequence: int) -> None:
        """The same of packets that are framed; ``sequence`` is that of what comes behind them."""
        self._unsent.append(data)
        self.sequence = sequence & 0xFF

    async def drain(self) -> None:
        """Write all that was put, in one piece, so that the other end is woken once; OSError when it has gone."""
        unsent, self._unsent = self._unsent, []
        if unsent:
            data = unsent[0] if len(unsent) == 1 else b"".join(unsent)
            if self._packed is not None:
                data, self._packed_sequence = in_packets(data, self._packed_sequence)
            self._writer.write(data)
        if not self._writer.transport.get_write_buffer_size():
            await self._writer.drain()
            return
        self._slow.begin()
        try:
            await self._writer.drain()
        finally:
            self._slow.end()

    async def command(self, payload: bytes) -> None:
        """Begin a new exchange."""
        self.sequence = 0
        await self.send(payload)

    async def close(self) -> None:
        """Safe when the other end has gone, or it is closed already."""
        with contextlib.suppress(OSError, RuntimeError):
            self._writer.close()
            try:
                await asyncio.wait_for(self._writer.wait_closed(), 1.0)
            except TimeoutError:
                self.abort()

    def abort(self) -> None:
        """End the connection at once; what was not taken is lost."""
        self._writer.transport.abort()


async def connect_socket(path: str) -> Wire:
    """Raises OSError where nobody listens."""
    reader, writer = await asyncio.open_unix_connection(path, limit=STREAM_BYTES)
    return Wire(reader, writer)
