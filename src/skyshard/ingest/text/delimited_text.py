"""Reads delimited text (CSV, TSV, mysqldump style) into typed batches, as LOAD DATA would, but strictly.

Two ways, equal in result: Arrow's CSV reader where a block has neither escapes nor quotes (``text_plain``), else a
vectorised splitter that knows both (``text_fields``). No loop over rows. Every value that is not taken as it is is
counted; every value that cannot be taken is an error with file, row and column. Rows count from 1 behind the header,
empty lines left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import CHUNK_COLUMN, SUB_CHUNK_COLUMN, Column, Table
from skyshard.ingest.source import InputBatch, InputSlice, pair_of
from skyshard.ingest.text.plain_text import Fields, read_plain
from skyshard.ingest.text.text_fields import Dialect, field_bounds, field_texts
from skyshard.ingest.text.text_file import TextBlock, row_blocks
from skyshard.ingest.values.encoded_text import stored_text
from skyshard.ingest.values.text_values import RowError, to_column, to_doubles

__all__ = ["Dialect", "Fields", "TextBatch", "TextReader", "only", "read_text"]


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Rows of a file, the wanted fields of it by name; ``exact`` are those asked for at full precision."""

    batch: pa.RecordBatch
    first_row: int
    exact: Mapping[str, NDArray[np.float64]]
    conversions: Counter[str]


@dataclass(frozen=True, slots=True)
class TextReader:
    """Reads text slices, plain or packed.

    ``fields`` are the columns of the files in their order; empty means the table's own. A file that gives chunk
    columns besides has them checked.
    """

    dialect: Dialect = field(default_factory=Dialect)
    fields: Fields = ()

    def narrowed(self, table: Table, wanted: frozenset[str]) -> TextReader:
        return TextReader(self.dialect, only(self.fields or table.columns, wanted))

    def batches(self, piece: InputSlice, table: Table, layout: TableLayout) -> Iterator[InputBatch]:
        fields = self.fields or table.columns
        for read in read_text(piece, fields, self.dialect, frozenset(layout.position or ())):
            columns = [_column(read.batch, column, layout) for column in table]
            typed = pa.RecordBatch.from_arrays(columns, names=table.column_names)
            positions = pair_of(read.exact, layout.position)
            yield InputBatch(typed, read.first_row, positions, read.conversions, _given_chunks(read.batch))


def only(fields: Fields, wanted: frozenset[str]) -> Fields:
    """The fields of a file, without those that are not wanted."""
    return tuple(field if field is not None and field.name in wanted else None for field in fields)


def read_text(piece: InputSlice, fields: Fields, dialect: Dialect, exact: frozenset[str]) -> Iterator[TextBatch]:
    """Stream the wanted fields of a file, each as the column that ``fields`` says.

    Args:
        exact: names of fields to give as 64-bit floats too, from the decimal text.

    Raises:
        UserError: what cannot be taken, with file, row and column.
    """
    first_row = 1
    try:
        for block in row_blocks(piece.path, dialect):
            read = _parse(block, fields, exact, first_row)
            yield read
            first_row += read.batch.num_rows
    except RowError as error:
        where = f", row {first_row + error.row}" + (f", column '{error.column}'" if error.column else "")
        raise UserError(f"'{piece.path}'{where}: {error.what}", remedy=error.remedy) from None


def _column(batch: pa.RecordBatch, column: Column, layout: TableLayout) -> pa.Array:
    """A column of the file; a ref-match table's flag is not in it when partitioning has yet to say it."""
    if column.name == layout.flag and column.name not in batch.schema.names:
        return pa.array(np.zeros(batch.num_rows, np.int8)).cast(column.type.arrow)
    return batch.column(column.name)


def _given_chunks(batch: pa.RecordBatch) -> tuple[pa.Array, pa.Array] | None:
    names = batch.schema.names
    if CHUNK_COLUMN not in names or SUB_CHUNK_COLUMN not in names:
        return None
    return batch.column(CHUNK_COLUMN), batch.column(SUB_CHUNK_COLUMN)


def _parse(block: TextBlock, fields: Fields, exact: frozenset[str], first_row: int) -> TextBatch:
    """One block of rows as a typed batch."""
    conversions: Counter[str] = Counter()
    read = None if block.marks else read_plain(block.data, fields, block.dialect, exact, conversions)
    columns, numbers = read or _read_marked(block, fields, exact, conversions)
    batch = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
    return TextBatch(batch, first_row, numbers, conversions)


def _read_marked(
    block: TextBlock, fields: Fields, exact: frozenset[str], conversions: Counter[str]
) -> tuple[dict[str, pa.Array], dict[str, NDArray[np.float64]]]:
    """Split by marks, then convert field by field."""
    data, dialect = np.frombuffer(block.data, np.uint8), block.dialect
    starts, ends = field_bounds(data, block.all_marks(), len(fields), dialect)
    columns: dict[str, pa.Array] = {}
    numbers: dict[str, NDArray[np.float64]] = {}
    for i, column in enumerate(fields):
        if column is None:
            continue
        texts = field_texts(data, np.ascontiguousarray(starts[:, i]), np.ascontiguousarray(ends[:, i]), dialect)
        try:
            texts = stored_text(texts, column, dialect.charset, conversions)
            columns[column.name] = to_column(texts, column, conversions)
            if column.name in exact:
                numbers[column.name] = to_doubles(texts)
        except RowError as error:
            raise error.of_column(column.name) from None
    return columns or {"\0": pa.nulls(len(starts))}, numbers
