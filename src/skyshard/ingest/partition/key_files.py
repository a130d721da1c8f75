"""Director keys on disk: two arrays, and a record of what they must be.

``keys.npy`` holds sorted keys, ``places.npy`` int32[n, 2] (chunk, sub-chunk); ``record.json`` their rows and digests,
and is written last. Arrays are mapped, never read whole into memory; a process digests each file once, before it
believes it. A folder with a file ``whole`` holds all keys of its director: those of earlier transactions count no more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from skyshard.basics.errors import UserError
from skyshard.host.array_files import map_array
from skyshard.host.atomic_files import new_file, write_atomically

KEYS, PLACES, RECORD = "keys.npy", "places.npy", "record.json"
WHOLE_MARK = "whole"
_READ_BYTES = 1 << 24
_believed: set[tuple[str, int, int, int, str]] = set()
"""Files as they were digested in this process: path, inode, size, time of change, digest."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """What the arrays of one folder hold: rows, whether each key occurs once, and the digests of both files."""

    rows: int
    is_unique: bool
    keys: str
    places: str
    rounding_deg: float = 0.0
    """How far the director's columns round a position, at most; 0 too in records of earlier releases."""


@contextmanager
def new_array(path: Path, shape: tuple[int, ...], kind: np.dtype[Any]) -> Iterator[NDArray[Any]]:
    """An array on disk, to be filled; it gets its name when the block ends without an error."""
    with new_file(path) as draft:
        if shape[0]:
            array = np.lib.format.open_memmap(draft, "w+", kind, shape)
            yield array
            array.flush()
        else:  # nothing can be mapped
            with draft.open("wb") as file:
                np.save(file, np.empty(shape, kind))
            yield np.empty(shape, kind)


def write_record(folder: Path, rows: int, *, is_unique: bool, rounding_deg: float = 0.0) -> None:
    """Say what the arrays in a folder are; arrays without a record count as damaged."""
    record = KeyRecord(rows, is_unique, _digest(folder / KEYS), _digest(folder / PLACES), rounding_deg)
    write_atomically(folder / RECORD, json.dumps(asdict(record)))


def seal(path: Path) -> None:
    """Write a file's digest next to it."""
    write_atomically(path.with_suffix(".xxh3"), _digest(path))


def is_sealed(path: Path) -> bool:
    """True for a file that is as it was sealed."""
    try:
        return path.with_suffix(".xxh3").read_text() == _digest(path)
    except OSError:
        return False


def records(folder: Path, *, apart_from: Path | None = None) -> dict[Path, KeyRecord]:
    """The records of a director's folder and of the folders in it, one a transaction, superseded ones left out.

    Args:
        apart_from: a folder in it that is passed over, with what it supersedes.

    Raises:
        UserError: arrays without a record, or one that cannot be read.
    """
    found = {path.parent for name in (KEYS, PLACES, RECORD) for path in [*folder.glob(name), *folder.glob(f"*/{name}")]}
    found = found.difference(superseded(folder, apart_from=apart_from), [apart_from])
    return {inner: _record(inner) for inner in sorted(found)}


def superseded(folder: Path, *, apart_from: Path | None = None) -> list[Path]:
    """The folders of transactions before the last one that wrote all keys of a director anew."""
    marked = [int(mark.parent.name) for mark in folder.glob(f"*/{WHOLE_MARK}") if mark.parent != apart_from]
    return [inner for inner in sorted(folder.glob("*")) if marked and int(inner.name) < max(marked)]


def open_arrays(folder: Path, record: KeyRecord) -> tuple[NDArray[Any], NDArray[np.int32]]:
    """Map the keys and places of one folder.

    Raises:
        UserError: a file that is not the one that was written.
    """
    for name, digest in ((KEYS, record.keys), (PLACES, record.places)):
        _require(folder / name, digest)
    return map_array(folder / KEYS), map_array(folder / PLACES)


def _record(folder: Path) -> KeyRecord:
    try:
        return KeyRecord(**json.loads((folder / RECORD).read_text()))
    except (OSError, ValueError, TypeError):
        raise harmed(folder, f"'{folder / RECORD}' is missing, or does not describe the keys next to it") from None


def _require(path: Path, digest: str) -> None:
    try:
        found = path.stat()
        state = (str(path), found.st_ino, found.st_size, found.st_mtime_ns, digest)
        if state not in _believed and _digest(path) != digest:
            raise harmed(path.parent, f"'{path}' is not the file that was written")
    except OSError as error:
        raise harmed(path.parent, f"'{path}' cannot be read: {error.strerror}") from None
    _believed.add(state)


def harmed(folder: Path, what: str) -> UserError:
    """The error about the keys in ``<database>/<director>/<transaction>``."""
    database, director = folder.parts[-3:-1] if len(folder.parts) > 2 else ("", folder.name)
    return UserError(
        f"the keys of director '{database}.{director}' are damaged: {what}",
        remedy=f"run skyshard index rebuild {database}, which makes them from the chunk tables",
    )


def _digest(path: Path) -> str:
    hasher = xxhash.xxh3_128()
    with path.open("rb") as file:
        while block := file.read(_READ_BYTES):
            hasher.update(block)
    return hasher.hexdigest()
