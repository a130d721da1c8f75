"""Rows that were computed here, as the czar's server takes them: values of an INSERT, or records of a data file."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from skyshard.db.connection import Row
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import RecordLayout


def plain_rows(made: pa.Table) -> list[Row]:
    """Rows of plain values.

    >>> plain_rows(pa.table({"a": [1, None], "b": [0.5, 2.0]}))
    [(1, 0.5), (None, 2.0)]
    """
    return list(zip(*(column.to_pylist() for column in made.columns), strict=True))


def packed_rows(made: pa.Table, layout: RecordLayout) -> Any:
    """Records of a scratch table, whose columns may be wider than those of the answer."""
    kinds = [(slot.name, slot.arrow) for slot in layout.slots]
    return pack(made.cast(pa.schema(kinds)).combine_chunks(), layout)
