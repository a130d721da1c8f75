"""Decides where rows go: director rows by position, dependent rows by their director or its copied position.

Arrays in, arrays out; the only files read are the sorted director keys.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyshard.basics.array_types import Numbers
from skyshard.basics.errors import UserError
from skyshard.catalog.chunkers import chunker_of
from skyshard.catalog.layout import Striping, TableLayout
from skyshard.catalog.schema import Table
from skyshard.ingest.partition.director_keys import EXACT_DOUBLE, DirectorKeys, Found
from skyshard.ingest.source import InputBatch, InputSlice, Positions, Reader
from skyshard.node.messages import Loader
from skyshard.rowimage.arrays import as_doubles

ORPHANS = "orphans"
"""The policy by which rows without director are counted that are left out."""
SKIPPED = ", or say bad_positions: skip or quarantine of the table"
NO_COPIES = (np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))


@dataclass(frozen=True, slots=True)
class PartitionSpec:
    """What the slices of one table share that are partitioned on one host. Folders are paths there."""

    table: Table
    """The table as the input has it, without chunk columns."""
    layout: TableLayout
    striping: Striping
    reader: Reader
    loader: Loader
    staging: str
    """The folder for bundles."""
    director_keys: str = ""
    """The folder of the director's sorted keys; empty for tables without director."""
    director_keys2: str = ""
    """The same for a ref-match table's second director."""
    later: str = ""
    """The folder that says which rows are not the first of their key; empty where none are left out for that."""
    counts_quality: bool = False
    """Whether it is counted what the rows hold."""
    host: str = ""
    """The host's name, as reports and errors have it; empty for the host of the process that ingests."""
    only: frozenset[tuple[int, bool]] | None = None
    """The chunk tables (chunk, and whether it is the overlap) whose rows are kept; None for all."""

    @property
    def stored(self) -> Table:
        return self.table.with_chunk_columns() if self.layout.role.is_chunked else self.table


@dataclass(frozen=True, slots=True)
class Routed:
    """Where the rows of a batch go."""

    chunks: Numbers
    """Chunk of each stored row."""
    sub_chunks: Numbers
    """Sub-chunk of each stored row."""
    copies: tuple[NDArray[np.int64], Numbers, Numbers] = NO_COPIES
    """The overlap copies: row, chunk, sub-chunk."""
    is_orphan: NDArray[np.bool_] | None = None
    """Dependent rows whose director is unknown; None where no row can be one."""
    moved: int = 0
    """Rows that follow their director although their copied position says another chunk."""
    by_position: tuple[Numbers, Numbers] | None = None
    """Chunk and sub-chunk by the position alone; None where that is no other place."""
    rows: NDArray[np.int64] | None = None
    """Which row of the batch each stored row is; None when each is stored once, in order."""
    flags: NDArray[np.int8] | None = None
    """The flags of a ref-match table's rows."""


def route_director(spec: PartitionSpec, piece: InputSlice, batch: InputBatch, conversions: Counter[str]) -> Routed:
    """By position, with the copies that neighbouring sub-chunks need."""
    if spec.layout.key and batch.batch.column(spec.layout.key).null_count:
        row = int(np.flatnonzero(np.asarray(batch.batch.column(spec.layout.key).is_null()))[0])
        raise UserError(
            f"'{piece.path}', row {batch.number(row)}, column '{spec.layout.key}': NULL in a director's key",
            remedy="every director row needs its key",
        )
    ra, dec = positions(piece, batch, spec.layout.position, conversions)
    chunker = chunker_of(spec.striping)
    chunks, sub_chunks = chunker.locate(ra, dec)
    if not spec.striping.overlap_deg:
        return Routed(chunks, sub_chunks)
    copies = chunker.overlap_copies(ra, dec)
    return Routed(chunks, sub_chunks, (copies[0], copies[1], copies[2]))


def route_dependent(spec: PartitionSpec, piece: InputSlice, batch: InputBatch, conversions: Counter[str]) -> Routed:
    """By the director's key, else by the director's copied position, else by the numbers that the input gives."""
    known = DirectorKeys.open(Path(spec.director_keys))
    here: tuple[Numbers, Numbers] | None = None
    if spec.layout.position is not None:
        here = chunker_of(spec.striping).locate(*positions(piece, batch, spec.layout.position, conversions))
    near = here[0] if here is not None else given_chunks_of(batch)
    found = find_director(piece, batch, spec.layout.key, known, near) if spec.layout.key else None
    if found is not None and spec.layout.orphans == "refuse":
        _refuse_orphans(spec, piece, batch, found)
    if here is None:
        return _by_key(spec, piece, batch, found, has_director=bool(len(known)))
    if found is None:
        return Routed(*here)
    strayed = int((found.is_known & (found.chunks != here[0])).sum())
    chunks = np.where(found.is_known, found.chunks, here[0])
    sub_chunks = np.where(found.is_known, found.sub_chunks, here[1])
    return Routed(chunks, sub_chunks, NO_COPIES, ~found.is_known, strayed, here)


def without_orphans(spec: PartitionSpec, piece: InputSlice, batch: InputBatch) -> InputBatch:
    """The rows of a dependent whose director is known."""
    known = DirectorKeys.open(Path(spec.director_keys))
    return batch.only(find_director(piece, batch, spec.layout.key, known).is_known, ORPHANS)


def find_director(
    piece: InputSlice, batch: InputBatch, column: str, known: DirectorKeys, near: Numbers | None = None
) -> Found:
    """Look a column of director keys up.

    Raises:
        UserError: a FLOAT or DOUBLE that may be several whole numbers, so that it may lead to several rows.
    """
    keys = batch.batch.column(column)
    if pa.types.is_floating(keys.type):
        unclear = np.flatnonzero(np.abs(keys.fill_null(0).to_numpy(zero_copy_only=False)) >= EXACT_DOUBLE)
        if len(unclear):
            row = int(unclear[0])
            raise UserError(
                f"'{piece.path}', row {batch.number(row)}, column '{column}': the key {keys[row].as_py():.17g} of "
                f"type {keys.type} cannot be told from its neighbours",
                remedy="declare the column BIGINT",
            )
    return known.find(keys, near)


def given_chunks_of(batch: InputBatch) -> Numbers | None:
    """The chunks that a pre-chunked file gives, -1 for NULL."""
    if batch.given_chunks is None:
        return None
    return np.asarray(batch.given_chunks[0].fill_null(-1).to_numpy(zero_copy_only=False), np.int32)


def _by_key(
    spec: PartitionSpec, piece: InputSlice, batch: InputBatch, found: Found | None, *, has_director: bool
) -> Routed:
    """Rows without a position; an orphan stays where a pre-chunked file has it."""
    chunker = chunker_of(spec.striping)
    if found is not None and batch.given_chunks is not None:
        given = [
            numbers.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int32) for numbers in batch.given_chunks
        ]
        is_chunk = np.asarray(chunker.is_chunk(given[0]), bool)
        chunks = np.where(found.is_known | ~is_chunk, found.chunks, given[0])
        sub_chunks = np.where(found.is_known | ~is_chunk, found.sub_chunks, given[1])
        if has_director or is_chunk.all():
            return Routed(chunks, sub_chunks, NO_COPIES, ~found.is_known)
    if found is None or not has_director:
        raise UserError(
            f"'{piece.path}': table '{spec.table.name}' has no position, and its director '{spec.layout.director}' "
            f"no rows to follow",
            remedy="ingest the director first, or give the table position columns",
        )
    return Routed(found.chunks, found.sub_chunks, NO_COPIES, ~found.is_known)


def _refuse_orphans(spec: PartitionSpec, piece: InputSlice, batch: InputBatch, found: Found) -> None:
    if found.is_known.all():
        return
    row = int(np.flatnonzero(~found.is_known)[0])
    key = batch.batch.column(spec.layout.key)[row].as_py()
    raise UserError(
        f"'{piece.path}', row {batch.number(row)}: '{spec.layout.key}' {key} is no key of director "
        f"'{spec.layout.director}'",
        remedy="give the director's row, which a policy may have left out, or say orphans: keep or skip of the table",
    )


def positions(
    piece: InputSlice,
    batch: InputBatch,
    names: tuple[str, str] | None,
    conversions: Counter[str],
    given: Positions | None = None,
) -> Positions:
    """Partition longitudes in [0, 360) and latitudes; a row without a usable one is named.

    ``given`` are the positions in place of those that the rows have.
    """
    if names is None:
        raise UserError(f"'{piece.path}' has no positions", remedy="name position columns in the layout")
    ra, dec = given if given is not None else stored_positions(batch.batch, names)
    is_good = is_on_sphere(ra, dec)
    if not is_good.all():
        row = int(np.flatnonzero(~is_good)[0])
        raise UserError(
            f"'{piece.path}', row {batch.number(row)}: position ({ra[row]:.10g}, {dec[row]:.10g}) in columns "
            f"'{names[0]}' and '{names[1]}' is not on the sphere",
            remedy=f"give longitudes in degrees and latitudes from -90 to 90{SKIPPED}",
        )
    outside = (ra < 0) | (ra >= 360)
    if outside.any():
        ra = np.where(outside, np.mod(ra, 360.0), ra)
        ra = np.where(ra >= 360.0, 0.0, ra)
        conversions[f"{names[0]}: longitude wrapped into [0, 360) to find the chunk"] += int(outside.sum())
    return ra, dec


def is_on_sphere(ra: NDArray[np.float64], dec: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which pairs of degrees are positions: finite, latitudes within 90, longitudes within two turns."""
    return np.isfinite(ra) & np.isfinite(dec) & (np.abs(dec) <= 90) & (np.abs(ra) <= 720)


def stored_positions(batch: pa.RecordBatch, names: tuple[str, str]) -> Positions:
    """Longitudes and latitudes as their columns hold them, NaN where they are NULL.

    A FLOAT or DECIMAL column rounds what the input says. Queries see, and leave chunks out by, what is stored; so that
    alone decides the chunk.
    """
    return _degrees(batch.column(names[0])), _degrees(batch.column(names[1]))


def _degrees(values: pa.Array) -> NDArray[np.float64]:
    """Numbers as the server makes DOUBLEs of them."""
    degrees: NDArray[np.float64] = as_doubles(values).to_numpy(zero_copy_only=False)
    return degrees
