"""Rows of the binary protocol, value by value."""

from __future__ import annotations

import struct
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from skyshard.serve.mysql.binary_rows import encoded_binary_rows
from skyshard.serve.mysql.definitions import ColumnType, Definition, Flag
from skyshard.serve.mysql.packets import payloads_of

T = ColumnType


def rows_of(batch: pa.RecordBatch, definitions: list[Definition], sequence: int = 0) -> list[tuple[int, bytes]]:
    data = b"".join(bytes(piece) for piece, _ in encoded_binary_rows(batch, definitions, sequence))
    return list(payloads_of(data))


def value_of(array: pa.Array, kind: int, flags: int = 0, decimals: int = 0) -> bytes:
    """The bytes of a column's only value."""
    [(_, row)] = rows_of(pa.record_batch([array], ["a"]), [Definition(b"a", kind, 20, flags=flags, decimals=decimals)])
    assert row[:2] == b"\0\0"
    return row[2:]


@pytest.mark.parametrize(
    ("array", "kind", "flags", "want"),
    [
        (pa.array([-1], pa.int64()), T.TINY, 0, b"\xff"),
        (pa.array([65535], pa.int32()), T.SHORT, Flag.UNSIGNED, b"\xff\xff"),
        (pa.array([-2], pa.int8()), T.INT24, 0, b"\xfe\xff\xff\xff"),
        (pa.array([2001], pa.uint16()), T.YEAR, 0, b"\xd1\7"),
        (pa.array([2**64 - 1], pa.uint64()), T.LONGLONG, Flag.UNSIGNED, b"\xff" * 8),
        (pa.array([True]), T.LONG, 0, b"\1\0\0\0"),
        (pa.array([0.1], pa.float32()), T.FLOAT, 0, struct.pack("<f", 0.1)),
        (pa.array([0.1]), T.DOUBLE, 0, struct.pack("<d", 0.1)),
        (pa.array([Decimal("7.5")]), T.DOUBLE, 0, struct.pack("<d", 7.5)),
        (pa.array([Decimal("7.5")]), T.LONG, 0, b"\x08\0\0\0"),
        (pa.array(["12"]), T.LONGLONG, 0, b"\x0c" + bytes(7)),
        (pa.array([2.5e9]), T.LONGLONG, 0, struct.pack("<q", 2_500_000_000)),
        (pa.array([Decimal("1.50")]), T.NEWDECIMAL, 0, b"\x041.50"),
        (pa.array([b"\1\2"]), T.LONGLONG, Flag.BINARY, b"\2\1" + bytes(6)),
        (pa.array([b"\1\2"]), T.BIT, 0, b"\2\1\2"), (pa.array(["é"]), T.VAR_STRING, 0, b"\2\xc3\xa9"),
        (pa.array(["x" * 300]), T.BLOB, 0, b"\xfc\x2c\1" + b"x" * 300), (pa.array([""]), T.STRING, 0, b"\0"),
        (pa.array(["2020-01-02"]), T.DATE, 0, b"\4\xe4\7\1\2"),
        (pa.array(["0000-00-00 00:00:00"]), T.DATETIME, 0, b"\0"),
        (pa.array(["2020-01-02 00:00:00"]), T.DATETIME, 0, b"\4\xe4\7\1\2"),
        (pa.array(["2020-01-02 00:00:09.5"]), T.TIMESTAMP, 0, b"\x0b\xe4\7\1\2\0\0\x09" + struct.pack("<I", 500_000)),
        (pa.array(["-838:59:59"]), T.TIME, 0, b"\x08\1" + struct.pack("<IBBB", 34, 22, 59, 59)),
        (pa.array(["00:00:00.000001"]), T.TIME, 0, b"\x0c\0" + bytes(7) + struct.pack("<I", 1)),
    ],
)  # fmt: skip
def test_a_value_is_written_as_it_is_defined(array: pa.Array, kind: int, flags: int, want: bytes) -> None:
    """Whatever Arrow has for it."""
    assert value_of(array, kind, flags) == want


def test_nulls_take_no_byte() -> None:
    """Of numbers, times and texts, in any row; their bits begin at the third one, and go over bytes."""
    kinds = [T.LONG, T.DATE, T.VAR_STRING, T.TIME, T.DOUBLE, T.STRING, T.LONGLONG]
    arrays = [
        pa.array([1, None]), pa.array([None, "2020-01-02"]), pa.array(["a", None]), pa.array([None, "01:00:00"]),
        pa.array([None, 1.0]), pa.array(["b", "c"]), pa.array([None, None], pa.int64()),
    ]  # fmt: skip
    batch = pa.record_batch(arrays, [str(index) for index in range(len(arrays))])
    rows = rows_of(batch, [Definition(b"", kind, 20) for kind in kinds], 254)
    first, second = (0b0101_1010 << 2).to_bytes(2, "little"), (0b0100_0101 << 2).to_bytes(2, "little")
    assert rows == [
        (254, b"\0" + first + b"\1\0\0\0" + b"\1a" + b"\1b"),
        (255, b"\0" + second + b"\4\xe4\7\1\2" + b"\x08" + bytes(5) + b"\1\0\0" + struct.pack("<d", 1.0) + b"\1c"),
    ]


def test_many_rows_are_the_same_as_one_at_a_time() -> None:
    """Over borders of pieces and of sequence numbers, with and without columns of varying width."""
    numbers = np.arange(20_000)
    for names in (["a"], ["a", "b"]):
        batch = pa.record_batch({"a": numbers, "b": [str(one) for one in numbers]}).select(names)
        rows = rows_of(batch, [Definition(b"a", T.LONG, 11), Definition(b"b", T.STRING, 9)][: len(names)], 3)
        for index in (0, 8191, 8192, 19_999):
            text = str(index).encode()
            body = b"\0\0" + struct.pack("<I", index) + (bytes([len(text)]) + text if "b" in names else b"")
            assert rows[index] == ((3 + index) & 0xFF, body)
        assert len(rows) == len(numbers)


def test_a_row_of_several_packets_is_cut() -> None:
    """Where a value is longer than a packet."""
    long = "x" * (1 << 24)
    batch = pa.record_batch({"a": [1, 2], "b": [long, None]})
    rows = rows_of(batch, [Definition(b"a", T.LONG, 11), Definition(b"b", T.BLOB, 9)])
    assert [len(row) for _, row in rows] == [2 + 4 + 9 + len(long), 6]
