"""Rows as numbers of 64 bits, so that answers are compared without keeping what was stored.

A row's number depends on every column's name and value, not on the order of columns or rows; a set of rows has the sum
of its rows' numbers. NULL is a value of its own, NaN and infinity are NULL, as they are stored. No I/O.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pyarrow as pa
import xxhash

from skyshard.basics.array_types import Flags, Words

_NULL = np.uint64(0x9E3779B97F4A7C15)
_EXPONENT_32, _EXPONENT_64 = np.uint64(0x7F800000), np.uint64(0x7FF0000000000000)
"""Bits that are all set in what is no number."""
_VIEWS: dict[pa.DataType, np.dtype] = {
    pa.int8(): np.dtype(np.int8), pa.int16(): np.dtype(np.int16), pa.int32(): np.dtype(np.int32),
    pa.int64(): np.dtype(np.int64), pa.float32(): np.dtype(np.uint32), pa.float64(): np.dtype(np.uint64),
}  # fmt: skip


def row_numbers(rows: pa.Table | pa.RecordBatch) -> Words:
    """One number a row."""
    if not rows.num_rows:
        return np.zeros(0, np.uint64)
    batch = rows.combine_chunks().to_batches()[0] if isinstance(rows, pa.Table) else rows
    columns = batch.columns
    bits = np.empty((len(columns), batch.num_rows), np.uint64)
    for place, column in enumerate(columns):
        bits[place] = _bits(column)
    kinds = batch.schema.types
    _blank(bits, [k for k, kind in enumerate(kinds) if kind == pa.float32()], _EXPONENT_32)
    _blank(bits, [k for k, kind in enumerate(kinds) if kind == pa.float64()], _EXPONENT_64)
    for place, column in enumerate(columns):
        if column.null_count and _is_number(column.type):
            bits[place, ~_valid(column)] = _NULL
    bits *= _weights(tuple(batch.schema.names))
    return _scrambled(bits.sum(axis=0, dtype=np.uint64))


def digest_of(numbers: Words) -> int:
    """Sum of rows' numbers, modulo 2 to the 64."""
    return int(numbers.sum(dtype=np.uint64))


@cache
def _weights(columns: tuple[str, ...]) -> Words:
    """Odd numbers made of the columns' names, shape (columns, 1)."""
    return np.array([[xxhash.xxh3_64_intdigest(column.encode()) | 1] for column in columns], np.uint64)


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


def _blank(bits: Words, places: list[int], exponent: np.uint64) -> None:
    """Put NULL where a value is no number."""
    if places:
        chosen = bits[places]
        is_none = (chosen & exponent) == exponent
        if is_none.any():
            chosen[is_none] = _NULL
            bits[places] = chosen


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
