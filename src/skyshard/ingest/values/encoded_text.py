"""Encodes texts in their column's own character set, strictly: what it does not hold is refused.

No I/O. Rows in errors count from 0 within the array given.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.catalog.schema import Column
from skyshard.db.charsets import codec_of, encoded
from skyshard.ingest.values.text_values import RowError

Given: TypeAlias = Literal["utf8", "latin1"]
"""Character sets that input comes in; latin1 is MariaDB's, in which every byte is a character."""
_NAMES = {"utf8": "UTF-8", "latin1": "latin1"}


def is_ascii(values: pa.Array) -> bool:
    """True when no byte is above 127; values are binary or strings."""
    array = values.cast(pa.large_binary())
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    body = array.buffers()[2]
    if body is None or not len(array):
        return True
    return not (np.frombuffer(body, np.uint8)[offsets[0] : offsets[-1]] & 0x80).any()


def is_stored_as_given(values: pa.Array, column: Column, given: Given) -> bool:
    """True when the bytes are those that the column stores: it holds no text, all is ASCII, or both are latin1."""
    charset = column.type.charset
    return not charset or charset == given == "latin1" or is_ascii(values)


def stored_text(values: pa.Array, column: Column, given: Given, conversions: Counter[str]) -> pa.Array:
    """Binary values or strings as binary values in the column's character set; free for ASCII, nearly all of it.

    Raises:
        RowError: bytes that are no UTF-8 where that is given, or a character that the column's set has not.
    """
    is_large = values.type in (pa.large_binary(), pa.large_string())
    kind = pa.large_binary() if is_large else pa.binary()
    if is_stored_as_given(values, column, given):
        return values.cast(kind)
    distinct = values.cast(pa.large_binary()).dictionary_encode()
    before = distinct.dictionary.to_pylist()
    after = [_recoded(raw, values, column, given) for raw in before]
    changed = np.array([new != old for new, old in zip(after, before, strict=True)])
    if changed.any():
        rows = distinct.indices.fill_null(0).to_numpy(zero_copy_only=False)
        lost = int((changed[rows] & np.asarray(values.is_valid())).sum())
        conversions[f"{column.name}: {_NAMES[given]} → {column.type.charset}"] += lost
    return pa.array(after, pa.large_binary()).take(distinct.indices).cast(kind)


def _recoded(raw: bytes, values: pa.Array, column: Column, given: Given) -> bytes:
    charset = column.type.charset
    try:
        return encoded(raw.decode(codec_of(given)), charset)
    except UnicodeDecodeError:
        what, remedy = "is no UTF-8", "fix the text, or say that it is latin1"
    except UnicodeEncodeError:
        what, remedy = f"has a character outside {charset}", "replace the character, or declare the column utf8mb4"
    row = int(pc.index(values.cast(pa.large_binary()), pa.scalar(raw, pa.large_binary())).as_py())
    shown = raw[:40].decode("utf-8", "backslashreplace")
    raise RowError(f"'{shown}' {what}", row, column.name, remedy)
