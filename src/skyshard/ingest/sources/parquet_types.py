"""Columns of Parquet that Arrow gives as something else than they are: timestamps of 96 bits, and intervals.

Timestamps of 96 bits (INT96: Spark, Hive, Impala) hold nanoseconds of any year. As nanoseconds of 64 bits, years before
1678 and after 2262 become others without a word, as microseconds they lose digits; read in both ways they are whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

INTERVAL = pa.month_day_nano_interval()
_MOST_US = (2**63 - 1) // 1000
_INTERVAL_BYTES = np.dtype([("months", "<u4"), ("days", "<u4"), ("milliseconds", "<u4")])
_ARROW_INTERVAL = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanoseconds", "<i8")])


def old_timestamps(file: pq.ParquetFile) -> frozenset[str]:
    """The columns that are timestamps of 96 bits."""
    return _columns(file, lambda column: column.physical_type == "INT96")


def intervals(file: pq.ParquetFile) -> frozenset[str]:
    """The columns that are intervals, which Arrow reads as 12 bytes."""
    return _columns(file, lambda column: column.converted_type == "INTERVAL")


def _columns(file: pq.ParquetFile, is_one: Callable[[pq.ColumnSchema], bool]) -> frozenset[str]:
    leaves = (file.schema.column(place) for place in range(file.metadata.num_columns))
    return frozenset(column.path for column in leaves if column.max_repetition_level == 0 and is_one(column))


def told_schema(file: pq.ParquetFile) -> pa.Schema:
    """The columns of a file, intervals by their own type."""
    schema: pa.Schema = file.schema_arrow
    for name in intervals(file):
        place = schema.get_field_index(name)
        schema = schema.set(place, schema.field(place).with_type(INTERVAL)) if place >= 0 else schema
    return schema


def told_batches(
    batches: Iterable[pa.RecordBatch], ns: Iterable[pa.RecordBatch], intervals: Collection[str]
) -> Iterator[tuple[pa.RecordBatch, Counter[str]]]:
    """Batches with old timestamps and intervals as they are, and what was dropped of them.

    Args:
        batches: old timestamps as microseconds, intervals as bytes.
        ns: the old timestamps of the same rows once more, as nanoseconds.
    """
    finer = _Rows(ns)
    for batch in batches:
        counted: Counter[str] = Counter()
        for name, exact in finer.take(batch.num_rows).items():
            batch = _with(batch, name, _timestamps(batch.column(name), exact, name, counted))
        for name in intervals:
            if name in batch.schema.names:
                batch = _with(batch, name, _intervals(batch.column(name)))
        yield batch, counted


def _with(batch: pa.RecordBatch, name: str, values: pa.Array) -> pa.RecordBatch:
    return batch.set_column(batch.schema.get_field_index(name), name, values)


class _Rows:
    """The rows of batches, in pieces of any size."""

    def __init__(self, batches: Iterable[pa.RecordBatch]) -> None:
        self._batches = iter(batches)
        self._left: list[pa.RecordBatch] = []

    def take(self, count: int) -> dict[str, pa.Array]:
        """The columns of so many rows more; none where there are no batches."""
        while sum(batch.num_rows for batch in self._left) < count and (more := next(self._batches, None)) is not None:
            self._left.append(more)
        if not self._left:
            return {}
        rows = pa.Table.from_batches(self._left).combine_chunks()
        self._left = rows.slice(count).to_batches()
        taken = rows.slice(0, count)
        return {name: taken.column(name).combine_chunks() for name in taken.column_names}


def _timestamps(us: pa.Array, ns: pa.Array, name: str, counted: Counter[str]) -> pa.Array:
    """Nanoseconds where they hold all values, else microseconds; digits that these drop are counted."""
    micros = us.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    if (np.abs(micros) < _MOST_US).all():
        return ns
    nanos = ns.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    digits = nanos.astype(np.uint64) - micros.astype(np.uint64) * np.uint64(1000)  # both are whole numbers modulo 2^64
    if lost := int(np.count_nonzero(digits)):
        counted[f"{name}: digits past 6 of the second dropped"] += lost
    return us


def _intervals(values: pa.Array) -> pa.Array:
    if values.null_count == len(values):
        return pa.nulls(len(values), INTERVAL)
    _validity, content = values.buffers()
    given = np.frombuffer(content, _INTERVAL_BYTES, len(values), values.offset * _INTERVAL_BYTES.itemsize)
    made = np.empty(len(values), _ARROW_INTERVAL)
    made["months"], made["days"] = given["months"], given["days"]
    made["nanoseconds"] = given["milliseconds"].astype(np.int64) * 1_000_000
    is_valid = np.packbits(np.asarray(values.is_valid()), bitorder="little")
    return pa.Array.from_buffers(INTERVAL, len(values), [pa.py_buffer(is_valid), pa.py_buffer(made)])
