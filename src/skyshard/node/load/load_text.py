r"""Arrow batches → the text that LOAD DATA reads: tab, newline, backslash escapes, ``\N`` for NULL.

Vectorised through Arrow's string kernels; no I/O.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.catalog.schema import Table
from skyshard.rowimage.sqltype import TypeClass

_ESCAPES = ((b"\\", b"\\\\"), (b"\t", b"\\t"), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\0", b"\\0"), (b"\x1a", b"\\Z"))


def load_text(batch: pa.RecordBatch, table: Table) -> bytes:
    r"""The lines of a batch whose columns are the table's.

    >>> from skyshard.rowimage.sqltype import parse_type
    >>> from skyshard.catalog.schema import Column
    >>> table = Table("t", (Column("i", parse_type("int")), Column("b", parse_type("blob"))))
    >>> values = [pa.array([1, None], pa.int32()), pa.array([b"a\tb", b""], pa.large_binary())]
    >>> batch = pa.record_batch(values, ["i", "b"])
    >>> load_text(batch, table)
    b'1\ta\\tb\n\\N\t\n'
    """
    if not batch.num_rows:
        return b""
    fields = [
        _field(values, is_bytes=column.type.type_class is TypeClass.BYTES)
        for column, values in zip(table, batch.columns, strict=True)
    ]
    fields[-1] = pc.binary_join_element_wise(fields[-1], _scalar(b"\n"), _scalar(b""))
    lines = pc.binary_join_element_wise(*fields, _scalar(b"\t")) if len(fields) > 1 else fields[0]
    return _concatenated(lines)


def _scalar(value: bytes) -> pa.Scalar:
    return pa.scalar(value, pa.large_binary())


def _field(values: pa.Array, *, is_bytes: bool) -> pa.Array:
    if is_bytes:
        texts = values.cast(pa.large_binary())
        for mark, escaped in _ESCAPES:
            texts = pc.replace_substring(texts, mark, escaped)
    else:
        texts = values.cast(pa.large_string()).cast(pa.large_binary())
    return pc.fill_null(texts, _scalar(b"\\N"))


def _concatenated(values: pa.Array) -> bytes:
    """The values' bytes one after the other."""
    _, offsets, data = values.buffers()
    bounds = memoryview(offsets).cast("q")
    first, last = bounds[values.offset], bounds[values.offset + len(values)]
    return memoryview(data)[first:last].tobytes()
