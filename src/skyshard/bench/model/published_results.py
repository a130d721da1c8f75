"""Published results (``queries/published/*.yaml``), and how well the model of the projections agrees with them.

The model is calibrated on the first column and predicts the others: scans and joins in proportion to the rows of a
node, look-ups constant. A result outside the tolerance is listed as a failure of the model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from skyshard.catalog.strict_files import broken_rule, read_located

TOLERANCE = 1.25
"""Largest ratio between measured and predicted for which the model holds."""


class _PublishedModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedTest(_PublishedModel):
    """One test."""

    fraction: Annotated[float, Field(gt=0, le=1)]
    nodes: Annotated[int, Field(ge=1)]
    source: str


class PublishedTimes(_PublishedModel):
    """One kind of query over the tests."""

    name: str
    like: str = ""
    """The class, or ``class/template``, whose queries these were."""
    kind: Literal["scan", "constant"]
    """scan: work in proportion to the rows of a node; constant: a look-up."""
    alone_s: list[float | None]
    """Mean time without concurrent queries, one number for each column."""


class ConcurrentScans(_PublishedModel):
    """Concurrent scans in one test."""

    source: str
    scans: list[int]
    mean_s: list[float]


class LoadMeans(_PublishedModel):
    """Means by class of one test under a load of several classes."""

    fraction: Annotated[float, Field(gt=0, le=1)]
    load: str
    """The shipped workload that has the load's clients."""
    without: list[str] = []
    """Classes of it that were left out."""
    mean_s: dict[str, float]


class PublishedResults(_PublishedModel):
    """The content of the file."""

    version: Literal[1]
    name: str
    columns: Annotated[list[PublishedTest], Field(min_length=2)]
    results: list[PublishedTimes]
    concurrent_object_scans: ConcurrentScans
    concurrent_forced_source_scans: ConcurrentScans | None = None
    together: list[LoadMeans] = []

    @model_validator(mode="after")
    def _has_a_number_for_each_column(self) -> PublishedResults:
        for number, one in enumerate(self.results):
            if len(one.alone_s) != len(self.columns):
                raise broken_rule(f"'{one.name}' needs {len(self.columns)} numbers", ["results", number, "alone_s"])
        return self


class PublishedCheck(_PublishedModel):
    """One published number with the model's."""

    name: str
    fraction: float
    predicted_s: float
    measured_s: float
    ratio: float
    """Measured over predicted."""
    holds: bool


def read_published(path: Path) -> PublishedResults:
    """Read and check a file of published results."""
    return read_located(PublishedResults, path)


def check_model(published: PublishedResults) -> list[PublishedCheck]:
    """Predict every later column from the first."""
    base = published.columns[0]
    checks = []
    for one in published.results:
        first = one.alone_s[0]
        for column, measured in zip(published.columns[1:], one.alone_s[1:], strict=True):
            if first is None or measured is None:
                continue
            growth = (column.fraction / column.nodes) / (base.fraction / base.nodes) if one.kind == "scan" else 1.0
            ratio = measured / (first * growth)
            holds = 1 / TOLERANCE <= ratio <= TOLERANCE
            checks.append(
                PublishedCheck(name=one.name, fraction=column.fraction, predicted_s=first * growth, measured_s=measured,
                      ratio=ratio, holds=holds)
            )  # fmt: skip
    return checks


def cliff(scans: list[int], mean_s: list[float]) -> tuple[int, float]:
    """Where concurrent scans stop being nearly free: (most scans within twice the time of one, growth beyond that).

    >>> cliff([1, 2, 20, 40], [10, 10, 12, 36])
    (20, 3.0)
    """
    flat = max(place for place, one in enumerate(mean_s) if one <= 2 * mean_s[0])
    return scans[flat], mean_s[-1] / mean_s[flat]
