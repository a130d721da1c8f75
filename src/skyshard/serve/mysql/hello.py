"""Hello and login as the door passes them on: without what it does not relay. No I/O.

Masked: compression, LOCAL INFILE, several statements in one text, session tracking, the newer end of results, and
MariaDB's extended capabilities, which change column definitions. TLS is the door's own.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from skyshard.serve.mysql.packets import Capability, Reader

MASKED = (
    Capability.COMPRESS
    | Capability.LOCAL_FILES
    | Capability.SSL
    | Capability.MULTI_STATEMENTS
    | Capability.SESSION_TRACK
    | Capability.DEPRECATE_EOF
    | 1 << 29  # the client's wish for changes of its session
)
CLEAR_PASSWORD = b"mysql_clear_password"
NATIVE_PASSWORD = b"mysql_native_password"
SSL_REQUEST_BYTES = 32
_ALL = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Hello:
    """The server's first packet as clients get it; ``thread`` is the session's number there."""

    payload: bytes
    thread: int


def masked_hello(payload: bytes, *, has_tls: bool) -> Hello:
    """What a client is told; ValueError if the packet is no hello of protocol 10."""
    reader = Reader(payload)
    if reader.number(1) != 10:
        raise ValueError("the server speaks another protocol")
    reader.until_zero()
    thread = reader.number(4)
    reader.take(9)
    low_place = reader.place
    low = reader.number(2)
    reader.take(3)
    high_place = reader.place
    offered = (low | reader.number(2) << 16) & (_ALL ^ MASKED)
    if has_tls:
        offered |= Capability.SSL
    found = bytearray(payload)
    struct.pack_into("<H", found, low_place, offered & 0xFFFF)
    struct.pack_into("<H", found, high_place, offered >> 16)
    extended = high_place + 2 + 1 + 6
    found[extended : extended + 4] = bytes(4)
    return Hello(bytes(found), thread)


@dataclass(frozen=True, slots=True)
class Login:
    """What a client says of itself: capabilities, charset, user, database; ``secret`` is its answer to the scramble."""

    capabilities: int
    most_bytes: int
    charset: int
    user: bytes
    secret: bytes
    database: bytes
    attributes: bytes

    @classmethod
    def read(cls, payload: bytes) -> Login:
        """ValueError if the packet is none of protocol 4.1."""
        reader = Reader(payload)
        capabilities, most, charset = struct.unpack("<IIB", reader.take(9))
        if not capabilities & Capability.PROTOCOL_41:
            raise ValueError("a client of before protocol 4.1")
        reader.take(23)
        user = reader.until_zero()
        if capabilities & Capability.LENENC_LOGIN:
            secret = reader.lenenc_text() or b""
        elif capabilities & Capability.SECURE_CONNECTION:
            secret = reader.take(reader.number(1))
        else:
            secret = reader.until_zero()
        database = reader.until_zero() if capabilities & Capability.CONNECT_WITH_DB else b""
        if capabilities & Capability.PLUGIN_AUTH and reader.place < len(payload):
            plugin_end = payload.find(b"\0", reader.place)
            reader.place = len(payload) if plugin_end < 0 else plugin_end + 1
        return cls(capabilities, most, charset, user, secret, database, reader.rest())

    def relayed(self, user: bytes) -> bytes:
        """The login that the door sends on, of a user who has shown who they are to the door, without a password."""
        capabilities = (self.capabilities & (_ALL ^ MASKED)) | Capability.SECURE_CONNECTION | Capability.PLUGIN_AUTH
        capabilities &= _ALL ^ Capability.LENENC_LOGIN
        if self.database:
            capabilities |= Capability.CONNECT_WITH_DB
        else:
            capabilities &= _ALL ^ Capability.CONNECT_WITH_DB
        head = struct.pack("<IIB", capabilities, self.most_bytes, self.charset) + bytes(23)
        database = self.database + b"\0" if self.database else b""
        return head + user + b"\0" + b"\0" + database + NATIVE_PASSWORD + b"\0" + self.attributes


def is_ssl_request(payload: bytes) -> bool:
    """Whether a client wants TLS before it logs in."""
    return len(payload) == SSL_REQUEST_BYTES and bool(int.from_bytes(payload[:4], "little") & Capability.SSL)


def asks_clear_password() -> bytes:
    """The payload that asks a client for its password, or token, as it is: on loopback or behind TLS only."""
    return b"\xfe" + CLEAR_PASSWORD + b"\0"


def own_login(user: bytes, charset: int) -> bytes:
    """The login of a session that the door opens for itself; its account has no password."""
    capabilities = (
        Capability.LONG_PASSWORD | Capability.PROTOCOL_41 | Capability.SECURE_CONNECTION | Capability.PLUGIN_AUTH
        | Capability.MULTI_RESULTS
    )  # fmt: skip
    head = struct.pack("<IIB", capabilities, 1 << 30, charset) + bytes(23)
    return head + user + b"\0\0" + NATIVE_PASSWORD + b"\0"
