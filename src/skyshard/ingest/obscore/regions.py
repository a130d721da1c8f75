"""Polygons of images as columns: the text, the centre, the normals, sciSQL's bytes, the bounds as a GEOMETRY. No I/O.

Rule: a polygon is that of its text, whose corners have six decimals; all else is computed from these.
"""

from __future__ import annotations

import struct

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyshard.basics.array_types import Floats
from skyshard.catalog.obscore_columns import BOUNDS, REGION
from skyshard.catalog.region_columns import SCISQL_SUFFIX, normal_names
from skyshard.chunking.convex_outlines import Outlines, outlines
from skyshard.chunking.sphere import reduce_ra

DECIMALS = 6
_NUMBER = r"[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?"
_POLYGON = rf"(?i)^\s*POLYGON(?:\s+ICRS)?((?:\s+{_NUMBER}\s+{_NUMBER})+)\s*$"
_HEAD = {1: struct.pack("<IBIII", 0, 1, 3, 1, 5), 2: struct.pack("<IBII", 0, 1, 6, 2)}
"""What stands before the corners of one box, and before two boxes: SRID, byte order, type, counts."""
_BOX_HEAD = struct.pack("<BIII", 1, 3, 1, 5)

Corners = tuple[Floats, Floats, NDArray[np.int64]]
"""Right ascensions and declinations, shape (n, m) each, and how many of a row are corners."""


def rounded(ra: Floats, dec: Floats) -> tuple[Floats, Floats]:
    """Corners as the text has them: six decimals, right ascension in [0, 360)."""
    turned = np.where(np.isfinite(ra), reduce_ra(np.round(ra, DECIMALS)), np.nan)
    return turned, np.round(dec, DECIMALS)


def parse_polygons(texts: pa.Array | pa.ChunkedArray) -> Corners:
    """The corners of texts such as ``POLYGON ICRS 10 0 11 0 11 1``; a text of another shape has no corners.

    >>> ra, dec, counts = parse_polygons(pa.array(["POLYGON ICRS 10 0 11 0 11 1", "CIRCLE ICRS 1 2 3", None]))
    >>> ra[0].tolist(), dec[0].tolist(), counts.tolist()
    ([10.0, 11.0, 11.0], [0.0, 0.0, 1.0], [3, 0, 0])
    """
    plain = pc.cast(texts, pa.string())
    plain = plain.combine_chunks() if isinstance(plain, pa.ChunkedArray) else plain
    is_polygon = pc.fill_null(pc.match_substring_regex(plain, _POLYGON), False)
    numbers = pc.replace_substring_regex(plain, r"(?i)^\s*POLYGON(?:\s+ICRS)?\s+", "")
    words = pc.utf8_split_whitespace(
        pc.utf8_trim_whitespace(pc.if_else(is_polygon, numbers, pa.scalar(None, pa.string())))
    )
    sizes = pc.fill_null(pc.list_value_length(words), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    flat = pc.list_flatten(words).cast(pa.float64()).to_numpy(zero_copy_only=False)
    most = max(2, int(sizes.max(initial=0)))
    table = np.full((len(sizes), most + most % 2), np.nan)
    table[np.arange(table.shape[1]) < sizes[:, None]] = flat
    return table[:, 0::2], table[:, 1::2], sizes // 2


def region_outlines(corners: Corners, edges: int) -> Outlines:
    """The polygons of corners, rounded as the text is."""
    ra, dec = rounded(*corners[:2])
    return outlines(ra, dec, corners[2], edges)


def region_arrays(corners: Corners, made: Outlines) -> dict[str, pa.Array]:
    """The columns of good polygons."""
    edges = made.normals.shape[1]
    found: dict[str, pa.Array] = {REGION: _texts(corners, made)}
    for place, names in enumerate(normal_names(REGION, edges)):
        found |= {name: pa.array(made.normals[:, place, axis]) for axis, name in enumerate(names)}
    packed = np.concatenate([made.corner_sum[:, None], made.normals], axis=1).reshape(len(made), -1)
    found[REGION + SCISQL_SUFFIX] = _bytes(packed.astype("<f8").view(np.uint8))
    found[BOUNDS] = bounds_geometry(made.bounds)
    centre = {"s_ra": made.centre[:, 0], "s_dec": made.centre[:, 1], "s_fov": 2.0 * made.radius_deg}
    return found | {name: pa.array(values) for name, values in centre.items()}


def _texts(corners: Corners, made: Outlines) -> pa.Array:
    """``POLYGON ICRS ra dec ...`` with six decimals, counter-clockwise."""
    ra, dec = rounded(*corners[:2])
    counts = corners[2]
    place = np.arange(ra.shape[1])
    order = np.where(made.is_turned[:, None] & (place < counts[:, None]), counts[:, None] - 1 - place, place)
    text = pa.array(np.full(len(ra), "POLYGON ICRS"))
    for column in range(ra.shape[1]):
        pair = [_six_decimals(np.take_along_axis(one, order, axis=1)[:, column]) for one in (ra, dec)]
        longer = pc.binary_join_element_wise(text, *pair, " ")
        text = pc.if_else(pa.array(column < counts), longer, text)
    return text


def _six_decimals(values: Floats) -> pa.Array:
    return pa.array(np.char.mod("%.6f", np.where(np.isfinite(values), values, 0.0) + 0.0))


def bounds_geometry(bounds: Floats) -> pa.Array:
    """Boxes, shape (n, 4), as MariaDB stores a GEOMETRY: SRID 0 and well-known binary.

    A box that leads over right ascension 0 becomes two; the box around both, which an index holds, is full circle.
    Where a box ends at 0 or 360, or at a pole, it is a degree wider: servers do not agree whether a point on the edge
    of a box is in it.
    """
    west, south, east, north = bounds.T
    south, north = np.where(south <= -90, -91.0, south), np.where(north >= 90, 91.0, north)
    is_full = (west <= 0) & (east >= 360)
    west, east = np.where(is_full, -1.0, west), np.where(is_full, 361.0, east)
    one = _box_bytes(west, south, east, north)
    first = _box_bytes(west, south, np.full_like(west, 361.0), north)
    second = _box_bytes(np.full_like(west, -1.0), south, east, north)
    box_head = _repeated(_BOX_HEAD, len(bounds))
    single = _bytes(np.concatenate([_repeated(_HEAD[1], len(bounds)), one], axis=1))
    double = _bytes(np.concatenate([_repeated(_HEAD[2], len(bounds)), box_head, first, box_head, second], axis=1))
    return pc.if_else(pa.array(west > east), double, single)


def _box_bytes(west: Floats, south: Floats, east: Floats, north: Floats) -> NDArray[np.uint8]:
    ring = np.stack([west, south, east, south, east, north, west, north, west, south], axis=1)
    return np.ascontiguousarray(ring.astype("<f8")).view(np.uint8).reshape(len(west), -1)


def _repeated(head: bytes, rows: int) -> NDArray[np.uint8]:
    return np.broadcast_to(np.frombuffer(head, np.uint8), (rows, len(head)))


def _bytes(rows: NDArray[np.uint8]) -> pa.Array:
    """Rows of equal length as a binary column."""
    width = rows.shape[1]
    flat = pa.py_buffer(np.ascontiguousarray(rows).tobytes())
    return pa.Array.from_buffers(pa.binary(width), len(rows), [None, flat]).cast(pa.binary())
