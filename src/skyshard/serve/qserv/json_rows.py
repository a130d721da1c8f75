"""Rows as Qserv's JSON has them: every value a text, SQL NULL the text ``NULL``; whole columns at a time. No I/O.

Rules: rows are written in pieces as they come, never a whole answer in memory. Whether all went well is known at the
end, so ``success`` stands behind the rows: an answer that ends early says so, and is whole JSON all the same.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.serve.answer_stream import AnswerStream
from skyshard.serve.batch_pieces import bytes_of, pieces_of
from skyshard.serve.number_texts import decimal_texts, double_texts, float_texts
from skyshard.serve.single_texts import FEW_CELLS, single_text

BinaryEncoding = Literal["hex", "b64", "array"]
ENCODINGS: tuple[BinaryEncoding, ...] = ("hex", "b64", "array")
_KIND = pa.large_string()
_NULL = pa.scalar('"NULL"', _KIND)
_QUOTE, _EMPTY = pa.scalar('"', _KIND), pa.scalar("", _KIND)
_HEX = np.array([f"{value:02X}" for value in range(256)], "S2").view("u1").reshape(256, 2)
_CONTROL = r"[\x00-\x1f]"
_TYPES: Mapping[pa.DataType, str] = {
    pa.int8(): "TINYINT", pa.int16(): "SMALLINT", pa.int32(): "INT", pa.int64(): "BIGINT",
    pa.uint8(): "TINYINT UNSIGNED", pa.uint16(): "SMALLINT UNSIGNED", pa.uint32(): "INT UNSIGNED",
    pa.uint64(): "BIGINT UNSIGNED", pa.float32(): "FLOAT", pa.float64(): "DOUBLE", pa.string(): "VARCHAR",
    pa.large_string(): "TEXT", pa.binary(): "VARBINARY", pa.large_binary(): "BLOB",
}  # fmt: skip


def encoding_of(text: str) -> BinaryEncoding:
    """How binary values are written, by its name; UserError for another one."""
    for one in ENCODINGS:
        if text == one:
            return one
    raise UserError(f"'{text}' is no binary_encoding", remedy=f"use one of {', '.join(ENCODINGS)}")


def described(schema: pa.Schema) -> list[dict[str, Any]]:
    """The columns, as the key ``schema`` lists them."""
    return [
        {"table": "", "column": field.name, "type": _type_name(field.type), "is_binary": int(_is_binary(field.type))}
        for field in schema
    ]


def _type_name(kind: pa.DataType) -> str:
    if pa.types.is_decimal(kind):
        return f"DECIMAL({kind.precision},{kind.scale})"
    return _TYPES.get(kind, "TEXT")


def _is_binary(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


async def answered(
    opened: AbstractAsyncContextManager[AnswerStream],
    encoding: BinaryEncoding,
    ended: Callable[[SkyshardError | None], Mapping[str, Any]],
) -> AsyncIterator[bytes]:
    """An answer as JSON text; ``ended`` gives the keys behind the rows, of an error or of none."""
    has_begun = False
    try:
        async with opened as stream:
            yield f'{{"schema":{json.dumps(described(stream.schema))},"rows":['.encode()
            has_begun, before = True, b""
            async for batch in stream:
                async for piece in _made_beside(row_texts(batch, encoding), is_long=_cells_of(batch) > FEW_CELLS):
                    yield before + piece
                    before = b","
    except SkyshardError as error:
        yield _behind(ended(error), has_begun)
    else:
        yield _behind(ended(None), has_begun)


async def _made_beside(pieces: Iterator[bytes], *, is_long: bool) -> AsyncIterator[bytes]:
    """Pieces as they come; long ones are made in a thread, since others wait for the event loop."""
    while piece := await asyncio.to_thread(next, pieces, b"") if is_long else next(pieces, b""):
        yield piece


def _cells_of(batch: pa.RecordBatch) -> int:
    return int(batch.num_rows * batch.num_columns)


def _behind(keys: Mapping[str, Any], has_begun: bool) -> bytes:
    text = json.dumps(keys)
    return f"],{text[1:]}".encode() if has_begun else text.encode()


def row_texts(batch: pa.RecordBatch, encoding: BinaryEncoding) -> Iterator[bytes]:
    """The rows of a batch as JSON arrays with commas between, in pieces."""
    if _cells_of(batch) <= FEW_CELLS:
        if batch.num_rows:
            yield _few_rows(batch, encoding)
        return
    for piece in pieces_of(batch):
        cells = [_cells(column, encoding) for column in piece.columns]
        joined = cells[0] if len(cells) == 1 else pc.binary_join_element_wise(*cells, pa.scalar(",", _KIND))
        rows = pc.binary_join_element_wise(pa.scalar(",[", _KIND), joined, pa.scalar("]", _KIND), _EMPTY)
        yield bytes(bytes_of(rows)[1:])


def _few_rows(batch: pa.RecordBatch, encoding: BinaryEncoding) -> bytes:
    """The same, value by value: Arrow's functions take longer to be called than a few values to be written."""
    columns = [[_few(value, column.type, encoding) for value in column.to_pylist()] for column in batch.columns]
    return json.dumps(list(zip(*columns, strict=True)), ensure_ascii=False, separators=(",", ":")).encode()[1:-1]


def _few(value: Any, kind: pa.DataType, encoding: BinaryEncoding) -> str | list[int]:
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        if encoding == "array":
            return list(value)
        return value.hex().upper() if encoding == "hex" else base64.b64encode(value).decode()
    return value if isinstance(value, str) else single_text(value, kind)


def _cells(column: pa.Array, encoding: BinaryEncoding) -> pa.Array:
    """JSON values of a column."""
    if _is_binary(column.type):
        if encoding == "array":
            numbers = _of_values(column, lambda value: json.dumps(list(value), separators=(",", ":")))
            return pc.fill_null(numbers, _NULL)
        texts = _hex(column) if encoding == "hex" else _of_values(column, lambda one: base64.b64encode(one).decode())
    elif pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        texts = _escaped(column.cast(_KIND))
    else:
        texts = _number_texts(column).cast(_KIND)
    return pc.fill_null(pc.binary_join_element_wise(_QUOTE, texts, _QUOTE, _EMPTY), _NULL)


def _number_texts(column: pa.Array) -> pa.Array:
    """Numbers as MariaDB prints them."""
    if pa.types.is_float64(column.type):
        return double_texts(column)
    if pa.types.is_float32(column.type):
        return float_texts(column)
    return decimal_texts(column) if pa.types.is_decimal(column.type) else column.cast(_KIND)


def _escaped(texts: pa.Array) -> pa.Array:
    """What stands between the quotes of a JSON string."""
    if pc.any(pc.match_substring_regex(texts, _CONTROL)).as_py():
        kinds = texts.dictionary_encode()
        known = pa.array([json.dumps(one, ensure_ascii=False)[1:-1] for one in kinds.dictionary.to_pylist()], _KIND)
        return known.take(kinds.indices)
    return pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')


def _hex(column: pa.Array) -> pa.Array:
    """Two digits in upper case a byte."""
    column = column.cast(pa.large_binary())
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
    digits = _HEX[np.frombuffer(data or b"", np.uint8)[ends[0] : ends[-1]]]
    made = pa.LargeStringArray.from_buffers(
        len(column), pa.py_buffer((ends - ends[0]) * 2), pa.py_buffer(np.ascontiguousarray(digits))
    )
    return pc.if_else(column.is_null(), pa.scalar(None, _KIND), made) if column.null_count else made


def _of_values(column: pa.Array, text: Callable[[bytes], str]) -> pa.Array:
    """Each different value by a function."""
    kinds = column.dictionary_encode()
    known: Sequence[str | None] = [None if one is None else text(one) for one in kinds.dictionary.to_pylist()]
    return pa.array(known, _KIND).take(kinds.indices)
