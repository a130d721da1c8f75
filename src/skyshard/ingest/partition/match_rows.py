"""Ref-match tables: each row links rows of two directors, and is in the chunk of either.

Both sides in one chunk: one row, flag 3. In two chunks: the row twice, flag 1 in the first side's chunk and flag 2 in
the second's. One side may be missing (NULL key or position). A row whose first key no director has yet is in the
second side's chunk with flag 1, as there is no other copy of it: flag 2 beside a first key says that there is one. A
pre-chunked file has rows of two chunks twice already; there the flags are checked. Source of the rules: Qserv's match
partitioner, and its queries, which take a row with a first key where its flag is not 2.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Flags, Numbers
from skyshard.basics.errors import UserError
from skyshard.catalog.chunkers import chunker_of
from skyshard.chunking.sphere import Box, ang_sep
from skyshard.ingest.partition.director_keys import DirectorKeys
from skyshard.ingest.partition.routing import (
    NO_COPIES,
    PartitionSpec,
    Routed,
    find_director,
    given_chunks_of,
    positions,
    stored_positions,
)
from skyshard.ingest.source import InputBatch, InputSlice, Positions

FIRST, SECOND, BOTH = 1, 2, 3
SLACK_DEG = 0.001 / 3600
"""Pairs must be nearer than the overlap by this much: rounding must not slice them."""
DOUBLED = "rows whose sides lie in two chunks stored in both"


@dataclass(frozen=True, slots=True)
class _Side:
    """Where one side of each row is; ``is_unknown`` where a key leads nowhere although it is not NULL.

    ``is_certain``: no key leads to several places.
    """

    is_there: Flags
    chunks: Numbers
    sub_chunks: Numbers
    is_unknown: Flags
    position: Positions | None
    is_certain: bool = True

    @property
    def is_lost(self) -> Flags:
        """There is a key, but neither its director nor a position says where the side is."""
        return self.is_unknown & ~self.is_there


def route_matches(spec: PartitionSpec, piece: InputSlice, batch: InputBatch, conversions: Counter[str]) -> Routed:
    """Place the rows of a ref-match table.

    Raises:
        UserError: a row without any side, or whose sides are too far apart.
    """
    layout = spec.layout
    first = (layout.key, spec.director_keys, layout.position)
    second = (layout.key2, spec.director_keys2, layout.position2)
    two = _side(spec, piece, batch, second, conversions)
    one = _side(spec, piece, batch, first, conversions, two.chunks)
    if not two.is_certain:
        two = _side(spec, piece, batch, second, Counter(), one.chunks)
    _require_a_side(spec, piece, batch, one, two)
    _require_near(spec, piece, batch, one, two)
    is_orphan = one.is_unknown | two.is_unknown
    if batch.given_chunks is not None:
        return _as_given(batch, one, two, is_orphan)
    both = one.is_there & two.is_there
    same = both & (one.chunks == two.chunks)
    in_first, in_second = np.flatnonzero(one.is_there), np.flatnonzero(two.is_there & ~same)
    rows = np.concatenate([in_first, in_second])
    of_second = np.where(one.is_lost[in_second], FIRST, SECOND)
    flags = np.concatenate([np.where(same[in_first], BOTH, FIRST), of_second]).astype(np.int8)
    chunks = np.concatenate([one.chunks[in_first], two.chunks[in_second]])
    sub_chunks = np.concatenate([one.sub_chunks[in_first], two.sub_chunks[in_second]])
    if doubled := int((both & ~same).sum()):
        conversions[DOUBLED] += doubled
    return Routed(chunks, sub_chunks, NO_COPIES, is_orphan[rows], rows=rows, flags=flags)


def _side(
    spec: PartitionSpec,
    piece: InputSlice,
    batch: InputBatch,
    names: tuple[str, str, tuple[str, str] | None],
    conversions: Counter[str],
    other: Numbers | None = None,
) -> _Side:
    """By key where the director knows it, else by position.

    Of several rows of a key that one is taken that is where the file has the pair, or its own position, or the other
    side, by its chunks.
    """
    key, folder, position = names
    count = batch.batch.num_rows
    is_there, is_unknown = np.zeros(count, bool), np.zeros(count, bool)
    chunks, sub_chunks = np.zeros(count, np.int32), np.zeros(count, np.int32)
    located: Positions | None = None
    is_certain = True
    if position is not None:
        given = stored_positions(batch.batch, position)
        is_there = ~(np.isnan(given[0]) & np.isnan(given[1]))
        filled = (np.where(is_there, given[0], 0.0), np.where(is_there, given[1], 0.0))
        located = positions(piece, batch, position, conversions, filled)
        chunks, sub_chunks = chunker_of(spec.striping).locate(*located)
    if key:
        known = DirectorKeys.open(Path(folder))
        is_certain, near = known.is_unique, given_chunks_of(batch)
        if near is None:
            near = chunks if located is not None else other
        found = find_director(piece, batch, key, known, near)
        is_unknown = np.asarray(batch.batch.column(key).is_valid()) & ~found.is_known
        chunks = np.where(found.is_known, found.chunks, chunks)
        sub_chunks = np.where(found.is_known, found.sub_chunks, sub_chunks)
        is_there = is_there | found.is_known
    return _Side(is_there, chunks, sub_chunks, is_unknown, located, is_certain)


def _require_a_side(spec: PartitionSpec, piece: InputSlice, batch: InputBatch, one: _Side, two: _Side) -> None:
    none = ~(one.is_there | two.is_there)
    refused = none | ((one.is_unknown | two.is_unknown) & (spec.layout.orphans == "refuse"))
    if not refused.any():
        return
    row = int(np.flatnonzero(refused)[0])
    is_null = not (one.is_unknown[row] or two.is_unknown[row])
    what = (
        "both sides are NULL"
        if is_null
        else f"keys that neither '{spec.layout.director}' nor '{spec.layout.director2}' has"
        if none[row]
        else "a key that its director has not"
    )
    raise UserError(
        f"'{piece.path}', row {batch.number(row)}: {what} in ref-match table '{spec.table.name}'",
        remedy="leave the row out, or give the director's row",
    )


def _require_near(spec: PartitionSpec, piece: InputSlice, batch: InputBatch, one: _Side, two: _Side) -> None:
    """Both sides within the overlap: farther pairs could not be joined inside a chunk."""
    limit = spec.striping.overlap_deg - SLACK_DEG
    if spec.layout.ang_sep_deg is not None:
        limit = min(limit, spec.layout.ang_sep_deg)
    if one.position is not None and two.position is not None:
        apart = ang_sep(*one.position, *two.position)
    elif one.is_certain and two.is_certain:
        apart = _least_separation(spec, one, two)
    else:  # joined with rows of all its copies, wherever they are
        return
    far = one.is_there & two.is_there & (apart > limit)
    if far.any():
        row = int(np.flatnonzero(far)[0])
        raise UserError(
            f"'{piece.path}', row {batch.number(row)}: the two sides are {apart[row]:.6g} deg apart, more than the "
            f"{limit:.6g} deg that can be joined ({int(far.sum())} such rows in this block)",
            remedy="leave such pairs out, or take a layout with a wider overlap",
        )


def _least_separation(spec: PartitionSpec, one: _Side, two: _Side) -> NDArray[np.float64]:
    """How far apart the two sides are at least, in degrees, by the outlines of their chunks: all that keys tell."""
    chunker = chunker_of(spec.striping)
    codes = (one.chunks.astype(np.int64) << 32) | two.chunks.astype(np.int64)
    pairs, rows = np.unique(np.where(one.is_there & two.is_there, codes, 0), return_inverse=True)
    least = np.zeros(len(pairs))
    for i, pair in enumerate(pairs.tolist()):
        if (pair >> 32) != (pair & 0xFFFFFFFF):
            least[i] = _gap(chunker.chunk_box(pair >> 32), chunker.chunk_box(pair & 0xFFFFFFFF))
    result: NDArray[np.float64] = least[rows]
    return result


def _gap(one: Box, two: Box) -> float:
    """A lower bound of the separation of two chunks: the gap in latitude, or that in longitude at the polemost edge."""
    latitude = max(one.dec_min - two.dec_max, two.dec_min - one.dec_max, 0.0)
    if one.ra_min < two.ra_max and two.ra_min < one.ra_max:
        return latitude
    gaps = [(one.ra_min - two.ra_max) % 360.0, (two.ra_min - one.ra_max) % 360.0]
    longitude = min(0.0 if gap > 360.0 - 1e-9 else gap for gap in gaps)
    polemost = max(abs(edge) for box in (one, two) for edge in (box.dec_min, box.dec_max))
    return max(latitude, float(ang_sep(0.0, polemost, longitude, polemost)))


def _as_given(batch: InputBatch, one: _Side, two: _Side, is_orphan: Flags) -> Routed:
    """Rows of a pre-chunked file: each stays where it is, if one of its sides is there."""
    assert batch.given_chunks is not None
    given = batch.given_chunks[0].fill_null(-1).to_numpy(zero_copy_only=False)
    first = one.is_there & (one.chunks == given)
    second = two.is_there & (two.chunks == given)
    flags = np.where(first & second, BOTH, np.where(second & ~one.is_lost, SECOND, FIRST)).astype(np.int8)
    use_second = second & ~first | ~one.is_there
    chunks = np.where(use_second, two.chunks, one.chunks)
    sub_chunks = np.where(use_second, two.sub_chunks, one.sub_chunks)
    other = np.where(first & second, two.sub_chunks, sub_chunks)
    return Routed(chunks, sub_chunks, NO_COPIES, is_orphan, by_position=(chunks, other), flags=flags)
