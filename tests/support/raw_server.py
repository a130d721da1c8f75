"""Plain MariaDB beside the czar: a statement's text as it stands, and every value as the bytes that the server sends.

What shares the czar's parser cannot judge it; this shares nothing with it but the server.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa
import pymysql
from pymysql.constants import FIELD_TYPE

from skyshard.czar.result.answer import QueryResult
from skyshard.db.connection import Endpoint

RawRow = tuple[bytes | None, ...]
APART = "SET STATEMENT optimizer_switch = 'derived_merge=off' FOR "
"""Beside a window function MariaDB 10.11 loses rows of derived tables that it merges."""


@dataclass(frozen=True)
class RawAnswer:
    """``kinds``: the class of each column's type, as in ``kind_of``."""

    names: tuple[str, ...]
    rows: tuple[RawRow, ...]
    kinds: tuple[str, ...] = ()


class RawServer:
    """A session of the reading account on one server; errors are the driver's."""

    def __init__(self, endpoint: Endpoint, database: str) -> None:
        self._raw = pymysql.connect(
            unix_socket=endpoint.socket, user="skyshard_reader", database=database, charset="latin1", sql_mode="",
            autocommit=True, conv={}, use_unicode=False,
        )  # fmt: skip

    def answer(self, sql: str) -> RawAnswer:
        with self._raw.cursor() as cursor:
            cursor.execute(f"{APART}{sql}" if " OVER " in sql else sql)
            names = tuple(column[0] for column in cursor.description)
            kinds = tuple(_kind(field.type_code, field.charsetnr) for field in cursor._result.fields)
            return RawAnswer(names, tuple(cursor.fetchall()), kinds)

    def close(self) -> None:
        self._raw.close()


def kind_of(kind: pa.DataType) -> str:
    """How a type is told apart from others: as far as the protocol of MariaDB tells."""
    for name, is_it in _IS_KIND.items():
        if is_it(kind):
            return name
    return "text" if pa.types.is_string(kind) or pa.types.is_large_string(kind) else "bytes"


_IS_KIND = {
    "integer": pa.types.is_integer, "float": pa.types.is_float32, "double": pa.types.is_float64,
    "decimal": pa.types.is_decimal,
}  # fmt: skip
_CODES = {
    "integer": (FIELD_TYPE.TINY, FIELD_TYPE.SHORT, FIELD_TYPE.INT24, FIELD_TYPE.LONG, FIELD_TYPE.LONGLONG),
    "float": (FIELD_TYPE.FLOAT,), "double": (FIELD_TYPE.DOUBLE,), "decimal": (FIELD_TYPE.NEWDECIMAL,),
    "bytes": (FIELD_TYPE.BIT,),
    "text": (FIELD_TYPE.DATE, FIELD_TYPE.TIME, FIELD_TYPE.DATETIME, FIELD_TYPE.TIMESTAMP, FIELD_TYPE.YEAR),
}  # fmt: skip
_BINARY = 63
"""The number of the character set of bytes."""


def _kind(code: int, charset: int) -> str:
    known = next((kind for kind, codes in _CODES.items() if code in codes), "")
    return known or ("bytes" if charset == _BINARY else "text")


def difference_to_raw(result: QueryResult, raw: RawAnswer, *, is_ordered: bool) -> str:
    """What differs between an answer and the bytes of plain MariaDB; empty if nothing does.

    Floats are compared to the digits that the server prints; of rows without order, as sorted by their texts.
    """
    if result.columns != raw.names:
        return f"names {result.columns} instead of {raw.names}"
    if result.rows != len(raw.rows):
        return f"{result.rows} rows instead of {len(raw.rows)}"
    kinds = result.table.schema.types
    ours: Sequence[Sequence[Any]] = list(zip(*(column.to_pylist() for column in result.table.columns), strict=True))
    theirs: Sequence[RawRow] = raw.rows
    if not is_ordered:
        is_text = [pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in kinds]
        ours = sorted(ours, key=lambda row: list(map(_sort_key, row, is_text)))
        theirs = sorted(theirs, key=lambda row: list(map(_sort_key, row, is_text)))
    for left, right in zip(ours, theirs, strict=True):
        for one, other, kind in zip(left, right, kinds, strict=True):
            if not _is_same(one, other, kind):
                return f"{one!r} instead of {other!r}"
    return ""


def _is_same(one: Any, other: bytes | None, kind: pa.DataType) -> bool:
    if one is None or other is None:
        return one is None and other is None
    if isinstance(one, float):
        printed = other.partition(b".")[2]  # DOUBLE(M,D) is rounded when it is sent
        rounding = 0.51 * 10.0 ** -len(printed) if printed.isdigit() and len(printed) < 15 else 1e-12
        return math.isclose(one, float(other), rel_tol=2e-6 if pa.types.is_float32(kind) else 1e-9, abs_tol=rounding)
    if isinstance(one, int | Decimal):
        return f"{one:f}".encode() == other if isinstance(one, Decimal) else one == Decimal(other.decode())
    if isinstance(one, bytes) and other.isdigit() and one != other:
        return int.from_bytes(one, "big") == int(other)  # the least BIT comes as digits, and as 0 the least YEAR
    if isinstance(one, str) and one.isdigit() and other.isdigit():
        return int(one) == int(other)
    return _bytes(one) == other or (isinstance(one, str) and one.encode() == other)


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    return b"".join(_letter(letter) for letter in value) if isinstance(value, str) else str(value).encode()


def _letter(letter: str) -> bytes:
    try:
        return letter.encode("cp1252")
    except UnicodeEncodeError:
        return letter.encode("latin1", "replace")


def _sort_key(value: Any, is_text: bool) -> tuple[int, Any, Any, bytes]:
    """NULL first, then numbers to six digits, large whole ones among equals to all; texts, also of numbers, last."""
    if value is None:
        return 0, 0, 0, b""
    text = _bytes(value)
    try:
        number = Decimal(text.decode())
    except (InvalidOperation, UnicodeDecodeError, ValueError):
        return 2, 0, 0, text
    if not number.is_finite():
        return 2, 0, 0, text
    return 1, float(f"{number:.5e}"), number if number == number.to_integral_value() else 0, text if is_text else b""
