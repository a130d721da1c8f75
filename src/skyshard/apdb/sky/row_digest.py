"""Rows as numbers of 64 bits, so that answers are compared without keeping what was stored.

A row's number depends on every column's name and value, not on the order of columns or rows; a set of rows has the sum
of its rows' numbers. NULL is a value of its own, NaN and infinity are NULL, -0.0 is 0.0, as they are stored. No I/O.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import xxhash

from skyshard.basics.array_types import Flags, Words

_NULL = np.uint64(0x9E3779B97F4A7C15)
_EXPONENTS = {pa.float32(): np.uint32(0x7F800000), pa.float64(): np.uint64(0x7FF0000000000000)}
"""Bits that are all set in what is no number."""
_SIGNS = {pa.float32(): np.uint32(1 << 31), pa.float64(): np.uint64(1 << 63)}
"""The bits of -0.0."""
_VIEWS: dict[pa.DataType, np.dtype] = {
    pa.int8(): np.dtype(np.int8), pa.int16(): np.dtype(np.int16), pa.int32(): np.dtype(np.int32),
    pa.int64(): np.dtype(np.int64), pa.float32(): np.dtype(np.uint32), pa.float64(): np.dtype(np.uint64),
}  # fmt: skip


def row_numbers(rows: pa.Table | pa.RecordBatch) -> Words:
    """One number a row.

    Column by column, so that what is worked on stays in the cache.
    """
    if not rows.num_rows:
        return np.zeros(0, np.uint64)
    batch = rows.combine_chunks().to_batches()[0] if isinstance(rows, pa.Table) else rows
    total, bits = np.zeros(batch.num_rows, np.uint64), np.empty(batch.num_rows, np.uint64)
    for column, weight in zip(batch.columns, _weights(tuple(batch.schema.names)), strict=True):
        values = _bits(column)
        bits[:] = values
        if (sign := _SIGNS.get(column.type)) is not None:
            np.copyto(bits, np.uint64(0), where=values == sign)
        is_none = _is_none(column, values)
        if is_none is not None:
            np.copyto(bits, _NULL, where=is_none)
        bits *= weight
        total += bits
    return _scrambled(total)


def digest_of(numbers: Words) -> int:
    """Sum of rows' numbers, modulo 2 to the 64."""
    return int(numbers.sum(dtype=np.uint64))


@cache
def _weights(columns: tuple[str, ...]) -> Words:
    """Odd numbers made of the columns' names."""
    return np.array([xxhash.xxh3_64_intdigest(column.encode()) | 1 for column in columns], np.uint64)


def _scrambled(words: Words) -> Words:
    """The last steps of splitmix64: no sum of rows hides two values that were exchanged."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _is_number(kind: pa.DataType) -> bool:
    return kind in _VIEWS


def _bits(array: pa.Array) -> np.ndarray:
    """Values as bits (floats) or as they are (integers), whatever stands where they are NULL."""
    view = _VIEWS.get(array.type)
    if view is None:
        return _text_bits(array)
    return np.frombuffer(array.buffers()[1], view, len(array), array.offset * view.itemsize)


def _is_none(column: pa.Array, values: np.ndarray) -> Flags | None:
    """Where a column is NULL or no number; None: nowhere. Texts have the word of NULL already."""
    exponent = _EXPONENTS.get(column.type)
    is_none = None if exponent is None else (values & exponent) == exponent
    if column.null_count and _is_number(column.type):
        is_null = ~_valid(column)
        return is_null if is_none is None else is_none | is_null
    return is_none


def _valid(array: pa.Array) -> Flags:
    bitmap = np.frombuffer(array.buffers()[0], np.uint8)
    last = array.offset + len(array)
    return np.unpackbits(bitmap, count=last, bitorder="little")[array.offset :].view(np.bool_)


def _text_bits(array: pa.Array) -> Words:
    coded = array.dictionary_encode()
    words = [
        int(_NULL) if text is None else xxhash.xxh3_64_intdigest(text.encode()) for text in coded.dictionary.to_pylist()
    ]
    places = coded.indices.fill_null(len(words)).to_numpy(zero_copy_only=False)
    known: Words = np.array([*words, int(_NULL)], np.uint64)
    return np.asarray(known[places])
