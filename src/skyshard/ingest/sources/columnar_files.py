"""Files whose columns have names and types of their own, Parquet and FITS: which is which, their slices and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import TableLayout
from skyshard.ingest.fits.table_rows import FitsTable
from skyshard.ingest.source import InputSlice
from skyshard.ingest.sources.column_names import own_names
from skyshard.ingest.sources.fits_files import FitsReader, fits_ending, fits_slices, is_fits
from skyshard.ingest.sources.mapping import FitsFormat, MappedTable
from skyshard.ingest.sources.parquet_files import ParquetReader, is_parquet, parquet_slices
from skyshard.ingest.values.column_rules import Rule

ColumnarReader = ParquetReader | FitsReader
DEGREES = 57.29577951308232
"""Of a radian."""


def is_columnar(given: str, path: Path) -> bool:
    """True for a file that is read as Parquet or FITS: by the format that is given, else by its ending."""
    return is_parquet(given, path) or is_fits(given, path)


def columnar_ending(path: Path) -> str:
    """The ending of such a file's name, whole."""
    return fits_ending(path) or path.suffix


def columnar_slices(path: Path, given: str = "", fits: FitsFormat | None = None) -> tuple[list[InputSlice], pa.Schema]:
    """A file's slices and its columns, by its footer or header.

    Raises:
        UserError: it is not there, or cannot be read.
    """
    return fits_slices(path, fits) if is_fits(given, path) else parquet_slices(path)


def reader_of(mapped: MappedTable, rules: Sequence[Rule], path: Path) -> ColumnarReader:
    """What reads the files of a table, of which one is given."""
    if is_fits(mapped.format, path):
        return FitsReader(tuple(rules), mapped.where, mapped.fits)
    return ParquetReader(tuple(rules), mapped.where)


def require_one_kind(where: str, files: Sequence[Path], given: str) -> None:
    """Refuse files of a table of which some are FITS and others are not.

    Raises:
        UserError: names two.
    """
    first = files[0]
    other = next((path for path in files if is_fits(given, path) != is_fits(given, first)), None)
    if other is not None:
        raise UserError(
            f"{where}: of '{first}' and '{other}' one is a FITS file, the other is none",
            remedy="give the files of a table in one format",
        )


def require_degrees(where: str, schema: pa.Schema, path: Path, layout: TableLayout, rules: Sequence[Rule]) -> None:
    """Refuse positions that a file says are in radians, and that are taken as they are.

    Raises:
        UserError: names the column.
    """
    positions = {*(layout.position or ()), *(layout.position2 or ())}
    plain = [rule.source for rule in rules if rule.column.name in positions and rule.source and rule.factor is None]
    for name in own_names(schema.names, plain).values():
        if is_in_radians(schema.field(name)):
            raise UserError(
                f"{where}: '{path}': column '{name}' is in radians, and positions are in degrees",
                remedy=f"give it a factor of {DEGREES} in the mapping's columns",
            )


def is_in_radians(field: pa.Field) -> bool:
    """True for a column whose file says so."""
    return (field.metadata or {}).get(b"unit", b"").strip().lower() in (b"rad", b"radian", b"radians")


def other_tables(path: Path, mapped: MappedTable) -> tuple[str, ...]:
    """What is to be said of tables of a file that are not read, where the mapping names none."""
    if not is_fits(mapped.format, path) or mapped.fits.hdu is not None:
        return ()
    others = FitsTable.of(path).found.others
    more = f" and {len(others) - 5} more" if len(others) > 5 else ""
    return (f"{len(others)} other tables of a file left out: HDU {', '.join(others[:5])}{more}",) if others else ()


def with_rules(reader: ColumnarReader, rules: Sequence[Rule]) -> ColumnarReader:
    """The reader with other rules."""
    return replace(reader, rules=tuple(rules))
