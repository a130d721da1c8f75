"""Positions and regions to chunk and sub-chunk numbers, a block of rows at a time; pure arithmetic on arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyshard.basics.array_types import Flags, Floats, Integers, Numbers
from skyshard.basics.errors import UserError
from skyshard.basics.lazy import locked_property
from skyshard.chunking.sphere import Box, HalfSpaces, Region, unit_vectors
from skyshard.chunking.stripe_table import build_table, check_striping, count_chunks

Places: TypeAlias = NDArray[np.intp]

_BLOCK_ROWS = 65_536
"""Rows worked on at a time: temporaries are small and reused, and row numbers within a block fit 16 bits."""
_ROUNDING_DEG = 0.001 / 3600
_ROUNDING_RAD = 1e-9


class OverlapCopies(NamedTuple):
    """Rows to be copied: input row, and the chunk and sub-chunk that get the copy. Sorted by row, pairs unique."""

    row: Integers
    chunk_ids: Numbers
    sub_chunk_ids: Numbers


class Chunker:
    """Numbers of a striping: positions to chunks and sub-chunks, overlap copies, regions to chunks.

    Immutable, and cheap to pickle: only the three numbers travel.
    """

    def __init__(self, stripes: int, substripes: int, overlap_deg: float) -> None:
        self.stripes = stripes
        self.substripes = substripes
        self.overlap_deg = float(overlap_deg)
        check_striping(stripes, substripes, self.overlap_deg)
        self._count = stripes * substripes
        self._stripe_height = 180.0 / stripes
        self._height = 180.0 / self._count
        self._table = build_table(stripes, substripes, self.overlap_deg)
        self._chunks = count_chunks(stripes)
        self._offsets = np.concatenate([[0], np.cumsum(self._chunks)])

    def __repr__(self) -> str:
        return f"Chunker({self.stripes}, {self.substripes}, {self.overlap_deg:g})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chunker) and self.__reduce__() == other.__reduce__()

    def __hash__(self) -> int:
        return hash(self.__reduce__())

    def __reduce__(self) -> tuple[type[Chunker], tuple[int, int, float]]:
        return Chunker, (self.stripes, self.substripes, self.overlap_deg)

    # Positions

    def locate(self, ra: ArrayLike, dec: ArrayLike, *, first_row: int = 0) -> tuple[Numbers, Numbers]:
        """Chunk and sub-chunk number of each position.

        Args:
            ra, dec: one-dimensional, equally long; ra in [0, 360), dec in [-90, 90].
            first_row: the number that messages give to the first row.

        Raises:
            UserError: a position is out of range or not finite; names the first such row.

        >>> chunker = Chunker(85, 12, 0.01667)
        >>> chunk_ids, sub_chunk_ids = chunker.locate([10.0, 10.0], [0.0, -30.0])
        >>> chunk_ids.tolist(), sub_chunk_ids.tolist()
        ([7144, 4764], [353, 276])
        """
        lon, lat = _as_positions(ra, dec)
        chunk_ids, sub_chunk_ids = np.empty(len(lon), np.int32), np.empty(len(lon), np.int32)
        for block in _blocks(len(lon)):
            _check_range(lon[block], lat[block], first_row + block.start)
            sub_stripe = self._sub_stripe(lat[block])
            slot = self._slot(sub_stripe, lon[block])
            self._write_numbers(sub_stripe, slot, chunk_ids[block], sub_chunk_ids[block])
        return chunk_ids, sub_chunk_ids

    def overlap_copies(self, ra: ArrayLike, dec: ArrayLike, *, first_row: int = 0) -> OverlapCopies:
        """Copies that neighbouring sub-chunks need, in the chunk's own overlap table or another's.

        A margin is a box that encloses the overlap radius, so a copy may be farther away than that. Arguments and
        errors as for ``locate``; ``row`` counts from 0.

        A row in the middle of its sub-chunk is not copied. One near the southern edge goes to the sub-chunk below:

        >>> copies = Chunker(85, 12, 0.01667).overlap_copies([10.0, 10.0], [0.09, 0.001])
        >>> copies.row.tolist(), copies.chunk_ids.tolist(), copies.sub_chunk_ids.tolist()
        ([1], [7144], [353])
        """
        lon, lat = _as_positions(ra, dec)
        parts = [
            self._copies_of_block(lon[block], lat[block], block.start, first_row)
            for block in _blocks(len(lon))
            if self.overlap_deg > 0
        ]
        if not parts:
            _check_range(lon, lat, first_row)
            return OverlapCopies(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))
        return OverlapCopies(*(np.concatenate(column) for column in zip(*parts, strict=True)))

    def _sub_stripe(self, lat: Floats) -> Places:
        place = lat + 90.0
        place /= self._height
        return np.minimum(place.astype(np.intp), self._count - 1)

    def _slot(self, sub_stripe: Places, lon: Floats) -> Floats:
        """Longitude slot of each position, a whole number held as float64 (exact, and fast to compute with)."""
        slot = lon / _take(self._table.slot_width_deg, sub_stripe)
        np.floor(slot, out=slot)
        return np.minimum(slot, _take(self._table.slots, sub_stripe) - 1.0, out=slot)

    def _chunk_within_stripe(self, sub_stripe: Places, slot: Floats) -> Floats:
        """slot div slots per chunk: the half keeps the product clear of whole numbers, so its floor is exact."""
        chunk = slot + 0.5
        chunk *= _take(self._table.inverse_slots_per_chunk, sub_stripe)
        return np.floor(chunk, out=chunk)

    def _write_numbers(self, sub_stripe: Places, slot: Floats, chunk_ids: Numbers, sub_chunk_ids: Numbers) -> None:
        chunk = self._chunk_within_stripe(sub_stripe, slot)
        np.add(chunk, _take(self._table.first_chunk, sub_stripe), out=chunk_ids, casting="unsafe")
        chunk *= _take(self._table.slots_per_chunk, sub_stripe)
        np.subtract(slot, chunk, out=chunk)
        np.add(chunk, _take(self._table.first_sub_chunk, sub_stripe), out=sub_chunk_ids, casting="unsafe")

    def _copies_of_block(self, lon: Floats, lat: Floats, start: int, first_row: int) -> OverlapCopies:
        _check_range(lon, lat, first_row + start)
        home = self._sub_stripe(lat)
        slot = self._slot(home, lon)
        parts = [
            self._vertical_copies(home, lon, lat < _take(self._table.south_margin_deg, home), -1),
            self._vertical_copies(home, lon, lat >= _take(self._table.north_margin_deg, home), 1),
            *self._side_copies(home, slot, lon),
        ]
        row, sub_stripe, copy_slot = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(row.astype(np.uint16), kind="stable")
        chunk_ids, sub_chunk_ids = np.empty(len(row), np.int32), np.empty(len(row), np.int32)
        self._write_numbers(sub_stripe[order], copy_slot[order], chunk_ids, sub_chunk_ids)
        return OverlapCopies(row[order] + start, chunk_ids, sub_chunk_ids)

    def _vertical_copies(self, home: Places, lon: Floats, is_near: Flags, step: int) -> tuple[Places, Places, Floats]:
        """Rows near the edge of the sub-stripe ``step`` away: (row, sub-stripe, slot) for every slot in reach."""
        row = np.flatnonzero(is_near)
        sub_stripe, near_lon = home[row] + step, lon[row]
        slots = _take(self._table.slots, sub_stripe)
        width, alpha = _take(self._table.slot_width_deg, sub_stripe), _take(self._table.alpha_deg, sub_stripe)
        first, last = np.floor((near_lon - alpha) / width), np.floor((near_lon + alpha) / width)
        first = np.where(first < 0.0, first + slots, first)
        last = np.where(last >= slots, last - slots, last)
        extra = last - first
        extra = np.where(extra < 0.0, extra + slots, extra)
        if not extra.any():
            return row, sub_stripe, first
        count = extra.astype(np.intp) + 1
        group_start = np.repeat(np.cumsum(count) - count, count)
        source = np.repeat(np.arange(len(row)), count)
        slot, end = first[source] + (np.arange(len(source)) - group_start), slots[source]
        return row[source], sub_stripe[source], np.where(slot >= end, slot - end, slot)

    def _side_copies(self, home: Places, slot: Floats, lon: Floats) -> Iterator[tuple[Places, Places, Floats]]:
        """Rows near the west and the east edge of their own slot: (row, sub-stripe, neighbouring slot)."""
        alpha, width = _take(self._table.side_alpha_deg, home), _take(self._table.slot_width_deg, home)
        west = np.flatnonzero(lon < slot * width + alpha)
        west_slot = slot[west] - 1.0
        yield west, home[west], np.where(west_slot < 0.0, self._table.slots[home[west]] - 1.0, west_slot)
        edge = (slot + 1.0) * width
        edge[edge > 360.0 - _ROUNDING_DEG] = 360.0
        east = np.flatnonzero(lon > edge - alpha)
        east_slot = slot[east] + 1.0
        yield east, home[east], np.where(east_slot == self._table.slots[home[east]], 0.0, east_slot)

    # Chunks

    @locked_property
    def _all_chunk_ids(self) -> Numbers:
        stripe = np.repeat(np.arange(self.stripes), self._chunks)
        within = np.arange(len(stripe)) - self._offsets[stripe]
        chunk_ids: Numbers = (2 * self.stripes * stripe + within).astype(np.int32)
        chunk_ids.flags.writeable = False
        return chunk_ids

    @property
    def max_slots_per_chunk(self) -> int:
        """M: the factor between sub-stripes in sub-chunk numbers."""
        return int(self._table.slots_per_chunk.max())

    @property
    def sub_chunk_count(self) -> int:
        """Sub-chunks of the whole sky."""
        return int(self._table.slots.sum())

    def chunk_ids(self) -> Numbers:
        """All chunks, ascending (read-only)."""
        return self._all_chunk_ids

    def is_chunk(self, chunk_ids: ArrayLike) -> Flags:
        """Which numbers are chunks of this striping; the dummy chunk is not."""
        ids = np.asarray(chunk_ids, dtype=np.int64)
        stripe, within = np.divmod(ids, 2 * self.stripes)
        is_stripe = (stripe >= 0) & (stripe < self.stripes)
        return np.asarray(is_stripe & (within < self._chunks[np.where(is_stripe, stripe, 0)]))

    def _stripe_and_column(self, chunk_id: int) -> tuple[int, int]:
        if not self.is_chunk(chunk_id):
            raise UserError(f"{self}: {chunk_id} is not a chunk", remedy="check chunk number and striping")
        return divmod(int(chunk_id), 2 * self.stripes)

    def chunk_box(self, chunk_id: int) -> Box:
        """Outline of a chunk; of its edges only the southern and the western one belong to it."""
        stripe, column = self._stripe_and_column(chunk_id)
        height, chunks = self._stripe_height, int(self._chunks[stripe])
        north = min(90.0, (stripe + 1) * height - 90)
        width = 360.0 / chunks
        return Box(column * width, stripe * height - 90, 360.0 if column == chunks - 1 else (column + 1) * width, north)

    def chunk_edges(self, chunk_ids: ArrayLike) -> Floats:
        """West, east, south and north of chunks, shape (4, n): their outlines, all at once. The chunks must exist."""
        stripe, column = np.divmod(np.asarray(chunk_ids, dtype=np.int64), 2 * self.stripes)
        chunks, height = self._chunks[stripe], self._stripe_height
        width = 360.0 / chunks
        east = np.where(column == chunks - 1, 360.0, (column + 1) * width)
        north = np.minimum(90.0, (stripe + 1) * height - 90)
        return np.stack([column * width, east, stripe * height - 90, north])

    def sub_chunk_edges(self, chunk_ids: ArrayLike, sub_chunk_ids: ArrayLike | None) -> Floats:
        """West, east, south and north of sub-chunks, shape (4, n); of chunks where no sub-chunks are given.

        NaN where there is no such place.

        >>> Chunker(85, 12, 0.01667).sub_chunk_edges([7144, 7144], [353, 12]).round(3).tolist()
        [[9.941, nan], [10.118, nan], [-0.176, nan], [0.0, nan]]
        """
        chunks = np.asarray(chunk_ids, dtype=np.int64)
        is_place = self.is_chunk(chunks)
        if sub_chunk_ids is None:
            return np.where(is_place, self.chunk_edges(np.where(is_place, chunks, 0)), np.nan)
        within, slot = np.divmod(np.asarray(sub_chunk_ids, dtype=np.int64), self.max_slots_per_chunk)
        stripe, column = np.divmod(chunks, 2 * self.stripes)
        is_place = is_place & (within >= 0) & (within < self.substripes)
        sub_stripe = np.where(is_place, stripe * self.substripes + within, 0)
        slots = _take(self._table.slots_per_chunk, sub_stripe)
        west = (column * slots + slot) * _take(self._table.slot_width_deg, sub_stripe)
        south = sub_stripe * self._height - 90.0
        edges = np.stack([west, west + _take(self._table.slot_width_deg, sub_stripe), south, south + self._height])
        return np.where(is_place & (slot < slots), edges, np.nan)

    def sub_chunk_ids(self, chunk_id: int) -> Numbers:
        """Sub-chunks of a chunk, ascending."""
        stripe, _ = self._stripe_and_column(chunk_id)
        own = slice(stripe * self.substripes, (stripe + 1) * self.substripes)
        first = self._table.first_sub_chunk[own].astype(np.int32)
        count = self._table.slots_per_chunk[own].astype(np.int32)
        return np.concatenate([np.arange(f, f + n, dtype=np.int32) for f, n in zip(first, count, strict=True)])

    # Regions

    def chunks_in(self, region: Region) -> Numbers:
        """Chunks that may hold a point of the region, ascending.

        Exact for boxes; circles within rounding; ellipses and polygons by bounding box and edges, so a few
        chunks at sharp corners may be listed although they hold no point.
        """
        bounds = region.bounds()
        if bounds.is_empty:
            return np.empty(0, np.int32)
        low, high = self._sub_stripe(np.array([bounds.dec_min, bounds.dec_max])).tolist()
        sub_stripe = np.arange(low, high + 1)
        south = sub_stripe * self._height - 90.0
        lo, hi = region.ra_ranges(south - _ROUNDING_DEG, south + self._height + _ROUNDING_DEG)
        first, last = (self._chunk_within_stripe(sub_stripe, self._slot(sub_stripe, ra)) for ra in (lo, hi))
        chosen = self._mark(sub_stripe // self.substripes, first.astype(np.intp), last.astype(np.intp), lo > hi)
        return self._within(chosen, region.half_spaces())

    def _mark(self, stripe: Places, first: Places, last: Places, is_wrapped: Flags) -> Numbers:
        """Chunks of the column ranges first..last in stripes; a wrapped range is first..end and 0..last."""
        base = self._offsets[stripe[0]]
        start, end = self._offsets[stripe] - base, self._offsets[stripe + 1] - base
        opens = np.concatenate([start + first, start[is_wrapped]])
        closes = np.concatenate([np.where(is_wrapped, end, start + last + 1), (start + last + 1)[is_wrapped]])
        size = int(end[-1])
        depth = np.bincount(opens, minlength=size + 1) - np.bincount(closes, minlength=size + 1)
        return np.asarray(self._all_chunk_ids[base : base + size][np.cumsum(depth[:size]) > 0])

    def _within(self, chunk_ids: Numbers, half_spaces: HalfSpaces) -> Numbers:
        """Without the chunks whose bounding circle is outside one of the half-spaces."""
        if not len(half_spaces.normals) or not len(chunk_ids):
            return chunk_ids
        stripe, column = np.divmod(chunk_ids, 2 * self.stripes)
        centre, radius = self._bounding_circles(stripe, column)
        reach = np.minimum(radius[:, np.newaxis] + half_spaces.slack_rad, np.pi / 2)
        is_reached = centre @ half_spaces.normals.T >= -np.sin(reach) - _ROUNDING_RAD
        return chunk_ids[(is_reached | (reach >= np.pi / 2)).all(axis=1)]

    def _bounding_circles(self, stripe: Numbers, column: Numbers) -> tuple[Floats, Floats]:
        """Unit vector of the centre, and radius in radians, of circles around chunks."""
        chunks, height = self._chunks[stripe], self._stripe_height
        width, south = 360.0 / chunks, stripe * height - 90.0
        middle = south + 0.5 * height
        centre = unit_vectors((column + 0.5) * width, middle)
        reach = np.zeros(len(stripe))
        for dec in (south, south + height):
            corner = unit_vectors(column * width, np.minimum(dec, 90.0))
            reach = np.maximum(reach, np.linalg.norm(corner - centre, axis=1))
        radius = 2.0 * np.arcsin(np.minimum(0.5 * reach, 1.0)) + _ROUNDING_RAD
        return centre, np.where(chunks < 3, np.pi, radius)


def _take(column: Floats, places: Places) -> Floats:
    return column.take(places, mode="clip")


def _blocks(rows: int) -> Iterator[slice]:
    for start in range(0, rows, _BLOCK_ROWS):
        yield slice(start, min(start + _BLOCK_ROWS, rows))


def _as_positions(ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
    lon, lat = np.asarray(ra, dtype=np.float64), np.asarray(dec, dtype=np.float64)
    if lon.ndim != 1 or lon.shape != lat.shape:
        what = f"positions: ra has shape {lon.shape}, dec has shape {lat.shape}"
        raise UserError(what, remedy="give two one-dimensional arrays of one length")
    return lon, lat


def _check_range(lon: Floats, lat: Floats, first_row: int) -> None:
    """Raise for the first position out of range. NaN carries over to minima and maxima, so testing those is enough."""
    if not len(lon) or (lon.min() >= 0.0 and lon.max() < 360.0 and lat.min() >= -90.0 and lat.max() <= 90.0):
        return
    is_ra, is_dec = (lon >= 0.0) & (lon < 360.0), (lat >= -90.0) & (lat <= 90.0)
    row = int(np.argmin(is_ra & is_dec))
    what = f"ra = {lon[row]} must be in [0, 360)" if not is_ra[row] else f"dec = {lat[row]} must be in [-90, 90]"
    raise UserError(f"row {first_row + row}: {what}", remedy="fix or drop the row")
