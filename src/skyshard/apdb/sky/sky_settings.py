"""What decides a sky of visits and what is found in it: a value, from which everything else follows. No I/O.

The numbers have the names and meaning of ``ap_proto`` (l1dbproto ``config.py``) where it has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from skyshard.apdb.tables.apdb_tables import MONTH_DAYS
from skyshard.basics.array_types import Floats

START_MJD = 61_000.2
"""Time of the first visit, MJD TAI (November 2025)."""
VISIT_S = 45.0
"""Seconds between the visits of a night."""
Places = tuple[Floats, Floats]
"""Coordinates in the plane of a field, radians: x to the east, y to the north."""


@dataclass(frozen=True, slots=True)
class SkySettings:
    """Fields, cadence, and how much a visit finds."""

    seed: int
    count: int
    """Visits, numbered from 1."""
    centres: tuple[tuple[float, float], ...]
    """Right ascension and declination of each field, degrees; fields do not touch."""
    fov_deg: float
    """Side of the square field of view."""
    tiles: int
    """A visit has ``tiles`` x ``tiles`` tiles."""
    padding_arcsec: float
    """Margin of what is read around a tile."""
    order: Literal["round-robin", "random"]
    """Which field a visit points at."""
    variable: int
    """Variable objects detected in a visit, on average."""
    detected: float
    """Share of a field's variable objects, and of its living transients, that a visit detects; above 0, at most 1."""
    transient: int
    """New objects of a visit that are seen for ``transient_days``."""
    transient_days: float
    noise: int
    """New objects of a visit that are never seen again: false detections."""
    visits_per_month: float
    """Visits of all fields in 30 nights."""
    history_months: int
    """Months of sources and forced sources that a visit reads."""
    min_sources: int
    """Sources that an object has before its flux is measured in images that do not show it (forced photometry)."""
    cutoff_days: float
    """Days after its last source in which that is done."""
    places: tuple[Places, ...] = ()
    """Where the variable objects of each field are; empty: ``population`` of them a field, evenly at random."""

    @property
    def history_days(self) -> float:
        return self.history_months * MONTH_DAYS

    @property
    def tile_count(self) -> int:
        return self.tiles * self.tiles

    @property
    def population(self) -> int:
        """Variable objects of a field, at most where ``places`` are given."""
        return round(self.variable / self.detected)
