"""Of director rows with one key, leaves out all but the first (``duplicates: keep-first``).

The first is that of an earlier transaction; else that of the first file in the order of the plan, and in it the first
row. It does not depend on workers, or on runs that were interrupted. Keys are read beforehand, sorted slice by slice,
and merged one range after the other, so that memory does not grow with their number; only the numbers of the rows to
leave out are kept, a file a slice. Rows that other policies leave out are no first ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.host.array_files import load_array, map_array
from skyshard.host.atomic_files import new_file
from skyshard.host.disk_space import require_room, writing
from skyshard.ingest.partition.director_keys import DirectorKeys, KeyKind, by_key, whole_keys
from skyshard.ingest.partition.quarantine import without_bad_positions
from skyshard.ingest.source import InputBatch, InputSlice, Reader, SourceTable

DUPLICATES = "duplicates"
"""The policy by which such rows are counted."""


@dataclass(frozen=True, slots=True)
class KeySpec:
    """What the slices of one director share; ``reader`` gives the columns of ``table`` only."""

    table: Table
    layout: TableLayout
    reader: Reader
    kind: KeyKind
    folder: str
    """Where the keys of slices, and the rows to leave out, are kept."""

    @staticmethod
    def of(source: SourceTable, folder: Path) -> KeySpec:
        wanted = {source.layout.key}
        if source.layout.bad_positions != "refuse":
            wanted |= set(source.layout.position or ())
        columns = tuple(column for column in source.table if column.name in wanted)
        narrow = replace(source.table, columns=columns, primary_key=(), keys=())
        layout = source.layout if len(wanted) > 1 else source.layout.model_copy(update={"position": None})
        reader = source.reader.narrowed(source.table, frozenset(wanted))
        return KeySpec(narrow, layout, reader, KeyKind.of(source.table, source.layout), str(folder))

    @property
    def record(self) -> np.dtype[Any]:
        """Of one key in a slice's file: the key, and the number of its row."""
        return np.dtype([("key", self.kind.dtype), ("row", "<i8")])


def read_keys(spec: KeySpec, piece: InputSlice) -> str:
    """Write the keys of one slice, sorted, with their rows; returns the file's path."""
    parts = []
    for batch in spec.reader.batches(piece, spec.table, spec.layout):
        if spec.layout.bad_positions != "refuse" and spec.layout.position:
            batch = without_bad_positions(batch, spec.layout.position, None)
        keys, is_there = whole_keys(batch.batch.column(spec.layout.key), spec.kind.dtype)
        part = np.empty(int(is_there.sum()), spec.record)
        part["key"], part["row"] = keys[is_there], batch.row_numbers()[is_there]
        parts.append(part)
    records = np.concatenate(parts) if parts else np.empty(0, spec.record)
    records = records[np.argsort(records["key"], kind="stable")]
    path = Path(spec.folder) / f"{_name(piece)}-keys.npy"
    _save(path, records)
    return str(path)


def leave_out_later(spec: KeySpec, pieces: Sequence[InputSlice], files: Sequence[str], earlier: DirectorKeys) -> int:
    """Say for every slice which rows are not the first of their key; returns their number.

    Args:
        files: of the keys of each slice, in the order of the plan.
        earlier: the keys of earlier transactions.
    """
    parts = [map_array(Path(file)) for file in files]
    later: list[list[NDArray[np.int64]]] = [[] for _ in pieces]
    for records, owners in by_key(parts):
        keys = records["key"]
        is_later = earlier.find(pa.array(keys)).is_known
        is_later[1:] |= keys[1:] == keys[:-1]
        rows, slices = records["row"][is_later], owners[is_later]
        for i in np.unique(slices).tolist():
            later[i].append(rows[slices == i])
    for piece, found in zip(pieces, later, strict=True):
        _save(_later_file(spec.folder, piece), np.sort(np.concatenate([np.empty(0, np.int64), *found])))
    return sum(len(some) for found in later for some in found)


def later_rows(folder: str, piece: InputSlice) -> NDArray[np.int64]:
    """The numbers of the rows of a slice that are left out, sorted."""
    return load_array(_later_file(folder, piece))


def without_later(batch: InputBatch, later: NDArray[np.int64]) -> InputBatch:
    """The rows of a batch that are the first ones of their keys."""
    if not len(later):
        return batch
    numbers = batch.row_numbers()
    at = np.minimum(np.searchsorted(later, numbers), len(later) - 1)
    return batch.only(later[at] != numbers, DUPLICATES)


def _later_file(folder: str, piece: InputSlice) -> Path:
    return Path(folder) / f"{_name(piece)}-later.npy"


def _name(piece: InputSlice) -> str:
    """A name for a slice of a plan, whose files do not change while it is carried out."""
    return xxhash.xxh3_128_hexdigest(f"{piece.row_groups} {piece.path}".encode())


def _save(path: Path, array: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    require_room(path.parent, array.nbytes)
    with writing(path), new_file(path) as draft, draft.open("wb") as file:
        np.save(file, array)
