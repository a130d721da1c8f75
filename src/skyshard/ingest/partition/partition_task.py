"""Partition tasks: one slice in, one bundle out. A task runs anywhere, any number of times, with the same result.

Rows stream through in batches; each batch is located, sorted by chunk and sub-chunk, packed once, and written as
segments, overlap copies included. Memory is bounded by a batch.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Integers, Numbers
from skyshard.basics.errors import ClusterError, UserError
from skyshard.catalog.layout import Role
from skyshard.catalog.schema import Table
from skyshard.ingest.partition.bundle import Bundle, BundleWriter, Segment, SliceReport
from skyshard.ingest.partition.director_keys import KeyKind, doubled_key, save_keys
from skyshard.ingest.partition.first_rows import later_rows, without_later
from skyshard.ingest.partition.given_chunks import check_given_chunks, note_overlap, with_chunk_columns
from skyshard.ingest.partition.match_rows import route_matches
from skyshard.ingest.partition.orphan_keys import Orphans, orphans_of, save_orphans
from skyshard.ingest.partition.packed_rows import StoredRows, chunk_order
from skyshard.ingest.partition.quarantine import QuarantineFile, without_bad_positions
from skyshard.ingest.partition.routing import (
    PartitionSpec,
    Routed,
    route_dependent,
    route_director,
    without_orphans,
)
from skyshard.ingest.quality.near_positions import save_positions
from skyshard.ingest.quality.slice_counts import SliceCounts
from skyshard.ingest.source import InputBatch, InputSlice
from skyshard.node.messages import Loader
from skyshard.registry.stored.records import WHOLE
from skyshard.rowimage.arrays import RefusedValue
from skyshard.rowimage.digest import RowDigest

__all__ = ["PartitionSpec", "Segment", "partition_slice", "require_distinct"]

_ROUTES = {Role.DIRECTOR: route_director, Role.DEPENDENT: route_dependent, Role.REF_MATCH: route_matches}


def partition_slice(spec: PartitionSpec, piece: InputSlice) -> SliceReport:
    """Turn one slice into a bundle, or find the bundle that is there already.

    Raises:
        UserError: a row that cannot be taken, named by file, row and column; no bundle is left then.
        ClusterError: the disk is full, or cannot be written; the node whose host it is of is named.
    """
    try:
        report = _partition(spec, piece)
    except ClusterError as error:
        if not spec.host:
            raise
        what = f"node '{spec.host}': {error.what}"
        raise ClusterError(what, remedy=error.remedy, retryable=error.retryable) from error
    return replace(report, host=spec.host)


def _partition(spec: PartitionSpec, piece: InputSlice) -> SliceReport:
    piece.require_unchanged()
    fingerprint = piece.fingerprint()
    bundle = Bundle(Path(spec.staging), spec.table.name, fingerprint)
    if (done := bundle.report()) is not None:
        return replace(done, path=piece.path)
    start = time.monotonic()
    Path(spec.staging).mkdir(mode=0o770, parents=True, exist_ok=True)
    stored = spec.stored
    schema = pa.schema([(column.name, column.type.arrow) for column in stored])
    with (
        QuarantineFile(bundle.quarantine, spec.table, piece.path) as quarantine,
        BundleWriter(bundle, spec.loader, schema) as writer,
    ):
        counts = SliceCounts.of(spec.table, spec.layout) if spec.counts_quality else None
        work = _Work(spec, piece, stored, writer, SliceReport(piece.path, fingerprint), quarantine, counts)
        for batch in spec.reader.batches(piece, spec.table, spec.layout):
            work.add(batch)
        piece.require_unchanged()
        work.finish()
    work.report.files = writer.files | quarantine.files
    if spec.layout.role is Role.DIRECTOR and spec.layout.key:
        work.save_keys(bundle.keys)
        work.report.files[bundle.keys.name] = bundle.keys.stat().st_size
    if work.counts is not None:
        work.report.quality = work.counts.to_json()
        if work.counts.columns.keeps_positions:
            work.report.files |= save_positions(bundle.positions, work.counts.positions)
    if work.orphans:
        work.report.files |= save_orphans(bundle.orphans, work.orphans)
    work.report.elapsed_s = time.monotonic() - start
    bundle.finish(work.report)
    return work.report


def require_distinct(table: str, reports: Sequence[SliceReport]) -> None:
    """Refuse slices of equal content: a slice counts by its content, so the second would be taken for the first again.

    Raises:
        UserError: two slices with the same rows, both named.
    """
    seen: dict[str, SliceReport] = {}
    for report in reports:
        other = seen.setdefault(report.digest, report)
        if other is not report and report.rows:
            raise UserError(
                f"table '{table}': '{report.path}' and '{other.path}' have the same content",
                remedy="give each file once",
            )


@dataclass(slots=True)
class _Work:
    """One slice under way: batches are added, segments come out."""

    spec: PartitionSpec
    piece: InputSlice
    stored: Table
    writer: BundleWriter
    report: SliceReport
    quarantine: QuarantineFile
    counts: SliceCounts | None
    keys: list[tuple[pa.Array, Numbers, Numbers]] = field(default_factory=list)
    rows: list[tuple[int, NDArray[np.int64] | None]] = field(default_factory=list)
    """Of each batch with keys, its first row, and the numbers of its rows."""
    later: NDArray[np.int64] | None = None
    given: RowDigest = field(default_factory=RowDigest)
    orphans: list[Orphans] = field(default_factory=list)

    def finish(self) -> None:
        """Compare the rows with what their generator says, and keep what it knows.

        Raises:
            UserError: a slice with other rows than its source promises.
        """
        if self.spec.layout.role is Role.REF_MATCH:  # a row of two chunks is stored twice
            return
        if self.piece.digest and self.piece.digest != str(self.given):
            raise UserError(
                f"'{self.piece.path}' holds other rows than its manifest says ({self.given}, {self.piece.digest})",
                remedy="make or copy the catalog again",
            )
        if self.is_known:
            self.report.known["digest"] = str(self.given)

    @property
    def is_known(self) -> bool:
        """True when a generator answers for the rows: only then their digest as given is of use."""
        return bool(self.piece.digest or self.report.known)

    def add(self, batch: InputBatch) -> None:
        report, layout = self.report, self.spec.layout
        report.conversions.update(batch.conversions)
        report.known.update(batch.known)
        if self.piece.is_overlap:
            note_overlap(self.spec, self.piece, batch, self.stored, report)
            return
        batch = self._taken(batch)
        report.left_out.update(batch.left_out)
        report.rows += batch.batch.num_rows
        if self.counts is not None:
            self.counts.add(batch)
        if not layout.role.is_chunked:
            whole = np.full(batch.batch.num_rows, WHOLE, np.int32)
            rows = self._rows(batch, batch.batch)
            self._note_given(rows)
            self._write(rows, whole, whole, is_overlap=False)
            return
        routed = _ROUTES[layout.role](self.spec, self.piece, batch, report.conversions)
        if batch.given_chunks is not None or self.piece.chunk is not None:
            check_given_chunks(self.spec, self.piece, batch, routed, report)
        self._write_routed(batch, routed)
        if layout.role is Role.DIRECTOR and layout.key:
            self.rows.append((batch.first_row, batch.numbers))
            self.keys.append((batch.batch.column(layout.key), routed.chunks, routed.sub_chunks))
        if layout.role is Role.DEPENDENT and routed.is_orphan is not None and routed.is_orphan.any():
            self.orphans.append(orphans_of(batch.batch.column(layout.key), routed.is_orphan, routed.chunks))

    def _taken(self, batch: InputBatch) -> InputBatch:
        """The rows that the table's policies let in."""
        layout = self.spec.layout
        if layout.bad_positions != "refuse" and layout.position:
            is_kept = layout.bad_positions == "quarantine"
            batch = without_bad_positions(batch, layout.position, self.quarantine if is_kept else None)
        if self.spec.later:
            self.later = later_rows(self.spec.later, self.piece) if self.later is None else self.later
            batch = without_later(batch, self.later)
        if layout.orphans == "skip":
            batch = without_orphans(self.spec, self.piece, batch)
        return batch

    def save_keys(self, path: Path) -> None:
        """Keep the director's keys of the slice.

        Raises:
            UserError: one occurs twice where it may not, with both rows.
        """
        table, layout = self.spec.table, self.spec.layout
        rows = save_keys(path, self.keys, KeyKind.of(table, layout))
        if rows:
            key = pa.chunked_array([keys for keys, _, _ in self.keys])[rows[0]].as_py()
            one, two = (self._number(row) for row in rows)
            raise doubled_key(table.name, key, f"'{self.piece.path}', rows {one} and {two}")

    def _number(self, row: int) -> int:
        """The number in its file of one of the rows whose keys were collected."""
        starts = np.cumsum([0, *(len(keys) for keys, _, _ in self.keys)])
        batch = int(np.searchsorted(starts, row, "right")) - 1
        first, numbers = self.rows[batch]
        return first + row - int(starts[batch]) if numbers is None else int(numbers[row - starts[batch]])

    def _write_routed(self, batch: InputBatch, routed: Routed) -> None:
        own = batch.batch if routed.rows is None else batch.batch.take(pa.array(routed.rows))
        if routed.flags is not None:
            own = self._with_flags(own, routed)
        full = with_chunk_columns(own, self.stored, routed.chunks, routed.sub_chunks)
        rows = self._rows(batch, full, routed.rows)
        if routed.rows is None:
            self._note_given(rows)
        self._write(rows, routed.chunks, routed.sub_chunks, is_overlap=False)
        if len(routed.copies[0]):
            order = self._wanted(routed.copies[1], chunk_order(*routed.copies[1:]), is_overlap=True)
            taken, chunks, sub_chunks = (routed.copies[0][order], routed.copies[1][order], routed.copies[2][order])
            self._write_sorted(rows.moved(taken, chunks, sub_chunks), chunks, is_overlap=True)
        if routed.is_orphan is not None:
            orphans, counts = np.unique(routed.chunks[routed.is_orphan], return_counts=True)
            self.report.orphans.update(dict(zip(orphans.tolist(), counts.tolist(), strict=True)))
        self.report.moved += routed.moved

    def _rows(self, batch: InputBatch, full: pa.RecordBatch, of_input: NDArray[np.int64] | None = None) -> StoredRows:
        """The rows to store; ``of_input`` says which row of the input each is, where not each is stored once.

        Raises:
            UserError: a value that its column does not take, by file and row.
        """
        try:
            return StoredRows.of(full, self.stored, is_image=self.spec.loader is Loader.IMAGE)
        except RefusedValue as error:
            row = error.row if of_input is None else int(of_input[error.row])
            raise error.in_file(self.piece.path, batch.number(row)) from None

    def _note_given(self, rows: StoredRows) -> None:
        if self.is_known:
            self.given += rows.given()

    def _with_flags(self, batch: pa.RecordBatch, routed: Routed) -> pa.RecordBatch:
        """The flag column as it must be; values that the input had otherwise are counted."""
        name = self.spec.layout.flag
        if not name or routed.flags is None:
            return batch
        at = batch.schema.names.index(name)
        flags = pa.array(routed.flags).cast(batch.column(at).type)
        before = batch.column(at)
        given = before.fill_null(0).to_numpy(zero_copy_only=False)
        changed = (given != 0) & (given != routed.flags)
        if changed.any():
            self.report.conversions[f"{name}: set to the sides that are in the chunk"] += int(changed.sum())
        return batch.set_column(at, name, flags)

    def _write(self, rows: StoredRows, chunks: Numbers, sub_chunks: Numbers, *, is_overlap: bool) -> None:
        """Append one segment per chunk, rows sorted by chunk and sub-chunk."""
        if not len(chunks):
            return
        if self.spec.layout.role.is_chunked:
            order = self._wanted(chunks, chunk_order(chunks, sub_chunks), is_overlap=is_overlap)
            rows, chunks = rows.sorted(order), chunks[order]
        self._write_sorted(rows, chunks, is_overlap=is_overlap)

    def _wanted(self, chunks: Numbers, order: Integers, *, is_overlap: bool) -> Integers:
        """The rows, of those in an order, of the chunk tables that are asked for."""
        if self.spec.only is None:
            return order
        wanted = [chunk for chunk, is_copy in self.spec.only if is_copy is is_overlap]
        return order[np.isin(chunks[order], wanted)]

    def _write_sorted(self, rows: StoredRows, chunks: Numbers, *, is_overlap: bool) -> None:
        if not len(chunks):
            return
        edges = np.concatenate([[0], np.flatnonzero(np.diff(chunks)) + 1, [len(chunks)]]).tolist()
        places, runs = rows.write(self.writer, edges), itertools.pairwise(edges)
        for (first, last), (file, offset), found in zip(runs, places, rows.digests(edges), strict=True):
            segment = Segment(int(chunks[first]), is_overlap, offset, last - first, str(found), file)
            self.report.segments.append(segment)
