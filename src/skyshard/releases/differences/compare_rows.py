"""Compares all columns of matched rows, a bounded number of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from skyshard.basics.array_types import Flags, Floats
from skyshard.releases.differences.column_tally import ColumnPart, largest_of, part_of
from skyshard.releases.differences.compare_values import compare_values
from skyshard.releases.differences.compared_columns import ComparedColumn
from skyshard.releases.differences.matched_pairs import Pairs
from skyshard.releases.differences.row_outlines import by_chunk, degrees
from skyshard.releases.differences.spill_file import SpillFile
from skyshard.releases.differences.stored_rows import StoredRows

VALUES_AT_ONCE = 8 << 20
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
    """What some matched rows of one chunk of the new side said."""

    chunk: int
    columns: list[ColumnPart]
    changed: Flags
    """Rows with an unequal column."""
    positions: tuple[Floats, Floats] | None


def rows_at_once(columns: int) -> int:
    """Matched rows that are compared together."""
    return max(1_000, VALUES_AT_ONCE // max(1, columns))


def compare_chunk(sides: ComparedSides, pairs: Pairs, chunk: int, spill: SpillFile) -> Iterator[ComparedPart]:
    """Compare the matched rows of one chunk of the new side."""
    step = rows_at_once(len(sides.columns))
    for start in range(0, len(pairs), step):
        yield _compare(sides, pairs[start : start + step], chunk, spill)


def _compare(sides: ComparedSides, pairs: Pairs, chunk: int, spill: SpillFile) -> ComparedPart:
    old_names = list(dict.fromkeys([*(one.old.name for one in sides.columns), *sides.keys_old]))
    new_names = list(
        dict.fromkeys([*(one.new.name for one in sides.columns), *sides.keys_new, *(sides.position or ())])
    )
    new = sides.new.read(chunk, new_names, pairs["new_row"].astype(np.intp)).combine_chunks()
    old = _old_rows(sides.old, pairs, old_names)
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
    return ComparedPart(chunk, parts, changed, positions)


def _old_rows(old: StoredRows, pairs: Pairs, names: Sequence[str]) -> pa.Table:
    """The rows of the old side in the order of the pairs, from whatever chunks they are in."""
    parts, places = [], []
    for chunk, place in by_chunk(pairs, "old_chunk"):
        parts.append(old.read(chunk, names, pairs["old_row"][place].astype(np.intp)))
        places.append(place)
    found = pa.concat_tables(parts).combine_chunks()
    if len(parts) == 1:
        return found
    back = np.empty(len(pairs), np.intp)
    back[np.concatenate(places)] = np.arange(len(pairs))
    return found.take(pa.array(back)).combine_chunks()
