"""The seam between catalogs as they are handed over and the rest of ingest.

A source has a layout, tables and parts. A part is read as a stream of ``InputBatch``; whatever the format, columns
stand in the table's order, in the Arrow types of ``SqlType.arrow``. Adapters live in modules of their own and are
found by ``open_source``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from skyshard.errors import UserError
from skyshard.layout import Layout, Role, TableLayout
from skyshard.schema import Table

BATCH_ROWS = 131_072
"""Rows in a batch at most: bounds the memory of a partition task whatever the size of its part."""


@dataclass(frozen=True, slots=True)
class Part:
    """One input file of one table.

    ``chunk`` and ``is_overlap`` are set for pre-chunked files only. ``rows`` is None where the format does not say.
    """

    path: str
    bytes: int
    rows: int | None = None
    chunk: int | None = None
    is_overlap: bool = False

    @property
    def name(self) -> str:
        return Path(self.path).name

    def fingerprint(self) -> str:
        """Digest of the file's bytes: the same content is the same input, whatever its date."""
        hasher = xxhash.xxh3_128()
        try:
            with open(self.path, "rb") as file:
                while block := file.read(1 << 22):
                    hasher.update(block)
        except OSError as error:
            raise UserError(f"cannot read '{self.path}': {error.strerror}", remedy="check the file") from None
        return hasher.hexdigest()


@dataclass(frozen=True, slots=True)
class InputBatch:
    """Rows of a part.

    ``batch`` holds the table's columns in declared order. ``positions`` are the partition longitude and latitude in
    degrees at the full precision of the input (a FLOAT column would round them), or None where the table has none.
    ``conversions`` counts the values that were changed on the way, by what was done.
    """

    batch: pa.RecordBatch
    first_row: int
    positions: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
    conversions: Counter[str] = field(default_factory=Counter)


class Reader(Protocol):
    """How a part becomes batches; picklable, so that it travels to partition tasks."""

    def batches(self, part: Part, table: Table, layout: TableLayout) -> Iterator[InputBatch]:
        """Stream the rows of a part; ``UserError`` names file, row and column of what cannot be read."""


@dataclass(frozen=True, slots=True)
class SourceTable:
    """One table of a source: its schema without chunk columns, its role, its parts and how they are read."""

    table: Table
    layout: TableLayout
    parts: tuple[Part, ...]
    reader: Reader

    @property
    def name(self) -> str:
        return self.table.name

    @property
    def bytes(self) -> int:
        return sum(part.bytes for part in self.parts)


@dataclass(frozen=True, slots=True)
class Source:
    """A catalog as it is handed over.

    ``database`` is the name that the source proposes. ``truth`` maps a table to the rows that the source says it has.
    """

    path: str
    kind: str
    database: str
    layout: Layout
    tables: Mapping[str, SourceTable]
    truth: Mapping[str, int] = field(default_factory=dict)

    def chosen(self, names: list[str] | None) -> list[SourceTable]:
        """The named tables, or all, directors first, then what follows them, regular tables last.

        Raises:
            UserError: a name that the source does not have.
        """
        for name in names or ():
            if name not in self.tables:
                raise UserError(
                    f"source '{self.path}' has no table '{name}'", remedy=f"it has {', '.join(sorted(self.tables))}"
                )
        tables = [table for name, table in self.tables.items() if not names or name in names]
        return sorted(tables, key=lambda table: (list(Role).index(table.layout.role), table.name))
