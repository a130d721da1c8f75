"""The chunks of a table as queries see them: columns, of which an entry is made when it is asked for. Pure values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from skyshard.basics.lazy import locked_property
from skyshard.catalog.ddl import part_suffix, shown_suffix
from skyshard.registry.stored.entry_columns import EntryColumns, Numbers

_NONE = np.zeros(0, np.int64)


class ChunkEntry(NamedTuple):
    """One chunk of one table: its own rows, the rows of its overlap table, and the nodes that hold a replica.

    ``suffix`` and ``overlap_suffix`` end the names of its tables in this generation (``ddl.shown_suffix``): a
    query that keeps its catalog keeps the state that it began with, whatever is published meanwhile.
    """

    rows: int
    overlap_rows: int
    nodes: tuple[str, ...]
    bytes: int = 0
    suffix: str = ""
    overlap_suffix: str = ""


class ChunkEntries(Mapping[int, ChunkEntry]):
    """Chunk → entry, ascending. Whoever asks for many chunks asks at once."""

    def __init__(self, columns: EntryColumns) -> None:
        self._columns = columns
        self._node_sets: dict[tuple[str, ...], tuple[str, ...]] = {}

    @classmethod
    def of(cls, entries: Mapping[int, ChunkEntry]) -> ChunkEntries:
        """The same from entries.

        >>> one = ChunkEntries.of({325: ChunkEntry(9, 0, ("a", "b")), 324: ChunkEntry(5, 2, ("a",), 700, "_g8", "_p8")})
        >>> list(one), one[324]
        ([324, 325], ChunkEntry(rows=5, overlap_rows=2, nodes=('a',), bytes=700, suffix='_g8', overlap_suffix='_p8'))
        """
        numbers = sorted(entries)
        listed = [entries[number] for number in numbers]
        names = sorted({node for entry in listed for node in entry.nodes})
        counts = np.array([(e.rows, e.overlap_rows, e.bytes) for e in listed], np.int64).reshape(-1, 3).T
        shown = np.array([(_shown(e.suffix), _shown(e.overlap_suffix)) for e in listed], np.int64).reshape(-1, 2).T
        first = np.cumsum([0, *(len(entry.nodes) for entry in listed)])
        holders = np.array([names.index(node) for entry in listed for node in entry.nodes], np.int64)
        return cls(
            EntryColumns(
                np.array(numbers, np.int64), counts[0], counts[1], counts[2], shown[0], shown[1], first, holders,
                tuple(names), _NONE,
            )
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        return other is self or (isinstance(other, ChunkEntries) and self._columns.is_same(other._columns))

    def __hash__(self) -> int:
        return hash(len(self))

    def __len__(self) -> int:
        return len(self._columns)

    def __iter__(self) -> Iterator[int]:
        return iter(self._columns.chunk.tolist())

    def __contains__(self, chunk: object) -> bool:
        return isinstance(chunk, int | np.integer) and self._place(chunk) is not None

    def __getitem__(self, chunk: int) -> ChunkEntry:
        place = self._place(chunk)
        if place is None:
            raise KeyError(chunk)
        one = self._columns
        return ChunkEntry(
            int(one.rows[place]), int(one.overlap_rows[place]),
            self._nodes(int(one.first_holder[place]), int(one.first_holder[place + 1])), int(one.bytes[place]),
            _suffix(int(one.shown[place])), _suffix(int(one.overlap_shown[place])),
        )  # fmt: skip

    @property
    def columns(self) -> EntryColumns:
        """For those who need all chunks."""
        return self._columns

    @locked_property
    def occupied(self) -> frozenset[int]:
        """The chunks that have rows of their own."""
        return frozenset(self._columns.chunk[self._columns.rows > 0].tolist())

    def rows_of(self, chunks: Sequence[int]) -> Numbers:
        """Own rows of each chunk; 0 where there is none."""
        return self._counts(self._columns.rows, chunks)

    def overlap_rows_of(self, chunks: Sequence[int]) -> Numbers:
        """The same of overlap tables."""
        return self._counts(self._columns.overlap_rows, chunks)

    def nodes_of(self, chunks: Sequence[int]) -> list[tuple[str, ...] | None]:
        """The nodes that hold each chunk; None where there is no such chunk."""
        there, places = self._places(chunks)
        found: list[tuple[str, ...] | None] = [None] * len(chunks)
        first = self._columns.first_holder
        for at, start, end in zip(there.tolist(), first[places].tolist(), first[places + 1].tolist(), strict=True):
            found[at] = self._nodes(start, end)
        return found

    def holders_of(self, chunks: Sequence[int] | Numbers) -> tuple[Numbers, list[tuple[str, ...] | None]]:
        """The same for many chunks: of each a number, and what stands for the numbers.

        >>> one = ChunkEntries.of({chunk: ChunkEntry(1, 0, ("b", "a")[chunk % 2 :]) for chunk in range(4)})
        >>> numbers, held = one.holders_of([3, 2, 1, 9])
        >>> [held[number] for number in numbers]
        [('a',), ('b', 'a'), ('a',), None]
        """
        there, places = self._places(chunks)
        numbers, held = self._held if len(there) else (_NONE, [])
        found = np.full(len(chunks), len(held), np.int64)
        found[there] = numbers[places]
        return found, [*held, None]

    def _place(self, chunk: int | np.integer[Any]) -> int | None:
        numbers = self._columns.chunk
        place = int(numbers.searchsorted(chunk))
        return place if place < len(numbers) and numbers[place] == chunk else None

    def _places(self, chunks: Sequence[int] | Numbers) -> tuple[Numbers, Numbers]:
        """Which of the chunks are there, and their places."""
        wanted = chunks if isinstance(chunks, np.ndarray) else np.fromiter(chunks, np.int64, len(chunks))
        if not len(self):
            return _NONE, _NONE
        places = self._columns.chunk.searchsorted(wanted)
        places[places == len(self)] = 0
        there = np.flatnonzero(self._columns.chunk[places] == wanted)
        return there, places[there]

    def _counts(self, column: Numbers, chunks: Sequence[int]) -> Numbers:
        there, places = self._places(chunks)
        found = np.zeros(len(chunks), np.int64)
        found[there] = column[places]
        return found

    def _nodes(self, start: int, end: int) -> tuple[str, ...]:
        names = self._columns.nodes
        found = tuple([names[place] for place in self._holders[start:end]])
        return self._node_sets.setdefault(found, found)

    @locked_property
    def _held(self) -> tuple[Numbers, list[tuple[str, ...]]]:
        """A number for the nodes of each place, and the nodes by number."""
        one, counts = self._columns, np.diff(self._columns.first_holder)
        filled = np.full((len(self), int(counts.max())), -1, np.int64)
        filled[np.arange(filled.shape[1]) < counts[:, None]] = one.holders
        first, numbers = np.unique(filled, axis=0, return_index=True, return_inverse=True)[1:]
        ends = one.first_holder[first + 1].tolist()
        held = [self._nodes(*ends) for ends in zip(one.first_holder[first].tolist(), ends, strict=True)]
        return numbers.ravel(), held

    @locked_property
    def _holders(self) -> list[int]:
        places: list[int] = self._columns.holders.tolist()
        return places


NO_CHUNKS = ChunkEntries.of({})
"""Of a regular table."""


def _suffix(shown: int) -> str:
    return part_suffix(shown) if shown >= 0 else shown_suffix((0, -shown))


def _shown(suffix: str) -> int:
    return int(suffix[2:] or 0) * (-1 if suffix.startswith("_g") else 1)
