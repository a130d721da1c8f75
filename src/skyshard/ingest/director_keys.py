"""The director index while ingest runs: sorted keys on disk, memory-mapped, so that any task can look keys up.

Keys are 64-bit integers. Sorted once from the parts' key files; a key that occurs twice is named. The registry's SQL
copy, which queries use, is loaded from the same arrays.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
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


@dataclass(frozen=True, slots=True)
class Found:
    """For each key asked: whether the director has it, and a chunk and sub-chunk."""

    is_known: NDArray[np.bool_]
    chunks: NDArray[np.int32]
    sub_chunks: NDArray[np.int32]


def save_keys(path: Path, parts: Sequence[tuple[pa.Array, NDArray[np.int32], NDArray[np.int32]]]) -> None:
    """Write one part's keys, unsorted; NULL keys are a ``UserError``."""
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
    _save(path, records)


def _save(path: Path, values: NDArray[Any]) -> None:
    """Write beside and rename: the file is whole or not there."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.{get_ident()}.tmp")
    require_room(path.parent, values.nbytes)
    with writing(path), beside.open("wb") as file:
        np.save(file, values)
    beside.replace(path)


def build_keys(folder: Path, files: Sequence[Path], table: str, names: Sequence[str], earlier: DirectorKeys) -> None:
    """Merge the parts' keys into one sorted file.

    Args:
        names: the input file behind each key file, for the error.
        earlier: the keys of earlier transactions.

    Raises:
        UserError: a key that occurs twice, with the files it stands in, or that an earlier transaction brought.
    """
    loaded = [np.load(file) for file in files]
    records = np.concatenate(loaded) if loaded else np.empty(0, KEY_RECORD)
    owners = np.repeat(np.arange(len(files), dtype=np.int32), [len(part) for part in loaded])
    order = np.argsort(records["key"], kind="stable")
    records = records[order]
    keys = np.ascontiguousarray(records["key"])
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if len(twice):
        at = int(twice[0])
        where = sorted({Path(names[int(owners[order[at + i]])]).name for i in (0, 1)})
        raise UserError(
            f"key {int(keys[at])} stands twice in director '{table}' ({', '.join(where)}); "
            f"{len(twice)} such keys in all",
            remedy="remove the duplicates: a key must lead to one chunk",
        )
    known = earlier.find(pa.array(keys)).is_known
    if known.any():
        at = int(np.flatnonzero(known)[0])
        file = Path(names[int(owners[order[at]])]).name
        raise UserError(
            f"key {int(keys[at])} of director '{table}' ({file}) was ingested by an earlier transaction; "
            f"{int(known.sum())} such keys in all",
            remedy="leave out the rows that are there already",
        )
    folder.mkdir(parents=True, exist_ok=True)
    places = np.stack([records["chunk"], records["sub_chunk"]], axis=1)
    _save(folder / _PLACES, places)
    _save(folder / _KEYS, keys)


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
