"""Reads binary tables of FITS files as slices and typed batches; columns are found by name.

A large table that is not packed is several slices, so that it spreads over tasks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.ingest.fits.table_rows import FitsTable, row_batches
from skyshard.ingest.source import BATCH_BYTES, InputBatch, InputSlice, batch_rows
from skyshard.ingest.sources.column_names import wanted_names
from skyshard.ingest.sources.made_rows import made_batch
from skyshard.ingest.sources.mapping import FitsFormat
from skyshard.ingest.sources.parquet_files import SPLIT_BYTES
from skyshard.ingest.sources.wanted_rows import asked_columns
from skyshard.ingest.values.column_rules import Rule
from skyshard.ingest.values.text_values import RowError

_ENDINGS = (".fits", ".fit", ".fts")
_PACKED = (".gz", ".bz2", ".xz", ".fz")


def is_fits(given: str, path: Path) -> bool:
    """True for a file that is read as FITS: by the format that is given, else by its ending.

    >>> is_fits("", Path("a.FITS.gz")), is_fits("", Path("a.fit")), is_fits("text", Path("a.fits"))
    (True, True, False)
    """
    return given == "fits" or (not given and fits_ending(path) != "")


def fits_ending(path: Path) -> str:
    """The ending of a FITS file's name, as it is spelled; empty if it has none of those.

    >>> fits_ending(Path("a.FITS.gz")), fits_ending(Path("a.1.fit")), fits_ending(Path("a.gz"))
    ('.FITS.gz', '.fit', '')
    """
    last = path.suffix if path.suffix.lower() in _PACKED else ""
    plain = Path(path.name.removesuffix(last)).suffix
    return plain + last if plain.lower() in _ENDINGS else ""


@dataclass(frozen=True, slots=True)
class FitsReader:
    """Reads slices of FITS tables."""

    rules: tuple[Rule, ...]
    where: str = ""
    """Which rows are taken: a condition over the table's columns; all if empty."""
    format: FitsFormat = field(default_factory=FitsFormat)
    is_checked: bool = True
    """False for a second reading, whose data were held against the sums of the header before."""

    def narrowed(self, table: Table, wanted: frozenset[str]) -> FitsReader:
        rules = tuple(rule for rule in self.rules if rule.column.name in wanted)
        return replace(self, rules=rules, is_checked=False)

    def batches(self, piece: InputSlice, table: Table, layout: TableLayout) -> Iterator[InputBatch]:
        found = FitsTable.of(piece.path, self.format.hdu)
        fields = {field.name: field for field in found.fields}
        asked = asked_columns(self.where)
        names = wanted_names(piece, [field.name for field in found.fields], self.rules, table, asked)
        for name in names:
            if fields[name].is_list:
                raise UserError(
                    f"'{found.shown}', column '{name}': {fields[name].arrow} does not fit a column",
                    remedy="omit the column, or write its elements as columns",
                )
        is_checked = self.is_checked and self.format.checksums
        wanted = [fields[name] for name in names]
        first_row = piece.row_range[0] if piece.row_range else 0
        try:
            most = min(batch_rows(table), max(1, BATCH_BYTES // max(1, sum(field.width for field in wanted))))
            batches = row_batches(found, wanted, most, piece.row_range, is_checked=is_checked)
            for first_row, batch in batches:
                called = batch.rename_columns([names.get(name, name) for name in batch.schema.names])
                given = InputBatch(called, first_row + 1)
                yield made_batch(piece, given, self.rules, self.where, table, layout, found.shown)
                first_row += batch.num_rows
        except RowError as error:
            raise error.in_file(found.shown, first_row + 1 + error.row, has_types=False) from None


def fits_slices(
    path: Path, given: FitsFormat | None = None, split_bytes: int = SPLIT_BYTES
) -> tuple[list[InputSlice], pa.Schema]:
    """The slices of a file's table and its columns, by its header.

    Raises:
        UserError: it is not there, no FITS file, cut off, or without the table.
    """
    hdu = given.hdu if given is not None else None
    whole = InputSlice.of(path)
    table = FitsTable.of(path, hdu)
    named = "" if table.found.is_first else f"HDU {table.hdu.number}"
    whole = replace(whole, rows=table.rows, part=named)
    size = table.rows * table.row_bytes
    if table.found.is_packed or table.has_heap or size <= split_bytes:
        return [whole], table.schema
    each = max(1, split_bytes // table.row_bytes)
    firsts = range(0, table.rows, each)
    edges = [0, *(table.hdu.data_at + first * table.row_bytes for first in firsts[1:]), whole.bytes]
    slices = [
        replace(
            whole, bytes=edges[i + 1] - edges[i], span=(edges[i], edges[i + 1]), rows=min(each, table.rows - first),
            row_range=(first, min(first + each, table.rows)),
        )
        for i, first in enumerate(firsts)
    ]  # fmt: skip
    return slices, table.schema
