"""What a fuzzer sends to a MySQL door: sound commands, odd ones that a seed draws, and either with bytes changed.

Each is bytes as they go onto the wire, packets with their headers.
"""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

from skyshard.serve.mysql.packets import MOST, Capability, Command, framed, lenenc_text
from skyshard.serve.mysql.prepared import FIRST

TYPES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 16, 246, 249, 252, 253, 254, 255)
LONGEST_DATA = 1 << 17
_PLAIN = 0x2AA605
_CHANGE_USER = 0x11
_NUMBER = struct.pack("<I", FIRST)


def login(*more: Capability, database: bytes = b"") -> bytes:
    """The payload of a sound login without a password, of a client that says it can do ``more``."""
    flags = _PLAIN | (Capability.CONNECT_WITH_DB if database else 0)
    for one in more:
        flags |= one
    named = database + b"\0" if database else b""
    return struct.pack("<IIB", flags, 1, 45) + bytes(23) + b"me\0" + b"\0" + named + b"mysql_native_password\0"


def tls_request() -> bytes:
    """The payload by which a client asks for TLS before it logs in."""
    return struct.pack("<IIB", _PLAIN | Capability.SSL, 1, 45) + bytes(23)


def commands(sql: str) -> list[bytes]:
    """Sound commands that use all of a door; ``sql``: a catalog statement, with a placeholder."""
    text, number = sql.encode(), _NUMBER
    texts = [
        text.replace(b"?", b"1"), text, b"SELECT 1", b"SHOW TABLES", b"SHOW PROCESSLIST", b"DESCRIBE Object",
        b"SET NAMES utf8mb4", b"SELECT * FROM information_schema.queries", b"SELECT * FROM qserv_result(1)",
        b"CANCEL 99", b"CALL qserv_result_delete(1)", b"INSERT INTO t VALUES (1)", b"/* x */ SELECT '\\'' -- y",
        b"\xf6\x84 no letters", b"SUBMIT SELECT '\xff' FROM t",
    ]  # fmt: skip
    prepared = [bytes([Command.STMT_PREPARE]) + one for one in texts[:4]]
    executed = [
        bytes([Command.STMT_EXECUTE]) + number + b"\0\1\0\0\0\0\1\xfd\0" + lenenc_text(b"it's"),
        bytes([Command.STMT_EXECUTE]) + number + b"\0\1\0\0\0\0\1\x08\0" + bytes(8),
        bytes([Command.STMT_EXECUTE]) + number + b"\0\1\0\0\0\0\1\x0c\0" + b"\x0b" + bytes(11),
        bytes([Command.STMT_EXECUTE]) + number + b"\0\1\0\0\0\1\0",
        bytes([Command.STMT_EXECUTE]) + b"\1\0\0\0\0\1\0\0\0", bytes([Command.STMT_EXECUTE]) + b"\xff" * 4 + bytes(5),
        bytes([Command.STMT_SEND_LONG_DATA]) + number + b"\0\0" + b"long", bytes([Command.STMT_RESET]) + number,
        bytes([Command.STMT_FETCH]) + number + b"\1\0\0\0", bytes([Command.STMT_CLOSE]) + number,
    ]  # fmt: skip
    other = [
        bytes([Command.PING]), bytes([Command.STATISTICS]), bytes([Command.INIT_DB]) + b"information_schema",
        bytes([Command.FIELD_LIST]) + b"t\0", bytes([Command.SET_OPTION]) + b"\0\0", b"", b"\x11x\0", b"\xff",
        bytes([Command.RESET_CONNECTION]),
    ]  # fmt: skip
    return [*(bytes([Command.QUERY]) + one for one in texts), *prepared, *executed, *other]


def wrong_parameters(randomly: random.Random) -> bytes:
    """A prepared statement executed with values of any types, any lengths and any NULLs, with or without a cursor."""
    count = randomly.randrange(4)
    kinds = b"".join(bytes((randomly.choice(TYPES), randomly.choice((0, 0x80)))) for _ in range(count))
    values = b"".join(_value(randomly) for _ in range(count))
    head = struct.pack("<IBI", randomly.choice((FIRST, FIRST + 1, 1, 0xFFFFFFFF)), randomly.randrange(3), 1)
    nulls = bytes([randomly.randrange(256)]) if count else b""
    return framed(bytes([Command.STMT_EXECUTE]) + head + nulls + bytes([randomly.randrange(2)]) + kinds + values, 0)


def _value(randomly: random.Random) -> bytes:
    size = randomly.choice((0, 1, 2, 4, 7, 8, 11, 12, 250))
    said = randomly.choice((bytes([size]), b"\xfb", b"\xfc\xff\xff", b"\xfe" + b"\xff" * 8, b"\xff", b""))
    return said + randomly.randbytes(size)


def long_data(randomly: random.Random) -> bytes:
    """Parts of a value, and maybe an execute, of this and of other parameters."""
    parts = []
    for _ in range(randomly.randrange(1, 5)):
        number = struct.pack("<IH", FIRST, randomly.choice((0, 0, 1, 65_535)))
        parts.append(framed(bytes([Command.STMT_SEND_LONG_DATA]) + number + bytes(randomly.randrange(LONGEST_DATA)), 0))
    executed = framed(bytes([Command.STMT_EXECUTE]) + _NUMBER + b"\0\1\0\0\0\0\1\xfc\0", 0)
    return b"".join(parts) + executed * randomly.randrange(2)


def another_user(randomly: random.Random) -> bytes:
    """The command that changes a session's user, which no door lets pass."""
    names = [randomly.choice((b"me", b"root", b"skyshard_admin", b"")) + b"\0", b"\0", b"information_schema\0"]
    return framed(bytes([_CHANGE_USER]) + b"".join(names) + b"\x2d\0mysql_native_password\0", 0)


def option(randomly: random.Random) -> bytes:
    """Several statements in one text, switched on or off, and two of them."""
    asked = bytes([Command.SET_OPTION]) + struct.pack("<H", randomly.choice((0, 1, 2, 65_535)))
    return framed(asked, 0) + framed(bytes([Command.QUERY]) + b"SELECT 1; SELECT 2", 0) * randomly.randrange(2)


def local_file(randomly: random.Random) -> bytes:
    """A file of the client's brought, which nobody asked for."""
    sql = randomly.choice(
        (b"LOAD DATA LOCAL INFILE 'x' INTO TABLE t", b"/*!50000 LOAD DATA LOCAL INFILE 'x' INTO TABLE t */")
    )
    return framed(bytes([Command.QUERY]) + sql, 0) + framed(randomly.randbytes(99), 2) + framed(b"", 3)


def out_of_order(randomly: random.Random) -> bytes:
    """A sound statement whose packet has any number."""
    return framed(bytes([Command.QUERY]) + b"SELECT 1", randomly.randrange(256))


def split(randomly: random.Random) -> bytes:
    """A statement of as many bytes as one packet holds, or a few more or less, whose last packet may never come."""
    size = MOST + randomly.randrange(-2, 3)
    data = framed(bytes([Command.QUERY]) + b"SELECT 1 -- ".ljust(size - 1, b"x"), 0)
    return data[: randomly.choice((len(data), MOST, MOST + 4, MOST + 6))]


ODD: tuple[Callable[[random.Random], bytes], ...] = (
    wrong_parameters, long_data, another_user, option, local_file, out_of_order,
)  # fmt: skip
"""Kinds of what is drawn, but for :func:`split`, of which there are few, since each is 16 MB."""


def compressed(data: bytes, randomly: random.Random) -> bytes:
    """Bytes in a compressed packet; in one of ten the header says something else."""
    packed = zlib.compress(data) if randomly.random() < 0.5 else b""
    body, whole = (packed, len(data)) if packed else (data, 0)
    head = bytearray(struct.pack("<I", len(body))[:3] + b"\0" + struct.pack("<I", whole)[:3])
    if randomly.random() < 0.1:
        head[randomly.randrange(7)] = randomly.randrange(256)
    return bytes(head) + body


def mutated(data: bytes, randomly: random.Random) -> bytes:
    """Some bytes changed, cut out, put in, or repeated."""
    found = bytearray(data)
    for _ in range(randomly.randrange(1, 4)):
        place = randomly.randrange(len(found)) if found else 0
        match randomly.randrange(5):
            case 0 if found:
                found[place] = randomly.randrange(256)
            case 1:
                del found[place : place + randomly.randrange(1, 8)]
            case 2 if found:
                found[place] = randomly.choice(TYPES)
            case 3:
                found[place:place] = found[place : place + randomly.randrange(1, 64)]
            case _:
                found[place:place] = randomly.randbytes(randomly.randrange(1, 8))
    return bytes(found)
