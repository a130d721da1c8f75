"""The director index while ingest runs: sorted keys on disk, memory-mapped, so that any task can look keys up.

Keys are 64-bit integers. Sorted once from the parts' key files; a key that occurs twice is named. The registry's SQL
copy, which queries use, is loaded from the same arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.errors import UserError

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
    beside = path.with_suffix(".tmp.npy")
    np.save(beside, records)
    beside.replace(path)


def build_keys(folder: Path, files: Sequence[Path], table: str, names: Sequence[str]) -> NDArray[np.void]:
    """Merge the parts' keys into one sorted file.

    Args:
        names: the input file behind each key file, for the error.

    Raises:
        UserError: a key that occurs twice, with the files it stands in.
    """
    records = np.concatenate([np.load(file) for file in files]) if files else np.empty(0, KEY_RECORD)
    owners = np.repeat(np.arange(len(files), dtype=np.int32), [len(np.load(f, mmap_mode="r")) for f in files])
    order = np.argsort(records["key"], kind="stable")
    records = records[order]
    twice = np.flatnonzero(records["key"][1:] == records["key"][:-1])
    if len(twice):
        at = int(twice[0])
        where = sorted({Path(names[int(owners[order[at + i]])]).name for i in (0, 1)})
        raise UserError(
            f"key {int(records['key'][at])} stands twice in director '{table}' ({', '.join(where)}); "
            f"{len(twice)} such keys in all",
            remedy="remove the duplicates: a key must lead to one chunk",
        )
    folder.mkdir(parents=True, exist_ok=True)
    places = np.stack([records["chunk"], records["sub_chunk"]], axis=1)
    for name, values in ((_PLACES, places), (_KEYS, np.ascontiguousarray(records["key"]))):
        beside = folder / f"{name}.tmp.npy"
        np.save(beside, values)
        beside.replace(folder / name)
    return records


class DirectorKeys:
    """Sorted keys of one director: ``keys`` int64[n], ``places`` int32[n, 2] (chunk, sub-chunk)."""

    def __init__(self, keys: NDArray[np.int64], places: NDArray[np.int32]) -> None:
        self._keys = keys
        self._places = places

    @classmethod
    def open(cls, folder: Path) -> DirectorKeys:
        """Map the files that ``build_keys`` wrote; no files mean no director rows."""
        try:
            return cls(np.load(folder / _KEYS, mmap_mode="r"), np.load(folder / _PLACES, mmap_mode="r"))
        except FileNotFoundError:
            return cls(np.empty(0, np.int64), np.empty((0, 2), np.int32))

    def __len__(self) -> int:
        return len(self._keys)

    def slice(self, first: int, last: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
        """Keys and places from ``first`` up to but not including ``last``."""
        return np.asarray(self._keys[first:last]), np.asarray(self._places[first:last])

    def find(self, keys: pa.Array) -> Found:
        """Look keys up; NULL is never known. An unknown key gets the place of a neighbour, so that it has one."""
        asked = keys.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        if not len(self._keys):
            zeros = np.zeros(len(asked), np.int32)
            return Found(np.zeros(len(asked), bool), zeros, zeros)
        at = np.minimum(np.searchsorted(self._keys, asked), len(self._keys) - 1)
        is_known = np.asarray(keys.is_valid()) & (self._keys[at] == asked)
        places = self._places[at]
        return Found(is_known, places[:, 0].copy(), places[:, 1].copy())
