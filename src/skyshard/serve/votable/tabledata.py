"""VOTable's TABLEDATA: rows as XML elements; a NULL is an empty cell. No loop over rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.serve.batch_pieces import bytes_of
from skyshard.serve.votable.fields import BOOLEAN, Field, declared_batches

_TEXT = pa.large_string()
_ENTITIES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
_NO_XML = "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\ufffe\uffff]"
"""Characters that XML cannot hold in any way; U+FFFD stands for them."""
_BYTES = pa.array([str(value) for value in range(256)], pa.string())
_SPECIAL = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}


def tabledata_rows(batch: pa.RecordBatch, fields: tuple[Field, ...]) -> bytes:
    """The rows of a batch as ``<TR>`` elements, one a line."""
    if not batch.num_rows:
        return b""
    columns = list(declared_batches(batch, fields))
    cells = [pc.fill_null(_cells(column, field), "") for column, field in zip(columns, fields, strict=True)]
    between = pa.scalar("</TD><TD>", _TEXT)
    rows = pc.binary_join_element_wise(*cells, between) if len(cells) > 1 else cells[0]
    ends = pa.scalar("<TR><TD>", _TEXT), pa.scalar("</TD></TR>\n", _TEXT), pa.scalar("", _TEXT)
    lines = pc.binary_join_element_wise(ends[0], rows, ends[1], ends[2])
    return bytes(bytes_of(lines))


def _cells(column: pa.Array, field: Field) -> pa.Array:
    if field.is_text:
        return _escaped(column)
    if field.is_bytes:
        return _byte_lists(column)
    if field.datatype == BOOLEAN:
        return pc.if_else(pc.equal(column, 0), pa.scalar("F", _TEXT), pa.scalar("T", _TEXT))
    texts = column.cast(_TEXT)
    if field.datatype in ("float", "double"):
        for name, written in _SPECIAL.items():
            texts = pc.if_else(pc.equal(texts, name), pa.scalar(written, _TEXT), texts)
    return texts


def _escaped(texts: pa.Array) -> pa.Array:
    for letter, entity in _ENTITIES:
        texts = pc.replace_substring(texts, letter, entity)
    return pc.replace_substring_regex(texts, _NO_XML, "\ufffd")


def _byte_lists(column: pa.Array) -> pa.Array:
    """Each value as its bytes in decimal digits with blanks between."""
    lengths = pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int64)
    joined = b"".join(value for value in column.to_pylist() if value)
    numbers = _BYTES.take(pa.array(np.frombuffer(joined, np.uint8)))
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), numbers)
    return pc.binary_join(lists, " ").cast(_TEXT)
