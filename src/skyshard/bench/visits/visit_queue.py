"""Which visits of a trial are still to be done, and by which tiles: a pure function of what a store holds.

Visits of one field follow each other, so that a tile that is missing from a visit before the field's newest stored one
was given up: it will never be stored. Of visits that only read a store says nothing: those that were measured are over.
No I/O.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from skyshard.apdb.sky.visit_sky import VisitSky
from skyshard.basics.array_types import Flags
from skyshard.basics.errors import UserError
from skyshard.bench.record.odd_tiles import odd_tiles
from skyshard.bench.workload.visit_load import VisitLoad
from skyshard.bench.workload.workload import Workload


@dataclass(frozen=True, slots=True)
class QueuedVisit:
    """One visit, and what is left to do of it."""

    visit: int
    phase: str
    load: VisitLoad
    todo: tuple[int, ...]
    """Tiles to process; none: the visit is over."""
    missing: tuple[int, ...] = ()
    """Tiles that will never be stored."""
    is_first: bool = False
    """The first one of its phase."""


class StoredTiles:
    """The tiles that a store holds, by visit."""

    def __init__(self, tiles: pa.Table) -> None:
        self._tiles = tiles
        visits, detectors = tiles["visit"].to_numpy(), tiles["detector"].to_numpy()
        order = np.argsort(visits, kind="stable")
        numbers, first = np.unique(visits[order], return_index=True)
        parts = np.split(detectors[order], first[1:]) if len(numbers) else []
        self._by_visit = {int(number): frozenset(part.tolist()) for number, part in zip(numbers, parts, strict=True)}

    def __len__(self) -> int:
        return sum(map(len, self._by_visit.values()))

    @property
    def pairs(self) -> set[tuple[int, int]]:
        """Visit and detector of each."""
        return set(zip(self._tiles["visit"].to_pylist(), self._tiles["detector"].to_pylist(), strict=True))

    def of(self, visit: int) -> frozenset[int]:
        return self._by_visit.get(visit, frozenset())

    @property
    def visits(self) -> Sequence[int]:
        return sorted(self._by_visit)

    @property
    def newest(self) -> int:
        """Number of the newest visit with a stored tile; 0: none."""
        return max(self._by_visit, default=0)

    def require_known(self, sky: VisitSky, tiles: int) -> None:
        """Raises UserError for visits and detectors that the workload does not have, or has at another time."""
        visits = sky.settings.count
        number, detector, time = (self._tiles[name].to_numpy() for name in ("visit", "detector", "time"))
        is_known = (number >= 1) & (number <= visits) & (detector >= 0) & (detector < tiles)
        remedy = f"it has {visits} visits of {tiles} tiles; use the store of this workload, or an empty one"
        self._refuse(~is_known, "which the workload does not have", remedy)
        wanted = np.array([sky.time_of(one) for one in np.clip(number, 1, visits).tolist()])
        self._refuse(time != wanted, "at another time than the workload has them: a clock went wrong", remedy)

    def _refuse(self, which: Flags, what: str, remedy: str) -> None:
        odd = self._tiles.filter(pa.array(which))
        if found := odd_tiles(what, zip(odd["visit"].to_pylist(), odd["detector"].to_pylist(), strict=True)):
            raise UserError(f"the store holds {found[0].sentence}", remedy=remedy)


def queue(
    workload: Workload, sky: VisitSky, stored: StoredTiles, *, first: int = 1, measured: Collection[int] = ()
) -> Iterator[QueuedVisit]:
    """Every visit of a workload in order, those that are over too.

    Args:
        first: the first visit of the first phase; the ones before it are only looked up (``update: false``).
        measured: visits of this trial that have samples.
    """
    every = frozenset(range(sky.settings.tile_count))
    newest: dict[int, int] = {}
    for visit in stored.visits:
        newest[sky.field_of(visit)] = visit
    place = first
    for phase in workload.phases:
        load = phase.visits
        assert load is not None
        for visit in range(place, place + load.count):
            left = every - stored.of(visit)
            is_over = visit < newest.get(sky.field_of(visit), 0) or not left
            if not load.update:
                todo = () if visit in measured else tuple(sorted(every))
                yield QueuedVisit(visit, phase.name, load, todo, is_first=visit == place)
            elif is_over:
                yield QueuedVisit(visit, phase.name, load, (), tuple(sorted(left)), is_first=visit == place)
            else:
                yield QueuedVisit(visit, phase.name, load, tuple(sorted(left)), is_first=visit == place)
        place += load.count


def stored_before(sky: VisitSky, stored: StoredTiles, first: int) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The visits before ``first`` with their tiles that are missing from the store."""
    every = frozenset(range(sky.settings.tile_count))
    for visit in range(1, first):
        yield visit, tuple(sorted(every - stored.of(visit)))
