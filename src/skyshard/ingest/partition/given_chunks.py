"""Checks chunk numbers that the input gives against positions and director keys.

A pre-chunked file has a chunk number in its name and chunk columns in its rows; its overlap file holds the copies of
rows of other sub-chunks. Own rows are checked one by one as they pass; overlap rows are checked for being copies that
geometry asks for, and, once all slices are through, for being exactly the copies of the own rows (`check_overlap`).
Whoever made the files had the digits of the input, so these count here, also where the stored column rounds them; the
rows then go where the stored position is, and those that rounding moves are counted. A table without positions goes
where its director is stored, and may have been given as far beside it as the director's columns round. No I/O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags, Numbers
from skyshard.basics.errors import UserError
from skyshard.catalog.chunkers import chunker_of
from skyshard.catalog.layout import Role
from skyshard.catalog.schema import CHUNK_COLUMN, SUB_CHUNK_COLUMN, Table
from skyshard.ingest.partition.bundle import OverlapRows, SliceReport
from skyshard.ingest.partition.director_keys import DirectorKeys
from skyshard.ingest.partition.rounded_positions import may_be_rounded, rounding_deg
from skyshard.ingest.partition.routing import PartitionSpec, Routed, positions, stored_positions
from skyshard.ingest.source import InputBatch, InputSlice
from skyshard.rowimage.arrays import RefusedValue
from skyshard.rowimage.digest import RowDigest, digest_runs, row_lanes

FOREIGN = "overlap rows whose own chunk is not in the catalog left out"
_REMEDY = "partition the file again, with the striping of the catalog"


def check_given_chunks(
    spec: PartitionSpec, piece: InputSlice, batch: InputBatch, routed: Routed, report: SliceReport
) -> None:
    """Compare the chunk numbers of own rows with where they go, by director or by position.

    Raises:
        UserError: the first row that is in the wrong chunk, with both numbers.
    """
    places = [(routed.chunks, routed.sub_chunks)] + ([routed.by_position] if routed.by_position else [])
    places += _as_written(spec, piece, batch, places[-1], report)
    given = _given(piece, batch)
    if given is not None:
        ok = np.zeros(len(given[0]), bool)
        for chunks, sub_chunks in places:
            ok |= (given[0] == chunks) & (given[1] == sub_chunks)
        ok = _or_beside(spec, places[0], given, ok, report)
        if not ok.all():
            row = int(np.flatnonzero(~ok)[0])
            chunk, sub_chunk = (int(numbers[row]) for numbers in places[-1])
            raise UserError(
                f"'{piece.path}', row {batch.number(row)}: chunkId {given[0][row]}, subChunkId {given[1][row]} "
                f"where {_reason(spec, batch, row)} says chunk {chunk}, sub-chunk {sub_chunk}",
                remedy=_REMEDY,
            )
    if piece.chunk is not None:
        if given is not None:
            is_right = given[0] == piece.chunk
        else:
            is_right = np.logical_or.reduce([chunks == piece.chunk for chunks, _ in places])
            whole = np.full(len(is_right), piece.chunk), None
            is_right = _or_beside(spec, places[0], whole, is_right, report)
        _check_file(spec, piece, batch, given[0] if given is not None else places[-1][0], is_right)


def _or_beside(
    spec: PartitionSpec,
    stored: tuple[Numbers, Numbers],
    given: tuple[Numbers, Numbers | None],
    ok: Flags,
    report: SliceReport,
) -> Flags:
    """Which rows are right, those besides that follow a director whose columns may have rounded it away from here."""
    if ok.all() or spec.layout.role is not Role.DEPENDENT or not spec.layout.key:
        return ok
    rounding = DirectorKeys.open(Path(spec.director_keys)).rounding_deg
    if not rounding:
        return ok
    moved = ~ok & may_be_rounded(chunker_of(spec.striping), stored, given, rounding)
    if count := int(moved.sum()):
        report.conversions[f"{spec.layout.key}: its '{spec.layout.director}' rounded into another sub-chunk"] += count
    return ok | moved


def _as_written(
    spec: PartitionSpec, piece: InputSlice, batch: InputBatch, stored: tuple[Numbers, Numbers], report: SliceReport
) -> list[tuple[Numbers, Numbers]]:
    """Where the input's own digits put the rows, if the position columns round them; the rows that move are counted."""
    if not rounding_deg(spec.table, spec.layout) or spec.layout.role is Role.REF_MATCH or batch.positions is None:
        return []
    ra, dec = positions(piece, batch, spec.layout.position, Counter(), batch.positions)
    chunker = chunker_of(spec.striping)
    chunks, sub_chunks = chunker.locate(ra, dec)
    if moved := int(((chunks != stored[0]) | (sub_chunks != stored[1])).sum()):
        report.conversions[f"{' and '.join(spec.layout.position or ())}: rounded into another sub-chunk"] += moved
    if spec.layout.role is Role.DIRECTOR and spec.striping.overlap_deg:
        rows, to_chunks, to_sub_chunks = chunker.overlap_copies(ra, dec)
        try:
            copies = batch.batch.take(pa.array(rows))
            report.overlap_due += _by_chunk(copies, spec.stored, (to_chunks, to_sub_chunks), chunks[rows])
        except RefusedValue as error:
            raise error.in_file(piece.path, batch.number(int(rows[error.row]))) from None
    return [(chunks, sub_chunks)]


def _check_file(spec: PartitionSpec, piece: InputSlice, batch: InputBatch, chunks: Numbers, is_right: Flags) -> None:
    """The rows of a file belong to the chunk in its name."""
    wrong = np.flatnonzero(~is_right)
    if len(wrong):
        row = int(wrong[0])
        raise UserError(
            f"'{piece.path}', row {batch.number(row)}: the row belongs to chunk {chunks[row]}, the file to chunk "
            f"{piece.chunk} ({_reason(spec, batch, row)})",
            remedy=_REMEDY,
        )


def _reason(spec: PartitionSpec, batch: InputBatch, row: int) -> str:
    """What says where a row belongs."""
    if spec.layout.position is None:
        return f"director '{spec.layout.director}'"
    ra, dec = stored_positions(batch.batch.slice(row, 1), spec.layout.position)
    return f"position ({ra[0]:.10g}, {dec[0]:.10g})"


def _given(piece: InputSlice, batch: InputBatch) -> tuple[Numbers, Numbers] | None:
    if batch.given_chunks is None:
        return None
    for name, numbers in zip((CHUNK_COLUMN, SUB_CHUNK_COLUMN), batch.given_chunks, strict=True):
        if numbers.null_count:
            row = int(np.flatnonzero(np.asarray(numbers.is_null()))[0])
            raise UserError(f"'{piece.path}', row {batch.number(row)}, column '{name}': NULL", remedy=_REMEDY)
    chunks, sub_chunks = (numbers.cast(pa.int32()).to_numpy(zero_copy_only=False) for numbers in batch.given_chunks)
    return chunks, sub_chunks


def note_overlap(spec: PartitionSpec, piece: InputSlice, batch: InputBatch, stored: Table, report: SliceReport) -> None:
    """Check the rows of an overlap file and note their digests by chunk and own chunk; they are not stored.

    Raises:
        UserError: a row that is no overlap copy for the sub-chunk that it names, or is in another chunk's file.
    """
    ra, dec = positions(piece, batch, spec.layout.position, Counter(), batch.positions)
    given = _given(piece, batch)
    if given is None:
        raise UserError(
            f"'{piece.path}': an overlap file without columns {CHUNK_COLUMN} and {SUB_CHUNK_COLUMN}",
            remedy="give both, or leave the overlap file out: overlap is computed",
        )
    chunks, sub_chunks = given
    chunker = chunker_of(spec.striping)
    rows, to_chunks, to_sub_chunks = chunker.overlap_copies(ra, dec)
    is_copy = _among(
        (np.arange(len(chunks)), chunks, sub_chunks), (rows, np.asarray(to_chunks), np.asarray(to_sub_chunks))
    )
    if not is_copy.all():
        row = int(np.flatnonzero(~is_copy)[0])
        raise UserError(
            f"'{piece.path}', row {batch.number(row)}: position ({ra[row]:.10g}, {dec[row]:.10g}) is not in the "
            f"overlap of chunk {chunks[row]}, sub-chunk {sub_chunks[row]}",
            remedy=_REMEDY,
        )
    if piece.chunk is not None:
        _check_file(spec, piece, batch, chunks, chunks == piece.chunk)
    try:
        report.overlap_given += _by_chunk(batch.batch, stored, given, chunker.locate(ra, dec)[0])
    except RefusedValue as error:
        raise error.in_file(piece.path, batch.number(error.row)) from None


def _by_chunk(
    batch: pa.RecordBatch, stored: Table, places: tuple[Numbers, Numbers], own: Numbers
) -> Iterator[OverlapRows]:
    """Digests of overlap rows by their chunk and their own chunk."""
    chunks, sub_chunks = places
    full = with_chunk_columns(batch, stored, chunks, sub_chunks)
    order = np.lexsort((own, chunks))
    edges = np.flatnonzero((np.diff(chunks[order]) != 0) | (np.diff(own[order]) != 0)) + 1
    if not len(order):
        return
    bounds = [0, *edges.tolist(), len(order)]
    lanes = row_lanes((place, column, full.column(place)) for place, column in enumerate(stored.columns))
    for first, found in zip(bounds[:-1], digest_runs(lanes[:, order], bounds), strict=True):
        yield OverlapRows(int(chunks[order[first]]), int(own[order[first]]), found.rows, str(found))


def with_chunk_columns(batch: pa.RecordBatch, stored: Table, chunks: Numbers, sub_chunks: Numbers) -> pa.RecordBatch:
    """The stored table's columns, chunk numbers filled in."""
    numbers = {CHUNK_COLUMN.lower(): chunks, SUB_CHUNK_COLUMN.lower(): sub_chunks}
    columns = [
        pa.array(numbers[column.name.lower()]).cast(column.type.arrow)
        if column.name.lower() in numbers
        else batch.column(column.name)
        for column in stored
    ]
    return pa.RecordBatch.from_arrays(columns, names=stored.column_names)


def _among(
    asked: tuple[NDArray[np.int64], Numbers, Numbers], known: tuple[NDArray[np.int64], Numbers, Numbers]
) -> NDArray[np.bool_]:
    """Which triples (row, chunk, sub-chunk) are among the known ones."""
    places = [(triple[1].astype(np.int64) << 32) | triple[2].astype(np.int64) for triple in (asked, known)]
    distinct, codes = np.unique(np.concatenate(places), return_inverse=True)
    keys = np.concatenate([asked[0], known[0]]) * len(distinct) + codes
    found: NDArray[np.bool_] = np.isin(keys[: len(asked[0])], keys[len(asked[0]) :])
    return found


def check_overlap(table: str, reports: Sequence[SliceReport]) -> None:
    """Compare overlap files with the copies that the own rows of all slices give; call it when a table is through.

    The files must hold exactly these copies, chunk by chunk. Copies of rows whose own chunk has no rows in the catalog
    (it was cut out of a larger one) are left out, and counted in their slice's conversions. Does nothing when the
    source gave no overlap rows.

    Raises:
        UserError: a chunk whose overlap rows are not those that were computed, with both numbers.
    """
    if not any(report.overlap_given for report in reports):
        return
    due = [rows for report in reports for rows in report.overlap_due]
    delivered = {s.chunk for report in reports for s in report.segments if not s.is_overlap}
    delivered |= {rows.own_chunk for rows in due}
    given: dict[int, RowDigest] = {}
    for report in reports:
        for rows in report.overlap_given:
            if rows.own_chunk in delivered:
                given[rows.chunk] = given.get(rows.chunk, RowDigest()) + RowDigest.parse(rows.digest)
            else:
                report.conversions[FOREIGN] += rows.rows
    computed: dict[int, RowDigest] = {}
    copies = [segment for report in reports for segment in report.segments if segment.is_overlap]
    for copy in due or copies:
        computed[copy.chunk] = computed.get(copy.chunk, RowDigest()) + RowDigest.parse(copy.digest)
    for chunk in sorted(given.keys() | computed.keys()):
        mine, theirs = computed.get(chunk, RowDigest()), given.get(chunk, RowDigest())
        if mine != theirs:
            what = (
                f"{theirs.rows} rows where {mine.rows} are due" if mine.rows != theirs.rows else "other rows than due"
            )
            raise UserError(
                f"table '{table}': the overlap of chunk {chunk} has {what} by the positions of the own rows",
                remedy="partition the table again, or leave the overlap files out: overlap is computed",
            )
