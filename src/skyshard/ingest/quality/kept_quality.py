"""What the rows of one transaction hold, kept beside the registry by input slice. Version 1.

One file a transaction, ``quality/DATABASE/N.json.gz``, written before it is published; the file of one that never was
belongs to no one. A slice's counts can be left out when its file was replaced.
"""

from __future__ import annotations

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from skyshard.catalog.schema import Table
from skyshard.catalog.strict_files import Strict, read_written
from skyshard.host.atomic_files import write_atomically


class SliceQuality(Strict):
    """What the rows of one input slice hold; counts that are 0 are left out."""

    path: str
    """The slice's file, or a part of it (``file#...``)."""
    digest: str
    rows: int
    nulls: dict[str, int] = Field(default_factory=dict)
    """NULL in the input, by column; NaN and infinities are counted apart, and stored as NULL, too."""
    nans: dict[str, int] = Field(default_factory=dict)
    infinities: dict[str, int] = Field(default_factory=dict)
    trues: dict[str, int] = Field(default_factory=dict)
    """Flags that are set."""
    ranges: dict[str, tuple[int | float, int | float]] = Field(default_factory=dict)
    """Least and greatest finite value of number columns; whole numbers keep all their digits."""
    places: dict[str, dict[str, int]] = Field(default_factory=dict)
    """``tract/patch`` and ``visit/detector``: rows by both, joined by a slash."""


class TableQuality(Strict):
    """One table."""

    columns: dict[str, str]
    """Types by name, in declared order."""
    slices: list[SliceQuality]
    near_primary: int | None = None
    """Primary rows with another primary one of the same transaction within 0.2 arcseconds; null where not counted."""


class TransactionQuality(Strict):
    """All tables of one transaction."""

    version: Literal[1]
    tables: dict[str, TableQuality]


def table_quality(table: Table, slices: Sequence[Mapping[str, Any]], near_primary: int | None) -> TableQuality:
    """What is known of a table, by slices in the order of their paths."""
    columns = {column.name: column.type.text for column in table}
    found = [SliceQuality.model_validate(one) for one in slices]
    return TableQuality(columns=columns, slices=sorted(found, key=lambda one: one.path), near_primary=near_primary)


def keep_quality(folder: Path, transaction: int, tables: Mapping[str, TableQuality]) -> None:
    """Keep the counts of a transaction; none where nothing was counted."""
    if not tables:
        return
    folder.mkdir(parents=True, exist_ok=True)
    text = TransactionQuality(version=1, tables=dict(tables)).model_dump_json(exclude_defaults=True)
    write_atomically(_file(folder, transaction), gzip.compress(text.encode(), 3, mtime=0))


def forget_quality(folder: Path, transaction: int) -> None:
    """Forget what was kept of a transaction that is not to be."""
    _file(folder, transaction).unlink(missing_ok=True)


def read_quality(folder: Path, transaction: int) -> TransactionQuality | None:
    """What was counted in a transaction; None where nothing was.

    Raises:
        UserError: the file is torn, or a later release wrote it.
    """
    path = _file(folder, transaction)
    return read_written(TransactionQuality, path, "ingest the release again to count it") if path.is_file() else None


def _file(folder: Path, transaction: int) -> Path:
    return folder / f"{transaction}.json.gz"
