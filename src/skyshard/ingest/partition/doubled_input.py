"""Finds rows with given values in the input, which is read again once they are known to occur twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.errors import UserError
from skyshard.ingest.source import InputSlice, SourceTable

MOST = 2
"""Rows of one slice, and slices, that are named at most."""


def where_rows_stand(table: SourceTable, paths: Sequence[str], values: Mapping[str, Any]) -> str:
    """Files, and in each the first rows whose columns have the given values, as a message names them.

    A value is what the server shows of a column; one that the input writes otherwise is not found. Files without such
    rows are left out, unless there are none in any.
    """
    found = {path: _rows(table, path, values) for path in dict.fromkeys(paths)}
    named = [
        f"'{path}', row{'s' * (len(rows) > 1)} {' and '.join(map(str, rows))}" for path, rows in found.items() if rows
    ]
    return " and ".join((named or [f"'{path}'" for path in found])[:MOST])


def row_in_file(table: SourceTable, path: str, values: Mapping[str, Any]) -> int | None:
    """The first such row of a file that is no part of the source any more, if it is there and can be read."""
    try:
        earlier = replace(table, slices=(InputSlice.of(Path(path)),))
        return next(iter(_rows(earlier, path, values)), None)
    except UserError:
        return None


def _rows(table: SourceTable, path: str, values: Mapping[str, Any]) -> list[int]:
    found: list[int] = []
    columns = tuple(column for column in table.table if column.name in values)
    narrow = replace(table.table, columns=columns, primary_key=(), keys=())
    layout = table.layout.model_copy(update={"key": "", "key2": "", "position": None, "position2": None, "flag": ""})
    reader = table.reader.narrowed(table.table, frozenset(values))
    for piece in table.slices:
        if piece.path != path or piece.is_overlap:
            continue
        for batch in reader.batches(piece, narrow, layout):
            found += (batch.number(row) for row in _matching(batch.batch, values))
            if len(found) >= MOST:
                return found[:MOST]
    return found


def _matching(batch: pa.RecordBatch, values: Mapping[str, Any]) -> Iterator[int]:
    is_match = np.ones(batch.num_rows, bool)
    for name, value in values.items():
        column = batch.column(name)
        is_match &= np.asarray(pc.equal(column, _as_stored(value, column.type)).fill_null(False))
    yield from np.flatnonzero(is_match).tolist()


def _as_stored(value: Any, kind: pa.DataType) -> pa.Scalar:
    """A value as batches hold it: text as the column's bytes."""
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        value = value if isinstance(value, bytes) else str(value).encode("latin1", "replace")
    return pa.scalar(value, kind)
