"""Prepared statements as a client sends them, over a session of PyMySQL: what came is kept as bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from skyshard.serve.mysql.definitions import Definition
from skyshard.serve.mysql.packets import OK, Command, error_of, is_eof, is_error, lenenc_text

UNSIGNED = 0x8000
Parameter = tuple[int, bytes | None]
"""Type, maybe with UNSIGNED, and its bytes as they are sent; None: NULL."""
LONG_DATA = b"\0long data\0"
"""Instead of a value that was sent before."""
LONG, LONGLONG, TEXT, BLOB, DOUBLE = 3, 8, 253, 252, 5


@dataclass
class Prepared:
    """What a prepare gave."""

    number: int = 0
    parameters: list[bytes] = field(default_factory=list)
    columns: list[Definition] = field(default_factory=list)
    error: tuple[int, str] | None = None


@dataclass
class BinaryAnswer:
    """What an execute gave: ``rows`` are payloads."""

    columns: list[Definition] = field(default_factory=list)
    rows: list[bytes] = field(default_factory=list)
    error: tuple[int, str] | None = None


def text(value: str) -> Parameter:
    return TEXT, lenenc_text(value.encode())


def whole(value: int, *, unsigned: bool = False) -> Parameter:
    return LONGLONG | (UNSIGNED if unsigned else 0), struct.pack("<Q" if unsigned else "<q", value)


def double(value: float) -> Parameter:
    return DOUBLE, struct.pack("<d", value)


class BinaryClient:
    """Of a session of PyMySQL, which others may use in between."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def command(self, code: int, payload: bytes) -> None:
        self.raw._execute_command(code, payload)

    def payload(self) -> bytes:
        """The next payload, errors too."""
        found, length = b"", 0xFFFFFF
        while length == 0xFFFFFF:
            header = self.raw._read_bytes(4)
            length = int.from_bytes(header[:3], "little")
            self.raw._next_seq_id = (header[3] + 1) % 256
            found += self.raw._read_bytes(length)
        return found

    def _to_eof(self) -> list[bytes]:
        found = []
        while not is_eof(one := self.payload()):
            found.append(one)
        return found

    def prepare(self, sql: str | bytes) -> Prepared:
        self.command(Command.STMT_PREPARE, sql.encode() if isinstance(sql, str) else sql)
        first = self.payload()
        if is_error(first):
            return Prepared(error=error_of(first))
        found = Prepared(int.from_bytes(first[1:5], "little"))
        columns, parameters = (int.from_bytes(first[at : at + 2], "little") for at in (5, 7))
        if parameters:
            found.parameters = self._to_eof()
        if columns:
            found.columns = [Definition.read(one) for one in self._to_eof()]
        assert (len(found.parameters), len(found.columns)) == (parameters, columns)
        return found

    def execute(
        self, number: int, parameters: Sequence[Parameter] = (), *, bound: bool = True, cursor: int = 0
    ) -> BinaryAnswer:
        """``bound``: the types of parameters are sent, as at a first execute."""
        self.command(Command.STMT_EXECUTE, execute_payload(number, parameters, bound=bound, cursor=cursor))
        return self.answer()

    def answer(self) -> BinaryAnswer:
        first = self.payload()
        if is_error(first):
            return BinaryAnswer(error=error_of(first))
        if first[0] == OK:
            return BinaryAnswer()
        found = BinaryAnswer([Definition.read(one) for one in self._to_eof()])
        while not is_eof(one := self.payload()):
            if is_error(one):
                found.error = error_of(one)
                break
            found.rows.append(one)
        return found

    def ask(self, sql: str, *parameters: Parameter) -> BinaryAnswer:
        """Prepare, execute, close."""
        made = self.prepare(sql)
        if made.error:
            return BinaryAnswer(error=made.error)
        try:
            return self.execute(made.number, parameters)
        finally:
            self.close(made.number)

    def send_long(self, number: int, parameter: int, data: bytes) -> None:
        self.command(Command.STMT_SEND_LONG_DATA, struct.pack("<IH", number, parameter) + data)

    def close(self, number: int) -> None:
        self.command(Command.STMT_CLOSE, struct.pack("<I", number))

    def reset(self, number: int) -> bytes:
        self.command(Command.STMT_RESET, struct.pack("<I", number))
        return self.payload()


def execute_payload(number: int, parameters: Sequence[Parameter], *, bound: bool = True, cursor: int = 0) -> bytes:
    """The payload of an execute."""
    payload = struct.pack("<IBI", number, cursor, 1)
    if parameters:
        nulls = sum(1 << at for at, (_, value) in enumerate(parameters) if value is None)
        payload += nulls.to_bytes((len(parameters) + 7) // 8, "little") + bytes([bound])
        if bound:
            payload += b"".join(struct.pack("<H", kind) for kind, _ in parameters)
        payload += b"".join(value for _, value in parameters if value is not None and value is not LONG_DATA)
    return payload
