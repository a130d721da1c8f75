"""Parquet parts → typed batches, row group by row group. Columns are found by name; extra ones are left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from skyshard.errors import UserError
from skyshard.ingest.arrow_values import from_arrow
from skyshard.ingest.convert import RowError
from skyshard.ingest.source import BATCH_ROWS, InputBatch, Part
from skyshard.layout import TableLayout
from skyshard.schema import Table


@dataclass(frozen=True, slots=True)
class ParquetReader:
    """Reads Parquet parts."""

    batch_rows: int = BATCH_ROWS

    def batches(self, part: Part, table: Table, layout: TableLayout) -> Iterator[InputBatch]:
        first_row = 0
        try:
            with pq.ParquetFile(part.path) as file:
                missing = [name for name in table.column_names if name not in file.schema_arrow.names]
                if missing:
                    raise UserError(
                        f"'{part.path}' has no column '{missing[0]}' of table '{table.name}'",
                        remedy="the file and the schema disagree",
                    )
                for batch in file.iter_batches(self.batch_rows, columns=table.column_names, use_threads=False):
                    yield _typed(batch, first_row, table, layout)
                    first_row += batch.num_rows
        except RowError as error:
            raise UserError(
                f"'{part.path}', row {first_row + error.row}, column '{error.column}': {error.what}",
                remedy=error.remedy,
            ) from None
        except (pa.ArrowInvalid, OSError) as error:
            raise UserError(
                f"'{part.path}' is no whole Parquet file: {str(error).splitlines()[0]}", remedy="copy it again"
            ) from None


def _typed(batch: pa.RecordBatch, first_row: int, table: Table, layout: TableLayout) -> InputBatch:
    conversions: Counter[str] = Counter()
    columns = [from_arrow(batch.column(column.name), column, conversions) for column in table]
    positions = None
    if layout.position:
        ra, dec = (batch.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False) for name in layout.position)
        positions = (np.asarray(ra, np.float64), np.asarray(dec, np.float64))
    typed = pa.RecordBatch.from_arrays(columns, names=table.column_names)
    return InputBatch(typed, first_row, positions, conversions)
