"""Values that a client binds to placeholders: read from the binary protocol, written again, and as literals. No I/O.

==========================================  ===========================================================================
TINY, SHORT, LONG, LONGLONG                 a whole number, with its flag UNSIGNED
FLOAT, DOUBLE                               a number with an exponent, so that it stays one
DECIMAL, NEWDECIMAL                         digits; a whole one as CAST, so that it is no position behind ORDER BY
DATE, DATETIME, TIMESTAMP, TIME             CAST of its text; a DATETIME has six digits of a second, or none
VARCHAR, ENUM, SET, VAR_STRING, STRING      text in the session's character set
BLOBs                                       bytes: ``x'00ff'``
==========================================  ===========================================================================

Source: MariaDB's "COM_STMT_EXECUTE", and what its server does with each type, which was tried.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from skyshard.db.connection import quote_text
from skyshard.serve.mysql.definitions import ColumnType
from skyshard.serve.mysql.packets import Command, Reader, lenenc_text

UNSIGNED = 0x8000
WIDTHS = {
    ColumnType.TINY: 1, ColumnType.SHORT: 2, ColumnType.LONG: 4, ColumnType.LONGLONG: 8, ColumnType.FLOAT: 4,
    ColumnType.DOUBLE: 8,
}  # fmt: skip
INTEGERS = frozenset((ColumnType.TINY, ColumnType.SHORT, ColumnType.LONG, ColumnType.LONGLONG))
DECIMALS = frozenset((ColumnType.DECIMAL, ColumnType.NEWDECIMAL))
DATES = frozenset((ColumnType.DATE, ColumnType.DATETIME, ColumnType.TIMESTAMP, 14))
TEMPORAL = DATES | {ColumnType.TIME}
BLOBS = frozenset((249, 250, 251, 252))
TEXTS = frozenset((15, 247, 248, ColumnType.VAR_STRING, ColumnType.STRING))
_TIME_BYTES = {False: (0, 4, 7, 11), True: (0, 8, 12)}
"""By whether it is a TIME."""
_DIGITS = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?)")


class BadParameters(ValueError):
    """What was bound cannot be read; ``str`` of it is for the client."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A value as it was sent, without its length; None: NULL."""

    kind: int
    is_unsigned: bool
    value: bytes | None

    def sent(self) -> bytes:
        """Its bytes in an execute."""
        if self.value is None:
            return b""
        if self.kind in WIDTHS:
            return self.value
        return bytes([len(self.value)]) + self.value if self.kind in TEMPORAL else lenenc_text(self.value)


@dataclass(frozen=True, slots=True)
class Bound:
    """The parameters of one execute, and the types that later ones may leave out."""

    parameters: tuple[Parameter, ...]
    kinds: tuple[int, ...]


def read_execute(payload: bytes, count: int, before: Sequence[int] | None, long: Mapping[int, bytes]) -> Bound:
    """The parameters of an execute, whose command byte is the first of ``payload``.

    Args:
        count: of placeholders.
        before: the types that an earlier execute said.
        long: what was sent of parameters before, by their number; nothing of them is in ``payload``.

    Raises:
        BadParameters: it is cut short, types were never said, or are none that can be bound.
    """
    try:
        reader = Reader(payload, 10)
        if not count:
            return Bound((), ())
        nulls = int.from_bytes(reader.take((count + 7) // 8), "little")
        kinds = tuple(reader.number(2) for _ in range(count)) if reader.number(1) else before
        if kinds is None:
            raise BadParameters("no types were bound")
        made = [_read(reader, kind, long.get(at), bool(nulls >> at & 1)) for at, kind in enumerate(kinds)]
    except ValueError as error:
        raise BadParameters(f"Incorrect arguments to mysqld_stmt_execute: {error}") from None
    return Bound(tuple(made), tuple(kinds))


def _read(reader: Reader, word: int, long: bytes | None, is_null: bool) -> Parameter:
    kind, is_unsigned = word & 0xFF, bool(word & UNSIGNED)
    if long is not None:
        return Parameter(kind if kind in BLOBS else ColumnType.VAR_STRING, False, long)
    if is_null:
        return Parameter(kind, is_unsigned, None)
    if kind in WIDTHS:
        return Parameter(kind, is_unsigned, reader.take(WIDTHS[ColumnType(kind)]))
    if kind in TEMPORAL:
        value = reader.take(reader.number(1))
        if len(value) not in _TIME_BYTES[kind == ColumnType.TIME]:
            raise ValueError(f"a time of {len(value)} bytes")
        return Parameter(kind, False, value)
    if kind in DECIMALS | BLOBS | TEXTS:
        return Parameter(kind, False, reader.lenenc_text())
    raise ValueError(f"type {kind}")


def execute_payload(number: int, parameters: Sequence[Parameter]) -> bytes:
    """The command that executes a statement with these values."""
    head = struct.pack("<BIBI", Command.STMT_EXECUTE, number, 0, 1)
    if not parameters:
        return head
    nulls = sum(1 << at for at, one in enumerate(parameters) if one.value is None)
    kinds = b"".join(struct.pack("<H", one.kind | (UNSIGNED if one.is_unsigned else 0)) for one in parameters)
    values = b"".join(one.sent() for one in parameters)
    return head + nulls.to_bytes((len(parameters) + 7) // 8, "little") + b"\1" + kinds + values


def literal(parameter: Parameter, decode: Callable[[bytes], str]) -> str:
    """A value as SQL; ``decode``: of text in the session's character set.

    >>> literal(Parameter(ColumnType.DOUBLE, False, struct.pack("<d", 0.1)), bytes.decode)
    '0.1e0'
    >>> print(literal(Parameter(ColumnType.STRING, False, b"it's ?"), bytes.decode))
    'it\\'s ?'

    Raises:
        BadParameters: no literal says it: infinity, NaN.
    """
    kind, value = parameter.kind, parameter.value
    if value is None:
        return "NULL"
    if kind in INTEGERS:
        return str(int.from_bytes(value, "little", signed=not parameter.is_unsigned))
    if kind in (ColumnType.FLOAT, ColumnType.DOUBLE):
        return _double(*struct.unpack("<f" if kind == ColumnType.FLOAT else "<d", value))
    if kind in DECIMALS:
        return _decimal(value.decode("latin1"))
    if kind in TEMPORAL:
        return _temporal(kind, value)
    return f"x'{value.hex()}'" if kind in BLOBS else quote_text(decode(value))


def limit_literal(parameter: Parameter, decode: Callable[[bytes], str]) -> str:
    """A number of rows, as a server makes one of whatever is bound: NULL and words are 0, a negative number is all.

    >>> limit_literal(Parameter(ColumnType.STRING, False, b"1.5 rows"), bytes.decode)
    '2'
    """
    if parameter.value is None:
        return "0"
    if parameter.kind in INTEGERS:
        number = int(literal(parameter, decode))
    else:
        plain = parameter.kind in DECIMALS | TEXTS | BLOBS
        text = parameter.value.decode("latin1") if plain else literal(parameter, decode)
        found = _DIGITS.match(text)
        number = int(Decimal(found.group(1)).quantize(Decimal(1), ROUND_HALF_UP)) if found else 0
    return str(number % 2**64)


def _double(number: float) -> str:
    if not math.isfinite(number):
        raise BadParameters(f"{number} cannot be bound")
    text = repr(number)
    return text if "e" in text else f"{text}e0"


def _decimal(text: str) -> str:
    """As a server reads it: what is no number is 0."""
    found = _DIGITS.match(text)
    digits = f"{Decimal(found.group(1)):f}" if found else "0"
    whole, _, part = digits.lstrip("+-").partition(".")
    return digits if part else f"CAST({digits} AS DECIMAL({len(whole)},0))"


def _temporal(kind: int, value: bytes) -> str:
    if kind == ColumnType.TIME:
        return f"CAST('{_time(value)}' AS TIME{'(6)' if len(value) == 12 else ''})"
    year, month, day, hour, minute, second, micro = struct.unpack("<HBBBBBI", value.ljust(11, b"\0"))
    date = f"{year:04d}-{month:02d}-{day:02d}"
    if kind not in (ColumnType.DATETIME, ColumnType.TIMESTAMP):
        return f"CAST('{date}' AS DATE)"
    fraction = f".{micro:06d}" if micro else ""
    time = f"{hour:02d}:{minute:02d}:{second:02d}{fraction}"
    return f"CAST('{date} {time}' AS DATETIME{'(6)' if micro else ''})"


def _time(value: bytes) -> str:
    is_negative, days, hour, minute, second, micro = struct.unpack("<BIBBBI", value.ljust(12, b"\0"))
    fraction = f".{micro:06d}" if micro else ""
    return f"{'-' if is_negative else ''}{days * 24 + hour:02d}:{minute:02d}:{second:02d}{fraction}"
