"""Partition tasks: one part in, one bundle out. Runs anywhere, alone, any number of times, with the same result.

Rows stream through in batches; each batch is located, sorted by chunk and sub-chunk, packed once, and written as
segments, overlap copies included. Memory is bounded by a batch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.chunking import Chunker
from skyshard.errors import UserError
from skyshard.ingest.bundle import Bundle, BundleWriter, PartReport, Segment
from skyshard.ingest.director_keys import DirectorKeys, save_keys
from skyshard.ingest.source import InputBatch, Part, Reader
from skyshard.layout import Role, Striping, TableLayout
from skyshard.registry.values import WHOLE
from skyshard.rowimage.digest import digest
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import RecordLayout
from skyshard.schema import CHUNK_COLUMN, SUB_CHUNK_COLUMN, Table
from skyshard.worker.messages import Loader

Numbers = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class PartitionSpec:
    """What every part of one table shares.

    ``table`` is the table as the input has it; ``director_keys`` the folder of the director's sorted keys, empty for
    tables that follow nobody.
    """

    table: Table
    layout: TableLayout
    striping: Striping
    reader: Reader
    loader: Loader
    staging: str
    director_keys: str = ""

    @property
    def stored(self) -> Table:
        return self.table.with_chunk_columns() if self.layout.role.is_chunked else self.table


@dataclass(frozen=True, slots=True)
class _Routed:
    """Where the rows of a batch go: chunk and sub-chunk of each, and the overlap copies (row, chunk, sub-chunk)."""

    chunks: Numbers
    sub_chunks: Numbers
    copies: tuple[NDArray[np.int64], Numbers, Numbers]
    is_orphan: NDArray[np.bool_] | None = None
    moved: int = 0


def partition_part(spec: PartitionSpec, part: Part) -> PartReport:
    """Turn one part into a bundle, or find the bundle that is there already.

    Raises:
        UserError: a row that cannot be taken, named by file, row and column; no bundle is left then.
    """
    fingerprint = part.fingerprint()
    bundle = Bundle(Path(spec.staging), spec.table.name, fingerprint, overlap_part=part.is_overlap)
    if (done := bundle.report()) is not None:
        return done
    start = time.monotonic()
    report = PartReport(part.path, fingerprint)
    stored = spec.stored
    schema = pa.schema([(column.name, column.type.arrow) for column in stored])
    keys: list[tuple[pa.Array, Numbers, Numbers]] = []
    with BundleWriter(bundle, spec.loader, schema) as writer:
        for batch in spec.reader.batches(part, spec.table, spec.layout):
            _add_batch(spec, part, batch, stored, writer, report, keys)
    if spec.layout.role is Role.DIRECTOR and spec.layout.key:
        save_keys(bundle.keys, keys)
    report.elapsed_s = time.monotonic() - start
    bundle.finish(report)
    return report


def _add_batch(
    spec: PartitionSpec,
    part: Part,
    batch: InputBatch,
    stored: Table,
    writer: BundleWriter,
    report: PartReport,
    keys: list[tuple[pa.Array, Numbers, Numbers]],
) -> None:
    report.rows += batch.batch.num_rows
    report.conversions.update(batch.conversions)
    if not spec.layout.role.is_chunked:
        _write(spec, stored, batch.batch, np.full(batch.batch.num_rows, WHOLE, np.int32), False, writer, report)
        return
    routed = _route(spec, part, batch, report)
    full = _with_chunk_columns(batch.batch, stored, routed.chunks, routed.sub_chunks)
    _write(spec, stored, full, routed.chunks, False, writer, report)
    rows, chunks, sub_chunks = routed.copies
    if len(rows):
        copies = _with_chunk_columns(batch.batch.take(pa.array(rows)), stored, chunks, sub_chunks)
        _write(spec, stored, copies, chunks, True, writer, report)
    if routed.is_orphan is not None:
        orphans, counts = np.unique(routed.chunks[routed.is_orphan], return_counts=True)
        report.orphans.update(dict(zip(orphans.tolist(), counts.tolist(), strict=True)))
    report.moved += routed.moved
    if spec.layout.role is Role.DIRECTOR and spec.layout.key:
        keys.append((batch.batch.column(spec.layout.key), routed.chunks, routed.sub_chunks))


def _route(spec: PartitionSpec, part: Part, batch: InputBatch, report: PartReport) -> _Routed:
    chunker = _chunker(spec.striping)
    none = (np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))
    if spec.layout.role is Role.DIRECTOR:
        ra, dec = _positions(spec, part, batch, report)
        chunks, sub_chunks = chunker.locate(ra, dec)
        copies = chunker.overlap_copies(ra, dec) if spec.striping.overlap_deg else none
        return _Routed(chunks, sub_chunks, (copies[0], copies[1], copies[2]))
    known = DirectorKeys.open(Path(spec.director_keys))
    found = known.find(batch.batch.column(spec.layout.key)) if spec.layout.key else None
    if spec.layout.position is None:
        if found is None or not len(known):
            raise UserError(
                f"'{part.path}': table '{spec.table.name}' has no position, and its director "
                f"'{spec.layout.director}' no rows to follow",
                remedy="ingest the director first, or give the table position columns",
            )
        return _Routed(found.chunks, found.sub_chunks, none, ~found.is_known)
    ra, dec = _positions(spec, part, batch, report)
    chunks, sub_chunks = chunker.locate(ra, dec)
    if found is None:
        return _Routed(chunks, sub_chunks, none)
    strayed = found.is_known & (found.chunks != chunks)
    chunks = np.where(found.is_known, found.chunks, chunks)
    sub_chunks = np.where(found.is_known, found.sub_chunks, sub_chunks)
    return _Routed(chunks, sub_chunks, none, ~found.is_known, int(strayed.sum()))


def _positions(
    spec: PartitionSpec, part: Part, batch: InputBatch, report: PartReport
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Partition longitudes in [0, 360) and latitudes; a row without a usable one is named."""
    assert spec.layout.position is not None
    if batch.positions is None:
        raise UserError(f"'{part.path}' has no positions", remedy="name position columns in the layout")
    ra, dec = (np.asarray(values, np.float64) for values in batch.positions)
    bad = ~(np.isfinite(ra) & np.isfinite(dec)) | (np.abs(dec) > 90) | (np.abs(ra) > 720)
    if bad.any():
        row = int(np.flatnonzero(bad)[0])
        names = " and ".join(f"'{name}'" for name in spec.layout.position)
        raise UserError(
            f"'{part.path}', row {batch.first_row + row}: position ({ra[row]:.10g}, {dec[row]:.10g}) in columns {names} "
            f"is not on the sphere",
            remedy="give longitudes in degrees and latitudes from -90 to 90",
        )
    outside = (ra < 0) | (ra >= 360)
    if outside.any():
        ra = np.where(outside, np.mod(ra, 360.0), ra)
        ra = np.where(ra >= 360.0, 0.0, ra)
        report.conversions[f"{spec.layout.position[0]}: longitude wrapped into [0, 360) to find the chunk"] += int(
            outside.sum()
        )
    return ra, dec


def _with_chunk_columns(batch: pa.RecordBatch, stored: Table, chunks: Numbers, sub_chunks: Numbers) -> pa.RecordBatch:
    """The stored table's columns, chunk numbers filled in."""
    numbers = {CHUNK_COLUMN.lower(): chunks, SUB_CHUNK_COLUMN.lower(): sub_chunks}
    columns = [
        pa.array(numbers[column.name.lower()]).cast(column.type.arrow)
        if column.name.lower() in numbers
        else batch.column(column.name)
        for column in stored
    ]
    return pa.RecordBatch.from_arrays(columns, names=stored.column_names)


def _write(
    spec: PartitionSpec,
    stored: Table,
    batch: pa.RecordBatch,
    chunks: Numbers,
    is_overlap: bool,
    writer: BundleWriter,
    report: PartReport,
) -> None:
    """Sort a batch by chunk and append one segment per chunk."""
    if spec.layout.role.is_chunked:
        order = np.lexsort((np.asarray(batch.column(SUB_CHUNK_COLUMN)), chunks))
        batch, chunks = batch.take(pa.array(order)), chunks[order]
    records = pack(batch, RecordLayout.of(stored)) if spec.loader is Loader.IMAGE else None
    for chunk, first, last in _runs(chunks):
        rows = batch.slice(first, last - first)
        offset = writer.add_batch(rows) if records is None else writer.add_records(records[first:last])
        report.segments.append(Segment(chunk, is_overlap, offset, last - first, str(digest(rows, stored.columns))))


def _runs(chunks: Numbers) -> Iterator[tuple[int, int, int]]:
    """Runs of equal chunk numbers as (chunk, first, past the last)."""
    if not len(chunks):
        return
    edges = np.concatenate([[0], np.flatnonzero(np.diff(chunks)) + 1, [len(chunks)]])
    for first, last in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        yield int(chunks[first]), first, last


_CHUNKERS: dict[Striping, Chunker] = {}


def _chunker(striping: Striping) -> Chunker:
    """One chunker a process and striping."""
    if striping not in _CHUNKERS:
        _CHUNKERS[striping] = Chunker(striping.stripes, striping.substripes, striping.overlap_deg)
    return _CHUNKERS[striping]
