"""What each tile of one field must read: numbers of rows and sums of their numbers, without the rows.

Rows of a table are counted by the tile that reads them and the tile that stored them. A tile that is stored at the
same time is either seen whole or not at all, so that answers about objects may show any of its neighbours before or
after their store; sources and forced sources end before the visit's own time, and show none of it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from skyshard.apdb.sky.drawn_visit import DrawnVisit, TableRows
from skyshard.apdb.sky.field_objects import FieldObjects
from skyshard.apdb.sky.row_digest import row_numbers
from skyshard.apdb.tables.apdb_tables import apdb_table
from skyshard.basics.array_types import Integers, Words


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows and their digest by the tile that reads them (first index) and the tile that stored them (second)."""

    rows: Integers
    digest: Words

    @classmethod
    def empty(cls, tiles: int) -> Tally:
        return cls(np.zeros((tiles, tiles), np.int64), np.zeros((tiles, tiles), np.uint64))

    def plus(self, other: Tally) -> Tally:
        return Tally(self.rows + other.rows, self.digest + other.digest)

    def without(self, owners: Collection[int]) -> Tally:
        """The same, with nothing of some storing tiles."""
        if not owners:
            return self
        kept = Tally(self.rows.copy(), self.digest.copy())
        kept.rows[:, list(owners)] = 0
        kept.digest[:, list(owners)] = 0
        return kept


def tally(tiles: int, found: TableRows, numbers: Words) -> Tally:
    """Count the rows of one table of one visit."""
    total, row, tile = Tally.empty(tiles), found.readers.row, found.readers.tile
    np.add.at(total.rows, (tile, found.owner[row]), 1)
    np.add.at(total.digest, (tile, found.owner[row]), numbers[row])
    return total


@dataclass(slots=True)
class History:
    """Rows of the stored visits of a field, summed up visit by visit."""

    times: list[float] = field(default_factory=list)
    rows: list[Integers] = field(default_factory=list)
    """Sum up to and with each visit, by reading tile."""
    digests: list[Words] = field(default_factory=list)

    def add(self, time: float, found: Tally) -> None:
        rows, digest = found.rows.sum(axis=1), found.digest.sum(axis=1, dtype=np.uint64)
        self.rows.append(rows + self.rows[-1] if self.rows else rows)
        self.digests.append(digest + self.digests[-1] if self.digests else digest)
        self.times.append(time)

    def between(self, since: float, until: float, tiles: int) -> tuple[Integers, Words]:
        """Rows and digest by reading tile of visits with ``since <= time < until``."""
        first, last = np.searchsorted(self.times, [since, until])
        rows, digest = np.zeros(tiles, np.int64), np.zeros(tiles, np.uint64)
        if last > first:
            rows, digest = self.rows[last - 1], self.digests[last - 1]
            if first:
                rows, digest = rows - self.rows[first - 1], digest - self.digests[first - 1]
        return rows, digest


@dataclass(frozen=True, slots=True)
class VisitTruth:
    """What the tiles of one visit must read."""

    before: Tally
    """Objects as they are before the visit."""
    after: Tally
    """Objects when all of its tiles are stored."""
    source_rows: Integers
    source_digest: Words
    forced_rows: Integers
    forced_digest: Words


class FieldTruth:
    """What is stored of one field, and what that means for its next visit."""

    def __init__(self, objects: FieldObjects, columns: dict[str, tuple[str, ...] | None]) -> None:
        """``columns``: those that are read of DiaSource and DiaForcedSource; None: all."""
        self._objects, self._tiles = objects, objects.place.tiles**2
        self._columns = {
            name: apdb_table(name).chosen(columns[name]).names for name in ("DiaSource", "DiaForcedSource")
        }
        self._last = Tally.empty(self._tiles)
        self._sources, self._forced = History(), History()

    def of(self, drawn: DrawnVisit) -> VisitTruth:
        """What the tiles of the field's next visit must read."""
        sources = self._sources.between(drawn.since, drawn.time, self._tiles)
        forced = self._forced.between(drawn.since, drawn.time, self._tiles)
        return VisitTruth(self._last, self._last.plus(self._change(drawn)[0]), *sources, *forced)

    def _change(self, drawn: DrawnVisit) -> tuple[Tally, Words]:
        """How a visit changes DiaObjectLast, and the numbers of its new rows."""
        found, objects = drawn.objects, self._objects
        newest = row_numbers(found.rows.select(apdb_table("DiaObjectLast").schema.names))
        was_stored = objects.is_stored[found.objects]
        gone = np.where(was_stored, objects.newest[found.objects], np.uint64(0))
        change = tally(self._tiles, found, newest - gone)
        row = found.readers.row
        np.subtract.at(change.rows, (found.readers.tile, found.owner[row]), was_stored[row])
        return change, newest

    def settle(self, drawn: DrawnVisit, missing: Collection[int]) -> None:
        """The visit is over: its tiles are stored but for the missing ones."""
        change, newest = self._change(drawn)
        self._last = self._last.plus(change.without(missing))
        for name, found, history in (
            ("DiaSource", drawn.sources, self._sources), ("DiaForcedSource", drawn.forced, self._forced),
        ):  # fmt: skip
            numbers = row_numbers(found.rows.select(self._columns[name]))
            history.add(drawn.time, tally(self._tiles, found, numbers).without(missing))
        self._note_objects(drawn, missing, newest)

    def _note_objects(self, drawn: DrawnVisit, missing: Collection[int], newest: Words) -> None:
        objects = self._objects
        is_there = ~np.isin(drawn.objects.owner, list(missing))
        changed, seen = drawn.objects.objects[is_there], drawn.sources.objects
        seen = seen[~np.isin(drawn.sources.owner, list(missing))]
        objects.sources[seen] += 1
        objects.first[seen] = np.fmin(objects.first[seen], drawn.time)
        objects.last[seen] = drawn.time
        objects.newest[changed] = newest[is_there]
        objects.is_stored[changed] = True

    def purge(self, time: float) -> None:
        """Objects whose last source is before a time are in DiaObjectLast no more."""
        objects = self._objects
        with np.errstate(invalid="ignore"):
            gone = objects.is_stored & (objects.last < time)
        row, tile = objects.readers.row, objects.readers.tile
        is_gone = gone[row]
        row, tile = row[is_gone], tile[is_gone]
        last = Tally(self._last.rows.copy(), self._last.digest.copy())
        np.subtract.at(last.rows, (tile, objects.owner[row]), 1)
        np.subtract.at(last.digest, (tile, objects.owner[row]), objects.newest[row])
        self._last = last
        objects.is_stored[gone] = False
