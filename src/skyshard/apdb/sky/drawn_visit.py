"""One visit drawn: its tiles, the rows that each stores, and how the objects change when they are stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from skyshard.apdb.model import Tile, TileRows, VisitId
from skyshard.apdb.sky.cadence import band_of
from skyshard.apdb.sky.drawn_columns import Given, drawn_rows
from skyshard.apdb.sky.field_objects import FieldObjects, places_in_tiles, row_ids
from skyshard.apdb.sky.fields import Readers
from skyshard.apdb.sky.sky_settings import SkySettings
from skyshard.basics.array_types import Floats, Integers

_FINDS, _VALUES = 17, 19
"""Tell streams of random numbers from others of the same seed."""
_PROCESSING_DAYS = 60.0 / 86_400.0
_EXPOSURE_S = 30.0


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows of one table that a visit stores, sorted by the tile that stores them."""

    rows: pa.RecordBatch
    objects: Integers
    """Index of each row's object."""
    owner: Integers
    readers: Readers
    """Which tiles read which of them later."""

    def of_tile(self, tile: int) -> pa.Table:
        first, last = np.searchsorted(self.owner, [tile, tile + 1])
        return pa.Table.from_batches([self.rows.slice(first, last - first)])


@dataclass(frozen=True, slots=True)
class DrawnVisit:
    """What one visit finds."""

    visit: int
    field: int
    time: float
    since: float
    """Beginning of the history that is read, MJD TAI."""
    tiles: tuple[Tile, ...]
    objects: TableRows
    sources: TableRows
    forced: TableRows

    def rows_of(self, tile: int) -> TileRows:
        """What one tile stores."""
        parts = (part.of_tile(tile) for part in (self.objects, self.sources, self.forced))
        return TileRows(self.tiles[tile], *parts)


def draw_visit(settings: SkySettings, objects: FieldObjects, visit: int, field: int, time: float) -> DrawnVisit:
    """Draw the next visit of a field, from its objects as they are stored until now."""
    finds = np.random.default_rng([settings.seed, _FINDS, visit])
    values = np.random.default_rng([settings.seed, _VALUES, visit])
    new = objects.bear(settings, time, finds)
    seen = objects.seen(settings, time, finds)
    objects.visits += 1
    ids = row_ids(visit, objects.owner[seen], places_in_tiles(objects.owner[seen]))
    is_new = np.isin(seen, new)
    objects.id[seen[is_new]] = ids[is_new]
    measured = objects.measured(settings, time, seen)
    common: dict[str, object] = {
        "visit": visit, "midpointMjdTai": time, "timeProcessedMjdTai": time + _PROCESSING_DAYS,
        "band": band_of(settings, visit - 1),
    }  # fmt: skip
    sources = _sources(objects, seen, ids, common, finds, values)
    forced = _forced(objects, measured, visit, common, values)
    versions = _versions(objects, seen, objects.by_tile(np.union1d(seen, measured)), time, values)
    place = objects.place
    tiles = tuple(
        Tile(VisitId(visit, number), time, region, padded)
        for number, (region, padded) in enumerate(zip(place.regions, place.padded, strict=True))
    )
    return DrawnVisit(visit, field, time, time - settings.history_days, tiles, versions, sources, forced)


def _sources(
    objects: FieldObjects, seen: Integers, ids: Integers, common: dict[str, object], finds: np.random.Generator,
    values: np.random.Generator,
) -> TableRows:  # fmt: skip
    x, y, ra, dec = objects.jittered(seen, finds)
    owner = objects.owner[seen]
    arrays = {"diaSourceId": ids, "diaObjectId": objects.id[seen], "detector": owner, "ra": ra, "dec": dec}
    given = Given(arrays, common | {"exposureTime": _EXPOSURE_S})
    rows = drawn_rows("DiaSource", len(seen), values, given)
    return TableRows(rows, seen, owner, objects.place.readers(x, y, ra, dec))


def _forced(
    objects: FieldObjects, measured: Integers, visit: int, common: dict[str, object], values: np.random.Generator
) -> TableRows:
    owner = objects.owner[measured]
    ids = row_ids(visit, owner, places_in_tiles(owner))
    arrays = {
        "diaForcedSourceId": ids, "diaObjectId": objects.id[measured], "detector": owner,
        "ra": objects.ra[measured], "dec": objects.dec[measured],
    }  # fmt: skip
    rows = drawn_rows("DiaForcedSource", len(measured), values, Given(arrays, common))
    return TableRows(rows, measured, owner, _readers_of(objects, measured))


def _versions(
    objects: FieldObjects, seen: Integers, changed: Integers, time: float, values: np.random.Generator
) -> TableRows:
    is_seen = np.isin(changed, seen)
    first, last = objects.first[changed], objects.last[changed]
    arrays: dict[str, Integers | Floats] = {
        "diaObjectId": objects.id[changed], "ra": objects.ra[changed], "dec": objects.dec[changed],
        "nDiaSources": objects.sources[changed] + is_seen,
        "firstDiaSourceMjdTai": np.where(np.isnan(first), time, first),
        "lastDiaSourceMjdTai": np.where(is_seen, time, last),
    }  # fmt: skip
    rows = drawn_rows("DiaObject", len(changed), values, Given(arrays, {"validityStartMjdTai": time}))
    return TableRows(rows, changed, objects.owner[changed], _readers_of(objects, changed))


def _readers_of(objects: FieldObjects, chosen: Integers) -> Readers:
    """Which tiles read which of some objects; rows are places among the chosen."""
    place = np.full(objects.born, -1)
    place[chosen] = np.arange(len(chosen))
    row = place[objects.readers.row]
    return Readers(row[row >= 0], objects.readers.tile[row >= 0])
