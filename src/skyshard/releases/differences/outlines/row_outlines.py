"""What matching needs of the rows of one side: keys, positions, and where each row is. On disk, parted by key.

A side is read once, chunk by chunk; the same reading counts rows by tract, patch, visit and detector.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Floats, Integers, RowIndexes, Words
from skyshard.releases.differences.columns.compare_values import comparable_texts, numbers_of
from skyshard.releases.differences.columns.compared_columns import ComparedColumn
from skyshard.releases.differences.outlines.group_counts import count_groups
from skyshard.releases.differences.outlines.key_words import Coding, mixed, partition_of, words_of
from skyshard.releases.differences.reading.spill_file import Extent, SpillFile
from skyshard.releases.differences.reading.stored_rows import StoredRows
from skyshard.rowimage.sqltype import SqlType

DEC_BINS = 18_000
"""Bins of the histogram of declination, from pole to pole: 36 arcseconds each."""


@dataclass(frozen=True, slots=True)
class OutlineColumns:
    """The columns of one side that are read for its outline."""

    keys: tuple[str, ...]
    codings: tuple[Coding, ...]
    position: tuple[str, str] | None
    groups: tuple[tuple[str, ...], ...]
    """Columns by which rows are counted."""
    within: tuple[tuple[str, Coding], ...] = ()
    """Columns whose values are equal in rows that may be one object, such as tract and patch."""
    texts: Mapping[str, tuple[SqlType, ComparedColumn]] = field(default_factory=dict)
    """Those of keys and ``within`` that are texts to the coding: the side's own type, and both sides' column."""

    @property
    def names(self) -> list[str]:
        """All of them, each once."""
        grouped = [name for group in self.groups for name in group]
        within = [name for name, _ in self.within]
        return list(dict.fromkeys([*self.keys, *(self.position or ()), *grouped, *within]))

    @property
    def record(self) -> np.dtype[Any]:
        """One row on disk."""
        words = sum(min(coding.value, 2) for coding in self.codings)
        fields: list[Any] = [("words", np.uint64, (words,)), ("chunk", np.int32), ("row", np.int32)]
        return np.dtype([*fields, ("ra", np.float64), ("dec", np.float64), ("group", np.uint64)])


Outlines = NDArray[np.void]
"""Records of ``OutlineColumns.record``."""


@dataclass(slots=True)
class SideOutlines:
    """All rows of one side, in partitions of their keys."""

    columns: OutlineColumns
    partitions: int
    parts: list[list[Extent]] = field(default_factory=list)
    dec_counts: Integers = field(default_factory=lambda: np.zeros(DEC_BINS, np.int64))
    groups: list[Counter[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.parts = [[] for _ in range(self.partitions)]
        self.groups = [Counter() for _ in self.columns.groups]

    def add(self, found: ChunkOutline) -> None:
        """Take in one chunk; called by one thread at a time."""
        for part, extent in zip(self.parts, found.extents, strict=True):
            if extent.count:
                part.append(extent)
        self.dec_counts += found.dec_counts
        for sums, counts in zip(self.groups, found.groups, strict=True):
            sums.update(counts)

    def partition(self, spill: SpillFile, number: int) -> Outlines:
        """The rows of one partition, by chunk and row."""
        return in_order(spill.read_all(self.parts[number], self.columns.record))

    def blocks(self, spill: SpillFile) -> Iterable[Outlines]:
        """All rows, in blocks."""
        return spill.blocks(extent for part in self.parts for extent in part)


@dataclass(frozen=True, slots=True)
class ChunkOutline:
    """What one chunk adds: an extent for each partition, and counts."""

    extents: list[Extent]
    dec_counts: Integers
    groups: list[Counter[str]]


def read_outline(
    rows: StoredRows, chunk: int, columns: OutlineColumns, partitions: int, spill: SpillFile
) -> ChunkOutline:
    """Read one chunk and put its outline on disk, sorted by partition."""
    table = rows.read(chunk, columns.names)
    groups = [count_groups(table, group) for group in columns.groups]
    words = [
        word
        for name, coding in zip(columns.keys, columns.codings, strict=True)
        for word in _words(table, name, coding, columns)
    ]
    outline = np.zeros(table.num_rows, columns.record)
    for place, word in enumerate(words):
        outline["words"][:, place] = word
    within = [word for name, coding in columns.within for word in _words(table, name, coding, columns)]
    outline["group"] = mixed(within) if within else 0
    outline["chunk"], outline["row"] = chunk, np.arange(table.num_rows)
    counts = np.zeros(DEC_BINS, np.int64)
    if columns.position is not None:
        outline["ra"], outline["dec"] = (degrees(table[name]) for name in columns.position)
        counts = np.bincount(dec_bins(outline["dec"]), minlength=DEC_BINS)
    extents = _parted(outline, words, partitions, spill)
    return ChunkOutline(extents, counts, groups)


def _words(table: pa.Table, name: str, coding: Coding, columns: OutlineColumns) -> list[Words]:
    values = table[name].combine_chunks()
    return words_of(comparable_texts(values, *columns.texts[name]) if name in columns.texts else values, coding)


def _parted(outline: Outlines, words: Sequence[Words], partitions: int, spill: SpillFile) -> list[Extent]:
    if not words:
        words = [np.arange(len(outline)).astype(np.uint64)]
    number = partition_of(words, partitions)
    if partitions > 1:
        outline = outline[np.argsort(number, kind="stable")]
    edges = np.concatenate([[0], np.cumsum(np.bincount(number, minlength=partitions))]).tolist()
    whole = spill.append(outline)
    return [whole.part(first, end) for first, end in pairwise(edges)]


def degrees(column: pa.ChunkedArray) -> Floats:
    """A column of positions; director rows always have one."""
    return numbers_of(column).values.astype(np.float64)


def dec_bins(dec_deg: Floats) -> NDArray[np.intp]:
    """Bins of declinations."""
    return np.clip((dec_deg + 90.0) * (DEC_BINS / 180.0), 0, DEC_BINS - 1).astype(np.intp)


def in_order(outlines: Outlines) -> Outlines:
    """By chunk and row, whatever the order in which chunks were read."""
    return outlines[np.lexsort((outlines["row"], outlines["chunk"]))]


def by_chunk(outlines: NDArray[np.void], chunk: str = "chunk") -> Iterator[tuple[int, RowIndexes]]:
    """The chunks of some rows, ascending, each with the places of its rows in their order."""
    order = np.argsort(outlines[chunk], kind="stable")
    chunks, firsts = np.unique(outlines[chunk][order], return_index=True)
    for number, (first, end) in zip(chunks.tolist(), pairwise([*firsts.tolist(), len(order)]), strict=True):
        yield number, order[first:end]
