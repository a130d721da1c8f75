"""VOTable's BINARY2: rows as big-endian bytes, each after a mask of its NULLs, the stream in base64.

Rules: no loop over rows. Columns of one length that stand side by side become one structured array; texts and bytes get
their lengths in front; Arrow joins these parts row by row, and its buffer is the stream. Source: VOTable 1.4, 5.4.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyshard.basics.errors import UserError
from skyshard.serve.batch_pieces import bytes_of
from skyshard.serve.votable.fields import BOOLEAN, NUMPY_TYPES, UNICODE, Field, declared_batches

Raw = NDArray[np.uint8]


class Base64Stream:
    """Base64 of bytes that come in pieces, without padding before the end."""

    def __init__(self) -> None:
        self._rest = b""

    def add(self, data: bytes) -> bytes:
        """The text of as many bytes as make whole groups of three; the others wait."""
        whole = self._rest + data
        end = len(whole) - len(whole) % 3
        self._rest = whole[end:]
        return binascii.b2a_base64(memoryview(whole)[:end])

    def end(self) -> bytes:
        """The text of what is left."""
        rest, self._rest = self._rest, b""
        return binascii.b2a_base64(rest) if rest else b""


def binary2_rows(batch: pa.RecordBatch, fields: tuple[Field, ...]) -> bytes:
    """The rows of a batch as BINARY2 has them, before base64."""
    rows = batch.num_rows
    if not rows:
        return b""
    columns = list(declared_batches(batch, fields))
    parts: list[pa.Array | Raw] = [_null_mask(columns, rows)]
    for column, field in zip(columns, fields, strict=True):
        if field.is_text or field.is_bytes:
            parts += _with_lengths(column, field)
        else:
            parts.append(_numbers(column, field))
    joined = _joined_runs(parts, rows)
    if len(joined) == 1 and isinstance(joined[0], np.ndarray):
        return joined[0].tobytes()
    pieces = [_as_arrow(part, rows) if isinstance(part, np.ndarray) else pc.fill_null(part, b"") for part in joined]
    stream = pc.binary_join_element_wise(*pieces, pa.scalar(b"", pa.large_binary()))
    return bytes(bytes_of(stream))


def _null_mask(columns: Sequence[pa.Array], rows: int) -> Raw:
    """One bit a column, the first one highest, 1 where the value is NULL; filled to whole bytes."""
    nulls = np.zeros((rows, len(columns)), np.bool_)
    for place, column in enumerate(columns):
        if column.null_count:
            nulls[:, place] = column.is_null().to_numpy(zero_copy_only=False)
    return np.packbits(nulls, axis=1)


def _numbers(column: pa.Array, field: Field) -> Raw:
    """The bytes of each value, NULLs as zeros, NaN, or a question mark."""
    if field.datatype == BOOLEAN:
        column = pc.fill_null(pc.if_else(pc.equal(column, 0), ord("F"), ord("T")), ord("?"))
    is_real = field.datatype in ("float", "double")
    filled = pc.fill_null(column, float("nan") if is_real else 0) if column.null_count else column
    values = filled.to_numpy(zero_copy_only=False).astype(NUMPY_TYPES[field.datatype])
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), values.itemsize)


def _with_lengths(column: pa.Array, field: Field) -> list[pa.Array | Raw]:
    """How long each value is, and its bytes."""
    if field.datatype == UNICODE:
        return _utf16(column)
    data = column.cast(pa.large_binary())
    if field.is_text and pc.all(pc.string_is_ascii(column)).as_py() is False:
        raise UserError(
            f"column '{field.name}' has letters that a VOTable in BINARY2 cannot hold as it is declared",
            remedy="ask for the format votable/td, csv or parquet",
        )
    return [_counts(pc.binary_length(data)), data]


def _utf16(texts: pa.Array) -> list[pa.Array | Raw]:
    """Texts in UTF-16 without a mark of its order, as many units as there are in front."""
    filled = pc.fill_null(texts, "")
    pairs = pc.count_substring_regex(filled, "[\\x{10000}-\\x{10ffff}]")
    units = pc.add(pc.utf8_length(filled), pairs)
    letters = bytes(bytes_of(filled)).decode()
    offsets = np.concatenate(([0], np.cumsum(units.to_numpy()))).astype(np.int64) * 2
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(letters.encode("utf-16-be"))]
    return [_counts(units), pa.Array.from_buffers(pa.large_binary(), len(texts), buffers)]


def _counts(lengths: pa.Array) -> Raw:
    counts = pc.fill_null(lengths, 0).to_numpy(zero_copy_only=False).astype(">u4")
    return np.ascontiguousarray(counts).view(np.uint8).reshape(len(counts), 4)


def _joined_runs(parts: Sequence[pa.Array | Raw], rows: int) -> list[pa.Array | Raw]:
    """The same parts, those of one length that follow one another put together."""
    joined: list[pa.Array | Raw] = []
    run: list[Raw] = []
    for part in (*parts, None):
        if isinstance(part, np.ndarray):
            run.append(part)
            continue
        if run:
            joined.append(_side_by_side(run, rows))
            run = []
        if part is not None:
            joined.append(part)
    return joined


def _side_by_side(run: Sequence[Raw], rows: int) -> Raw:
    made = np.empty((rows, sum(part.shape[1] for part in run)), np.uint8)
    start = 0
    for part in run:
        made[:, start : start + part.shape[1]] = part
        start += part.shape[1]
    return made


def _as_arrow(part: Raw, rows: int) -> pa.Array:
    offsets = np.arange(rows + 1, dtype=np.int64) * part.shape[1]
    return pa.Array.from_buffers(pa.large_binary(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(part)])
