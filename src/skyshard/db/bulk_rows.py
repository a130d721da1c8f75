"""Arrow rows as the content of the protocol's COM_STMT_BULK_EXECUTE: made of bytes by the column, never a text.

A row is a byte and a value for each parameter; where the byte says NULL the value is left out. Rows of whole columns
are put side by side at their greatest widths, and what is left out is taken from them in one piece.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Flags

SEND_TYPES = 128
"""Types of parameters come with the rows."""
_NONE, _NULL = 0, 1
"""What a parameter's byte says: its value follows, it has none."""
_SINGLE, _DOUBLE, _LONG, _LONGLONG = 4, 5, 3, 8
"""The protocol's numbers of types."""
_KINDS: tuple[tuple[int, Any, frozenset[pa.DataType]], ...] = (
    (_SINGLE, np.dtype("<f4"), frozenset({pa.float32()})),
    (_DOUBLE, np.dtype("<f8"), frozenset({pa.float64()})),
    (_LONG, np.dtype("<i4"), frozenset({pa.int8(), pa.int16(), pa.int32()})),
    (_LONGLONG, np.dtype("<i8"), frozenset({pa.int64()})),
)
"""A type, its values, and the columns that are sent as such."""
_TEXT = 253
_LONGEST_TEXT = 250
"""Whose length is one byte."""


class BulkRows:
    """Writes rows of one schema: integers, finite floating-point numbers (NaN is NULL) and short texts of ASCII.

    >>> form = BulkRows(pa.schema([("t", pa.string()), ("n", pa.int32())]))
    >>> form.columns, form.types
    (('n', 't'), b'\\x03\\x00\\xfd\\x00')
    >>> form.content(pa.record_batch({"t": ["a", None], "n": pa.array([None, 5], pa.int32())}))
    b'\\x01\\x00\\x01a\\x00\\x05\\x00\\x00\\x00\\x01'
    """

    def __init__(self, schema: pa.Schema) -> None:
        kinds = schema.types
        found = [(code, form, [k for k, kind in enumerate(kinds) if kind in some]) for code, form, some in _KINDS]
        self._numbers = [(code, form, places) for code, form, places in found if places]
        self._texts = [place for place, kind in enumerate(kinds) if pa.types.is_string(kind)]
        order = [*(place for _, _, places in self._numbers for place in places), *self._texts]
        self.columns = tuple(schema.names[place] for place in order)
        """Names, in the order of the parameters."""
        codes = [code for code, _, places in self._numbers for _ in places] + [_TEXT] * len(self._texts)
        self.types = struct.pack(f"<{len(codes)}H", *codes)

    def content(self, rows: pa.RecordBatch) -> bytes | None:
        """The parameters of all rows; None where a text is none that can be sent so."""
        parts = [_numbers(form, *_matrix(rows, code, places)) for code, form, places in self._numbers]
        for place in self._texts:
            text = _text(rows.column(place))
            if text is None:
                return None
            parts.append(text)
        bytes_, is_sent = (np.concatenate([part[k] for part in parts], axis=1) for k in (0, 1))
        return bytes(bytes_[is_sent].tobytes())


_Part = tuple[np.ndarray, Flags]
"""Bytes of each row, and which of them are sent."""


def _numbers(form: Any, values: np.ndarray, is_null: Flags) -> _Part:
    (height, width), size = values.shape, form.itemsize
    found = np.empty((height, width, 1 + size), np.uint8)
    found[:, :, 0] = is_null  # _NULL is 1, _NONE is 0
    found[:, :, 1:] = np.ascontiguousarray(values, form).view(np.uint8).reshape(height, width, size)
    is_sent = np.empty(found.shape, np.bool_)
    is_sent[:, :, 0] = True
    is_sent[:, :, 1:] = ~is_null[:, :, np.newaxis]
    return found.reshape(height, -1), is_sent.reshape(height, -1)


def _matrix(rows: pa.RecordBatch, code: int, places: Sequence[int]) -> tuple[np.ndarray, Flags]:
    """Values of some columns, by row, and which of them are NULL."""
    if code == _LONGLONG:
        columns = [rows.column(place) for place in places]
        return np.stack(list(map(_long, columns)), axis=1), np.stack(list(map(_nulls, columns)), axis=1)
    values = rows.select(places).to_tensor(null_to_nan=True).to_numpy()
    if values.dtype.kind != "f":
        return values, np.zeros(values.shape, np.bool_)
    is_null = np.isnan(values)
    return values if code != _LONG else np.where(is_null, 0, values), is_null


def _long(column: pa.Array) -> np.ndarray:
    """Of eight bytes, which are no doubles; where they are NULL any number stands."""
    return np.frombuffer(column.buffers()[1], np.int64, len(column), column.offset * 8)


def _nulls(column: pa.Array) -> Flags:
    found: Flags = column.is_null().to_numpy(zero_copy_only=False)
    return found


def _text(column: pa.Array) -> _Part | None:
    texts = column.to_pylist()
    coded = [b"" if one is None else one.encode() for one in texts]
    longest = max(map(len, coded), default=0)
    if longest > _LONGEST_TEXT or not all(one is None or one.isascii() for one in texts):
        return None
    lengths, is_null = np.array(list(map(len, coded))), np.array([one is None for one in texts])
    padded = b"".join(one.ljust(longest, b"\0") for one in coded)
    found = np.empty((len(texts), 2 + longest), np.uint8)
    found[:, 0], found[:, 1] = np.where(is_null, _NULL, _NONE), lengths
    found[:, 2:] = np.frombuffer(padded, np.uint8).reshape(len(texts), longest)
    is_sent = np.arange(2 + longest) < 2 + lengths[:, np.newaxis]
    is_sent[is_null, 1:] = False
    return found, is_sent
