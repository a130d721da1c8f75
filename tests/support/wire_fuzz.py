"""Packets of the MySQL protocol, changed at random by a seed, against a door; and a sound client beside them."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable

from tests.support.asking import ASK_EVERY_S

from skyshard.serve.mysql.packets import HEADER, Command, framed, lenenc_text
from skyshard.serve.mysql.prepared import FIRST

LOGIN = bytes.fromhex("05a62a00000000012d") + bytes(23) + b"me\0" + b"\0" + b"mysql_native_password\0"
LOGIN_WITH_DATABASE = (
    bytes.fromhex("0da62a00000000012d") + bytes(23) + b"me\0" + b"\0" + b"information_schema\0mysql_native_password\0"
)
ANSWER_S = 0.02
"""So long an answer is waited for: none that comes later is read before the next packet is sent."""
TYPES = (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 16, 246, 249, 252, 253, 254, 255)
_NUMBER = struct.pack("<I", FIRST)


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


class Fuzz:
    """Sends packets to a door; ``counts``: what happened."""

    def __init__(self, place: tuple[str, int], seed: int, sql: str, *, a_connection: int = 40) -> None:
        self._place, self._randomly = place, random.Random(seed)
        self._commands, self._most = commands(sql), a_connection
        self.counts: Counter[str] = Counter()

    def run(self, packets: int) -> None:
        """Until so many mutated ones were sent."""
        while self.counts["packets"] < packets:
            self.counts["connections"] += 1
            with contextlib.suppress(OSError), socket.create_connection(self._place, 60) as bare:
                bare.recv(4096)
                self._converse(bare)

    def _converse(self, bare: socket.socket) -> None:
        login = self._randomly.choice((LOGIN, LOGIN, LOGIN_WITH_DATABASE))
        is_sound = self._randomly.random() < 0.9
        bare.sendall(framed(login, 1) if is_sound else mutated(framed(login, 1), self._randomly))
        self.counts["packets"] += not is_sound
        self._taken(bare)
        for _ in range(self._randomly.randrange(1, self._most)):
            command, way = self._randomly.choice(self._commands), self._randomly.random()
            if way < 0.2:  # what later ones are about
                data = framed(command, 0)
            elif way < 0.9:
                data = framed(mutated(command, self._randomly), 0)
            else:
                data = mutated(framed(command, 0), self._randomly)
            self.counts["packets"] += way >= 0.2
            bare.sendall(data)
            if not self._taken(bare):
                return

    def _taken(self, bare: socket.socket) -> bool:
        """Read what is there; False when the door has hung up."""
        while select.select([bare], [], [], ANSWER_S)[0]:
            data = bare.recv(1 << 16)
            if not data:
                self.counts["hung up"] += 1
                return False
            self.counts["answers"] += 1
            if len(data) < 1 << 16 and len(data) >= HEADER:
                return True
        return True


class Beside:
    """Somebody sound, who asks without end, and says what went wrong."""

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask, self._is_over = ask, threading.Event()
        self.answers, self.problem = 0, ""
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            while not self._is_over.wait(ASK_EVERY_S):
                self._ask()
                self.answers += 1
        except Exception as error:
            self.problem = repr(error)

    def __enter__(self) -> Beside:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
