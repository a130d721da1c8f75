"""Bundles: what partitioning leaves for loading, rows sorted by chunk.

A bundle is row images or Arrow batches, one file a slice; a long segment of row images has a file of its own, which a
chunk table can take over without a copy. The sidecar (JSON) lists the segments and says that the bundle is whole: it
is written last, by rename, so that a killed task leaves no half bundle that looks like one.
"""

from __future__ import annotations

import itertools
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import get_ident
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.host.atomic_files import write_atomically
from skyshard.host.disk_space import require_room, reserve, writing
from skyshard.host.processes import host_id
from skyshard.node.messages import Loader

OWN_FILE_BYTES = 1 << 20
"""From here on, a file more costs less than copying the rows."""
SegmentPlace: TypeAlias = tuple[str, int]
"""Where a segment is: its own file or an empty name, and its offset."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive rows of a bundle for one chunk table; ``offset`` as in ``node.messages.BundleSlice``.

    ``file`` is the segment's own file next to the bundle, or empty.
    """

    chunk: int
    is_overlap: bool
    offset: int
    rows: int
    digest: str
    file: str = ""


@dataclass(frozen=True, slots=True)
class OverlapRows:
    """Rows of an overlap file for ``chunk`` whose own chunk is another: compared, never loaded."""

    chunk: int
    own_chunk: int
    rows: int
    digest: str


@dataclass(slots=True)
class SliceReport:
    """What a partition task reports of one slice."""

    path: str
    """The slice's path, by which errors and contributions name it."""
    digest: str
    """Digest of the slice's bytes (``InputSlice.fingerprint``)."""
    rows: int = 0
    segments: list[Segment] = field(default_factory=list)
    conversions: Counter[str] = field(default_factory=Counter)
    """Values that were changed, by what was done to them."""
    orphans: Counter[int] = field(default_factory=Counter)
    """Chunk → dependent rows whose director is unknown."""
    moved: int = 0
    """Rows that follow their director although their copied position says another chunk."""
    elapsed_s: float = 0.0
    overlap_given: list[OverlapRows] = field(default_factory=list)
    """The rows of an overlap file."""
    overlap_due: list[OverlapRows] = field(default_factory=list)
    """Overlap rows by the digits of the own rows, where stored positions are rounded."""
    files: dict[str, int] = field(default_factory=dict)
    """The bundle's files and their bytes."""
    known: dict[str, Any] = field(default_factory=dict)
    """What a generator knows of the rows, with their digest."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Rows that are not stored, by the policy that left them out."""
    quality: dict[str, Any] = field(default_factory=dict)
    """What the rows hold (`skyshard.ingest.quality.slice_counts`); empty where it is not counted."""
    host: str = ""
    """Where the bundle is: a node's name, or nothing for the host of the process that ingests. No file says it."""

    def to_json(self) -> dict[str, Any]:
        return {
            "path": self.path, "digest": self.digest, "rows": self.rows,
            "segments": [asdict(segment) for segment in self.segments],
            "conversions": dict(self.conversions), "orphans": dict(self.orphans),
            "moved": self.moved, "elapsed_s": self.elapsed_s,
            "overlap_given": [asdict(rows) for rows in self.overlap_given],
            "overlap_due": [asdict(rows) for rows in self.overlap_due],
            "files": self.files, "known": self.known, "left_out": dict(self.left_out),
            "quality": self.quality,
        }  # fmt: skip

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> SliceReport:
        values = dict(content)
        values["segments"] = [Segment(**segment) for segment in values["segments"]]
        values |= {name: [OverlapRows(**rows) for rows in values[name]] for name in ("overlap_given", "overlap_due")}
        values |= {name: Counter(values.get(name, {})) for name in ("conversions", "left_out")}
        values["orphans"] = Counter({int(chunk): count for chunk, count in values["orphans"].items()})
        return SliceReport(**values)


class Bundle:
    """Paths of one slice's bundle in a staging folder."""

    def __init__(self, folder: Path, table: str, digest: str, *, overlap_part: bool = False) -> None:
        stem = f"{table}-{digest}" + ("-overlap" if overlap_part else "")
        self.path = folder / f"{stem}.bundle"
        self.sidecar = folder / f"{stem}.json"
        self.keys = folder / f"{stem}.npy"
        self.orphans = folder / f"{stem}-orphans.npy"
        self.quarantine = folder / f"{stem}-quarantine.parquet"
        self.positions = folder / f"{stem}-positions.npy"

    def report(self) -> SliceReport | None:
        """The report of a whole bundle, or None when there is none, or a file of it was lost or cut off since."""
        try:
            report = SliceReport.from_json(json.loads(self.sidecar.read_text()))
            sizes = {name: (self.sidecar.parent / name).stat().st_size for name in report.files}
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return report if all(sizes[name] >= size for name, size in report.files.items()) else None

    def finish(self, report: SliceReport) -> None:
        write_atomically(self.sidecar, json.dumps(report.to_json()))


class BundleWriter:
    """Appends segments to a bundle; the file appears under its name when the block ends without an error."""

    def __init__(self, bundle: Bundle, loader: Loader, schema: pa.Schema | None) -> None:
        self._path = bundle.path
        self._token = f"{host_id()}.{os.getpid()}.{get_ident()}"
        self._draft = bundle.path.with_name(f"{bundle.path.name}.{self._token}.tmp")
        self._loader = loader
        self._schema = schema
        self._offset = 0
        self._own: dict[str, int] = {}

    def __enter__(self) -> BundleWriter:
        with writing(self._path):
            self._file = self._draft.open("wb")
        self._arrow = pa.ipc.new_file(self._file, self._schema) if self._loader is Loader.LOAD_DATA else None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with writing(self._path), self._file:
                if kind is None and self._arrow is not None:
                    self._arrow.close()
            if kind is None:
                self._draft.replace(self._path)
        finally:
            self._draft.unlink(missing_ok=True)
            if kind is not None:
                for name in self._own:
                    (self._path.parent / name).unlink(missing_ok=True)

    @property
    def files(self) -> dict[str, int]:
        """The files of the bundle, once it is whole, with their bytes."""
        return {self._path.name: self._path.stat().st_size, **self._own}

    def add_records(self, records: NDArray[Any], edges: Sequence[int]) -> list[SegmentPlace]:
        """Append runs of packed records; ``edges`` are their first rows and the end. Returns where each run is."""
        require_room(self._path.parent, records.nbytes)
        places, written, length = [], 0, records.itemsize
        with writing(self._path):
            for first, last in itertools.pairwise(edges):
                if (last - first) * length < OWN_FILE_BYTES:
                    places.append(("", self._offset + (first - written) * length))
                    continue
                self._append(records[written:first])
                places.append((self._own_file(records[first:last]), 0))
                written = last
            self._append(records[written:])
        return places

    def _append(self, records: NDArray[Any]) -> None:
        self._file.write(_bytes(records))
        self._offset += records.nbytes

    def _own_file(self, records: NDArray[Any]) -> str:
        """Write a run as a file of its own; its name is unique, even among several tries of this slice."""
        name = f"{self._path.stem}-{self._token}-{len(self._own)}.rows"
        self._own[name] = records.nbytes
        with (self._path.parent / name).open("wb", buffering=0) as file:
            reserve(file.fileno(), 0, records.nbytes)
            file.write(_bytes(records))
        return name

    def add_batch(self, batch: pa.RecordBatch) -> SegmentPlace:
        """Append one Arrow batch, whose fields may say that there are no NULLs; returns its number in the file."""
        assert self._arrow is not None
        batch = pa.RecordBatch.from_arrays(batch.columns, schema=self._schema)
        require_room(self._path.parent, batch.nbytes)
        with writing(self._path):
            self._arrow.write_batch(batch)
        self._offset += 1
        return "", self._offset - 1


def _bytes(records: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(records).view(np.uint8).data
