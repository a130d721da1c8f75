"""Compares all columns of matched rows, a bounded number of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Flags, Floats
from skyshard.releases.differences.columns.column_tally import ColumnPart, largest_of, part_of
from skyshard.releases.differences.columns.compare_values import compare_values
from skyshard.releases.differences.columns.compared_columns import ComparedColumn
from skyshard.releases.differences.matching.matched_pairs import Pairs
from skyshard.releases.differences.outlines.row_outlines import by_chunk, degrees
from skyshard.releases.differences.reading.spill_file import SpillFile
from skyshard.releases.differences.reading.stored_rows import StoredRows

FEWEST_ROWS = 1_000
VALUES_AT_ONCE = 4 << 20
"""Values of each side that are in memory together."""


@dataclass(frozen=True, slots=True)
class ComparedSides:
    """Two tables whose rows are matched, and their columns."""

    old: StoredRows
    new: StoredRows
    columns: Sequence[ComparedColumn]
    keys_old: tuple[str, ...]
    keys_new: tuple[str, ...]
    """Columns that name a row."""
    position: tuple[str, str] | None
    """Of the new side."""


@dataclass(frozen=True, slots=True)
class ComparedPart:
    """What some matched rows said."""

    columns: list[ColumnPart]
    changed: Flags
    """Rows with an unequal column."""
    positions: tuple[Floats, Floats] | None


def rows_at_once(columns: int) -> int:
    """Matched rows that are compared together."""
    return max(FEWEST_ROWS, VALUES_AT_ONCE // max(1, columns))


def compare_pairs(sides: ComparedSides, pairs: Pairs, spill: SpillFile) -> Iterator[ComparedPart]:
    """Compare matched rows, a bounded number at a time."""
    step = rows_at_once(len(sides.columns))
    for start in range(0, len(pairs), step):
        yield _compare(sides, pairs[start : start + step], spill)


def _compare(sides: ComparedSides, pairs: Pairs, spill: SpillFile) -> ComparedPart:
    old_names = list(dict.fromkeys([*(one.old.name for one in sides.columns), *sides.keys_old]))
    new_names = list(
        dict.fromkeys([*(one.new.name for one in sides.columns), *sides.keys_new, *(sides.position or ())])
    )
    new, old = _rows(sides.new, pairs, "new", new_names), _rows(sides.old, pairs, "old", old_names)
    keys = [old[name].chunk(0) for name in sides.keys_old], [new[name].chunk(0) for name in sides.keys_new]
    changed = np.zeros(len(pairs), np.bool_)
    parts = []
    for column in sides.columns:
        before, after = old[column.old.name].chunk(0), new[column.new.name].chunk(0)
        found = compare_values(before, after, column)
        changed |= ~found.equal
        parts.append(part_of(found, spill, largest_of(found, before, after, *keys)))
    positions = None
    if sides.position is not None:
        positions = degrees(new[sides.position[0]]), degrees(new[sides.position[1]])
    return ComparedPart(parts, changed, positions)


def _rows(rows: StoredRows, pairs: Pairs, side: str, names: Sequence[str]) -> pa.Table:
    """The rows of one side in the order of the pairs, from whatever chunks they are in, each column in one piece."""
    parts, places = [], []
    for chunk, place in by_chunk(pairs, f"{side}_chunk"):
        parts.append(rows.read(chunk, names, pairs[f"{side}_row"][place].astype(np.intp)))
        places.append(place)
    found = pa.concat_tables(parts).combine_chunks()
    order = np.concatenate(places)
    if not (np.diff(order) < 0).any():
        return found
    back = np.empty(len(pairs), np.intp)
    back[order] = np.arange(len(pairs))
    return found.take(pa.array(back)).combine_chunks()
