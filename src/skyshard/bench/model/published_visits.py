"""Published runs of visits (``queries/published/apdb.yaml``), and what they come to at another size. Reads only the
file.

Scaling: times in proportion to the sources of a visit, and compared at the same number of visits a field, since both
decide how many rows a visit reads. Hardware is not scaled.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, model_validator

from skyshard.catalog.strict_files import Strict, broken_rule, read_located
from skyshard.host.shipped_data import data_folder

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=1)]


class PublishedPoint(Strict):
    """Seconds of a visit after so many visits."""

    visits: Count
    visit_s: Positive | None = None
    select_s: Positive | None = None
    """All reads."""
    select_object_s: Positive | None = None
    store_s: Positive | None = None
    origin: Literal["computed", "read"]
    """A median computed from the run's raw file, or a number that a document prints."""

    @model_validator(mode="after")
    def _has_a_time(self) -> PublishedPoint:
        if not any((self.visit_s, self.select_s, self.select_object_s, self.store_s)):
            raise broken_rule("a point needs a time", ["visits"], "give visit_s, select_s, select_object_s or store_s")
        return self


class PublishedLine(Strict):
    """A linear fit: seconds at first, and more for each thousand visits."""

    what: Literal["visit", "select", "store"]
    first_s: Positive | None = None
    slope_s: Positive


class PublishedRun(Strict):
    """One backend on one machine."""

    backend: str
    hardware: str
    setup: str
    clients: Count
    nodes: Count = 1
    replicas: Count = 1
    source: str
    """The document and its part, or the run's name among the raw files."""
    points: Annotated[list[PublishedPoint], Field(min_length=1)]
    lines: list[PublishedLine] = Field(default_factory=list)

    @model_validator(mode="after")
    def _is_in_order(self) -> PublishedRun:
        visits = [one.visits for one in self.points]
        if visits != sorted(set(visits)):
            raise broken_rule("points are not in order of their visits", ["points"], "sort them, each number once")
        return self


class PublishedRows(Strict):
    """Rows that one detector reads after so many visits."""

    visits: Count
    objects: Count
    sources: Count
    forced: Count


class PublishedVisits(Strict):
    """The content of the file."""

    version: Literal[1]
    name: str
    sources_a_visit: Count
    fields: Count
    """Of the sky that the visits go over."""
    window_visits: Count
    """In the twelve months that are read."""
    visits_source: str
    results: Annotated[list[PublishedRun], Field(min_length=1)]
    rows_a_detector: Annotated[list[PublishedRows], Field(min_length=2)]
    rows_source: str

    def rows_after(self, visits: float) -> tuple[float, float, float]:
        """Objects, sources and forced sources that a detector reads after so many visits, between the published
        numbers; the last two are level from the window's end on."""
        known = self.rows_a_detector
        at = [0.0, *(float(one.visits) for one in known)]
        level = min(visits, float(self.window_visits))
        objects = float(np.interp(visits, at, [0.0, *(float(one.objects) for one in known)]))
        at[-1] = float(self.window_visits)
        sources, forced = (
            float(np.interp(level, at, [0.0, *values]))
            for values in ([float(one.sources) for one in known], [float(one.forced) for one in known])
        )
        return objects, sources, forced


def read_published_visits(path: Path) -> PublishedVisits:
    """Read and check a file of published runs.

    Raises:
        UserError: it cannot be read, or has a wrong key; file, line, remedy.
    """
    return read_located(PublishedVisits, path)


@cache
def shipped_published_visits() -> PublishedVisits:
    """The runs that ship with Skyshard."""
    return read_published_visits(data_folder("queries", "published") / "apdb.yaml")
