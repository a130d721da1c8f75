"""Sub-chunks that a region may meet: no I/O, pure arithmetic on arrays."""

from __future__ import annotations

import numpy as np

from skyshard.basics.array_types import Flags, Floats, Numbers
from skyshard.chunking.chunker import Chunker
from skyshard.chunking.sphere import Region, unit_vectors

_ROUNDING_DEG = 0.001 / 3600
_ROUNDING_RAD = 1e-9
_WIDE_DEG = 120.0
"""From this width on, a box is not judged by the circle around its corners."""


def sub_chunks_in(chunker: Chunker, region: Region) -> tuple[Numbers, Numbers]:
    """Chunk and sub-chunk numbers that may hold a point of the region, ascending by both.

    Never too few; at sharp corners some that hold no point of it.

    >>> from skyshard.chunking.sphere import Box
    >>> chunks, sub_chunks = sub_chunks_in(Chunker(85, 12, 0.01667), Box(10.0, -0.01, 10.1, -0.005))
    >>> chunks.tolist(), sub_chunks.tolist()
    ([7144], [353])
    """
    chunks = chunker.chunks_in(region)
    listed = [chunker.sub_chunk_ids(int(chunk)) for chunk in chunks]
    chunk_ids = np.repeat(chunks, [len(some) for some in listed]).astype(np.int32)
    sub_chunk_ids = np.concatenate([*listed, np.empty(0, np.int32)])
    edges = chunker.sub_chunk_edges(chunk_ids, sub_chunk_ids)
    is_met = _meets_bounds(edges, region) & _meets_half_spaces(edges, region)
    return chunk_ids[is_met], sub_chunk_ids[is_met]


def _meets_bounds(edges: Floats, region: Region) -> Flags:
    """Boxes, given as west, east, south and north, that touch the box around a region."""
    west, east, south, north = edges
    bounds = region.bounds()
    lo, hi = bounds.ra_range
    meets_dec = (south <= bounds.dec_max + _ROUNDING_DEG) & (north >= bounds.dec_min - _ROUNDING_DEG)
    is_right, is_left = east >= lo - _ROUNDING_DEG, west <= hi + _ROUNDING_DEG
    touches_zero = (lo < _ROUNDING_DEG) & (east >= 360.0 - _ROUNDING_DEG)
    return np.asarray(meets_dec & ((is_right & is_left if lo <= hi else is_right | is_left) | touches_zero))


def _meets_half_spaces(edges: Floats, region: Region) -> Flags:
    """Boxes whose bounding circle is outside none of the great circles that a region stays inside."""
    west, east, south, north = edges
    spaces = region.half_spaces()
    if not len(spaces.normals) or not len(west):
        return np.ones(len(west), np.bool_)
    centre = unit_vectors(0.5 * (west + east), 0.5 * (south + north))
    reach = np.zeros(len(west))
    for dec in (south, north):
        reach = np.maximum(reach, np.linalg.norm(unit_vectors(west, dec) - centre, axis=1))
    radius = 2.0 * np.arcsin(np.minimum(0.5 * reach, 1.0)) + _ROUNDING_RAD
    radius = np.where(east - west >= _WIDE_DEG, np.pi, radius)
    slack = radius[:, np.newaxis] + spaces.slack_rad
    is_reached = centre @ spaces.normals.T >= -np.sin(np.minimum(slack, np.pi / 2)) - _ROUNDING_RAD
    return np.asarray((is_reached | (slack >= np.pi / 2)).all(axis=1))
