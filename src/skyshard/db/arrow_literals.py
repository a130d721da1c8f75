"""Arrow columns as the values of an INSERT, a type at a time: a twentieth of the time that rows take one by one."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_LARGEST_SINGLE = float(np.finfo(np.float32).max)
_PLAIN = r"^[ -&(-\[\]-~]*$"
"""Texts that stand between quotes as they are: of ASCII, without a quote, a backslash, or what is not printed."""


def batch_literals(rows: pa.Table | pa.RecordBatch, most_rows: int) -> Iterator[str]:
    """What follows VALUES, for so many rows at a time; columns are integers, floating-point numbers and texts.

    >>> batch = pa.record_batch({"n": [1, None], "x": [0.5, 1e99], "t": ["a", "it's α"]})
    >>> list(batch_literals(batch, 9))
    ["(1,0.5e0,'a'),(NULL,1e+99,_utf8mb4 X'6974277320ceb1')"]
    """
    for start in range(0, len(rows), most_rows):
        yield _values(rows.slice(start, most_rows))


def _values(rows: pa.Table | pa.RecordBatch) -> str:
    """All columns of one type are written in one piece: a tile has a dozen rows of a hundred columns."""
    width, height = rows.num_columns, len(rows)
    columns = [_whole(column) for column in rows.columns]
    of_type: dict[pa.DataType, list[int]] = {}
    for number, kind in enumerate(rows.schema.types):
        of_type.setdefault(kind, []).append(number)
    pieces = [_literals(pa.concat_arrays([columns[k] for k in some])) for some in of_type.values()]
    texts = pc.fill_null(pa.concat_arrays(pieces), "NULL")
    place = np.empty(width, np.int64)
    place[[number for some in of_type.values() for number in some]] = np.arange(width)
    by_row = (place * height + np.arange(height)[:, np.newaxis]).ravel()
    lists = pa.ListArray.from_arrays(
        np.arange(0, width * height + 1, width, dtype=np.int32), texts.take(pa.array(by_row))
    )
    joined = pc.binary_join(lists, ",")
    return f"({pc.binary_join(pa.ListArray.from_arrays([0, height], joined), '),(')[0].as_py()})"


def _whole(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(column, pa.Array):
        return column
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _literals(column: pa.Array) -> pa.Array:
    """The values of a column as texts of SQL; NULL where there is none."""
    if pa.types.is_string(column.type):
        return _quoted(column)
    text = _single(column) if column.type == pa.float32() else pc.cast(column, pa.string())
    if pa.types.is_floating(column.type):  # without an exponent it would be a decimal number
        text = pc.if_else(pc.match_substring(text, "e"), text, pc.binary_join_element_wise(text, "e0", ""))
    return text


def _single(column: pa.Array) -> pa.Array:
    """FLOATs in the fewest digits that a server, which reads a double and rounds it, takes for the same; as doubles
    where there is one for which that does not hold: rounded up, the largest FLOAT is none any more."""
    text = pc.cast(column, pa.string())
    read = pc.cast(text, pa.float64())
    if pc.cast(read, pa.float32(), safe=False).equals(column) and pc.all(_is_single(read), min_count=0).as_py():
        return text
    return pc.cast(pc.cast(column, pa.float64()), pa.string())


def _is_single(read: pa.Array) -> pa.Array:
    return pc.less_equal(pc.abs(read), _LARGEST_SINGLE)


def _quoted(column: pa.Array) -> pa.Array:
    plain = pc.binary_join_element_wise("'", column, "'", "")
    is_plain = pc.match_substring_regex(column, _PLAIN)
    if pc.all(is_plain, min_count=0).as_py():
        return plain
    words = column.dictionary_encode()
    coded = pa.array([f"_utf8mb4 X'{word.encode().hex()}'" for word in words.dictionary.to_pylist()], pa.string())
    return pc.if_else(is_plain, plain, coded.take(words.indices))
