"""The rows of a batch as they will be stored: packed once, hashed once, then only moved.

Packed records are moved by the row, so sorting and copying for overlap do not touch columns again; row hashes are sums
over columns, so a copy that differs in its chunk numbers only adds those two columns again.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Integers, Numbers
from skyshard.catalog.schema import CHUNK_COLUMN, SUB_CHUNK_COLUMN, Table
from skyshard.ingest.partition.bundle import BundleWriter, SegmentPlace
from skyshard.rowimage.digest import Lanes, RowDigest, digest_runs, row_lanes
from skyshard.rowimage.pack import check_values, pack
from skyshard.rowimage.record import RecordLayout


@dataclass(frozen=True, slots=True)
class StoredRows:
    """Rows of one table: as packed records (row images) or as an Arrow batch (LOAD DATA), with their hash lanes.

    ``base`` are the lanes of all columns but the chunk numbers, ``lanes`` those of all columns.
    """

    table: Table
    records: NDArray[Any] | None
    batch: pa.RecordBatch | None
    base: Lanes
    lanes: Lanes

    @staticmethod
    def of(batch: pa.RecordBatch, table: Table, *, is_image: bool) -> StoredRows:
        """Rows of a batch whose columns are the stored table's.

        Raises:
            RefusedValue: a value that its column does not take, by its row in the batch.
        """
        numbers = _chunk_places(table)
        base = row_lanes(_columns(batch, table, (i for i in range(len(table.columns)) if i not in numbers)))
        lanes = base + row_lanes(_columns(batch, table, numbers)) if numbers else base
        records = pack(batch, RecordLayout.of(table)) if is_image else None
        if not is_image:
            check_values(batch, table)
        return StoredRows(table, records, None if is_image else batch, base, lanes)

    def sorted(self, order: Integers) -> StoredRows:
        """The rows in another order."""
        return StoredRows(self.table, *self._taken(order), self.base, np.take(self.lanes, order, axis=1))

    def moved(self, rows: Integers, chunks: Numbers, sub_chunks: Numbers) -> StoredRows:
        """Copies of some rows with other chunk numbers."""
        records, batch = self._taken(rows)
        places = _chunk_places(self.table)
        numbers = {CHUNK_COLUMN.lower(): chunks, SUB_CHUNK_COLUMN.lower(): sub_chunks}
        changed = {place: pa.array(numbers[self.table.columns[place].name.lower()]) for place in places}
        for place, values in changed.items():
            column = self.table.columns[place]
            changed[place] = values.cast(column.type.arrow)
            if records is not None:
                records[column.name] = values.to_numpy()
            if batch is not None:
                batch = batch.set_column(place, column.name, changed[place])
        base = np.take(self.base, rows, axis=1)
        extra = row_lanes((place, self.table.columns[place], values) for place, values in changed.items())
        return StoredRows(self.table, records, batch, base, base + extra)

    def _taken(self, rows: Integers) -> tuple[NDArray[Any] | None, pa.RecordBatch | None]:
        records = None if self.records is None else np.take(self.records, rows)
        return records, None if self.batch is None else self.batch.take(pa.array(rows))

    def digests(self, edges: Sequence[int]) -> list[RowDigest]:
        """Digests of consecutive runs; see ``rowimage.digest.digest_runs``."""
        return digest_runs(self.lanes.copy(), edges)

    def given(self) -> RowDigest:
        """Digest of all rows as the source has them, without chunk numbers."""
        rows = self.base.shape[1]
        return digest_runs(self.base.copy(), [0, rows])[0] if rows else RowDigest()

    def write(self, writer: BundleWriter, edges: Sequence[int]) -> list[SegmentPlace]:
        """Append consecutive runs of rows to a bundle; returns where each is."""
        if self.records is not None:
            return writer.add_records(self.records, edges)
        assert self.batch is not None
        return [writer.add_batch(self.batch.slice(first, last - first)) for first, last in itertools.pairwise(edges)]


def chunk_order(chunks: Numbers, sub_chunks: Numbers) -> Integers:
    """The order by chunk, then sub-chunk, then as given; a sort of small numbers takes a sixth of another one's time.

    >>> chunk_order(np.array([8, 7, 7], np.int32), np.array([1, 5, 2], np.int32)).tolist()
    [2, 1, 0]
    """
    small = [_small(numbers) for numbers in (sub_chunks, chunks)]
    if small[0] is None or small[1] is None:
        return np.lexsort((sub_chunks, chunks))
    order = np.argsort(small[0], kind="stable")
    return order[np.argsort(small[1][order], kind="stable")] if small[1].any() else order


def _small(numbers: Numbers) -> NDArray[np.uint16] | None:
    """The numbers from their least on, where they fit into 16 bits."""
    if not len(numbers):
        return np.empty(0, np.uint16)
    least = numbers.min()
    return (numbers - least).astype(np.uint16) if int(numbers.max()) - int(least) < 1 << 16 else None


def _chunk_places(table: Table) -> list[int]:
    names = (CHUNK_COLUMN.lower(), SUB_CHUNK_COLUMN.lower())
    return [place for place, column in enumerate(table.columns) if column.name.lower() in names]


def _columns(batch: pa.RecordBatch, table: Table, places: Iterable[int]) -> list[tuple[int, Any, pa.Array]]:
    return [(place, table.columns[place], batch.column(place)) for place in places]
