"""Where rows with given values stand in the input: read again, once it is known that they stand twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.ingest.source import SourceTable

MOST = 2
"""Rows of one part that are named at most."""


def where_rows_stand(table: SourceTable, paths: Sequence[str], values: Mapping[str, Any]) -> str:
    """Files, and in each the first rows whose columns have the given values, as a message names them.

    A value is as Arrow holds it in the column's batch; None stands for NULL.
    """
    named = []
    for path in dict.fromkeys(paths):
        rows = [str(row) for row in _rows(table, path, values)]
        text = f", rows {' and '.join(rows)}" if len(rows) > 1 else f", row {rows[0]}" if rows else ""
        named.append(f"'{path}'{text}")
    return " and ".join(named)


def _rows(table: SourceTable, path: str, values: Mapping[str, Any]) -> list[int]:
    found: list[int] = []
    columns = tuple(column for column in table.table if column.name in values)
    narrow = replace(table.table, columns=columns, primary_key=(), keys=())
    layout = table.layout.model_copy(update={"key": "", "key2": "", "position": None, "position2": None, "flag": ""})
    reader = table.reader.narrowed(table.table, frozenset(values))
    for part in table.parts:
        if part.path != path or part.is_overlap:
            continue
        for batch in reader.batches(part, narrow, layout):
            found += (batch.first_row + row for row in _matching(batch.batch, values))
            if len(found) >= MOST:
                return found[:MOST]
    return found


def _matching(batch: pa.RecordBatch, values: Mapping[str, Any]) -> Iterator[int]:
    is_match = np.ones(batch.num_rows, bool)
    for name, value in values.items():
        column = batch.column(name)
        same = column.is_null() if value is None else pc.equal(column, pa.scalar(value, column.type)).fill_null(False)
        is_match &= np.asarray(same)
    yield from np.flatnonzero(is_match).tolist()
