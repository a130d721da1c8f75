"""Arrow batches → rows of the binary protocol, whole columns at a time. No I/O.

A row is a zero, a bitmap of its NULLs from bit 2 on, and its values: numbers in as many bytes as their definition says,
times in as many as they need, all else as text behind its length. What follows one another and has the same width in
all rows is one matrix of bytes. Sources: MariaDB's "Binary Result Set", and ``Protocol_binary`` of its server.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.array_types import Bytes, Flags, Integers
from skyshard.rowimage.arrays import as_doubles
from skyshard.serve.mysql.binary_times import date_parts, time_parts
from skyshard.serve.mysql.definitions import ColumnType, Definition, Flag
from skyshard.serve.mysql.row_packets import (
    Piece,
    fixed_parts,
    framed_rows,
    headers,
    in_pieces,
    length_marks,
    varied_parts,
)
from skyshard.serve.mysql.text_rows import Encode, as_they_are, bit_numbers, value_texts

FIRST_BIT = 2
"""Of the bitmap in a row."""
HEADER_BYTES = 4
_NUMBERS = {
    ColumnType.TINY: "<i1", ColumnType.SHORT: "<i2", ColumnType.YEAR: "<i2", ColumnType.INT24: "<i4",
    ColumnType.LONG: "<i4", ColumnType.LONGLONG: "<i8", ColumnType.FLOAT: "<f4", ColumnType.DOUBLE: "<f8",
}  # fmt: skip
_DATES = (ColumnType.DATE, ColumnType.DATETIME, ColumnType.TIMESTAMP)
Part: TypeAlias = "pa.Array | Bytes"
"""Of all rows: a matrix where each has as many bytes, else an array."""


def encoded_binary_rows(
    batch: pa.RecordBatch, definitions: Sequence[Definition], sequence: int, encode: Encode = as_they_are
) -> Iterator[Piece]:
    """As ``encoded_rows`` of the text protocol."""
    return in_pieces(batch, sequence, lambda piece, number: _encoded(piece, definitions, number, encode))


def _encoded(batch: pa.RecordBatch, definitions: Sequence[Definition], sequence: int, encode: Encode) -> Piece:
    parts: list[Part] = [_bitmap(batch)]
    lengths = np.zeros(batch.num_rows, np.int64)
    for column, definition in zip(batch.columns, definitions, strict=True):
        made, sizes = _column(column, definition, encode)
        parts += made
        lengths += sizes
    lengths += parts[0].shape[1]
    if all(isinstance(part, np.ndarray) for part in parts):
        head = headers(lengths, sequence).view(np.uint8).reshape(-1, HEADER_BYTES)
        return np.hstack([head, *parts]).tobytes(), int(sequence + batch.num_rows) & 0xFF
    return framed_rows(_joined(parts), lengths, sequence)


def _joined(parts: Sequence[Part]) -> list[pa.Array]:
    """Matrices beside one another become one."""
    found: list[pa.Array] = []
    run: list[Bytes] = []
    for part in parts:
        if isinstance(part, np.ndarray):
            run.append(part)
            continue
        found += [*([fixed_parts(np.hstack(run))] if run else []), part]
        run = []
    return [*found, fixed_parts(np.hstack(run))] if run else found


def _bitmap(batch: pa.RecordBatch) -> Bytes:
    """The zero and the bitmap of each row."""
    width = (batch.num_columns + FIRST_BIT + 7) // 8
    found = np.zeros((batch.num_rows, 1 + width), np.uint8)
    for index, column in enumerate(batch.columns, FIRST_BIT):
        if column.null_count:
            found[:, 1 + index // 8] |= nulls(column).astype(np.uint8) << index % 8
    return found


def nulls(column: pa.Array) -> Flags:
    found: Flags = column.is_null().to_numpy(zero_copy_only=False)
    return found


def _column(column: pa.Array, definition: Definition, encode: Encode) -> tuple[list[Part], Integers | int]:
    """The parts of a column's values, and how many bytes each row gets of them."""
    if column.null_count == len(column):
        return [], 0
    if definition.type in _NUMBERS:
        return _fixed(_numbers(column, _NUMBERS[ColumnType(definition.type)], definition), column)
    if definition.type in _DATES or definition.type == ColumnType.TIME:
        return _times(column, definition)
    texts = value_texts(column, definition, encode)
    before, sizes = length_marks(texts)
    if not texts.null_count:
        return [before, texts], sizes
    whole = pc.fill_null(pc.binary_join_element_wise(before.cast(texts.type), texts, pa.scalar(b"", texts.type)), b"")
    return [whole], np.where(nulls(texts), 0, sizes)


def _fixed(matrix: Bytes, column: pa.Array) -> tuple[list[Part], Integers | int]:
    width = matrix.shape[1]
    if not column.null_count:
        return [matrix], width
    there = ~nulls(column)
    sizes = there.astype(np.int64) * width
    return [varied_parts(np.ascontiguousarray(matrix[there]), sizes)], sizes


def _times(column: pa.Array, definition: Definition) -> tuple[list[Part], Integers]:
    texts = column if pa.types.is_string(column.type) else column.cast(pa.string())
    made = time_parts if definition.type == ColumnType.TIME else date_parts
    matrix, sizes = made(pc.fill_null(texts, "00:00:00") if texts.null_count else texts)
    if column.null_count:
        sizes = np.where(nulls(column), 0, sizes)
    is_sent = np.arange(matrix.shape[1]) < sizes[:, None]
    return [varied_parts(matrix[is_sent], sizes)], sizes


def _numbers(column: pa.Array, form: str, definition: Definition) -> Bytes:
    """Each value's bytes; zeros where there is none."""
    numbers = _plain_numbers(column, is_floating=form[1] == "f")
    if numbers.dtype.kind == "f" and form[1] == "i":
        numbers = np.rint(numbers)
    kind = form.replace("i", "u") if definition.flags & Flag.UNSIGNED and form[1] == "i" else form
    if numbers.dtype.kind == "f" and kind == "<u8":
        numbers = numbers.clip(0)
    with np.errstate(over="ignore", invalid="ignore"):
        cells = np.ascontiguousarray(numbers.astype(kind))
    return cells.view(np.uint8).reshape(len(cells), -1)


def _plain_numbers(column: pa.Array, *, is_floating: bool) -> Any:
    """A column as numbers of NumPy, whatever it is made of."""
    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        column = bit_numbers(column)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        if pa.types.is_decimal(kind):
            column = as_doubles(column) if is_floating else _whole(column)
        else:
            column = column.cast(pa.float64() if is_floating else pa.int64())
    filled = pc.fill_null(column, False if pa.types.is_boolean(column.type) else 0) if column.null_count else column
    return filled.to_numpy(zero_copy_only=False)


def _whole(column: pa.Array) -> pa.Array:
    """Decimals as whole numbers."""
    rounded = pc.round(column, round_mode="half_towards_infinity")
    try:
        return rounded.cast(pa.int64(), safe=False)
    except pa.ArrowInvalid:
        return rounded.cast(pa.uint64(), safe=False)
