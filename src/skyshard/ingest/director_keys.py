"""The director index while ingest runs: sorted keys on disk, memory-mapped, so that any task can look keys up.

Keys are 64-bit integers. Each part's are sorted by its task; merging takes one range of keys after the other, so its
memory does not grow with their number. A key that occurs twice is named. The registry's SQL copy, which queries use,
is loaded from the same arrays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import get_ident
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.errors import UserError
from skyshard.worker.room import require_room, writing

KEY_RECORD = np.dtype([("key", "<i8"), ("chunk", "<i4"), ("sub_chunk", "<i4")])
_KEYS, _PLACES = "keys.npy", "places.npy"
RANGE_KEYS = 1 << 22
"""Keys that are merged at once, at most; each takes about 80 bytes meanwhile."""


@dataclass(frozen=True, slots=True)
class Found:
    """For each key asked: whether the director has it, and a chunk and sub-chunk."""

    is_known: NDArray[np.bool_]
    chunks: NDArray[np.int32]
    sub_chunks: NDArray[np.int32]


def save_keys(path: Path, parts: Sequence[tuple[pa.Array, NDArray[np.int32], NDArray[np.int32]]]) -> None:
    """Write one part's keys, sorted; NULL keys are a ``UserError``."""
    rows = sum(len(keys) for keys, _, _ in parts)
    records = np.empty(rows, KEY_RECORD)
    start = 0
    for keys, chunks, sub_chunks in parts:
        block = records[start : start + len(keys)]
        if keys.null_count:
            raise UserError(f"a director key is NULL in '{path.stem}'", remedy="every director row needs its key")
        block["key"] = keys.to_numpy(zero_copy_only=False)
        block["chunk"], block["sub_chunk"] = chunks, sub_chunks
        start += len(keys)
    beside = _beside(path)
    require_room(path.parent, records.nbytes)
    with writing(path), beside.open("wb") as file:
        np.save(file, records[np.argsort(records["key"], kind="stable")])
    beside.replace(path)


def _beside(path: Path) -> Path:
    """Where a file is written before it gets its name: it is whole or not there."""
    return path.with_name(f"{path.name}.{os.getpid()}.{get_ident()}.tmp")


def build_keys(folder: Path, files: Sequence[Path], table: str, names: Sequence[str], earlier: DirectorKeys) -> None:
    """Merge the parts' keys into one sorted file.

    Args:
        names: the input file behind each key file, for the error.
        earlier: the keys of earlier transactions.

    Raises:
        UserError: a key that occurs twice, with the files it stands in, or that an earlier transaction brought.
    """
    parts = [np.load(file, mmap_mode="r") for file in files]
    total = sum(map(len, parts))
    folder.mkdir(parents=True, exist_ok=True)
    require_room(folder, total * KEY_RECORD.itemsize)
    keys_file = _new_array(folder / _KEYS, (total,), np.int64)
    with writing(folder), keys_file as keys, _new_array(folder / _PLACES, (total, 2), np.int32) as places:
        at = 0
        for records, owners in _ranges(parts):
            _require_new(records["key"], owners, names, table, earlier)
            block = slice(at, at + len(records))
            keys[block] = records["key"]
            places[block, 0], places[block, 1] = records["chunk"], records["sub_chunk"]
            at += len(records)


@contextmanager
def _new_array(path: Path, shape: tuple[int, ...], kind: type[np.generic]) -> Iterator[NDArray[Any]]:
    """An array on disk, to be filled; it gets its name when the block ends without an error."""
    beside = _beside(path)
    try:
        if shape[0]:
            array = np.lib.format.open_memmap(beside, "w+", np.dtype(kind), shape)
            yield array
            array.flush()
        else:  # nothing can be mapped
            with beside.open("wb") as file:
                np.save(file, np.empty(shape, kind))
            yield np.empty(shape, kind)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _ranges(parts: Sequence[NDArray[Any]]) -> Iterator[tuple[NDArray[Any], NDArray[np.int32]]]:
    """Records of all parts by key, one range of keys after the other, with the part that each comes from."""
    starts = [0] * len(parts)
    for bound in _bounds(parts):
        ends = [len(part) if bound is None else int(np.searchsorted(part["key"], bound)) for part in parts]
        pieces = [np.asarray(part[a:b]) for part, a, b in zip(parts, starts, ends, strict=True)]
        owners = np.repeat(np.arange(len(parts), dtype=np.int32), [len(piece) for piece in pieces])
        records = np.concatenate(pieces) if pieces else np.empty(0, KEY_RECORD)
        order = np.argsort(records["key"], kind="stable")
        yield records[order], owners[order]
        starts = ends


def _bounds(parts: Sequence[NDArray[Any]]) -> Iterator[int | None]:
    """Keys that end the ranges; the last range has no end.

    Every so many keys of each part stand for those before them; half a range of these, and what may lie between them
    in every part, is no more than a range.
    """
    step = max(1, RANGE_KEYS // (4 * max(1, len(parts))))
    marks = np.sort(np.concatenate([part["key"][step::step] for part in parts])) if parts else np.empty(0, np.int64)
    yield from np.unique(marks[RANGE_KEYS // 2 // step :: max(1, RANGE_KEYS // 2 // step)]).tolist()
    yield None


def _require_new(
    keys: NDArray[np.int64], owners: NDArray[np.int32], names: Sequence[str], table: str, earlier: DirectorKeys
) -> None:
    """Refuse sorted keys that occur twice, here or in an earlier transaction; ``owners`` number the files in names."""
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if len(twice):
        at = int(twice[0])
        where = sorted({Path(names[int(owners[at + i])]).name for i in (0, 1)})
        raise UserError(
            f"key {int(keys[at])} stands twice in director '{table}' ({', '.join(where)}); there may be more",
            remedy="remove the duplicates: a key must lead to one chunk",
        )
    known = earlier.find(pa.array(keys)).is_known
    if known.any():
        at = int(np.flatnonzero(known)[0])
        raise UserError(
            f"key {int(keys[at])} of director '{table}' ({Path(names[int(owners[at])]).name}) was ingested by an "
            f"earlier transaction; there may be more",
            remedy="leave out the rows that are there already",
        )


class DirectorKeys:
    """Sorted keys of one director, in parts: ``keys`` int64[n] and ``places`` int32[n, 2] (chunk, sub-chunk) each."""

    def __init__(self, parts: Sequence[tuple[NDArray[np.int64], NDArray[np.int32]]]) -> None:
        self._parts = [part for part in parts if len(part[0])]

    @classmethod
    def open(cls, folder: Path) -> DirectorKeys:
        """Map what ``build_keys`` wrote to a folder and to the folders in it; nothing there means no director rows."""
        files = sorted([*folder.glob(_KEYS), *folder.glob(f"*/{_KEYS}")])
        return cls([(np.load(file, mmap_mode="r"), np.load(file.with_name(_PLACES), mmap_mode="r")) for file in files])

    def __len__(self) -> int:
        return sum(len(keys) for keys, _ in self._parts)

    def blocks(self, rows: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32]]]:
        """Keys and places, part by part, in blocks of at most ``rows``."""
        for keys, places in self._parts:
            for start in range(0, len(keys), rows):
                yield np.asarray(keys[start : start + rows]), np.asarray(places[start : start + rows])

    def find(self, keys: pa.Array) -> Found:
        """Look keys up; NULL is never known. An unknown key gets the place of a neighbour, so that it has one."""
        asked = keys.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        is_valid = np.asarray(keys.is_valid())
        found = Found(np.zeros(len(asked), bool), np.zeros(len(asked), np.int32), np.zeros(len(asked), np.int32))
        for known, places in self._parts:
            at = np.minimum(np.searchsorted(known, asked), len(known) - 1)
            is_here = is_valid & (known[at] == asked)
            take = is_here | ~found.is_known
            found.chunks[take], found.sub_chunks[take] = places[at[take], 0], places[at[take], 1]
            found.is_known[is_here] = True
        return found
