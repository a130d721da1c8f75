"""What a tile may store: rows of that tile and no other. No I/O."""

from __future__ import annotations

from typing import NoReturn

import numpy as np
import pyarrow as pa

from skyshard.apdb.model import TileRows, VisitId
from skyshard.apdb.tables.apdb_tables import MOST_DAYS
from skyshard.basics.errors import UserError

MAX_DETECTOR = 2**15 - 1
"""Detectors are SMALLINT."""


def check_tile_rows(rows: TileRows) -> None:
    """Hold what is to be stored against its tile.

    Raises:
        UserError: a visit, detector or time that cannot be, rows of another visit or detector, a source of another
            time, an object's version that begins at another time, a position outside the padded region; the table is
            named.
    """
    tile = rows.tile
    if not 0 <= tile.id.detector <= MAX_DETECTOR or not 0 <= tile.id.visit < 2**62:
        _refuse(tile.id, "no such visit or detector", f"detectors are 0 to {MAX_DETECTOR}, visits 0 or more")
    if not abs(tile.time) < MOST_DAYS:
        _refuse(tile.id, f"its time is {tile.time}", "give MJD TAI in days")
    for name, table in (("DiaSource", rows.sources), ("DiaForcedSource", rows.forced)):
        _require_all(tile.id, name, table, "visit", tile.id.visit)
        _require_all(tile.id, name, table, "detector", tile.id.detector)
        _require_all(tile.id, name, table, "midpointMjdTai", tile.time)
    _require_all(tile.id, "DiaObject", rows.objects, "validityStartMjdTai", tile.time)
    _require_inside(rows)


def _require_inside(rows: TileRows) -> None:
    """See that all positions are in the padded region; those of all tables are looked at together."""
    tables = {"DiaObject": rows.objects, "DiaSource": rows.sources, "DiaForcedSource": rows.forced}
    ra, dec = (np.concatenate([table[name].to_numpy() for table in tables.values()]) for name in ("ra", "dec"))
    outside = np.flatnonzero(~rows.tile.padded.contains(ra, dec))
    if len(outside):
        ends = np.cumsum([table.num_rows for table in tables.values()])
        name = list(tables)[int(np.searchsorted(ends, outside[0], "right"))]
        what = f"a row of {name} lies outside the padded region"
        _refuse(rows.tile.id, what, "store it with the tile it lies in")


def _require_all(tile: VisitId, table: str, rows: pa.Table, column: str, value: float) -> None:
    if not (rows[column].to_numpy() == value).all():
        _refuse(tile, f"rows of {table} have another {column} than {value}", "store each tile's rows with that tile")


def _refuse(tile: VisitId, what: str, remedy: str) -> NoReturn:
    raise UserError(f"visit {tile.visit}, detector {tile.detector}: {what}", remedy=remedy)
