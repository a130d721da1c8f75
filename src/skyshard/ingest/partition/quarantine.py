"""Rows without a position on the sphere: found, left out, and written to Parquet files where that is wanted.

A file has the table's columns as they would have been stored, except that positions stand as the input has them, and
the row's file and number. Each slice writes its own, next to its bundle; those of a transaction become one file a
table, which is there when the transaction is published.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from skyshard.catalog.schema import Table
from skyshard.db.charsets import codec_of
from skyshard.host.atomic_files import new_file
from skyshard.host.disk_space import require_room, writing
from skyshard.ingest.partition.routing import is_on_sphere, stored_positions
from skyshard.ingest.source import InputBatch

BAD_POSITIONS = "bad_positions"
"""The policy by which such rows are counted."""
FILE, ROW = "inputFile", "inputRow"
"""What a file of such rows has besides the table's columns."""


def without_bad_positions(batch: InputBatch, names: tuple[str, str], quarantine: QuarantineFile | None) -> InputBatch:
    """The rows that have a position on the sphere; the others are written to the quarantine, if there is one."""
    is_good = is_on_sphere(*stored_positions(batch.batch, names))
    if quarantine is not None and not is_good.all():
        quarantine.add(batch, names, ~is_good)
    return batch.only(is_good, BAD_POSITIONS)


class QuarantineFile:
    """The rows of one slice that are left out, batch by batch.

    The file appears when the block ends without an error; without rows there is none.
    """

    def __init__(self, path: Path, table: Table, input_file: str) -> None:
        self._path = path
        self._table = table
        self._file = input_file
        self._open = ExitStack()
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> QuarantineFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    @property
    def files(self) -> dict[str, int]:
        """The file and its bytes, once it is there."""
        return {self._path.name: self._path.stat().st_size} if self._writer else {}

    def add(self, batch: InputBatch, names: tuple[str, str], is_bad: NDArray[np.bool_]) -> None:
        """Write some rows of a batch."""
        bad = batch.batch.filter(pa.array(is_bad))
        columns = {column.name: _readable(bad.column(column.name), column.type.charset) for column in self._table}
        given = batch.positions or stored_positions(batch.batch, names)
        columns |= {name: pa.array(values[is_bad]) for name, values in zip(names, given, strict=True)}
        numbers = batch.row_numbers()[is_bad]
        columns |= {FILE: pa.array([self._file] * len(numbers), pa.string()), ROW: pa.array(numbers)}
        rows = pa.table(columns)
        if self._writer is None:
            self._writer = self._open.enter_context(_writer(self._path, rows.schema))
        require_room(self._path.parent, rows.nbytes)
        self._writer.write_table(rows)


@contextmanager
def _writer(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with writing(path), new_file(path) as draft, pq.ParquetWriter(draft, schema) as writer:
        yield writer


def join_quarantines(files: Sequence[Path], path: Path) -> None:
    """Write the rows of several slices as one file, in the order of their files and rows."""
    with ExitStack() as closing:
        opened = [closing.enter_context(pq.ParquetFile(file)) for file in files]
        opened.sort(key=_first_row)
        writer = closing.enter_context(_writer(path, opened[0].schema_arrow))
        for file in opened:
            for group in range(file.num_row_groups):
                writer.write_table(file.read_row_group(group))


def _first_row(file: pq.ParquetFile) -> tuple[str, int]:
    first = file.read_row_group(0, [FILE, ROW])
    return first[FILE][0].as_py(), first[ROW][0].as_py()


def _readable(values: pa.Array, charset: str) -> pa.Array:
    """Texts as any reader of Parquet shows them."""
    is_bytes = pa.types.is_binary(values.type) or pa.types.is_large_binary(values.type)
    if not is_bytes or not charset or charset == "binary":
        return values
    texts = [None if raw is None else raw.decode(codec_of(charset), "replace") for raw in values.to_pylist()]
    return pa.array(texts, pa.string())
