"""UTF-8 texts → latin1, the character set of stored text; strictly: a character outside latin1 is refused.

No I/O. Rows in errors count from 0 within the array given.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.ingest.convert import RowError
from skyshard.schema import Column

TEXT_TYPES = ("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set")
"""Column types that hold characters, not bytes."""


def is_ascii(values: pa.Array) -> bool:
    """True when no byte is above 127; values are binary or strings."""
    array = values.cast(pa.large_binary())
    offsets = np.frombuffer(array.buffers()[1], np.int64)[array.offset : array.offset + len(array) + 1]
    body = array.buffers()[2]
    if body is None or not len(array):
        return True
    return not (np.frombuffer(body, np.uint8)[offsets[0] : offsets[-1]] & 0x80).any()


def utf8_as_latin1(values: pa.Array, column: Column, conversions: Counter[str]) -> pa.Array:
    """Binary values or strings that hold UTF-8 as binary values that hold latin1; free for ASCII, nearly all of it.

    Raises:
        RowError: bytes that are no UTF-8, or a character that latin1 has not.
    """
    is_large = values.type in (pa.large_binary(), pa.large_string())
    if is_ascii(values):
        return values.cast(pa.large_binary() if is_large else pa.binary())
    distinct = values.cast(pa.large_binary()).dictionary_encode()
    encoded: list[bytes] = []
    for raw in distinct.dictionary.to_pylist():
        try:
            encoded.append(raw.decode("utf-8").encode("latin1"))
        except UnicodeDecodeError:
            raise _refused(values, raw, column, "is no UTF-8", "mend the text, or say that it is latin1") from None
        except UnicodeEncodeError:
            raise _refused(values, raw, column, "has a character outside latin1", "replace the character") from None
    changed = np.array([new != old for new, old in zip(encoded, distinct.dictionary.to_pylist(), strict=True)])
    rows = distinct.indices.fill_null(0).to_numpy(zero_copy_only=False)
    conversions[f"{column.name}: UTF-8 → latin1"] += int((changed[rows] & np.asarray(values.is_valid())).sum())
    taken = pa.array(encoded, pa.large_binary()).take(distinct.indices)
    return taken if is_large else taken.cast(pa.binary())


def _refused(values: pa.Array, raw: bytes, column: Column, what: str, remedy: str) -> RowError:
    row = int(pc.index(values.cast(pa.large_binary()), pa.scalar(raw, pa.large_binary())).as_py())
    return RowError(f"'{raw[:40].decode('utf-8', 'backslashreplace')}' {what}", row, column.name, remedy)
