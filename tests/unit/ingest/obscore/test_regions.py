"""Polygons as columns: texts, normals, sciSQL's bytes, and bounds as MariaDB stores a GEOMETRY."""

from __future__ import annotations

import struct

import numpy as np
import pyarrow as pa

from skyshard.chunking.convex_outlines import OutlineFault
from skyshard.ingest.obscore.regions import bounds_geometry, parse_polygons, region_arrays, region_outlines


def test_texts_that_are_no_polygons_have_no_corners() -> None:
    """Circles, half a pair, words; spelling and blanks do not matter."""
    texts = ["polygon 1 2  3 4 5e0 6", "POLYGON ICRS 1 2 3", "CIRCLE 1 2 3", "POLYGON ICRS 1 2 x 4 5 6", "", None]
    assert parse_polygons(pa.array(texts))[2].tolist() == [3, 0, 0, 0, 0, 0]


def test_texts_that_are_no_polygons_are_named_so() -> None:
    """A circle, another frame, no text, numbers that no double holds; a line and a polygon are not."""
    texts = ["CIRCLE ICRS 1 2 3", "POLYGON FK5 1 2 3 2 3 4", None, "POLYGON ICRS 1e999 2 3 2 3 4", "POLYGON 1 2 3 2"]
    made = region_outlines(parse_polygons(pa.array([*texts, "POLYGON ICRS +1 2. 3e0 2 3 4"])), 4)
    none, few = OutlineFault.NO_CORNERS, OutlineFault.FEW_CORNERS
    assert [made.fault(row) for row in range(6)] == [none, none, none, OutlineFault.NOT_FINITE, few, OutlineFault.NONE]


def test_columns_say_the_same_polygon() -> None:
    """The text is counter-clockwise with six decimals; the bytes are the corners' sum and the normals."""
    corners = np.array([[359.9, 359.9, 0.1000004, 0.1]]), np.array([[-0.1, 0.1, 0.1, -0.1]]), np.array([4])
    made = region_outlines(corners, 4)
    found = region_arrays(corners, made)
    assert made.is_turned.tolist() == [True]
    assert found["s_region"].to_pylist() == [
        "POLYGON ICRS 0.100000 -0.100000 0.100000 0.100000 359.900000 0.100000 359.900000 -0.100000"
    ]
    packed = struct.unpack("<15d", found["s_region_scisql"][0].as_py())
    np.testing.assert_array_equal(packed[:3], made.corner_sum[0])
    np.testing.assert_array_equal(np.reshape(packed[3:], (4, 3)), made.normals[0])
    assert found["s_region_n4z"].to_pylist() == [made.normals[0, 3, 2]]


def test_bounds_over_the_seam_are_two_boxes() -> None:
    """A box at the seam or a pole is a degree wider there; well-known binary behind four bytes of SRID."""
    boxes = np.array([[10.0, -2, 11, -1], [359.5, 3, 0.5, 4], [0.0, 89, 360, 90]])
    plain, seam, pole = (value.as_py() for value in bounds_geometry(boxes))
    assert struct.unpack("<IBIII10d", plain) == (0, 1, 3, 1, 5, 10, -2, 11, -2, 11, -1, 10, -1, 10, -2)
    assert struct.unpack_from("<IBII", seam) == (0, 1, 6, 2)
    first, second = struct.unpack_from("<BIII10d", seam, 13), struct.unpack_from("<BIII10d", seam, 13 + 93)
    assert (first[4], first[6], second[4], second[6]) == (359.5, 361.0, -1.0, 0.5)
    assert set(struct.unpack_from("<10d", pole, 17)) == {-1.0, 361.0, 89.0, 91.0}
