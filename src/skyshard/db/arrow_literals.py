"""Arrow columns as the values of an INSERT, a column at a time: a twentieth of the time that rows take one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

_PLAIN = r"^[ -&(-\[\]-~]*$"
"""Texts that stand between quotes as they are: of ASCII, without a quote, a backslash, or what is not printed."""


def batch_literals(rows: pa.Table | pa.RecordBatch, most_rows: int) -> Iterator[str]:
    """What follows VALUES, for so many rows at a time; columns are integers, floating-point numbers and texts.

    >>> batch = pa.record_batch({"n": [1, None], "x": [0.5, 1e99], "t": ["a", "it's α"]})
    >>> list(batch_literals(batch, 9))
    ["(1,0.5e0,'a'),(NULL,1e+99,_utf8mb4 X'6974277320ceb1')"]
    """
    for start in range(0, len(rows), most_rows):
        columns = [_literals(column) for column in rows.slice(start, most_rows).columns]
        joined = pc.binary_join_element_wise(*columns, ",")
        yield f"({pc.binary_join(pa.ListArray.from_arrays([0, len(joined)], joined), '),(')[0].as_py()})"


def _literals(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """The values of a column as texts of SQL."""
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks)
    if pa.types.is_string(column.type):
        return pc.fill_null(_quoted(column), "NULL")
    text = pc.cast(column, pa.string())
    if pa.types.is_floating(column.type):  # without an exponent it would be a decimal number
        text = pc.if_else(pc.match_substring(text, "e"), text, pc.binary_join_element_wise(text, "e0", ""))
    return pc.fill_null(text, "NULL")


def _quoted(column: pa.Array) -> pa.Array:
    plain = pc.binary_join_element_wise("'", column, "'", "")
    is_plain = pc.match_substring_regex(column, _PLAIN)
    if pc.all(is_plain, min_count=0).as_py():
        return plain
    words = column.dictionary_encode()
    coded = pa.array([f"_utf8mb4 X'{word.encode().hex()}'" for word in words.dictionary.to_pylist()], pa.string())
    return pc.if_else(is_plain, plain, coded.take(words.indices))
