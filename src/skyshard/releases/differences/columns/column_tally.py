"""What was found of one column so far: counts, differences on disk, the largest of them. Chunks may come in any order:
what comes out does not depend on it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.basics.array_types import Floats, RowIndexes
from skyshard.releases.differences.columns.compare_values import ComparedValues
from skyshard.releases.differences.columns.compared_columns import ComparedColumn, Kind
from skyshard.releases.differences.columns.exact_median import Numbers, median_and_mad
from skyshard.releases.differences.reading.spill_file import Extent, SpillFile

LARGEST = 5
"""Outliers that are kept of each column."""


@dataclass(frozen=True, slots=True)
class Outlier:
    """A pair of rows whose numbers differ much."""

    key_new: int | str
    key_old: int | str
    old: float
    new: float
    difference: float

    @property
    def rank(self) -> tuple[float, bool, int | str, bool, int | str]:
        """They sort by the size of the difference, then by key."""
        new, old = self.key_new, self.key_old
        return -abs(self.difference), isinstance(new, str), new, isinstance(old, str), old


@dataclass(frozen=True, slots=True)
class ColumnPart:
    """What some matched rows say of one column; their differences are on disk."""

    rows: int
    equal: int
    nulls_old: int
    nulls_new: int
    both: int
    differing: int
    extent: Extent | None
    outliers: list[Outlier]


def part_of(found: ComparedValues, spill: SpillFile, outliers: list[Outlier]) -> ColumnPart:
    """Put the differences of some rows on disk, and count the rest."""
    extent = spill.append(found.differences) if len(found.differences) else None
    equal = int(np.count_nonzero(found.equal))
    return ColumnPart(
        len(found.equal), equal, found.nulls_old, found.nulls_new, found.both, len(found.rows), extent, outliers
    )


@dataclass(slots=True)
class ColumnTally:
    """The sums of one column."""

    column: ComparedColumn
    rows: int = 0
    equal: int = 0
    nulls_old: int = 0
    nulls_new: int = 0
    both: int = 0
    """Rows with a value on both sides."""
    differing: int = 0
    extents: list[Extent] = field(default_factory=list)
    outliers: list[Outlier] = field(default_factory=list)

    def add(self, part: ColumnPart) -> None:
        """Take in what some rows said."""
        for name in ("rows", "equal", "nulls_old", "nulls_new", "both", "differing"):
            setattr(self, name, getattr(self, name) + getattr(part, name))
        if part.extent is not None:
            self.extents.append(part.extent)
        if part.outliers:
            self.outliers = sorted([*self.outliers, *part.outliers], key=lambda one: one.rank)[:LARGEST]

    def middle(self, spill: SpillFile) -> tuple[float, float] | None:
        """Median and MAD of the differences of rows with a number on both sides."""
        if self.column.kind is not Kind.NUMBER:
            return None
        numbers = Numbers(lambda: spill.blocks(self.extents), self.differing, 0.0, self.both - self.differing)
        return median_and_mad(numbers)


def largest_of(
    found: ComparedValues, old: pa.Array, new: pa.Array, keys_old: list[pa.Array], keys_new: list[pa.Array]
) -> list[Outlier]:
    """The largest differences of a chunk, with the keys of their rows; of equal ones those of the lowest keys."""
    outliers = []
    for place in _largest_places(found.differences, keys_new, found):
        row = int(found.rows[place])
        keys, values = (key_text(keys_new, row), key_text(keys_old, row)), (old[row].as_py(), new[row].as_py())
        outliers.append(Outlier(*keys, float(values[0]), float(values[1]), float(found.differences[place])))
    return outliers


def _largest_places(differences: Floats, keys: list[pa.Array], found: ComparedValues) -> list[int]:
    sizes = np.abs(differences)
    if len(sizes) > LARGEST:
        least = np.partition(sizes, len(sizes) - LARGEST)[len(sizes) - LARGEST]
        above, ties = np.flatnonzero(sizes > least), np.flatnonzero(sizes == least)
        wanted = LARGEST - len(above)
        if len(ties) > wanted:
            order = np.lexsort([_sortable(key, found.rows[ties]) for key in reversed(keys)])
            ties = ties[order[:wanted]]
        return [*above.tolist(), *ties.tolist()]
    return list(range(len(sizes)))


def _sortable(key: pa.Array, rows: RowIndexes) -> RowIndexes:
    """A number for each key, in the order of the keys."""
    return np.asarray(pc.rank(key.take(pa.array(rows)), tiebreaker="dense"))


def key_text(keys: list[pa.Array], row: int) -> int | str:
    """The key of a row: a whole number as it is, several columns joined by commas."""
    values = [key[row].as_py() for key in keys]
    if len(values) == 1 and isinstance(values[0], int):
        return values[0]
    return ",".join(one.decode("utf-8", "backslashreplace") if isinstance(one, bytes) else str(one) for one in values)
