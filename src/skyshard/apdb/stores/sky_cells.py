"""Cells of the sky, by which rows are clustered: positions to cells, regions to ranges of cells. No I/O.

A cell is a pair (chunkId, subChunkId). Cells of a striping are its sub-chunks; pixels of MQ3C and HTM are numbered by
``subChunkId`` in chunk 0. Ranges of a region may be too many, never too few: rows are cut to the region afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple, Protocol

import numpy as np

from skyshard.apdb.stores.store_settings import Pixels, StoreSettings
from skyshard.basics.array_types import Floats, Integers, Numbers
from skyshard.basics.errors import UserError
from skyshard.chunking.chunker import Chunker
from skyshard.chunking.sphere import DEG_PER_RAD, RAD_PER_DEG, Polygon, reduce_ra, unit_vectors
from skyshard.chunking.sub_chunks import sub_chunks_in

_MOST_RANGES = 128
"""Of pixels a region; more are joined, as dax_apdb does."""
_WIDEST_RAD = math.radians(60.0)
_REMEMBERED = 4_096
"""Regions whose ranges are remembered: visits come back to the same fields, and read three tables of each region."""


class CellRange(NamedTuple):
    """Cells of one chunk, ``low`` and ``high`` included."""

    chunk_id: int
    low: int
    high: int


class SkyCells(Protocol):
    """One way of parting the sky."""

    def locate(self, ra: Floats, dec: Floats) -> tuple[Numbers, Integers]:
        """Chunk and cell within it of each position, degrees."""
        ...

    def ranges(self, region: Polygon) -> Sequence[CellRange]:
        """Cells that a region meets, ascending."""
        ...


class ChunkCells:
    """Sub-chunks of a striping."""

    def __init__(self, chunker: Chunker) -> None:
        self.chunker = chunker
        self._remembered = lru_cache(_REMEMBERED)(self._find)

    def locate(self, ra: Floats, dec: Floats) -> tuple[Numbers, Integers]:
        chunk_ids, sub_chunk_ids = self.chunker.locate(reduce_ra(ra), dec)
        return chunk_ids, sub_chunk_ids.astype(np.int64)

    def ranges(self, region: Polygon) -> Sequence[CellRange]:
        """
        >>> ChunkCells(Chunker(85, 12, 0.0)).ranges(Polygon.of(10, 0.01, 10.3, 0.01, 10.3, 0.1, 10, 0.1))
        (CellRange(chunk_id=7144, low=422, high=424),)
        """
        return self._remembered(region)

    def _find(self, region: Polygon) -> tuple[CellRange, ...]:
        chunk_ids, sub_chunk_ids = sub_chunks_in(self.chunker, region)
        is_first = np.diff(chunk_ids, prepend=-1) != 0
        is_first |= np.diff(sub_chunk_ids, prepend=-2) != 1
        first = np.flatnonzero(is_first)
        last = np.append(first[1:], len(chunk_ids))[: len(first)] - 1
        found = zip(chunk_ids[first].tolist(), sub_chunk_ids[first].tolist(), sub_chunk_ids[last].tolist(), strict=True)
        return tuple(CellRange(*one) for one in found)


class PixelCells:
    """Pixels of ``lsst.sphgeom``: a package of its own, for comparison."""

    def __init__(self, pixels: Pixels) -> None:
        try:
            from lsst import sphgeom
        except ImportError:
            raise UserError(
                f"pixels '{pixels}' need the package lsst-sphgeom", remedy="pip install lsst-sphgeom, or use chunks"
            ) from None
        scheme, _, level = pixels.partition("-")
        self._sphgeom: Any = sphgeom
        kinds = {"mq3c": sphgeom.Mq3cPixelization, "htm": sphgeom.HtmPixelization}
        self._pixelization = kinds[scheme](int(level))
        self._remembered = lru_cache(_REMEMBERED)(self._find)

    def locate(self, ra: Floats, dec: Floats) -> tuple[Numbers, Integers]:
        vector, index = self._sphgeom.UnitVector3d, self._pixelization.index
        found = [index(vector(*xyz)) for xyz in unit_vectors(ra, dec).tolist()]  # the package takes one at a time
        return np.zeros(len(found), np.int32), np.array(found, np.int64)

    def ranges(self, region: Polygon) -> Sequence[CellRange]:
        return self._remembered(region)

    def _find(self, region: Polygon) -> tuple[CellRange, ...]:
        corners = [self._sphgeom.UnitVector3d(*xyz) for xyz in _corners(region).tolist()]
        polygon = self._sphgeom.ConvexPolygon(corners)
        found = self._pixelization.envelope(polygon, _MOST_RANGES)
        return tuple(CellRange(0, begin, end - 1) for begin, end in found.ranges())


class OneCell:
    """All of the sky: where the server's own index finds the rows of a region."""

    def locate(self, ra: Floats, dec: Floats) -> tuple[Numbers, Integers]:
        return np.zeros(len(ra), np.int32), np.zeros(len(ra), np.int64)

    def ranges(self, region: Polygon) -> list[CellRange]:
        return [CellRange(0, 0, 0)]


def open_cells(settings: StoreSettings) -> SkyCells:
    """The cells that settings ask for."""
    if settings.pixels is Pixels.Q3C:
        return OneCell()
    if settings.pixels is Pixels.CHUNKS:
        return ChunkCells(Chunker(settings.stripes, settings.substripes, 0.0))
    return PixelCells(settings.pixels)


@lru_cache(_REMEMBERED)
def widened(region: Polygon, margin_deg: float) -> Polygon:
    """A polygon that holds every point within a margin of a region, and little more.

    The region is drawn larger in the plane that touches the sphere at its middle, where great circles are lines: each
    edge moves away from the middle by at least the margin.

    Raises:
        UserError: the region is wider than 60 degrees from its middle.

    >>> square = Polygon.of(0, 0, 1, 0, 1, 1, 0, 1)
    >>> square.contains([0.5], [-0.0013]).tolist(), widened(square, 5 / 3600).contains([0.5], [-0.0013]).tolist()
    ([False], [True])
    """
    corners = _corners(region)
    middle = corners.sum(axis=0) / np.linalg.norm(corners.sum(axis=0))
    cosines = corners @ middle
    if cosines.min() < math.cos(_WIDEST_RAD):
        raise UserError("a region reaches more than 60 degrees from its middle", remedy="read smaller regions")
    inner = float((region.half_spaces().normals @ middle).min())
    stretch = margin_deg * RAD_PER_DEG / float(cosines.min()) ** 2
    in_plane = corners / cosines[:, np.newaxis] - middle
    far = middle + in_plane * (1.0 + stretch / inner * 1.001)
    lon, lat = np.arctan2(far[:, 1], far[:, 0]), np.arcsin(far[:, 2] / np.linalg.norm(far, axis=1))
    positions = zip((lon * DEG_PER_RAD).tolist(), (lat * DEG_PER_RAD).tolist(), strict=True)
    return Polygon(tuple(positions))


def _corners(region: Polygon) -> Floats:
    ra, dec = np.array(region.vertices, dtype=np.float64).T
    return unit_vectors(ra, dec)
