"""The whole sky of a run: visits drawn one after the other, field by field, and what each must read.

Visits of one field follow each other: the next one is drawn when the one before it has ended. Visits of different
fields know nothing of each other, so that they may run at the same time.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from skyshard.apdb.sky.cadence import visit_fields, visit_times
from skyshard.apdb.sky.drawn_visit import DrawnVisit, draw_visit
from skyshard.apdb.sky.field_objects import FieldObjects
from skyshard.apdb.sky.field_truth import FieldTruth, VisitTruth
from skyshard.apdb.sky.sky_settings import SkySettings
from skyshard.apdb.tables.apdb_tables import MONTH_DAYS, apdb_table, month_of


class VisitSky:
    """Draws visits and keeps what the store has; used by one thread at a time."""

    def __init__(self, settings: SkySettings, *, only_needed: bool = False) -> None:
        """``only_needed``: histories are read with the needed columns only."""
        self.settings = settings
        self._times, self._fields = visit_times(settings), visit_fields(settings)
        visits = np.bincount(self._fields, minlength=len(settings.centres))
        self._objects = [FieldObjects.of(settings, number, int(count)) for number, count in enumerate(visits)]
        needed = {name: apdb_table(name).needed for name in ("DiaSource", "DiaForcedSource")} if only_needed else {}
        self.columns = {"DiaSource": needed.get("DiaSource"), "DiaForcedSource": needed.get("DiaForcedSource")}
        self._truths = [FieldTruth(objects, self.columns) for objects in self._objects]

    def field_of(self, visit: int) -> int:
        """Field of a visit; visits are numbered from 1."""
        return int(self._fields[visit - 1])

    def time_of(self, visit: int) -> float:
        """Time of a visit, MJD TAI."""
        return float(self._times[visit - 1])

    def draw(self, visit: int) -> DrawnVisit:
        """What a visit finds; each visit is drawn once, those of one field in order, the one before settled."""
        number = self.field_of(visit)
        return draw_visit(self.settings, self._objects[number], visit, number, self.time_of(visit))

    def truth_of(self, drawn: DrawnVisit) -> VisitTruth:
        """What a drawn visit must read."""
        return self._truths[drawn.field].of(drawn)

    def settle(self, drawn: DrawnVisit, missing: Collection[int] = ()) -> None:
        """A visit has ended; ``missing``: its tiles that are not stored and will never be."""
        self._truths[drawn.field].settle(drawn, missing)

    def month_begun(self, visit: int) -> float | None:
        """Where a visit is the first of its month: the beginning of the history that is still read; else None."""
        time = self.time_of(visit)
        if visit > 1 and month_of(time) == month_of(self.time_of(visit - 1)):
            return None
        return month_of(time) * MONTH_DAYS - self.settings.history_days

    def purge(self, time: float) -> None:
        """Objects whose last source is before a time were deleted from DiaObjectLast."""
        for truth in self._truths:
            truth.purge(time)
