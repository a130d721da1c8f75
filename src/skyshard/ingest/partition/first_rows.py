"""Of director rows with one key, leaves out all but the first (``duplicates: keep-first``).

The first is that of an earlier transaction; else that of the first file in the order of the plan, and in it the first
row. It does not depend on workers, or on runs that were interrupted. Keys are read beforehand, sorted slice by slice,
and merged one range after the other, so that memory does not grow with their number; only the numbers of the rows to
leave out are kept, a file a slice. Rows that other policies leave out are no first ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import xxhash
from numpy.typing import NDArray

from skyshard.basics.array_types import Numbers
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.host.array_files import load_array, map_array, save_array
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


class KeysOfSlice:
    """The keys of a slice with the numbers of their rows, batch by batch; NULL is none."""

    def __init__(self, kind: KeyKind) -> None:
        self._record = np.dtype([("key", kind.dtype), ("row", "<i8")])
        self._parts = [np.empty(0, self._record)]
        self._kind = kind

    def add(self, batch: InputBatch, column: str) -> None:
        keys, is_there = whole_keys(batch.batch.column(column), self._kind.dtype)
        part = np.empty(int(is_there.sum()), self._record)
        part["key"], part["row"] = keys[is_there], batch.row_numbers()[is_there]
        self._parts.append(part)

    def save(self, folder: str, piece: InputSlice) -> str:
        """Write them, sorted, to a file; returns its path."""
        records = np.concatenate(self._parts)
        path = Path(folder) / f"{_name(piece)}-keys.npy"
        _save(path, records[np.argsort(records["key"], kind="stable")])
        return str(path)


def read_keys(spec: KeySpec, piece: InputSlice) -> str:
    """Write the keys of one slice, sorted, with their rows; returns the file's path."""
    keys = KeysOfSlice(spec.kind)
    for batch in spec.reader.batches(piece, spec.table, spec.layout):
        if spec.layout.bad_positions != "refuse" and spec.layout.position:
            batch = without_bad_positions(batch, spec.layout.position, None)
        keys.add(batch, spec.layout.key)
    return keys.save(spec.folder, piece)


def leave_out_later(spec: KeySpec, pieces: Sequence[InputSlice], files: Sequence[str], earlier: DirectorKeys) -> int:
    """Say for every slice which rows are not the first of their key; returns their number.

    Args:
        files: of the keys of each slice, in the order of the plan.
        earlier: the keys of earlier transactions.
    """
    later: list[list[NDArray[np.int64]]] = [[] for _ in pieces]
    for records, owners, is_later in _with_later(files, earlier):
        rows, slices = records["row"][is_later], owners[is_later]
        for i in np.unique(slices).tolist():
            later[i].append(rows[slices == i])
    for piece, found in zip(pieces, later, strict=True):
        _save(_later_file(spec.folder, piece), np.sort(np.concatenate([np.empty(0, np.int64), *found])))
    return sum(len(some) for found in later for some in found)


def _with_later(
    files: Sequence[str], earlier: DirectorKeys
) -> Iterator[tuple[NDArray[Any], Numbers, NDArray[np.bool_]]]:
    """The keys of all slices by ranges, with the slice of each, and whether it is later than another row of its key."""
    for records, owners in by_key([map_array(Path(file)) for file in files]):
        keys = records["key"]
        is_later = earlier.find(pa.array(keys)).is_known if len(earlier) else np.zeros(len(keys), bool)
        is_later[1:] |= keys[1:] == keys[:-1]
        yield records, owners, is_later


@dataclass(frozen=True, slots=True)
class LaterRows:
    """How many rows have the key of an earlier one; of the least such key, the slices and numbers of its rows.

    ``earlier_chunk`` is where the row of an earlier transaction is; then one of the rows is given, else two.
    """

    count: int = 0
    key: int = 0
    rows: tuple[tuple[int, int], ...] = ()
    earlier_chunk: int | None = None


def count_later(files: Sequence[str], earlier: DirectorKeys) -> LaterRows:
    """Count rows with the key of an earlier one, over the keys of all slices."""
    found = LaterRows()
    for records, owners, is_later in _with_later(files, earlier):
        later = np.flatnonzero(is_later)
        if len(later) and not found.count:
            at = int(later[0])
            before = earlier.find(pa.array(records["key"][at : at + 1]))
            chunk = int(before.chunks[0]) if before.is_known[0] else None
            rows = [(int(owners[i]), int(records["row"][i])) for i in ((at,) if chunk is not None else (at - 1, at))]
            found = LaterRows(0, int(records["key"][at]), tuple(rows), chunk)
        found = replace(found, count=found.count + len(later))
    return found


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
    return xxhash.xxh3_128_hexdigest(f"{piece.row_groups or piece.row_range} {piece.part} {piece.path}".encode())


def _save(path: Path, array: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_array(path, array)
