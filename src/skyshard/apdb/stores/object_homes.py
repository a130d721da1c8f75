"""Objects stay in the cell of their first position, so that an object has one row in DiaObjectLast wherever it drifts.

Rules: an object's rows of DiaObject and DiaObjectLast are in its home cell; a later position may lie outside of that
cell by the drift that a store allows, and reads of objects look so much farther. No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from skyshard.apdb.stores.sky_cells import CellRange, SkyCells
from skyshard.apdb.stores.stored_tables import CHUNK, SUB_CHUNK
from skyshard.basics.array_types import Flags, Floats, Integers
from skyshard.basics.errors import UserError
from skyshard.chunking.sphere import Polygon

HOME_SCHEMA = pa.schema(
    [
        ("diaObjectId", pa.int64()), (CHUNK, pa.int32()), (SUB_CHUNK, pa.int64()),
        ("validityStartMjdTai", pa.float64()),
    ]
)  # fmt: skip
"""What is looked up of the objects that a tile has new versions of."""


class Homes(NamedTuple):
    """For each new version: its cell, and whether it is the newest of its object."""

    chunk_ids: Integers
    sub_chunk_ids: Integers
    is_newest: Flags
    is_known: Flags
    """The object has a row in DiaObjectLast."""

    @property
    def is_new(self) -> Flags:
        """It has none, and gets one: it was never there, or was taken out before this version."""
        return np.asarray(~self.is_known & self.is_newest)


def find_homes(
    objects: pa.Table, known: pa.Table, cells: SkyCells, drift_deg: float, gone: pa.Table | None = None
) -> Homes:
    """Homes of new versions, given the rows of DiaObjectLast of those objects that have one (:data:`HOME_SCHEMA`).

    Args:
        gone: objects that were taken out of it, with the version that was their newest (``gone_objects``).

    Raises:
        UserError: an object that has moved farther out of its home than a store allows.
    """
    ra, dec = objects["ra"].to_numpy(), objects["dec"].to_numpy()
    located, sub_located = cells.locate(ra, dec)
    chunk_ids, sub_chunk_ids = located.astype(np.int64), sub_located.copy()
    ids, since = objects["diaObjectId"].to_numpy(), objects["validityStartMjdTai"].to_numpy()
    is_known, is_newest = np.zeros(len(ids), np.bool_), np.ones(len(ids), np.bool_)
    if known.num_rows:
        known = known.sort_by("diaObjectId")
        known_ids = known["diaObjectId"].to_numpy()
        at = np.minimum(np.searchsorted(known_ids, ids), len(known_ids) - 1)
        is_known = known_ids[at] == ids
        is_newest = ~is_known | (since > known["validityStartMjdTai"].to_numpy()[at])
        chunk_ids = np.where(is_known, known[CHUNK].to_numpy()[at], chunk_ids)
        sub_chunk_ids = np.where(is_known, known[SUB_CHUNK].to_numpy()[at], sub_chunk_ids)
    if gone is not None and gone.num_rows:
        gone = gone.sort_by("diaObjectId")
        gone_ids, until = (column.to_numpy() for column in gone.columns)
        at = np.minimum(np.searchsorted(gone_ids, ids), len(gone_ids) - 1)
        is_newest &= is_known | (gone_ids[at] != ids) | (since > until[at])
    is_away = np.flatnonzero((chunk_ids != located) | (sub_chunk_ids != sub_located))
    _check_drift(ids, ra, dec, chunk_ids, sub_chunk_ids, is_away.tolist(), cells, drift_deg)
    return Homes(chunk_ids, sub_chunk_ids, is_newest, is_known)


def _check_drift(
    ids: Integers, ra: Floats, dec: Floats, chunk_ids: Integers, sub_chunk_ids: Integers, rows: Iterable[int],
    cells: SkyCells, drift_deg: float,
) -> None:  # fmt: skip
    """For the few objects that are outside of their homes now."""
    for row in rows:
        near = cells.ranges(square_around(float(ra[row]), float(dec[row]), drift_deg))
        if not is_in_cells(near, int(chunk_ids[row]), int(sub_chunk_ids[row])):
            where = f"at ({ra[row]}, {dec[row]}) is more than {drift_deg * 3600:g} arcsec away"
            what = f"object {ids[row]} {where} from its home (chunk {chunk_ids[row]}, cell {sub_chunk_ids[row]})"
            raise UserError(what, remedy="store it as another object")


def is_in_cells(cells: Iterable[CellRange], chunk_id: int, sub_chunk_id: int) -> bool:
    return any(one.chunk_id == chunk_id and one.low <= sub_chunk_id <= one.high for one in cells)


def square_around(ra: float, dec: float, margin_deg: float) -> Polygon:
    """A square whose edges are so far from its middle, at least.

    >>> square_around(0.0, -90.0, 1.0).contains([77.0, 77.0], [-89.01, -88.0]).tolist()
    [True, False]
    """
    lon, lat = np.radians(ra), np.radians(dec)
    middle = np.array([np.cos(lon) * np.cos(lat), np.sin(lon) * np.cos(lat), np.sin(lat)])
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    north = np.cross(middle, east)
    reach = np.tan(np.radians(max(margin_deg, 1e-5)))
    corners = [middle + reach * (x * east + y * north) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    found = [np.degrees([np.arctan2(v[1], v[0]), np.arcsin(v[2] / np.linalg.norm(v))]) for v in corners]
    return Polygon(tuple((float(one[0]), float(one[1])) for one in found))
