"""Bundles: what partitioning leaves for loading, one file a part, rows sorted by chunk.

A bundle is row images or Arrow batches; its sidecar (JSON) lists the segments and says that the bundle is whole: it is
written last, by rename, so that a killed task leaves no half bundle that looks like one.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import get_ident
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.worker.messages import Loader
from skyshard.worker.room import require_room, writing


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive rows of a bundle for one chunk table; ``offset`` as in ``worker.messages.Slice``."""

    chunk: int
    is_overlap: bool
    offset: int
    rows: int
    digest: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Rows of an overlap file for ``chunk`` whose own chunk is another: compared (``claims``), never loaded."""

    chunk: int
    own_chunk: int
    rows: int
    digest: str


@dataclass(slots=True)
class PartReport:
    """What a partition task says of one part.

    ``orphans`` counts, by chunk, dependent rows whose director is unknown; ``moved`` counts rows that follow their
    director although their copied position says another chunk; ``claims`` are the rows of an overlap file.
    """

    part: str
    digest: str
    rows: int = 0
    segments: list[Segment] = field(default_factory=list)
    conversions: Counter[str] = field(default_factory=Counter)
    orphans: Counter[int] = field(default_factory=Counter)
    moved: int = 0
    elapsed_s: float = 0.0
    claims: list[Claim] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return {
            "part": self.part, "digest": self.digest, "rows": self.rows,
            "segments": [asdict(segment) for segment in self.segments],
            "conversions": dict(self.conversions), "orphans": dict(self.orphans),
            "moved": self.moved, "elapsed_s": self.elapsed_s,
            "claims": [asdict(claim) for claim in self.claims],
        }  # fmt: skip

    @staticmethod
    def from_json(content: Mapping[str, Any]) -> PartReport:
        values = dict(content)
        values["segments"] = [Segment(**segment) for segment in values["segments"]]
        values["claims"] = [Claim(**claim) for claim in values["claims"]]
        values["conversions"] = Counter(values["conversions"])
        values["orphans"] = Counter({int(chunk): count for chunk, count in values["orphans"].items()})
        return PartReport(**values)


class Bundle:
    """Paths of one part's bundle in a staging folder."""

    def __init__(self, folder: Path, table: str, digest: str, *, overlap_part: bool = False) -> None:
        stem = f"{table}-{digest}" + ("-overlap" if overlap_part else "")
        self.path = folder / f"{stem}.bundle"
        self.sidecar = folder / f"{stem}.json"
        self.keys = folder / f"{stem}.npy"

    def report(self) -> PartReport | None:
        """The report of a whole bundle, or None when there is none."""
        try:
            return PartReport.from_json(json.loads(self.sidecar.read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def finish(self, report: PartReport) -> None:
        write_atomically(self.sidecar, json.dumps(report.to_json()).encode())


def write_atomically(path: Path, content: bytes) -> None:
    """Write beside and rename: the file is whole or not there."""
    beside = path.with_name(f"{path.name}.{os.getpid()}.{get_ident()}.tmp")
    beside.write_bytes(content)
    beside.replace(path)


class BundleWriter:
    """Appends segments to a bundle; the file appears under its name when the block ends without an error."""

    def __init__(self, bundle: Bundle, loader: Loader, schema: pa.Schema | None) -> None:
        self._path = bundle.path
        self._beside = bundle.path.with_name(f"{bundle.path.name}.{os.getpid()}.{get_ident()}.tmp")
        self._loader = loader
        self._schema = schema
        self._offset = 0

    def __enter__(self) -> BundleWriter:
        with writing(self._path):
            self._file = self._beside.open("wb")
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
                self._beside.replace(self._path)
        finally:
            self._beside.unlink(missing_ok=True)

    def add_records(self, records: NDArray[Any]) -> int:
        """Append packed records; returns the byte offset of the first."""
        start = self._offset
        require_room(self._path.parent, records.nbytes)
        with writing(self._path):
            self._file.write(np.ascontiguousarray(records).data)
        self._offset += records.nbytes
        return start

    def add_batch(self, batch: pa.RecordBatch) -> int:
        """Append one Arrow batch; returns its number in the file."""
        assert self._arrow is not None
        require_room(self._path.parent, batch.nbytes)
        with writing(self._path):
            self._arrow.write_batch(batch)
        self._offset += 1
        return self._offset - 1
