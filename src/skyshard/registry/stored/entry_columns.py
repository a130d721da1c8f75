"""What queries have to know of the chunks of one table, as columns; to one Arrow value and back. No I/O.

Made from replicas: rows count once, however many replicas there are; a node holds a chunk when it holds every part of
it; a regular table is one chunk, ``records.WHOLE``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Numbers = NDArray[np.int64]
Flags = NDArray[np.bool_]

FORMAT = 2
"""Of the Arrow value: written into it, and looked at when it is read."""
COMPRESSED_CHUNKS = 1000
"""From so many on compression saves more than it takes."""
_COUNTS = ("chunk", "rows", "overlap_rows", "bytes", "shown", "overlap_shown")


@dataclass(frozen=True, slots=True, eq=False)
class ReplicaColumns:
    """Replicas of one table, an element each; ``node`` is a place in ``nodes``."""

    chunk: Numbers
    is_overlap: Flags
    part: Numbers
    rows: Numbers
    bytes: Numbers
    node: Numbers
    is_good: Flags
    nodes: tuple[str, ...]
    """Sorted."""


@dataclass(frozen=True, slots=True, eq=False)
class EntryColumns:
    """Chunks of one table, an element each, ascending."""

    chunk: Numbers
    rows: Numbers
    overlap_rows: Numbers
    bytes: Numbers
    """Of all replicas."""
    shown: Numbers
    """What ends the name of the table that queries read: part n as n, a MERGE table up to part n as -n."""
    overlap_shown: Numbers
    first_holder: Numbers
    """Where a chunk's nodes begin in ``holders``; one more element than there are chunks."""
    holders: Numbers
    """Places in ``nodes``."""
    nodes: tuple[str, ...]
    """All nodes that have a replica of anything, sorted."""
    orphans: Numbers
    """Chunks with dependent rows that came before their director, ascending."""

    def __len__(self) -> int:
        return len(self.chunk)

    def is_same(self, other: EntryColumns) -> bool:
        """Whether both say the same of the same chunks."""
        own, others = ([getattr(one, field.name) for field in fields(one)] for one in (self, other))
        return all(np.array_equal(a, b) for a, b in zip(own, others, strict=True))


def entries_of(replicas: ReplicaColumns, orphans: Iterable[int] = ()) -> EntryColumns:
    """The chunks of a table with these replicas.

    >>> flags, ones = np.zeros(3, bool), np.ones(3, np.int64)
    >>> two_parts = ReplicaColumns(7 * ones, flags, np.array([0, 0, 3]), ones, ones, np.array([0, 1, 1]), ~flags, ("a", "b"))
    >>> found = entries_of(two_parts)
    >>> found.rows.tolist(), found.bytes.tolist(), found.shown.tolist(), [found.nodes[i] for i in found.holders]
    ([2], [3], [-3], ['b'])
    """  # noqa: E501  (one value a line)
    order = np.lexsort((replicas.node, replicas.part, replicas.is_overlap, replicas.chunk))
    chunk, is_overlap = replicas.chunk[order], replicas.is_overlap[order]
    part, node = replicas.part[order], replicas.node[order]
    starts = _changes(chunk)
    target = _changes(chunk, is_overlap)
    each = _changes(chunk, is_overlap, part)
    numbers = chunk[starts]
    rows, shown = _targets(replicas.rows[order][each], part[each], np.searchsorted(each, target))
    columns = np.zeros((4, len(numbers)), np.int64)
    for flag in (False, True):
        mine = is_overlap[target] == flag
        at = np.searchsorted(numbers, chunk[target][mine])
        columns[2 * flag, at], columns[2 * flag + 1, at] = rows[mine], shown[mine]
    first, holders = _holders(np.searchsorted(numbers, chunk), each, node, replicas.is_good[order], len(numbers))
    return EntryColumns(
        numbers, columns[0], columns[2], _sums(replicas.bytes[order], starts), columns[1], columns[3], first, holders,
        replicas.nodes, np.unique(np.fromiter(orphans, np.int64)),
    )  # fmt: skip


def _changes(*columns: NDArray[Any]) -> Numbers:
    """Where a run of equal elements begins."""
    if not len(columns[0]):
        return np.zeros(0, np.int64)
    is_new = np.ones(len(columns[0]), bool)
    is_new[1:] = np.logical_or.reduce([column[1:] != column[:-1] for column in columns])
    return np.flatnonzero(is_new)


def _sums(values: Numbers, starts: Numbers) -> Numbers:
    found: Numbers = np.add.reduceat(values, starts) if len(starts) else np.zeros(0, np.int64)
    return found


def _targets(rows: Numbers, part: Numbers, starts: Numbers) -> tuple[Numbers, Numbers]:
    """Rows of each chunk table, and what ends its name, of its parts in order."""
    ends = np.append(starts, len(part))[1:]
    last = part[ends - 1]
    return _sums(rows, starts), np.where(ends - starts > 1, -last, last)


def _holders(place: Numbers, each: Numbers, node: Numbers, is_good: Flags, chunks: int) -> tuple[Numbers, Numbers]:
    """The nodes with a good replica of all parts of a chunk; ``place`` is the chunk's.

    Returns:
        Where each chunk's nodes begin, and the nodes: none for a chunk with a part of which no good replica is left.
    """
    parts = np.bincount(place[each], minlength=chunks)
    numbers = np.repeat(np.arange(len(each)), np.diff(each, append=len(place)))[is_good]
    place, node = place[is_good], node[is_good]
    once = _changes(numbers, node)
    numbers, place, node = numbers[once], place[once], node[once]
    order = np.lexsort((node, place))
    place, node = place[order], node[order]
    starts = _changes(place, node)
    held = np.diff(starts, append=len(place))
    is_whole = held == parts[place[starts]]
    place, node = place[starts][is_whole], node[starts][is_whole]
    first = np.zeros(chunks + 1, np.int64)
    np.cumsum(np.bincount(place, minlength=chunks), out=first[1:])
    return first, node


def written(entries: EntryColumns) -> bytes:
    """Entries as one value."""
    counts = {name: pa.array(getattr(entries, name)) for name in _COUNTS}
    holders = pa.ListArray.from_arrays(
        pa.array(entries.first_holder, pa.int32()), pa.array(entries.holders, pa.int16())
    )
    about = {"format": FORMAT, "nodes": entries.nodes, "orphans": entries.orphans.tolist()}
    batch = pa.RecordBatch.from_arrays([*counts.values(), holders], [*counts, "holders"])
    batch = batch.replace_schema_metadata({"skyshard": json.dumps(about)})
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="zstd" if len(entries) >= COMPRESSED_CHUNKS else None)
    with pa.ipc.new_file(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def read_entries(content: bytes) -> EntryColumns | None:
    """The inverse of ``written``; None where it is damaged, or another release wrote it in another format."""
    try:
        batch = pa.ipc.open_file(pa.py_buffer(content)).get_batch(0)
    except (pa.ArrowException, OSError):
        return None
    about = json.loads(batch.schema.metadata[b"skyshard"])
    if about["format"] != FORMAT:
        return None
    holders = batch.column("holders")
    return EntryColumns(
        **{name: batch.column(name).to_numpy() for name in _COUNTS},
        first_holder=holders.offsets.to_numpy(),
        holders=holders.values.to_numpy(),
        nodes=tuple(about["nodes"]),
        orphans=np.array(about["orphans"], np.int64),
    )


def columns_of(numbers: Numbers, nodes: Sequence[str], states: Iterable[bool]) -> ReplicaColumns:
    """Replicas of one table from rows of numbers (chunk, is_overlap, part, rows, bytes), names and states."""
    chunk, is_overlap, part, rows, size = np.ascontiguousarray(numbers.T)
    names = tuple(sorted(set(nodes)))
    code = {name: place for place, name in enumerate(names)}
    node = np.fromiter(map(code.__getitem__, nodes), np.int64, len(nodes))
    is_good = np.fromiter(states, bool, len(nodes))
    return ReplicaColumns(chunk, is_overlap.astype(bool), part, rows, size, node, is_good, names)
