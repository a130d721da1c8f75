"""Batches in pieces of a bounded size, and the bytes of what Arrow joined: for all that writes rows. No I/O."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

ROWS = 8192
"""Rows that are written at a time."""
PIECE_BYTES = 1 << 26
"""A piece with more bytes is halved, until it is one row."""


def pieces_of(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Parts of a batch, in order, whose bytes fit into one Arrow array.

    >>> [piece.num_rows for piece in pieces_of(pa.record_batch({"a": range(20_000)}))]
    [8192, 8192, 3616]
    """
    for begin in range(0, batch.num_rows, ROWS):
        yield from _halved(batch.slice(begin, ROWS))


def _halved(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    if batch.num_rows <= 1 or batch.get_total_buffer_size() <= PIECE_BYTES or batch.nbytes <= PIECE_BYTES:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _halved(batch.slice(0, half))
    yield from _halved(batch.slice(half))


def bytes_of(texts: pa.Array) -> memoryview:
    """The values of a column of texts or bytes, one behind the other; it holds no NULL.

    >>> bytes(bytes_of(pa.array(["a", "bc", "d"]).slice(1))), bytes(bytes_of(pa.array([], pa.large_binary())))
    (b'bcd', b'')
    """
    _, offsets, data = texts.buffers()
    if offsets is None or data is None:
        return memoryview(b"")
    is_large = pa.types.is_large_binary(texts.type) or pa.types.is_large_string(texts.type)
    ends = memoryview(offsets).cast("q" if is_large else "i")
    return memoryview(data)[ends[texts.offset] : ends[texts.offset + len(texts)]]
