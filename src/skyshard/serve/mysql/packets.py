"""The packets of the MySQL protocol, as bytes: framed, cut, and the few that the door writes or reads itself. No I/O.

A packet is at most ``MOST - 1`` bytes of payload behind a header of four (length, sequence number); a payload that is
longer goes on in the next packet. Sources: MariaDB's "Client/Server Protocol", sections "Packet" and "Result set".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from enum import IntEnum, IntFlag

HEADER = 4
MOST = 0xFFFFFF
"""A packet of so many bytes has another one behind it."""
NULL = 0xFB
OK, EOF, ERROR, MORE_DATA = 0x00, 0xFE, 0xFF, 0x01
EOF_BYTES = 9
"""An EOF packet is shorter; a row that begins with the same byte is longer."""
IN_TRANSACTION, AUTOCOMMIT, MORE_RESULTS = 0x0001, 0x0002, 0x0008


class Command(IntEnum):
    """The commands that the door takes; any other is refused."""

    QUIT = 0x01
    INIT_DB = 0x02
    QUERY = 0x03
    FIELD_LIST = 0x04
    STATISTICS = 0x09
    PROCESS_KILL = 0x0C
    PING = 0x0E
    STMT_PREPARE = 0x16
    STMT_EXECUTE = 0x17
    STMT_SEND_LONG_DATA = 0x18
    STMT_CLOSE = 0x19
    STMT_RESET = 0x1A
    SET_OPTION = 0x1B
    STMT_FETCH = 0x1C
    RESET_CONNECTION = 0x1F


class Capability(IntFlag):
    """What client and server can do, as the hello and the login say it."""

    LONG_PASSWORD = 1
    FOUND_ROWS = 1 << 1
    CONNECT_WITH_DB = 1 << 3
    COMPRESS = 1 << 5
    LOCAL_FILES = 1 << 7
    PROTOCOL_41 = 1 << 9
    SSL = 1 << 11
    SECURE_CONNECTION = 1 << 15
    MULTI_STATEMENTS = 1 << 16
    MULTI_RESULTS = 1 << 17
    PLUGIN_AUTH = 1 << 19
    LENENC_LOGIN = 1 << 21
    SESSION_TRACK = 1 << 23
    DEPRECATE_EOF = 1 << 24


def framed(payload: bytes, sequence: int) -> bytes:
    """A payload as packets, the first of which has this sequence number.

    >>> framed(b"abc", 1)
    b'\\x03\\x00\\x00\\x01abc'
    """
    parts = []
    for begin in range(0, len(payload) + 1, MOST):
        part = payload[begin : begin + MOST]
        parts.append(struct.pack("<I", len(part) | (sequence & 0xFF) << 24) + part)
        sequence += 1
    return b"".join(parts)


def packets_in(payload_bytes: int) -> int:
    """How many packets a payload takes."""
    return payload_bytes // MOST + 1


_SHORT = [bytes([number]) for number in range(NULL)]


def lenenc(number: int) -> bytes:
    """A number as the protocol writes lengths.

    >>> lenenc(250), lenenc(251), lenenc(70000)
    (b'\\xfa', b'\\xfc\\xfb\\x00', b'\\xfdp\\x11\\x01')
    """
    if number < NULL:
        return _SHORT[number]
    if number < 1 << 16:
        return b"\xfc" + struct.pack("<H", number)
    if number < 1 << 24:
        return b"\xfd" + struct.pack("<I", number)[:3]
    return b"\xfe" + struct.pack("<Q", number)


def lenenc_text(text: bytes) -> bytes:
    return lenenc(len(text)) + text


class Reader:
    """Reads the fields of one payload from its beginning; ValueError where it is too short."""

    def __init__(self, payload: bytes, place: int = 0) -> None:
        self._payload = payload
        self.place = place

    def take(self, count: int) -> bytes:
        found = self._payload[self.place : self.place + count]
        if count < 0 or len(found) != count:
            raise ValueError("a packet is too short")
        self.place += count
        return found

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def lenenc(self) -> int | None:
        """A length; None for NULL."""
        first = self.number(1)
        if first < NULL:
            return first
        if first == NULL:
            return None
        if first == ERROR:
            raise ValueError("a length is none")
        return self.number({0xFC: 2, 0xFD: 3, 0xFE: 8}[first])

    def lenenc_text(self) -> bytes | None:
        length = self.lenenc()
        return None if length is None else self.take(length)

    def until_zero(self) -> bytes:
        end = self._payload.find(b"\0", self.place)
        if end < 0:
            raise ValueError("a text has no end")
        found = self.take(end - self.place)
        self.place += 1
        return found

    def rest(self) -> bytes:
        return self.take(len(self._payload) - self.place)


def row_values(payload: bytes) -> list[bytes | None]:
    """The values of a row of the text protocol."""
    reader, found = Reader(payload), []
    while reader.place < len(payload):
        found.append(reader.lenenc_text())
    return found


def row(values: Sequence[bytes | None]) -> bytes:
    """The payload of a row of the text protocol."""
    return b"".join(b"\xfb" if value is None else lenenc_text(value) for value in values)


def ok(status: int = AUTOCOMMIT, affected: int = 0) -> bytes:
    return bytes([OK]) + lenenc(affected) + lenenc(0) + struct.pack("<HH", status, 0)


def eof(status: int = AUTOCOMMIT) -> bytes:
    return bytes([EOF]) + struct.pack("<HH", 0, status)


def error(code: int, state: str, message: str) -> bytes:
    """The payload of an error; its text is cut as the server cuts its own, and what is no letter in it is a ``?``."""
    text = " ".join(message.split()).encode("utf-8", "replace")[:511].decode("utf-8", "ignore").encode("utf-8")
    return bytes([ERROR]) + struct.pack("<H", code) + b"#" + state.encode("ascii") + text


def is_error(payload: bytes) -> bool:
    return payload[:1] == bytes([ERROR])


def is_eof(payload: bytes) -> bool:
    return payload[:1] == bytes([EOF]) and len(payload) < EOF_BYTES


def error_of(payload: bytes) -> tuple[int, str]:
    """Code and text of an error."""
    code = int.from_bytes(payload[1:3], "little")
    text = payload[9:] if payload[3:4] == b"#" else payload[3:]
    return code, text.decode("utf-8", "replace")


def status_of(payload: bytes) -> int:
    """The status flags at the end of an OK or EOF packet."""
    if is_eof(payload):
        return int.from_bytes(payload[3:5], "little")
    reader = Reader(payload, 1)
    reader.lenenc()
    reader.lenenc()
    return reader.number(2)


def framed_all(payloads: Sequence[bytes], sequence: int) -> tuple[bytes, int]:
    """Payloads one behind the other, and the sequence number of what comes next."""
    parts: list[bytes] = []
    for payload in payloads:
        parts.append(framed(payload, sequence))
        sequence += packets_in(len(payload))
    return b"".join(parts), sequence & 0xFF


def payloads_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Sequence numbers and payloads of packets that are all here, for tests and readers of small answers."""
    place, gathered = 0, b""
    while place < len(data):
        word = int.from_bytes(data[place : place + HEADER], "little")
        length, sequence = word & MOST, word >> 24
        gathered += data[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if length < MOST:
            yield sequence, gathered
            gathered = b""
