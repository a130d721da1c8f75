"""The seam between catalogs as they are handed over and the rest of ingest.

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

from skyshard.catalog.layout import Layout, Role, TableLayout
from skyshard.catalog.schema import Table, is_chunk_column
from skyshard.errors import UserError

BATCH_ROWS = 1 << 20
"""Rows in a batch at most: bounds the memory of a partition task whatever the size of its slice."""
BATCH_BYTES = 64 << 20
"""Bytes in a batch, about: rows of a thousand columns come in smaller batches."""

Positions = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Longitudes and latitudes in degrees."""


@dataclass(frozen=True, slots=True)
class InputSlice:
    """One input file of one table, or a range of row groups of one.

    ``chunk`` and ``is_overlap`` are set for pre-chunked files only. ``rows`` is None where the format does not say.
    ``row_groups`` are the first and last one of a part of a Parquet file, ``span`` the bytes that they take, from, up
    to but not including. ``changed_ns`` is the file's time of change when it was planned, 0 where it was not looked at.
    A slice without a file, whose rows its reader makes, says in ``made`` all that decides them. ``digest`` is the row
    digest that the source promises, empty where it promises none.
    """

    path: str
    bytes: int
    rows: int | None = None
    chunk: int | None = None
    is_overlap: bool = False
    row_groups: tuple[int, int] | None = None
    span: tuple[int, int] | None = None
    changed_ns: int = 0
    made: str = ""
    digest: str = ""

    @staticmethod
    def of(path: Path, *, chunk: int | None = None, is_overlap: bool = False) -> InputSlice:
        """A whole file as it is now.

        Raises:
            UserError: there is no such file.
        """
        try:
            found = path.stat()
        except OSError as error:
            raise UserError(f"cannot read '{path}': {error.strerror}", remedy="check the file") from None
        return InputSlice(str(path), found.st_size, chunk=chunk, is_overlap=is_overlap, changed_ns=found.st_mtime_ns)

    @property
    def name(self) -> str:
        return Path(self.path).name

    def fingerprint(self) -> str:
        """Digest of the slice's bytes: the same content is the same input, whatever its date and name.

        Row groups and chunk count as content: the same bytes for two chunks are two slices.
        """
        if self.made:
            return xxhash.xxh3_128_hexdigest(self.made.encode())
        hasher = xxhash.xxh3_128()
        first, last = self.span or (0, sys.maxsize)
        for what in (self.row_groups, self.chunk, self.is_overlap or None):
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


@dataclass(frozen=True, slots=True)
class InputBatch:
    """Rows of a slice.

    ``batch`` holds the table's columns in declared order. ``positions`` are the partition longitude and latitude in
    degrees at the full precision of the input (a FLOAT column rounds them), or None where the table has none: only the
    chunk numbers that files give are held against them. ``given_chunks`` are the chunk and sub-chunk numbers that a
    pre-chunked file gives. ``conversions`` counts the values that were changed on the way, by what was done. ``known``
    is what the generator of a slice knows of all its rows; it comes with the first batch.
    """

    batch: pa.RecordBatch
    first_row: int
    positions: Positions | None = None
    conversions: Counter[str] = field(default_factory=Counter)
    given_chunks: tuple[pa.Array, pa.Array] | None = None
    known: Mapping[str, Any] = field(default_factory=dict)


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
class SourceTable:
    """One table of a source: its schema without chunk columns, its role, its slices and how they are read.

    ``conversions`` says what reading will change, as far as it is known before the rows are seen.
    """

    table: Table
    layout: TableLayout
    slices: tuple[InputSlice, ...]
    reader: Reader
    conversions: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def bytes(self) -> int:
        return sum(piece.bytes for piece in self.slices)


@dataclass(frozen=True, slots=True)
class Source:
    """A catalog as it is handed over.

    ``database`` is the name that the source proposes. ``truth`` maps a table to the rows that the source says it has;
    ``known`` is what a generator knows besides (`skyshard.synthetic.generator_truth` reads it), kept as it is for
    ``verify``.
    ``unopened`` are the tables that were not asked for: only their names were looked at.
    """

    path: str
    kind: str
    database: str
    layout: Layout
    tables: Mapping[str, SourceTable]
    truth: Mapping[str, int] = field(default_factory=dict)
    known: Mapping[str, Any] = field(default_factory=dict)
    unopened: frozenset[str] = frozenset()

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
