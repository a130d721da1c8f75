"""Arrow batches → rows of the text protocol, whole columns at a time. No I/O.

A value is its text behind its length (``lenenc``), NULL one byte; a row is its values behind a packet header. Each
column becomes two arrays, lengths and texts, which Arrow joins row by row: the buffer of the result is the stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.array_types import Bytes, Integers
from skyshard.db.charsets import codec_of
from skyshard.serve.mysql.definitions import FLOATING_DECIMALS, ColumnType, Definition, Flag
from skyshard.serve.mysql.packets import MOST, NULL, framed, lenenc
from skyshard.serve.number_texts import decimal_texts, double_texts, fixed_texts, float_texts

ROWS = 8192
"""Rows that are encoded at a time."""
PIECE_BYTES = 1 << 26
"""A piece with more bytes is halved, until it is one row."""
SHORT = pa.array([bytes([length]) for length in range(NULL)] + [b"\xfb"], pa.binary())
"""What stands before a short text, by its length; last of all NULL."""

_LATIN1_COLLATIONS = frozenset((5, 8, 15, 31, 47, 48, 49, 94))
Encode = Callable[[pa.Array, Definition], pa.Array]
"""Texts of a column in UTF-8 → in the character set in which the session wants them."""


def as_they_are(texts: pa.Array, _: Definition) -> pa.Array:
    return texts


def encoding(codec: str) -> Encode:
    """Texts into another character set than UTF-8; letters that it lacks become ``?``, as on a server."""

    def encode(texts: pa.Array, _: Definition) -> pa.Array:
        if pc.all(pc.string_is_ascii(texts)).as_py() is not False:
            return texts
        kinds = texts.dictionary_encode()
        known = pa.array([one.encode(codec, "replace") for one in kinds.dictionary.to_pylist()], pa.binary())
        return known.take(kinds.indices)

    return encode


def as_stored(texts: pa.Array, definition: Definition) -> pa.Array:
    """Texts in the character set of each column, as a session without one for its results gets them."""
    if definition.charset in _LATIN1_COLLATIONS:
        return encoding(codec_of("latin1"))(texts, definition)
    return texts


def encoded_rows(
    batch: pa.RecordBatch, definitions: Sequence[Definition], sequence: int, encode: Encode = as_they_are
) -> Iterator[tuple[bytes | memoryview, int]]:
    """The packets of a batch's rows in pieces, each with the sequence number of the packet behind it.

    ``sequence``: of the first packet.
    """
    for begin in range(0, batch.num_rows, ROWS):
        for piece in _pieces(batch.slice(begin, ROWS)):
            data, sequence = _encoded(piece, definitions, sequence, encode)
            yield data, sequence


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Parts of a batch whose bytes fit into one Arrow array, in order."""
    if batch.num_rows <= 1 or batch.get_total_buffer_size() <= PIECE_BYTES or batch.nbytes <= PIECE_BYTES:
        yield batch
        return
    half = batch.num_rows // 2
    yield from _pieces(batch.slice(0, half))
    yield from _pieces(batch.slice(half))


def _encoded(
    batch: pa.RecordBatch, definitions: Sequence[Definition], sequence: int, encode: Encode
) -> tuple[bytes | memoryview, int]:
    parts: list[pa.Array] = []
    lengths = np.zeros(batch.num_rows, np.int64)
    for column, definition in zip(batch.columns, definitions, strict=True):
        texts = value_texts(column, definition, encode)
        before, sizes = _lengths(texts)
        parts += [before, pc.fill_null(texts, b"") if texts.null_count else texts]
        lengths += sizes
    if lengths.max(initial=0) >= MOST:
        return _giant_rows(parts, sequence)
    sequences = (sequence + np.arange(batch.num_rows)) & 0xFF
    headers = (lengths | sequences << 24).astype("<u4")
    header = pa.FixedSizeBinaryArray.from_buffers(pa.binary(4), batch.num_rows, [None, pa.py_buffer(headers)])
    joined = pc.binary_join_element_wise(*_same_kind([header, *parts]), _separator(parts))
    return _bytes_of(joined), int(sequence + batch.num_rows) & 0xFF


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


def _bytes_of(joined: pa.Array) -> memoryview:
    _, offsets, data = joined.buffers()
    ends = memoryview(offsets).cast("q" if pa.types.is_large_binary(joined.type) else "i")
    return memoryview(data)[ends[joined.offset] : ends[joined.offset + len(joined)]]


def _lengths(texts: pa.Array) -> tuple[pa.Array, Integers]:
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


def value_texts(column: pa.Array, definition: Definition, encode: Encode = as_they_are) -> pa.Array:
    """The values of a column as they are sent: binary, NULL as null."""
    texts = _texts(column, definition, encode)
    if definition.flags & Flag.ZEROFILL:
        texts = pc.utf8_lpad(texts, definition.length, "0")
    if pa.types.is_binary(texts.type) or pa.types.is_large_binary(texts.type):
        return texts
    return texts.cast(pa.large_binary() if pa.types.is_large_string(texts.type) else pa.binary())


def _texts(column: pa.Array, definition: Definition, encode: Encode) -> pa.Array:
    kind = column.type
    if pa.types.is_floating(kind):
        return _floating(column, definition)
    if pa.types.is_decimal(kind):
        return decimal_texts(column)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return encode(column, definition)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return _bit_numbers(column) if definition.is_number else column
    if pa.types.is_fixed_size_binary(kind):
        return column.cast(pa.binary())
    if pa.types.is_null(kind):
        return column.cast(pa.string())
    return column.cast(pa.string())


def _bit_numbers(column: pa.Array) -> pa.Array:
    """BITs where an expression makes a whole number of them, as ``MAX(bits)`` does."""
    kinds = column.dictionary_encode()
    known = pa.array([str(int.from_bytes(one, "big")) for one in kinds.dictionary.to_pylist()], pa.string())
    return known.take(kinds.indices)


def _floating(column: pa.Array, definition: Definition) -> pa.Array:
    is_free = definition.decimals >= FLOATING_DECIMALS
    if not is_free:
        return fixed_texts(column, definition.decimals)
    return float_texts(column) if definition.type == ColumnType.FLOAT else double_texts(column)
