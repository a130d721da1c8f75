"""Rows as JSON, against Python's own reader."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import threading
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.letters import LETTERS

from skyshard.serve.batch_pieces import ROWS
from skyshard.serve.qserv import json_rows
from skyshard.serve.qserv.json_rows import BinaryEncoding, answered, described, row_texts

TEXTS = st.lists(st.none() | st.text(LETTERS), min_size=1, max_size=8)
BYTES = st.lists(st.none() | st.binary(max_size=9), min_size=1, max_size=8)


def rows_of(table: pa.Table, encoding: BinaryEncoding = "hex") -> list[list[Any]]:
    """The rows, which are the same written value by value and as whole columns."""
    found = [_rows_of(table, encoding, few) for few in (0, 1 << 30)]
    assert found[0] == found[1]
    return found[0]


def _rows_of(table: pa.Table, encoding: BinaryEncoding, few_cells: int) -> list[list[Any]]:
    with patch.object(json_rows, "FEW_CELLS", few_cells):
        pieces = [piece for batch in table.to_batches() for piece in row_texts(batch, encoding)]
    found: list[list[Any]] = json.loads(b"[" + b",".join(pieces) + b"]")
    return found


@given(TEXTS)
def test_any_text_comes_back(texts: list[str | None]) -> None:
    """Quotes, backslashes, control characters, any plane of Unicode; NULL is a text of its own."""
    assert rows_of(pa.table({"t": pa.array(texts, pa.string())})) == [["NULL" if t is None else t] for t in texts]


@given(BYTES)
def test_any_bytes_come_back(values: list[bytes | None]) -> None:
    """In each encoding, also of a slice."""
    table = pa.table({"b": pa.array([b"before", *values], pa.binary())}).slice(1)
    assert rows_of(table) == [["NULL" if v is None else v.hex().upper()] for v in values]
    assert rows_of(table, "b64") == [["NULL" if v is None else base64.b64encode(v).decode()] for v in values]
    assert rows_of(table, "array") == [["NULL" if v is None else list(v)] for v in values]


def test_all_rows_come_once_and_in_order() -> None:
    """Over the borders of pieces."""
    count = 2 * ROWS + 3
    table = pa.table(
        {"n": pa.array(range(count)), "d": pa.array([Decimal("0.00000001")] * count, pa.decimal128(20, 8))}
    )
    found = rows_of(table)
    assert [row[0] for row in found] == [str(n) for n in range(count)]
    assert {row[1] for row in found} == {"0.00000001"}


def test_numbers_are_as_mariadb_prints_them() -> None:
    """Doubles with all digits, FLOATs with six, no exponent where there need be none, zero without a sign."""
    table = pa.table(
        {"d": pa.array([1e20, 1e-7, -0.0, None]), "f": pa.array([1 / 3, 16777216, 0.0, 0.15], pa.float32())}
    )
    assert rows_of(table) == [["1e20", "0.333333"], ["0.0000001", "16777200"], ["0", "0"], ["NULL", "0.15"]]


@pytest.mark.parametrize(
    ("kind", "name", "is_binary"),
    [(pa.int64(), "BIGINT", 0), (pa.decimal128(10, 2), "DECIMAL(10,2)", 0), (pa.large_binary(), "BLOB", 1)],
)
def test_columns_say_their_types(kind: pa.DataType, name: str, is_binary: int) -> None:
    """In MariaDB's words."""
    assert described(pa.schema([("a", kind)])) == [{"table": "", "column": "a", "type": name, "is_binary": is_binary}]


def test_long_rows_are_written_beside_the_event_loop() -> None:
    """Others wait for it; a few values are written at once. The text is whole JSON."""
    table = pa.table({"n": pa.array(range(ROWS + 1))})
    few, wrote = table.slice(0, 1), list[threading.Thread]()

    class Rows:
        schema = table.schema

        async def __aiter__(self) -> AsyncIterator[pa.RecordBatch]:
            for batch in (*few.to_batches(), *table.to_batches()):
                yield batch

    def recorded(batch: pa.RecordBatch, encoding: BinaryEncoding) -> Iterator[bytes]:
        for piece in row_texts(batch, encoding):
            wrote.append(threading.current_thread())
            yield piece

    async def read() -> bytes:
        opened: Any = contextlib.nullcontext(Rows())
        return b"".join([piece async for piece in answered(opened, "hex", lambda _: {"success": 1})])

    with patch.object(json_rows, "row_texts", recorded):
        found = json.loads(asyncio.run(read()))
    assert found["rows"] == [["0"], *([str(n)] for n in range(ROWS + 1))]
    assert [one is threading.main_thread() for one in wrote] == [True, False, False]
