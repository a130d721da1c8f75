"""Rows as packets, whole batches at a time, of parts that are columns already written. No I/O.

A row is its values behind a packet header. Arrow joins the parts of all rows: the buffer of the result is the stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.array_types import Bytes, Integers
from skyshard.serve.batch_pieces import bytes_of, pieces_of
from skyshard.serve.mysql.packets import MOST, NULL, framed, lenenc

SHORT = pa.array([bytes([length]) for length in range(NULL)] + [b"\xfb"], pa.binary())
"""What stands before a short text, by its length; last of all NULL."""

Piece = tuple[bytes | memoryview, int]
"""Packets, and the sequence number of the packet behind them."""


def in_pieces(batch: pa.RecordBatch, sequence: int, encode: Callable[[pa.RecordBatch, int], Piece]) -> Iterator[Piece]:
    """A batch's rows, a piece at a time; ``sequence``: of the first packet."""
    for piece in pieces_of(batch):
        data, sequence = encode(piece, sequence)
        yield data, sequence


def framed_rows(parts: Sequence[pa.Array], lengths: Integers, sequence: int) -> Piece:
    """The packets of rows whose parts are joined; ``lengths``: bytes of each row."""
    if lengths.max(initial=0) >= MOST:
        return _giant_rows(parts, sequence)
    header = fixed_parts(headers(lengths, sequence).view(np.uint8).reshape(-1, 4))
    joined = pc.binary_join_element_wise(*_same_kind([header, *parts]), _separator(parts))
    return bytes_of(joined), int(sequence + len(lengths)) & 0xFF


def headers(lengths: Integers, sequence: int) -> Bytes:
    """Of one packet a row: length and sequence number, four bytes each."""
    sequences = (sequence + np.arange(len(lengths))) & 0xFF
    found: Bytes = (lengths | sequences << 24).astype("<u4")
    return found


def fixed_parts(matrix: Bytes) -> pa.Array:
    """A part of as many bytes for each row, of a matrix of bytes."""
    rows, width = matrix.shape
    buffer = pa.py_buffer(np.ascontiguousarray(matrix))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), rows, [None, buffer])


def varied_parts(data: Bytes, sizes: Integers) -> pa.Array:
    """A part of so many bytes for each row, of the bytes one behind the other."""
    places = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=places[1:])
    return pa.Array.from_buffers(pa.binary(), len(sizes), [None, pa.py_buffer(places), pa.py_buffer(data)])


def _giant_rows(parts: Sequence[pa.Array], sequence: int) -> tuple[bytes, int]:
    """Rows of which one takes several packets."""
    found = []
    for body in pc.binary_join_element_wise(*_same_kind(parts), _separator(parts)):
        payload = body.as_py()
        found.append(framed(payload, sequence))
        sequence += len(payload) // MOST + 1
    return b"".join(found), sequence & 0xFF


def _single_bytes(values: Bytes) -> pa.Array:
    """Texts of one byte each."""
    places = np.arange(len(values) + 1, dtype=np.int32)
    return pa.Array.from_buffers(pa.binary(), len(values), [None, pa.py_buffer(places), pa.py_buffer(values)])


def _separator(parts: Sequence[pa.Array]) -> pa.Scalar:
    return pa.scalar(b"", _kind(parts))


def _kind(parts: Sequence[pa.Array]) -> pa.DataType:
    is_large = any(pa.types.is_large_binary(part.type) for part in parts)
    return pa.large_binary() if is_large else pa.binary()


def _same_kind(parts: Sequence[pa.Array]) -> list[pa.Array]:
    kind = _kind(parts)
    return [part if part.type == kind else part.cast(kind) for part in parts]


def length_marks(texts: pa.Array) -> tuple[pa.Array, Integers]:
    """What stands before each text, and how many bytes both take."""
    sizes = pc.fill_null(pc.binary_length(texts), -1).to_numpy(zero_copy_only=False).astype(np.int64)
    if sizes.max(initial=0) < NULL:
        marks = np.where(sizes < 0, NULL, sizes).astype(np.uint8)
        return _single_bytes(marks), np.maximum(sizes, 0) + 1
    marks = np.where(sizes < 0, NULL, np.minimum(sizes, NULL - 1))
    different, places = np.unique(np.where(sizes < NULL, -1, sizes), return_inverse=True)
    long = pa.array([lenenc(int(size)) for size in different.tolist() if size >= 0], pa.binary())
    table = pa.concat_arrays([SHORT, long])
    chosen = np.where(sizes < NULL, marks, len(SHORT) + places - int(different[0] < 0))
    widths = np.where(sizes < NULL, 1, np.where(sizes < 1 << 16, 3, np.where(sizes < 1 << 24, 4, 9)))
    return table.take(pa.array(chosen)), np.maximum(sizes, 0) + widths
