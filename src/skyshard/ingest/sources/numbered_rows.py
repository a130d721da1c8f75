"""Reads rows together with where they are from: the number of their file, and their own number within it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import FILE_COLUMN, ORIGIN_COLUMNS, Table, origin_columns
from skyshard.ingest.source import InputBatch, InputSlice, Origin, Reader, SourceTable


@dataclass(frozen=True, slots=True)
class NumberedRows:
    """A reader that adds the columns ``ingestFile`` and ``ingestRow`` to what another one reads.

    The number of a file is the slice's, which is 0 as long as the registry has given it none.
    """

    reader: Reader

    def narrowed(self, table: Table, wanted: frozenset[str]) -> NumberedRows:
        return NumberedRows(self.reader.narrowed(table, wanted.difference(ORIGIN_COLUMNS)))

    def batches(self, piece: InputSlice, table: Table, layout: TableLayout) -> Iterator[InputBatch]:
        plain = replace(table, columns=tuple(column for column in table if column.name not in ORIGIN_COLUMNS))
        for read in self.reader.batches(piece, plain, layout):
            yield replace(read, batch=_with_numbers(read, piece.number, table))


def _with_numbers(read: InputBatch, file: int, table: Table) -> pa.RecordBatch:
    """The batch with the columns that the table has besides."""
    columns = dict(zip(read.batch.schema.names, read.batch.columns, strict=True))
    for name in ORIGIN_COLUMNS:
        rows = read.row_numbers().astype(np.uint32)
        columns[name] = pa.array(np.full_like(rows, file) if name == FILE_COLUMN else rows)
    return pa.RecordBatch.from_arrays([columns[name] for name in table.column_names], names=table.column_names)


def with_origin(where: str, source: SourceTable, origin: Origin) -> SourceTable:
    """A table whose rows say where they are from; ``where`` names it in errors.

    Its files go by absolute paths, so that they are known again whatever folder a command is given in.

    Raises:
        UserError: it has a column of one of the names already.
    """
    for name in ORIGIN_COLUMNS:
        if source.table.find(name) is not None:
            raise UserError(
                f"{where}: column '{name}' is one that provenance adds",
                remedy="omit the column, or leave provenance out",
            )
    table = replace(source.table, columns=(*source.table.columns, *origin_columns()))
    slices = tuple(replace(piece, path=os.path.abspath(piece.path)) for piece in source.slices)
    origin = replace(origin, root=os.path.abspath(origin.root))
    return replace(source, table=table, slices=slices, reader=NumberedRows(source.reader), origin=origin)
