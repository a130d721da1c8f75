"""A sky's rows where a layout puts them: the chunk and sub-chunk of each, whatever striping the rows were made by.

The generator makes rows by chunks of its own; here they are made again and placed by the chunker of the striping that
they were ingested with: directors by position, dependents with their director, matches with either side. No I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Numbers
from skyshard.basics.errors import Bug
from skyshard.basics.lazy import locked_property
from skyshard.catalog.chunkers import chunker_of
from skyshard.catalog.layout import Role, Striping, TableLayout
from skyshard.chunking.chunker import OverlapCopies
from skyshard.synth.rows.generate import SyntheticSky

FIRST, SECOND, BOTH = 1, 2, 3
"""Flags of a match: stored with its first side, with its second, with both."""
_DECIDES_CHUNKS = ("role", "director", "key", "position", "director2", "key2", "position2", "flag")
"""What in a table's layout decides, with the striping, which chunk a row is in."""


@dataclass(frozen=True, slots=True)
class PlacedRows:
    """Rows of one table with their places; ``copies`` are a director's rows for the overlap of other sub-chunks."""

    rows: pa.Table
    chunks: Numbers
    sub_chunks: Numbers
    copies: OverlapCopies | None = None

    def take(self, chosen: NDArray[np.bool_]) -> PlacedRows:
        """Some of the rows, without copies."""
        rows = self.rows.filter(pa.array(chosen))
        return PlacedRows(rows, self.chunks[chosen], self.sub_chunks[chosen])


@dataclass(frozen=True, slots=True)
class _KeyPlaces:
    """Where the rows of a director are, by key."""

    keys: NDArray[np.int64]
    chunks: Numbers
    sub_chunks: Numbers

    @staticmethod
    def of(rows: pa.Table, key: str, chunks: Numbers, sub_chunks: Numbers) -> _KeyPlaces:
        keys = np.asarray(rows[key].to_numpy(), np.int64)
        order = np.argsort(keys, kind="stable")
        return _KeyPlaces(keys[order], chunks[order], sub_chunks[order])

    def find(self, column: pa.ChunkedArray) -> tuple[NDArray[np.bool_], Numbers, Numbers]:
        """Which rows have a key, and the places of those."""
        has_key = np.asarray(column.is_valid().to_numpy())
        keys = np.asarray(column.fill_null(0).to_numpy(), np.int64)
        if not len(self.keys):
            return np.zeros(len(keys), bool), np.zeros(len(keys), np.int32), np.zeros(len(keys), np.int32)
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        if (self.keys[at] != keys)[has_key].any():
            raise Bug("a row names a director that its chunk does not make")
        return has_key, self.chunks[at], self.sub_chunks[at]


@dataclass(frozen=True)
class Placement:
    """Rows of a sky as a layout spreads them; ``layouts`` are those of the tables as they were ingested."""

    sky: SyntheticSky
    share: float
    striping: Striping
    layouts: Mapping[str, TableLayout]

    @locked_property
    def tables(self) -> tuple[str, ...]:
        """The chunked tables whose rows can be placed: their layout decides chunks as the sky's own does."""
        return tuple(name for name in self.sky.chunked if self._is_placed(name))

    def _is_placed(self, name: str) -> bool:
        if name not in self.layouts or name not in self.sky.chunked:
            return False
        layout, made = self.layouts[name], self.sky.specs[name].layout
        is_alike = all(getattr(layout, what) == getattr(made, what) for what in _DECIDES_CHUNKS)
        return is_alike and all(self._is_placed(director) for director in directors_of(layout))

    def rows(self, chunk: int, names: Collection[str]) -> Iterator[tuple[str, PlacedRows]]:
        """The rows of some placeable tables that the generator makes for one of its chunks, in runs."""
        needed = {director for name in names for director in directors_of(self.layouts[name])}
        places: dict[str, _KeyPlaces] = {}
        waiting: list[tuple[str, pa.Table]] = []
        for name, rows in self.sky.chunk_runs(chunk, self.share, needed | set(names)):
            if self.layouts[name].role is not Role.DIRECTOR:
                if not set(directors_of(self.layouts[name])) <= set(places):
                    waiting.append((name, rows))
                    continue
                yield name, self._following(name, rows, places)
                continue
            placed = self._director(name, rows)
            places[name] = _KeyPlaces.of(rows, self.layouts[name].key, placed.chunks, placed.sub_chunks)
            if name in names:
                yield name, placed
        for name, rows in waiting:
            yield name, self._following(name, rows, places)

    def _director(self, name: str, rows: pa.Table) -> PlacedRows:
        chunker, position = chunker_of(self.striping), self.layouts[name].position
        if position is None:
            raise Bug(f"director {name} has no position")
        ra, dec = (np.asarray(rows[column].to_numpy(), np.float64) for column in position)
        return PlacedRows(rows, *chunker.locate(ra, dec), chunker.overlap_copies(ra, dec))

    def _following(self, name: str, rows: pa.Table, places: Mapping[str, _KeyPlaces]) -> PlacedRows:
        layout = self.layouts[name]
        if layout.role is Role.REF_MATCH:
            return _match(rows, layout, places)
        has_key, chunks, sub_chunks = places[layout.director].find(rows[layout.key])
        if not has_key.all():
            raise Bug(f"a row of {name} has no director")
        return PlacedRows(rows, chunks, sub_chunks)


def directors_of(layout: TableLayout) -> Sequence[str]:
    """The directors that a table's rows follow."""
    return [name for name in (layout.director, layout.director2) if name]


def _match(rows: pa.Table, layout: TableLayout, places: Mapping[str, _KeyPlaces]) -> PlacedRows:
    """A row for each side, flagged; one where both sides are in one chunk."""
    one, *first = places[layout.director].find(rows[layout.key])
    two, *second = places[layout.director2].find(rows[layout.key2])
    same = one & two & (first[0] == second[0])
    in_first, in_second = np.flatnonzero(one), np.flatnonzero(two & ~same)
    chosen = np.concatenate([in_first, in_second])
    flags = np.concatenate([np.where(same[in_first], BOTH, FIRST), np.full(len(in_second), SECOND)])
    taken = rows.take(pa.array(chosen))
    field = taken.schema.field(layout.flag)
    taken = taken.set_column(taken.schema.get_field_index(layout.flag), field, pa.array(flags).cast(field.type))
    chunks, sub_chunks = (
        np.concatenate([mine[in_first], its[in_second]]) for mine, its in zip(first, second, strict=True)
    )
    return PlacedRows(taken, chunks, sub_chunks)
