"""The seam between ingest and catalogs as they are handed over.

A source has a layout, tables and slices. A slice is read as a stream of ``InputBatch``; whatever the format, columns
are in the table's order, in the Arrow types of ``SqlType.arrow``. Adapters live in modules of their own and are
found by ``open_source``.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import Layout, Role, TableLayout
from skyshard.catalog.schema import Table, is_chunk_column

BATCH_ROWS = 1 << 20
"""Rows in a batch at most: bounds the memory of a partition task whatever the size of its slice."""
BATCH_BYTES = 64 << 20
"""Bytes in a batch, about: rows of a thousand columns come in smaller batches."""

Positions = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Longitudes and latitudes in degrees."""


@dataclass(frozen=True, slots=True)
class InputSlice:
    """A piece of input that one partition task reads: a file of one table, or some rows of it."""

    path: str
    bytes: int
    rows: int | None = None
    """None where the format does not say."""
    chunk: int | None = None
    """The chunk of a pre-chunked file."""
    is_overlap: bool = False
    """A pre-chunked file of overlap rows."""
    row_groups: tuple[int, int] | None = None
    """The first and the last row group, of a Parquet file that is read in several slices."""
    span: tuple[int, int] | None = None
    """The bytes that the row groups or rows take: from, and up to but not including."""
    row_range: tuple[int, int] | None = None
    """The first row, from 0, and the one behind the last, of a FITS table that is read in several slices."""
    part: str = ""
    """Which part of the file is read, where it has several; empty for the one that is read unless another is named."""
    changed_ns: int = 0
    """The file's time of change when it was planned; 0 where it was not looked at."""
    made: str = ""
    """All that decides the rows of a slice without a file, whose reader makes them."""
    digest: str = ""
    """The row digest that the source promises; empty where it promises none."""
    number: int = 0
    """The number that the registry gave its file; 0 before that, and for tables without provenance."""
    given: tuple[tuple[str, str | None], ...] = ()
    """Columns whose value in all its rows folders of its path give."""
    offered: tuple[tuple[str, str | None], ...] = ()
    """Columns of which folders of its path would give the value, if the table had them; no part of the content."""

    @staticmethod
    def of(path: Path, *, chunk: int | None = None, is_overlap: bool = False) -> InputSlice:
        """A whole file as it is now.

        Raises:
            UserError: there is no such file, or nothing can write its name down.
        """
        try:
            str(path).encode()
            found = path.stat()
        except UnicodeEncodeError:
            raise UserError(
                f"the name of file {str(path)!r} is not UTF-8", remedy="rename the file or folder"
            ) from None
        except OSError as error:
            raise UserError(f"cannot read '{path}': {error.strerror}", remedy="check the file") from None
        return InputSlice(str(path), found.st_size, chunk=chunk, is_overlap=is_overlap, changed_ns=found.st_mtime_ns)

    @property
    def name(self) -> str:
        return Path(self.path).name

    def of_file(self) -> InputSlice:
        """All bytes of its file, as the part of it that is read: the same for each slice of one."""
        return InputSlice(self.path, self.bytes, given=self.given, part=self.part)

    def readings(self) -> tuple[InputSlice, ...]:
        """The slice, then, where a database's table has columns that it offers, the one that it was without them."""
        offered = {name.lower() for name, _ in self.offered}
        bare = tuple((name, text) for name, text in self.given if name.lower() not in offered)
        return (self,) if bare == self.given else (self, replace(self, given=bare))

    def fingerprint(self) -> str:
        """Digest of the slice's bytes: the same content is the same input, whatever its date and name.

        Row groups or rows, chunk, values of folders and the part that is read count as content: the same bytes for two
        chunks are two slices.
        """
        if self.made:
            return xxhash.xxh3_128_hexdigest(self.made.encode())
        hasher = xxhash.xxh3_128()
        first, last = self.span or (0, sys.maxsize)
        parts = (self.row_groups, self.chunk, self.is_overlap or None, self.given or None)
        for what in (*parts, self.row_range, self.part or None):
            hasher.update(f"{what} ".encode() if what is not None else b"")
        try:
            with open(self.path, "rb") as file:
                file.seek(first)
                while block := file.read(min(1 << 22, last - first)):
                    hasher.update(block)
                    first += len(block)
        except OSError as error:
            raise UserError(f"cannot read '{self.path}': {error.strerror}", remedy="check the file") from None
        return hasher.hexdigest()

    def require_unchanged(self) -> None:
        """Refuse a file that is not the one that was planned.

        Raises:
            UserError: its size or time of change differ.
        """
        if not self.changed_ns:
            return
        now = InputSlice.of(Path(self.path))
        if now.changed_ns != self.changed_ns or (self.span is None and now.bytes != self.bytes):
            raise UserError(
                f"'{self.path}' has changed since the ingest was planned ({self.bytes} bytes then, {now.bytes} now)",
                remedy="wait until it is written, then run the ingest again",
            )


def generated_chunk(path: str) -> int | None:
    """The chunk of a synthetic sky that a slice has all rows of; None for any other slice.

    >>> generated_chunk("sky.yaml#Object/7310"), generated_chunk("chunk_7.parquet"), generated_chunk("sky.yaml#Filter")
    (7310, 7, None)
    """
    name = Path(path.rpartition("#")[2]).stem.removeprefix("chunk_")
    return int(name) if name.isdigit() else None


@dataclass(frozen=True, slots=True)
class InputBatch:
    """Rows of a slice."""

    batch: pa.RecordBatch
    """The table's columns in declared order."""
    first_row: int
    """Number of the first row in its file, from 1."""
    positions: Positions | None = None
    """Partition longitude and latitude in degrees, None where the table has none.

    They have the full precision of the input (a FLOAT column rounds it); only chunk numbers that files give are
    compared with them.
    """
    conversions: Counter[str] = field(default_factory=Counter)
    """Values that were changed, by what was done to them."""
    given_chunks: tuple[pa.Array, pa.Array] | None = None
    """The chunk and sub-chunk numbers that a pre-chunked file gives."""
    known: Mapping[str, Any] = field(default_factory=dict)
    """What the generator of a slice knows of all its rows; it comes with the first batch."""
    given_floats: Mapping[str, pa.Array] = field(default_factory=dict)
    """By column: floats as the input has them, of the columns in which NaN or infinities became NULL."""
    numbers: NDArray[np.int64] | None = None
    """The number of each row in its file; None where they follow ``first_row`` one by one."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows that are not in the batch, by the policy that left them out."""

    def number(self, row: int) -> int:
        """The number in its file of a row of the batch; of one without rows, that of the first that was read."""
        if self.numbers is None:
            return self.first_row + row
        return int(self.numbers[row]) if len(self.numbers) else self.first_row

    def row_numbers(self) -> NDArray[np.int64]:
        """The number of each row in its file."""
        if self.numbers is not None:
            return self.numbers
        return np.arange(self.first_row, self.first_row + self.batch.num_rows, dtype=np.int64)

    def only(self, is_kept: NDArray[np.bool_], policy: str) -> InputBatch:
        """The batch without the other rows, which count as left out by a policy."""
        out = len(is_kept) - int(is_kept.sum())
        if not out:
            return self
        mask = pa.array(is_kept)
        given = self.given_chunks and (self.given_chunks[0].filter(mask), self.given_chunks[1].filter(mask))
        return replace(
            self, batch=self.batch.filter(mask), numbers=self.row_numbers()[is_kept], given_chunks=given,
            positions=self.positions and (self.positions[0][is_kept], self.positions[1][is_kept]),
            left_out=self.left_out + Counter({policy: out}),
            given_floats={name: values.filter(mask) for name, values in self.given_floats.items()},
        )  # fmt: skip


def batch_rows(table: Table) -> int:
    """Rows that fit into a batch of ``BATCH_BYTES``."""
    widths = {"integer": 8, "floating": 8, "decimal": 16, "bytes": 24}
    return max(1024, min(BATCH_ROWS, BATCH_BYTES // sum(widths[column.type.type_class] for column in table)))


def without_chunk_columns(table: Table) -> Table:
    """A table as sources carry it: chunk columns come back at the end when it is stored."""
    return replace(table, columns=tuple(column for column in table if not is_chunk_column(column.name)))


def pair_of(numbers: Mapping[str, NDArray[np.float64]], names: tuple[str, str] | None) -> Positions | None:
    """The two named columns, where two are named."""
    return (numbers[names[0]], numbers[names[1]]) if names else None


class Reader(Protocol):
    """How a slice becomes batches; picklable, so that it travels to partition tasks."""

    def batches(self, piece: InputSlice, table: Table, layout: TableLayout) -> Iterator[InputBatch]:
        """Stream the rows of a slice; ``UserError`` names file, row and column of what cannot be read."""
        ...

    def narrowed(self, table: Table, wanted: frozenset[str]) -> Reader:
        """A reader of some of the table's columns; the others are not looked at."""
        ...


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the files of a table come from, as the source says it; empty where it does not."""

    run: str = ""
    """The collection of a processing, as a Butler names it."""
    weekly: str = ""
    """The release of the pipelines, such as w_2026_24."""
    ticket: str = ""
    root: str = ""
    """The folder in which the files were looked for."""


@dataclass(frozen=True, slots=True)
class SourceTable:
    """One table of a source: its role, its slices and how they are read."""

    table: Table
    """Its schema, without chunk columns."""
    layout: TableLayout
    slices: tuple[InputSlice, ...]
    reader: Reader
    conversions: tuple[str, ...] = ()
    """What reading will change, as far as it is known before the rows are seen."""
    notes: tuple[str, ...] = ()
    """What was decided about the input: which runs count, what types and role were inferred, what is left out."""
    is_inferred: bool = False
    """True where the columns are what the files have: a database that has the table keeps its own."""
    lost: Mapping[str, str] = field(default_factory=dict)
    """Columns that only names of folders give and the table has not, each with the first such folder."""
    origin: Origin | None = None
    """Of a table whose rows say which file and row they are from; None for any other."""

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def bytes(self) -> int:
        return sum(piece.bytes for piece in self.slices)


@dataclass(frozen=True, slots=True)
class Source:
    """A catalog as it is handed over."""

    path: str
    kind: str
    """Which adapter reads it, in a word."""
    database: str
    """The name that the source proposes."""
    layout: Layout
    tables: Mapping[str, SourceTable]
    truth: Mapping[str, int] = field(default_factory=dict)
    """Table → rows that the source says it has."""
    known: Mapping[str, Any] = field(default_factory=dict)
    """What a generator knows besides; kept as it is for ``verify`` (`skyshard.synthetic.generator_truth` reads it)."""
    unopened: frozenset[str] = frozenset()
    """Tables that were not asked for: only their names were looked at."""

    def chosen(self, names: list[str] | None) -> list[SourceTable]:
        """The named tables, or all, directors first, then what follows them, regular tables last.

        Raises:
            UserError: a name that the source does not have.
        """
        tables = [self.tables[name] for name in asked_for(self.path, self.tables, names or None)]
        return sorted(tables, key=lambda table: (list(Role).index(table.layout.role), table.name))


def asked_for(path: Path | str, names: Iterable[str], only: Collection[str] | None) -> list[str]:
    """The tables of a source that are to be opened: all, or ``only`` these.

    Raises:
        UserError: a name that the source does not have.
    """
    there = list(names)
    for name in only or ():
        if name not in there:
            raise UserError(f"source '{path}' has no table '{name}'", remedy=f"it has {', '.join(sorted(there))}")
    return there if only is None else [name for name in there if name in only]
