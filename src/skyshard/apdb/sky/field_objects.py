"""The objects of one field: where they are, when they can be seen, and what is stored of each.

Two things are kept apart: what the sky has (positions, births, ends), which depends on nothing but the settings, and
what a database has (sources so far, newest version), which changes only by what was stored.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from skyshard.apdb.sky.fields import Field, Readers
from skyshard.apdb.sky.sky_settings import SkySettings
from skyshard.basics.array_types import Flags, Floats, Integers, Words

VARIABLE = 1 << 62
"""Bit that tells numbers of objects that were always there from numbers of those that a visit found first."""
_TILE_BITS = 12
_ROW_BITS = 20
_POSITIONS = 13
_JITTER_RAD = 0.05 / 206_265.0
"""Error of a source's position: 0.05 arcseconds."""


def row_ids(visit: int, tile: Integers, row: Integers) -> Integers:
    """Numbers of sources, forced sources and new objects: visit, tile, place in the tile.

    >>> (row_ids(3, np.array([2]), np.array([5])) == (3 << 32 | 2 << 20 | 5)).all()
    np.True_
    """
    return np.int64(visit << (_TILE_BITS + _ROW_BITS)) | tile << np.int64(_ROW_BITS) | row


def owner_of(object_ids: Integers) -> Integers:
    """The tile that an object belongs to, by its number."""
    return (object_ids >> np.int64(_ROW_BITS)) & np.int64((1 << _TILE_BITS) - 1)


@dataclass(slots=True)
class FieldObjects:
    """Arrays of one value an object, in order of birth; those not born yet have an infinite ``birth``."""

    place: Field
    x: Floats
    y: Floats
    ra: Floats
    dec: Floats
    owner: Integers
    birth: Floats
    end: Floats
    """Time after which the object is not seen, MJD TAI."""
    id: Integers
    sources: Integers
    """Stored sources."""
    first: Floats
    """Time of the first and of the last stored source; NaN: none."""
    last: Floats
    newest: Words
    """Number (``row_numbers``) of the row of DiaObjectLast."""
    is_stored: Flags
    """Whether DiaObjectLast has the object."""
    born: int = 0
    visits: int = 0
    """Visits of this field that were drawn."""
    readers: Readers = field(default_factory=lambda: Readers(np.empty(0, np.int64), np.empty(0, np.int64)))
    """Which tiles read which objects."""

    @classmethod
    def of(cls, settings: SkySettings, number: int, visits: int) -> FieldObjects:
        """The variable objects of a field, and room for what its visits find."""
        rng = np.random.default_rng([settings.seed, _POSITIONS, number])
        place = Field.of(settings, number)
        x, y = settings.places[number] if settings.places else place.drawn(settings.population, rng)
        size = len(x) + visits * (settings.noise + settings.transient)
        floats, integers = np.full(size, np.nan), np.zeros(size, np.int64)
        found = cls(
            place, floats.copy(), floats.copy(), floats.copy(), floats.copy(), integers.copy(),
            np.full(size, np.inf), floats.copy(), integers.copy(), integers.copy(), floats.copy(), floats.copy(),
            np.zeros(size, np.uint64), np.zeros(size, np.bool_),
        )  # fmt: skip
        born = found._bear(x, y, -np.inf, np.inf)
        places = _places_in_groups(found.owner[born])
        found.id[born] = np.int64(VARIABLE) | row_ids(number, found.owner[born], places)
        return found

    def bear(self, settings: SkySettings, time: float, rng: np.random.Generator) -> Integers:
        """The new objects of a visit; their ids are set when their first sources have theirs."""
        ends = np.full(settings.noise + settings.transient, time)
        ends[: settings.transient] += settings.transient_days
        return self._bear(*self.place.drawn(len(ends), rng), time, ends)

    def _bear(self, x: Floats, y: Floats, birth: float, end: float | Floats) -> Integers:
        born = np.arange(self.born, self.born + len(x))
        self.x[born], self.y[born] = x, y
        self.ra[born], self.dec[born] = self.place.on_sky(self.x[born], self.y[born])
        self.owner[born] = self.place.owners(self.x[born], self.y[born])
        self.birth[born], self.end[born] = birth, end
        new = self.place.readers(self.x[born], self.y[born], self.ra[born], self.dec[born])
        rows, tiles = np.concatenate([self.readers.row, born[new.row]]), np.concatenate([self.readers.tile, new.tile])
        self.readers, self.born = Readers(rows, tiles), self.born + len(x)
        return born

    def seen(self, settings: SkySettings, time: float, rng: np.random.Generator) -> Integers:
        """The objects that a visit detects, tile by tile: all new ones, and a share of those that are there."""
        alive = np.flatnonzero((self.birth[: self.born] <= time) & (self.end[: self.born] >= time))
        is_seen = (rng.random(len(alive)) < settings.detected) | (self.birth[alive] == time)
        return self.by_tile(alive[is_seen])

    def by_tile(self, objects: Integers) -> Integers:
        return objects[np.argsort(self.owner[objects], kind="stable")]

    def measured(self, settings: SkySettings, time: float, seen: Integers) -> Integers:
        """The objects whose flux is measured by force, tile by tile: enough sources, the last one recent."""
        sources, last = self.sources[: self.born].copy(), self.last[: self.born].copy()
        sources[seen] += 1
        last[seen] = time
        with np.errstate(invalid="ignore"):
            is_measured = (sources >= settings.min_sources) & (last >= time - settings.cutoff_days)
        return self.by_tile(np.flatnonzero(is_measured))

    def jittered(self, objects: Integers, rng: np.random.Generator) -> tuple[Floats, Floats, Floats, Floats]:
        """Positions of sources in the plane and on the sky: x, y, ra, dec."""
        x, y = np.stack([self.x[objects], self.y[objects]]) + rng.normal(0.0, _JITTER_RAD, (2, len(objects)))
        return x, y, *self.place.on_sky(x, y)


def places_in_tiles(tiles: Integers) -> Integers:
    """Place of each row within its tile, of rows that are sorted by tile.

    >>> places_in_tiles(np.array([0, 0, 2, 2, 2])).tolist()
    [0, 1, 0, 1, 2]
    """
    return np.arange(len(tiles)) - np.searchsorted(tiles, tiles)


def _places_in_groups(tiles: Integers) -> Integers:
    order = np.argsort(tiles, kind="stable")
    places = np.empty_like(tiles)
    places[order] = places_in_tiles(tiles[order])
    return places
