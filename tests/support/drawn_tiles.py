"""Tiles of visits drawn from a seed, and what every store has to answer of those that it holds.

The oracle is a few lines of Arrow over all rows: it knows no cells, no months and no order of arrival.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.apdb.model import TableName, Tile, TileRows, VisitId
from skyshard.apdb.stores.object_homes import square_around
from skyshard.apdb.tables.apdb_tables import apdb_table
from skyshard.apdb.tables.storable_rows import storable_rows
from skyshard.chunking.sphere import Polygon, reduce_ra

FIELDS = ((10.0, -30.0), (0.0, 2.0), (359.9, -0.3), (77.0, -90.0), (200.0, 89.95))
"""Also over longitude 0 and over both poles."""
HALF_DEG = 0.12
BANDS = "ugrizy"


def region_of(field: tuple[float, float], margin_deg: float = 0.0) -> Polygon:
    """The square of a tile, with a margin on every side."""
    return square_around(*field, HALF_DEG + margin_deg)


def drawn_tile(
    seed: int, visit: int, field: tuple[float, float], time: float, *, detector: int = 0, objects: int = 12,
    noise: int = 4, padding_deg: float = 0.015,
) -> TileRows:  # fmt: skip
    """A tile with new versions of half of a field's objects, which drift by less than an arcsecond, and noise."""
    rng = np.random.default_rng((seed, visit, detector))
    fixed = np.random.default_rng((seed, 77, FIELDS.index(field) if field in FIELDS else 99))
    ra, dec = _around(fixed, field, objects)
    first_id = (FIELDS.index(field) if field in FIELDS else 99) * 1_000_000 + 1
    seen = np.flatnonzero(rng.random(objects) < 0.6)
    dec_now = np.clip(dec[seen] + rng.uniform(-1, 1, len(seen)) / 3600, -90.0, 90.0)
    place = {"diaObjectId": first_id + seen, "ra": ra[seen], "dec": dec_now}
    noise_ra, noise_dec = _around(rng, field, noise)
    source_ids = visit * 10_000 + detector * 1_000 + np.arange(len(seen) + noise)
    same = {"visit": visit, "detector": detector}
    sources = {
        "diaSourceId": source_ids, **same, "midpointMjdTai": time,
        "diaObjectId": pa.array([*(first_id + seen).tolist(), *[None] * noise], pa.int64()),
        "ra": np.append(ra[seen], noise_ra), "dec": np.append(dec[seen], noise_dec),
    }  # fmt: skip
    forced = {"diaForcedSourceId": source_ids[: len(seen)] + 500, **place, **same, "midpointMjdTai": time}
    versions = {**place, "validityStartMjdTai": time, "nDiaSources": visit, "lastDiaSourceMjdTai": time}
    tile = Tile(VisitId(visit, detector), time, region_of(field), region_of(field, padding_deg))
    return TileRows(
        tile,
        filled("DiaObject", rng, versions),
        filled("DiaSource", rng, sources),
        filled("DiaForcedSource", rng, forced),
    )


def _around(rng: np.random.Generator, field: tuple[float, float], count: int) -> tuple[Any, Any]:
    """Positions in the square of a field, drawn in the plane that touches the sphere there."""
    lon, lat = np.radians(field)
    x, y = rng.uniform(-1, 1, (2, count)) * np.tan(np.radians(HALF_DEG))
    middle = np.array([np.cos(lon) * np.cos(lat), np.sin(lon) * np.cos(lat), np.sin(lat)])
    east = np.array([-np.sin(lon), np.cos(lon), 0.0])
    found = middle + x[:, None] * east + y[:, None] * np.cross(middle, east)
    dec = np.degrees(np.arcsin(found[:, 2] / np.linalg.norm(found, axis=1)))
    return reduce_ra(np.degrees(np.arctan2(found[:, 1], found[:, 0]))), dec


def filled(name: TableName, rng: np.random.Generator, given: dict[str, Any]) -> pa.Table:
    """Rows with values in every column: also NULL, NaN, infinities, zeros of both signs, limits of the types."""
    schema, count = apdb_table(name).schema, len(given["ra"])
    columns = {}
    for field in schema:
        if field.name in given:
            value = given[field.name]
            columns[field.name] = (
                value if isinstance(value, pa.Array) else pa.array(np.broadcast_to(value, count).tolist(), field.type)
            )
        else:
            columns[field.name] = _odd_values(field, rng, count)
    return pa.table(columns, schema=schema)


def _odd_values(field: pa.Field, rng: np.random.Generator, count: int) -> pa.Array:
    if pa.types.is_string(field.type):
        choices: list[Any] = list(BANDS)
    elif pa.types.is_integer(field.type):
        edge = 2 ** (field.type.bit_width - 1) - 1
        choices = [0, 1, edge, -edge - 1, 7]
    else:
        choices = [0.0, -0.0, -1.5, 0.1, 1e30, -1e-30, 3.25]
        choices += [float("nan"), float("inf"), float("-inf"), 1e-45] if field.nullable else []
    choices += [None] if field.nullable else []
    values = [choices[place] for place in rng.integers(0, len(choices), count)]
    return (
        pa.array(values, pa.float64()).cast(field.type)
        if pa.types.is_floating(field.type)
        else pa.array(values, field.type)
    )


def expected_objects(tiles: Sequence[TileRows], region: Polygon) -> pa.Table:
    """The newest version of each object, where it lies inside of a region."""
    kind = apdb_table("DiaObjectLast")
    every = pa.concat_tables([storable_rows(apdb_table("DiaObject"), tile.objects) for tile in tiles])
    every = every.sort_by([("diaObjectId", "ascending"), ("validityStartMjdTai", "descending")])
    ids = every["diaObjectId"].to_numpy()
    newest = every.filter(pa.array(np.append(True, ids[1:] != ids[:-1])[: len(ids)]))
    return _cut(newest, region).select(kind.schema.names)


def expected_history(
    tiles: Sequence[TileRows], name: TableName, region: Polygon, since: float, until: float
) -> pa.Table:
    """Rows of DiaSource or DiaForcedSource in a region with ``since <= time < until``."""
    kind = apdb_table(name)
    given = [tile.sources if name == "DiaSource" else tile.forced for tile in tiles]
    every = pa.concat_tables([storable_rows(kind, rows) for rows in given])
    time = every[kind.time]
    return _cut(every.filter(pc.and_(pc.greater_equal(time, since), pc.less(time, until))), region)


def _cut(rows: pa.Table, region: Polygon) -> pa.Table:
    return rows.filter(pa.array(region.contains(rows["ra"].to_numpy(), rows["dec"].to_numpy())))


def minus_zeros(rows: pa.Table) -> int:
    """How many numbers are -0.0, which Arrow holds to be equal to 0.0."""
    columns = [column.fill_null(1.0).to_numpy() for column in rows.columns if pa.types.is_floating(column.type)]
    return sum(int(((values == 0.0) & np.signbit(values)).sum()) for values in columns)


def sorted_rows(rows: pa.Table, name: TableName) -> pa.Table:
    """Rows in the order of their key, in one piece, so that tables can be compared."""
    return rows.sort_by([(column, "ascending") for column in apdb_table(name).key]).combine_chunks()
