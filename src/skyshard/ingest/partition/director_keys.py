"""Sorted director keys on disk, memory-mapped, so that any task can look keys up while an ingest runs.

Keys are 64-bit integers, unsigned where the director's column is BIGINT UNSIGNED. Each slice's are sorted by its task;
merging takes one range of keys after the other, so its memory does not grow with their number. A key that occurs twice
is named, unless the director's keys may. The registry's SQL copy, which queries use, is loaded from the same arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyshard.basics.array_types import Numbers
from skyshard.basics.errors import UserError
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.host.array_files import map_array, save_array
from skyshard.host.disk_space import require_room, writing
from skyshard.ingest.partition.key_files import (
    KEYS,
    PLACES,
    RECORD,
    new_array,
    open_arrays,
    records,
    write_record,
)
from skyshard.ingest.partition.rounded_positions import rounding_deg

RANGE_KEYS = 1 << 22
"""Keys that are merged at once, at most; each takes about 80 bytes while it is merged."""
EXACT_DOUBLE = 2.0**53
"""From here on a FLOAT or DOUBLE may be several whole numbers."""
_WIDE = pa.decimal256(76, 0)
"""Any DECIMAL that is a whole number."""


@dataclass(frozen=True, slots=True)
class KeyKind:
    """What a director's keys are: BIGINT UNSIGNED or any other integer, each once or not."""

    is_unsigned: bool = False
    is_unique: bool = True
    rounding_deg: float = 0.0
    """How far the positions that their places are of may be rounded."""

    @staticmethod
    def of(table: Table, layout: TableLayout) -> KeyKind:
        kind = table.column(layout.key).type
        is_unsigned = kind.is_unsigned and kind.base == "bigint"
        return KeyKind(is_unsigned, layout.unique_key, rounding_deg(table, layout))

    @property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype("<u8" if self.is_unsigned else "<i8")

    @property
    def record(self) -> np.dtype[Any]:
        """Of one key in a slice's file."""
        return np.dtype([("key", self.dtype), ("chunk", "<i4"), ("sub_chunk", "<i4")])


SIGNED = KeyKind()


class DoubledKey(UserError):
    """A key that occurs twice where it may not: in which of the files given, and in which chunk if it came before."""

    def __init__(self, key: int, table: str, names: Sequence[str], earlier_chunk: int | None = None) -> None:
        self.key, self.names, self.earlier_chunk = key, tuple(names), earlier_chunk
        files = " and ".join(f"'{name}'" for name in dict.fromkeys(names))
        error = doubled_key(table, key, files) if earlier_chunk is None else known_key(table, key, files, "")
        super().__init__(error.what, remedy=error.remedy)


def doubled_key(director: str, key: int, places: str, more: str = "there may be more") -> UserError:
    """The error about two rows with one key, by the files and rows that are given."""
    return UserError(
        f"key {key} of director '{director}' occurs twice, in {places}; {more}",
        remedy="say duplicates: keep-first of the director (later rows are left out) or keep-all (every row is kept), "
        "or remove the duplicates",
    )


def known_key(director: str, key: int, place: str, earlier: str, more: str = "there may be more") -> UserError:
    """The error about a row whose key an earlier transaction brought, from ``earlier`` if that is known."""
    whence = f" ({earlier})" if earlier else ""
    return UserError(
        f"key {key} of director '{director}' in {place} was ingested by an earlier transaction{whence}; {more}",
        remedy="say duplicates: keep-first of the director, which leaves such rows out, or take them out of the input",
    )


@dataclass(frozen=True, slots=True)
class Found:
    """For each key asked: whether the director has it, and a chunk and sub-chunk."""

    is_known: NDArray[np.bool_]
    chunks: Numbers
    sub_chunks: Numbers


def save_keys(path: Path, parts: Sequence[tuple[pa.Array, Numbers, Numbers]], kind: KeyKind = SIGNED) -> list[int]:
    """Write one slice's keys, sorted; returns two rows, from 0, of a key that occurs twice where it may not.

    Raises:
        UserError: a NULL key.
    """
    records = np.empty(sum(len(keys) for keys, _, _ in parts), kind.record)
    start = 0
    for keys, chunks, sub_chunks in parts:
        block = records[start : start + len(keys)]
        if keys.null_count:
            raise UserError(f"a director key is NULL in '{path.stem}'", remedy="every director row needs its key")
        block["key"] = keys.to_numpy(zero_copy_only=False)
        block["chunk"], block["sub_chunk"] = chunks, sub_chunks
        start += len(keys)
    order = np.argsort(records["key"], kind="stable")
    records = records[order]
    twice = np.flatnonzero(records["key"][1:] == records["key"][:-1])
    if kind.is_unique and len(twice):
        first = int(twice[0])
        return [int(row) for row in order[first : first + 2]]
    save_array(path, records)
    return []


def build_keys(
    folder: Path,
    files: Sequence[Path],
    table: str,
    names: Sequence[str],
    earlier: DirectorKeys,
    kind: KeyKind = SIGNED,
) -> bool:
    """Merge the slices' keys into one sorted file; True if a key is in several chunks, which only some kinds may.

    Args:
        names: the input file behind each key file, for the error.
        earlier: the keys of earlier transactions.

    Raises:
        DoubledKey: a key that occurs twice, with the files it is in, or that an earlier transaction brought.
    """
    parts = [map_array(file) for file in files]
    total = sum(map(len, parts))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / RECORD).unlink(missing_ok=True)
    require_room(folder, total * kind.record.itemsize)
    keys_file = new_array(folder / KEYS, (total,), kind.dtype)
    places_file = new_array(folder / PLACES, (total, 2), np.dtype("<i4"))
    with writing(folder), keys_file as keys, places_file as places:
        at, is_spread = 0, False
        for records, owners in by_key(parts, kind):
            if kind.is_unique:
                _require_new(records, owners, names, table, earlier)
            else:
                is_spread = is_spread or _is_spread(records, earlier)
            block = slice(at, at + len(records))
            keys[block] = records["key"]
            places[block, 0], places[block, 1] = records["chunk"], records["sub_chunk"]
            at += len(records)
    write_record(folder, total, is_unique=kind.is_unique, rounding_deg=kind.rounding_deg)
    return is_spread


def by_key(parts: Sequence[NDArray[Any]], kind: KeyKind = SIGNED) -> Iterator[tuple[NDArray[Any], Numbers]]:
    """Records of all parts by key, one range of keys after the other, with the part that each comes from.

    Records of one key are in one range: in the order of the parts, or, where keys need not be unique, of chunks.
    """
    starts = [0] * len(parts)
    for bound in _bounds(parts):
        ends = [len(part) if bound is None else int(np.searchsorted(part["key"], bound)) for part in parts]
        pieces = [np.asarray(part[a:b]) for part, a, b in zip(parts, starts, ends, strict=True)]
        owners = np.repeat(np.arange(len(parts), dtype=np.int32), [len(piece) for piece in pieces])
        records = np.concatenate(pieces) if pieces else np.empty(0, kind.record)
        order = np.argsort(records["key"], kind="stable")
        if not kind.is_unique:
            order = np.lexsort((records["chunk"], records["key"]))
        yield records[order], owners[order]
        starts = ends


def _bounds(parts: Sequence[NDArray[Any]]) -> Iterator[Any]:
    """Keys that end the ranges, all of a key's records in one; the last range has no end (None).

    Every so many keys of each part represent those before them; half a range of these, and what may lie between them
    in every part, is no more than a range.
    """
    step = max(1, RANGE_KEYS // (4 * max(1, len(parts))))
    if parts:
        marks = np.sort(np.concatenate([part["key"][step::step] for part in parts]))
        yield from np.unique(marks[RANGE_KEYS // 2 // step :: max(1, RANGE_KEYS // 2 // step)])
    yield None


def _require_new(
    records: NDArray[Any], owners: Numbers, names: Sequence[str], table: str, earlier: DirectorKeys
) -> None:
    """Refuse sorted keys that occur twice, here or in an earlier transaction; ``owners`` number the files in names."""
    keys = records["key"]
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if len(twice):
        at = int(twice[0])
        raise DoubledKey(int(keys[at]), table, [names[int(owners[at + i])] for i in (0, 1)])
    found = earlier.find(pa.array(keys))
    if found.is_known.any():
        at = int(np.flatnonzero(found.is_known)[0])
        raise DoubledKey(int(keys[at]), table, [names[int(owners[at])]], int(found.chunks[at]))


def _is_spread(records: NDArray[Any], earlier: DirectorKeys) -> bool:
    """True if copies of a key are in several chunks, here or together with those of earlier transactions."""
    keys, chunks = records["key"], records["chunk"]
    if ((keys[1:] == keys[:-1]) & (chunks[1:] != chunks[:-1])).any():
        return True
    found = earlier.find(pa.array(keys))
    return bool((found.is_known & (found.chunks != chunks)).any())


class DirectorKeys:
    """Sorted keys of one director, in parts: ``keys`` int64[n] or uint64[n], ``places`` int32[n, 2] (chunk, sub-chunk).

    Copies of a key are sorted by chunk. ``is_unique``: there are none. ``rounding_deg``: how far the director rounds.
    """

    def __init__(
        self, parts: Sequence[tuple[NDArray[Any], Numbers]], *, is_unique: bool = True, rounding_deg: float = 0.0
    ) -> None:
        self._parts = [part for part in parts if len(part[0])]
        self.is_unique = is_unique
        self.rounding_deg = rounding_deg

    @classmethod
    def open(cls, folder: Path) -> DirectorKeys:
        """Map what ``build_keys`` wrote to a folder and to the folders in it; nothing there means no director rows.

        Raises:
            UserError: a file that is not the one that was written.
        """
        known = records(folder)
        is_unique = all(record.is_unique for record in known.values())
        rounding = max((record.rounding_deg for record in known.values()), default=0.0)
        parts = [open_arrays(inner, record) for inner, record in known.items()]
        return cls(parts, is_unique=is_unique, rounding_deg=rounding)

    def __len__(self) -> int:
        return sum(len(keys) for keys, _ in self._parts)

    @property
    def is_unsigned(self) -> bool:
        return any(keys.dtype.kind == "u" for keys, _ in self._parts)

    @property
    def each(self) -> list[DirectorKeys]:
        """The parts one by one."""
        return [DirectorKeys([part], is_unique=self.is_unique) for part in self._parts]

    def blocks(self, rows: int) -> Iterator[tuple[NDArray[Any], Numbers]]:
        """Keys and places, part by part, in blocks of at most ``rows``."""
        for keys, places in self._parts:
            for start in range(0, len(keys), rows):
                yield np.asarray(keys[start : start + rows]), np.asarray(places[start : start + rows])

    def find(self, keys: pa.Array, near: Numbers | None = None) -> Found:
        """Look keys up; NULL is never known. An unknown key gets the place of a neighbour, so that it has one.

        Args:
            near: of a key that occurs several times, take the copy in this chunk if there is one, else the first.
        """
        rows = len(keys)
        found = Found(np.zeros(rows, bool), np.zeros(rows, np.int32), np.zeros(rows, np.int32))
        is_near = np.zeros(rows, bool)
        for known, places in self._parts:
            asked, is_asked = whole_keys(keys, known.dtype)
            at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
            is_here = is_asked & (known[at] == asked)
            _take(found, places, at, ~found.is_known)
            if near is not None and not self.is_unique:
                _take_near(found, (known, places), at, is_here & ~is_near, near, is_near)
            found.is_known[is_here] = True
        return found


def _take(found: Found, places: Numbers, at: NDArray[np.intp], rows: NDArray[np.bool_]) -> None:
    found.chunks[rows], found.sub_chunks[rows] = places[at[rows], 0], places[at[rows], 1]


def _take_near(
    found: Found,
    part: tuple[NDArray[Any], Numbers],
    at: NDArray[np.intp],
    left: NDArray[np.bool_],
    near: Numbers,
    is_near: NDArray[np.bool_],
) -> None:
    """Of the copies of each key of one part, which are sorted by chunk, take the one in the chunk wanted."""
    known, places = part
    end = np.searchsorted(known, known[at], side="right")
    low, high = at.copy(), np.where(left, end, at)
    while (low < high).any():  # halves what is left of every key
        middle = (low + high) // 2
        is_below = (low < high) & (places[np.minimum(middle, len(known) - 1), 0] < near)
        high = np.where(is_below | (low >= high), high, middle)
        low = np.where(is_below, middle + 1, low)
    low = np.minimum(low, len(known) - 1)
    hit = left & (known[low] == known[at]) & (places[low, 0] == near)
    _take(found, places, low, hit)
    is_near |= hit


def whole_keys(keys: pa.Array, kind: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Keys as a director's kind of integers, and which of them are such: not NULL, whole and within its range."""
    is_valid = np.asarray(keys.is_valid())
    least, most = np.iinfo(kind).min, np.iinfo(kind).max
    if pa.types.is_decimal(keys.type):
        wide = keys.cast(_WIDE)
        bounds = (pa.scalar(Decimal(int(bound)), _WIDE) for bound in (least, most))
        fits = pc.and_(pc.greater_equal(wide, next(bounds)), pc.less_equal(wide, next(bounds))).fill_null(False)
        whole = pc.if_else(fits, wide, pa.scalar(Decimal(0), _WIDE)).cast(pa.from_numpy_dtype(kind))
        return whole.to_numpy(zero_copy_only=False), np.asarray(fits)
    given = keys.fill_null(0).to_numpy(zero_copy_only=False)
    if given.dtype.kind == "f":
        fits = (np.abs(given) < EXACT_DOUBLE) & (np.floor(given) == given) & (given >= max(least, -EXACT_DOUBLE))
        return np.where(fits, given, 0).astype(kind), is_valid & fits
    if given.dtype.kind == kind.kind:
        return given.astype(kind, copy=False), is_valid
    return given.astype(kind), is_valid & (given <= most if kind.kind == "i" else given >= 0)
