"""Values of key columns as words of 64 bits, equal exactly where the values are (texts: but for a chance of 2^-128).
No I/O."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import Enum

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import RowIndexes, Words
from skyshard.catalog.schema import Column
from skyshard.rowimage.sqltype import TypeClass


class Coding(Enum):
    """How many words the values of one column take, and what they are."""

    WHOLE = 1
    """A whole number of both sides, both signed or both not: its bits."""
    SIGNED = 2
    """A whole number, signed on one side only: its bits, and whether it is negative."""
    TEXT = 3
    """Anything else: a hash of what it is printed as, in two words."""


def coding_of(old: Column, new: Column) -> Coding:
    """How the values of a column that both sides have are coded."""
    if old.type.type_class is not TypeClass.INTEGER or new.type.type_class is not TypeClass.INTEGER:
        return Coding.TEXT
    return Coding.WHOLE if old.type.is_unsigned == new.type.is_unsigned else Coding.SIGNED


def words_of(array: pa.Array | pa.ChunkedArray, coding: Coding) -> list[Words]:
    """The words of one column; NULL is 0, or the empty text."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if coding is not Coding.TEXT:
        values = array.fill_null(0).to_numpy(zero_copy_only=False)
        bits = values.astype(np.int64).view(np.uint64) if values.dtype.kind == "i" else values.astype(np.uint64)
        return [bits] if coding is Coding.WHOLE else [bits, (values < 0).astype(np.uint64)]
    if not pa.types.is_binary(array.type) and not pa.types.is_large_binary(array.type):
        array = array.cast(pa.string()).cast(pa.binary())
    coded = array.fill_null(b"").dictionary_encode()
    digests = b"".join(hashlib.blake2b(value, digest_size=16).digest() for value in coded.dictionary.to_pylist())
    pairs = np.frombuffer(digests, np.uint64).reshape(-1, 2)[coded.indices.to_numpy(zero_copy_only=False)]
    return [np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])]


def partition_of(words: Sequence[Words], partitions: int) -> RowIndexes:
    """In which of some partitions each key is; equal keys in the same."""
    if partitions == 1:
        return np.zeros(len(words[0]), np.intp)
    return (mixed(words) % np.uint64(partitions)).astype(np.intp)


def mixed(words: Sequence[Words]) -> Words:
    """One word for each row, equal for equal words; of others by chance only."""
    found = np.zeros(len(words[0]), np.uint64)
    for word in words:
        found = (found ^ word) * np.uint64(0x9E3779B97F4A7C15)
        found ^= found >> np.uint64(32)
    return found
