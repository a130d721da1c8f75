"""Draws the positions of a chunk's objects by density, some in clusters, all inside the chunk. No I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyshard.basics.array_types import Floats
from skyshard.basics.errors import Bug
from skyshard.chunking import Chunker
from skyshard.chunking.sphere import Box
from skyshard.synth.recipe.random_streams import stream
from skyshard.synth.recipe.sky_rules import Clusters, Sky
from skyshard.synth.sky.density import Cells

Parents = NDArray[np.intp]

_TABLE = "Object"
_MARGIN_DEG = 1e-9
"""Distance that positions keep from a chunk's edges, so that rounding never moves one across."""
_MIN_COSINE = 1e-3
_GUIDES = 1 << 12
_BLEND_DEG = 1.0 / 3600
"""Standard deviation of a blended object's offset from its parent, along each axis."""


@dataclass(frozen=True, slots=True)
class SkyPositions:
    """Right ascension in [0, 360) and declination, degrees."""

    ra: Floats
    dec: Floats
    parents: Parents | None = None
    """Row of each one's parent, an earlier one, -1 for none; None where the sky has no blends."""

    def __len__(self) -> int:
        return len(self.ra)


def draw_positions(cells: Cells, sky: Sky, chunker: Chunker, seed: int, chunk: int, share: float = 1.0) -> SkyPositions:
    """A Poisson number of positions in one chunk, by the density of its cells; or the first ``share`` of them.

    Members of a cluster that would leave the chunk are reflected at its edge, so that no chunk depends on another.
    """
    count = int(stream(seed, _TABLE, chunk, "count").poisson(cells.expected))
    ra, dec = _draw(cells, count, seed, chunk, "position")
    if sky.clusters is not None and sky.clusters.fraction > 0 and count:
        _gather(ra, dec, cells, sky.clusters, seed, chunk)
    parents = _blend(ra, dec, sky.blends, seed, chunk) if sky.blends else None
    kept = _kept(count, share, seed, chunk)
    positions = SkyPositions(
        *keep_inside(cells.box, ra[:kept], dec[:kept]), None if parents is None else parents[:kept]
    )
    found, _ = chunker.locate(positions.ra, positions.dec)
    if (found != chunk).any():
        row = int(np.flatnonzero(found != chunk)[0])
        raise Bug(f"position ({positions.ra[row]!r}, {positions.dec[row]!r}) made for chunk {chunk} is outside it")
    return positions


def _kept(count: int, share: float, seed: int, chunk: int) -> int:
    """How many of a chunk's rows a share keeps: never fewer than a smaller share does, and right on average."""
    if share == 1.0:
        return count
    return min(count, int(count * share + stream(seed, _TABLE, chunk, "kept").random()))


def _draw(cells: Cells, count: int, seed: int, chunk: int, name: str) -> tuple[Floats, Floats]:
    """``count`` positions: a cell by its mean, then a place in the cell, uniform on the sphere."""
    chosen = _chosen(np.cumsum(cells.means), _uniform(seed, chunk, f"{name}Cell", count))
    chosen = np.minimum(chosen, np.flatnonzero(cells.means)[-1]) if count else chosen
    row, column = np.divmod(chosen, cells.count)
    box = cells.box
    sin_min, sin_max = np.sin(np.radians([box.dec_min, box.dec_max]))
    across = (column + _uniform(seed, chunk, f"{name}Ra", count)) / cells.count
    up = (row + _uniform(seed, chunk, f"{name}Decl", count)) / cells.count
    ra = box.ra_min + (box.ra_max - box.ra_min) * across
    return ra, np.degrees(np.arcsin(np.clip(sin_min + (sin_max - sin_min) * up, -1.0, 1.0)))


def _chosen(cumulative: Floats, uniform: Floats) -> NDArray[np.intp]:
    """Cells drawn in proportion to their means; the same as ``searchsorted`` finds, most by a faster look-up table."""
    edges = np.searchsorted(cumulative, np.arange(_GUIDES + 1) / _GUIDES * cumulative[-1], side="right")
    guide = (uniform * _GUIDES).astype(np.intp)
    chosen: NDArray[np.intp] = edges[guide]
    several = np.flatnonzero(chosen != edges[guide + 1])
    chosen[several] = np.searchsorted(cumulative, uniform[several] * cumulative[-1], side="right")
    return chosen


def _uniform(seed: int, chunk: int, name: str, count: int) -> Floats:
    return stream(seed, _TABLE, chunk, name).random(count)


def _gather(ra: Floats, dec: Floats, cells: Cells, clusters: Clusters, seed: int, chunk: int) -> None:
    """Move a share of the positions, in place, around cluster centres; some clusters are far richer than others."""
    members = np.flatnonzero(_uniform(seed, chunk, "isMember", len(ra)) < clusters.fraction)
    count = max(1, round(len(members) / clusters.richness))
    centre_ra, centre_dec = _draw(cells, count, seed, chunk, "cluster")
    chosen = (count * _uniform(seed, chunk, "clusterOf", len(members)) ** 2).astype(np.intp)
    offsets = stream(seed, _TABLE, chunk, "clusterOffset").standard_normal((2, len(members)))
    offsets *= clusters.scale_arcmin / 60.0
    dec[members] = centre_dec[chosen] + offsets[1]
    shrink = np.maximum(np.cos(np.radians(centre_dec[chosen])), _MIN_COSINE)
    ra[members] = centre_ra[chosen] + offsets[0] / shrink


def _blend(ra: Floats, dec: Floats, share: float, seed: int, chunk: int) -> Parents:
    """Move a share of the positions, in place, next to the last one before that is not moved."""
    rows = np.arange(len(ra))
    is_child = _uniform(seed, chunk, "isBlend", len(ra)) < share
    is_child[:1] = False
    parent = np.maximum.accumulate(np.where(is_child, 0, rows))
    offsets = stream(seed, _TABLE, chunk, "blendOffset").standard_normal((len(ra), 2))[is_child] * _BLEND_DEG
    dec[is_child] = dec[parent[is_child]] + offsets[:, 1]
    shrink = np.maximum(np.cos(np.radians(dec[is_child])), _MIN_COSINE)
    ra[is_child] = ra[parent[is_child]] + offsets[:, 0] / shrink
    return np.where(is_child, parent, -1)


def keep_inside(box: Box, ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """Reflect at the box's edges (a full circle wraps instead), and keep clear of them."""
    width = box.ra_max - box.ra_min
    offset = (ra - box.ra_min) % width if width >= 360.0 else _reflect(ra - box.ra_min, width)
    ra = box.ra_min + np.clip(offset, _MARGIN_DEG, width - _MARGIN_DEG)
    height = box.dec_max - box.dec_min
    dec = box.dec_min + np.clip(_reflect(dec - box.dec_min, height), _MARGIN_DEG, height - _MARGIN_DEG)
    return ra, dec


def _reflect(offset: Floats, width: float) -> Floats:
    """Reflect values at both ends of [0, width]; values inside do not change."""
    outside = np.flatnonzero((offset < 0) | (offset > width))
    if len(outside):
        offset = offset.copy()
        offset[outside] = width - np.abs(offset[outside] % (2.0 * width) - width)
    return offset


def widened(box: Box, margin_deg: float) -> Box:
    """A box with a margin on all sides, over the whole circle where that holds a pole."""
    south, north = max(-90.0, box.dec_min - margin_deg), min(90.0, box.dec_max + margin_deg)
    highest = max(abs(south), abs(north))
    pad = 360.0 if highest > 89.0 else margin_deg / math.cos(math.radians(highest))
    if box.ra_max - box.ra_min + 2 * pad >= 360.0:
        return Box(0.0, south, 360.0, north)
    return Box((box.ra_min - pad) % 360.0, south, (box.ra_max + pad) % 360.0, north)
