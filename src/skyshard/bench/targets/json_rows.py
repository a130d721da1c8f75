"""Rows of Qserv's JSON, as a table: texts, whose types are those that the answer names. No I/O.

A NULL comes as the text ``NULL``, from which a text of these letters is not told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.bench.targets.shown_digits import shown_field

FLOAT_DIGITS = 6
"""Of a FLOAT, as MariaDB prints it."""
MOST_128 = 38
"""Digits of Arrow's smaller decimal."""
NULL = "NULL"
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)")
_KINDS = {
    "TINYINT": pa.int8(), "SMALLINT": pa.int16(), "MEDIUMINT": pa.int32(), "INT": pa.int32(), "BIGINT": pa.int64(),
    "TINYINT UNSIGNED": pa.uint8(), "SMALLINT UNSIGNED": pa.uint16(), "INT UNSIGNED": pa.uint32(),
    "BIGINT UNSIGNED": pa.uint64(), "FLOAT": pa.float32(), "DOUBLE": pa.float64(),
}  # fmt: skip


def to_table(schema: Sequence[Mapping[str, Any]], rows: Sequence[Sequence[str]]) -> pa.Table:
    """The rows; columns have numbers as names, since names may repeat.

    >>> schema = [{"type": "INT", "is_binary": 0}, {"type": "VARBINARY", "is_binary": 1}]
    >>> to_table(schema, [["1", "00FF"], ["NULL", "NULL"]]).to_pydict()
    {'c0': [1, None], 'c1': [b'\\x00\\xff', None]}
    """
    columns = list(zip(*rows, strict=True)) if rows else [() for _ in schema]
    arrays = [_array(one, texts) for one, texts in zip(schema, columns, strict=True)]
    fields = [
        shown_field(f"c{place}", array.type, FLOAT_DIGITS if pa.types.is_float32(array.type) else 0)
        for place, array in enumerate(arrays)
    ]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _array(column: Mapping[str, Any], values: Sequence[str]) -> pa.Array:
    texts = pa.array(values, pa.string())
    texts = pc.if_else(pc.equal(texts, NULL), pa.scalar(None, pa.string()), texts)
    if column["is_binary"]:
        return pa.array([None if one is None else bytes.fromhex(one) for one in texts.to_pylist()], pa.binary())
    name = str(column["type"]).upper()
    if found := _DECIMAL.fullmatch(name):
        precision, scale = int(found[1]), int(found[2])
        return texts.cast(pa.decimal128(precision, scale) if precision <= MOST_128 else pa.decimal256(precision, scale))
    kind = _KINDS.get(name)
    if kind is None:
        return texts
    return texts.cast(pa.float64()).cast(kind, safe=False) if pa.types.is_float32(kind) else texts.cast(kind)
