"""Data files of fixed records, read in groups: small tables of one column list are read together, so that the cost a
column is paid once for many chunks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.errors import ClusterError
from skyshard.node.read.byte_batches import by_bytes
from skyshard.rowimage.digest import RowDigest, digest_runs
from skyshard.rowimage.record import RecordLayout, Records
from skyshard.rowimage.record_digest import digest_records, record_lanes

GROUP_BYTES = 16 << 20


@dataclass(frozen=True, eq=False, slots=True)
class RecordGroup:
    """The records of some data files, one file after the other; deleted ones too."""

    layout: RecordLayout
    counts: Sequence[int]
    """Records of each file."""
    records: Records

    @property
    def each(self) -> list[Records]:
        """The records of each file."""
        return [self.records[first:last] for first, last in pairwise([0, *accumulate(self.counts)])]

    def digests(self, columns: int) -> list[RowDigest]:
        """The digest of each file's rows over the first columns."""
        if len(self.counts) == 1:
            return [digest_records(self.records, self.layout, columns)]
        lanes = record_lanes(self.records, self.layout, columns)
        if lanes.shape[1] != len(self.records):  # some are deleted
            return [digest_records(records, self.layout, columns) for records in self.each]
        filled = [i for i, count in enumerate(self.counts) if count]
        result = [RowDigest()] * len(self.counts)
        if filled:
            edges = [0, *accumulate(self.counts[i] for i in filled)]
            for i, found in zip(filled, digest_runs(lanes, edges), strict=True):
                result[i] = found
        return result


def record_groups(files: Sequence[Path], layout: RecordLayout, group_bytes: int = GROUP_BYTES) -> Iterator[RecordGroup]:
    """Read data files of one layout in their order, small ones together; a long one is mapped, not read.

    Raises:
        ClusterError: a file that ends within a record.
    """
    for group in by_bytes(files, _size, group_bytes):
        counts = [_records(file, layout) for file in group]
        size = sum(counts) * layout.length
        if len(group) == 1 and size > group_bytes:
            yield RecordGroup(layout, counts, mapped_records(group[0], layout))
        else:
            together = np.empty(size, np.uint8)
            read_files(group, together)
            yield RecordGroup(layout, counts, together.view(layout.dtype))


def mapped_records(file: Path, layout: RecordLayout) -> Records:
    """The records of a data file, which are read when they are looked at."""
    return np.memmap(file, layout.dtype, "r") if _size(file) else np.empty(0, layout.dtype)


def _size(file: Path) -> int:
    return file.stat().st_size


def read_files(files: Sequence[Path], together: NDArray[np.uint8]) -> None:
    """Read the bytes of all files, one after the other, into an array that has room for just these.

    Raises:
        ClusterError: they have become shorter.
    """
    room = together.data
    for file in files:
        with file.open("rb", buffering=0) as source:
            while count := source.readinto(room):
                room = room[count:]
    if len(room):
        raise ClusterError(f"'{files[-1]}', or one read with it, was cut meanwhile", remedy="run the ingest again")


def _records(file: Path, layout: RecordLayout) -> int:
    """Records in a file; a file that ends within one is torn."""
    count, rest = divmod(_size(file), layout.length)
    if rest:
        raise ClusterError(f"'{file}' ends within a record", remedy="run the ingest again")
    return count
