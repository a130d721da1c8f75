"""Definitions of result columns: read from what a server says of them, written, and made of Arrow types. No I/O."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import IntEnum, IntFlag

import pyarrow as pa

from skyshard.serve.mysql.packets import Reader, lenenc_text

FLOATING_DECIMALS = 31
"""Decimals of a floating number that has as many digits as it needs."""
BINARY_CHARSET, LATIN1_CHARSET, UTF8_CHARSET, UTF8MB4_CHARSET = 63, 8, 33, 45


class ColumnType(IntEnum):
    """The protocol's types, as far as answers have them."""

    DECIMAL = 0
    TINY = 1
    SHORT = 2
    LONG = 3
    FLOAT = 4
    DOUBLE = 5
    NULL = 6
    TIMESTAMP = 7
    LONGLONG = 8
    INT24 = 9
    DATE = 10
    TIME = 11
    DATETIME = 12
    YEAR = 13
    BIT = 16
    NEWDECIMAL = 246
    BLOB = 252
    VAR_STRING = 253
    STRING = 254


INTEGERS = frozenset((ColumnType.TINY, ColumnType.SHORT, ColumnType.LONG, ColumnType.LONGLONG, ColumnType.INT24))


class Flag(IntFlag):
    """What is said of a column besides its type."""

    NOT_NULL = 1
    BLOB = 16
    UNSIGNED = 32
    ZEROFILL = 64
    BINARY = 128
    NUM = 32768


@dataclass(frozen=True, slots=True)
class Definition:
    """One column as the server defines it; ``length`` in bytes of the result's character set."""

    name: bytes
    type: int
    length: int
    charset: int = BINARY_CHARSET
    flags: int = 0
    decimals: int = 0
    schema: bytes = b""
    table: bytes = b""
    org_table: bytes = b""
    org_name: bytes = b""

    @classmethod
    def read(cls, payload: bytes) -> Definition:
        """From a packet of protocol 4.1 without MariaDB's extended metadata; ValueError if it is none."""
        reader = Reader(payload)
        _, schema, table, org_table, name, org_name = (reader.lenenc_text() or b"" for _ in range(6))
        reader.lenenc()
        charset, length, kind, flags, decimals = struct.unpack("<HIBHB", reader.take(10))
        return cls(name, kind, length, charset, flags, decimals, schema, table, org_table, org_name)

    def payload(self) -> bytes:
        """The packet's payload, from which :meth:`read` makes an equal value."""
        texts = (b"def", self.schema, self.table, self.org_table, self.name, self.org_name)
        fixed = struct.pack("<HIBHBH", self.charset, self.length, self.type, self.flags, self.decimals, 0)
        return b"".join(map(lenenc_text, texts)) + b"\x0c" + fixed

    @property
    def is_number(self) -> bool:
        """Whether BITs are sent as whole numbers: those that an expression made, not a column of a table."""
        is_made = self.type == ColumnType.BIT and bool(self.flags & Flag.BINARY)
        return is_made or self.type in INTEGERS

    def named(self, name: bytes) -> Definition:
        return replace(self, name=name)


def definitions_of(schema: pa.Schema, names: Sequence[str], charset: int = UTF8MB4_CHARSET) -> list[Definition]:
    """Definitions of an answer whose statement no server could be asked about.

    >>> [one.length for one in definitions_of(pa.schema([("a", pa.int32()), ("b", pa.string())]), ["a", "b"])]
    [11, 4294967295]
    """
    return [_definition(field.type, name.encode(), charset) for field, name in zip(schema, names, strict=True)]


def _definition(kind: pa.DataType, name: bytes, charset: int) -> Definition:
    number = Flag.BINARY | Flag.NUM
    if pa.types.is_integer(kind):
        code, length = _INTEGERS[kind.bit_width]
        unsigned = pa.types.is_unsigned_integer(kind)
        return Definition(name, code, length, flags=number | (Flag.UNSIGNED if unsigned else 0))
    if pa.types.is_floating(kind):
        code, length = (ColumnType.FLOAT, 12) if kind.bit_width == 32 else (ColumnType.DOUBLE, 22)
        return Definition(name, code, length, flags=number, decimals=FLOATING_DECIMALS)
    if pa.types.is_decimal(kind):
        return Definition(name, ColumnType.NEWDECIMAL, kind.precision + 2, flags=number, decimals=kind.scale)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return Definition(name, ColumnType.BLOB, 0xFFFFFFFF, flags=Flag.BLOB | Flag.BINARY, decimals=0)
    if pa.types.is_null(kind):
        return Definition(name, ColumnType.NULL, 0, flags=number)
    return Definition(name, ColumnType.BLOB, 0xFFFFFFFF, charset, Flag.BLOB, FLOATING_DECIMALS + 8)


_INTEGERS = {
    8: (ColumnType.TINY, 4),
    16: (ColumnType.SHORT, 6),
    32: (ColumnType.LONG, 11),
    64: (ColumnType.LONGLONG, 20),
}
"""Bits of an integer → its type, and how many characters it is shown with."""
