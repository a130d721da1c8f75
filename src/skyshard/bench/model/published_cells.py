"""The model against published tests: every published number beside what the same trials predict for it. No I/O.

The prices come from the trials alone, the hardware from its file; nothing is fitted to a published number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy.special import stdtrit

from skyshard.bench.model.class_time import Load, Setting, TemplateWork, class_time
from skyshard.bench.model.hardware import Hardware
from skyshard.bench.model.node_time import Costs
from skyshard.bench.model.published_results import PublishedResults
from skyshard.bench.model.work import CatalogSize, Reach
from skyshard.bench.workload.workload import Workload
from skyshard.catalog.strict_files import Strict


class Kind(StrEnum):
    """Kinds of queries whose errors are pooled."""

    SCAN = "scan"
    JOIN = "join"
    NEAR = "near neighbour"
    SHORT = "short"
    """Look-ups and small areas."""


FEWEST_CELLS = 3
"""Fewer cells of a kind do not tell how far the model is off."""


class PublishedCell(Strict):
    """One published number, and the prediction for it."""

    name: str
    fraction: float
    nodes: int
    kind: Kind
    is_under_load: bool
    predicted_s: float
    measured_s: float

    @property
    def ratio(self) -> float:
        """Measured over predicted."""
        return self.measured_s / self.predicted_s


class ConcurrentCell(Strict):
    """Scans of one table at a time: how many times as long as one of them, published and predicted."""

    name: str
    scans: int
    predicted_growth: float
    measured_growth: float


@dataclass(frozen=True, slots=True)
class PublishedTests:
    """What the check needs: the numbers, the sizes of their catalogs, the hardware, and the loads' workloads."""

    results: PublishedResults
    sizes: Mapping[float, CatalogSize]
    """By fraction."""
    hardware: Hardware
    workload: Callable[[str], Workload]


@dataclass(frozen=True, slots=True)
class ModelError:
    """How far the model is off for one kind of queries: measured over predicted, as logarithms."""

    centre: float
    """Their mean: 0 where the model is right in the middle."""
    half_width: float
    """Of a 95 % interval for one more ratio: Student's t times their standard deviation, with a degree of freedom for
    each series less one, since the columns of one series err together."""
    cells: int

    def interval(self, more: float) -> tuple[float, float]:
        """The factors from a prediction to the ends of its interval, which holds the prediction itself.

        ``more`` is a half width, as a logarithm, from elsewhere.
        """
        reach = float(np.hypot(self.half_width, more))
        return float(np.exp(min(0.0, self.centre - reach))), float(np.exp(max(0.0, self.centre + reach)))


def published_cells(
    tests: PublishedTests, classes: Mapping[str, Sequence[TemplateWork]], costs: Mapping[str, Costs], efficiency: float
) -> list[PublishedCell]:
    """Every published number that has a class among the trials."""
    return [*_alone(tests, classes, costs, efficiency), *_together(tests, classes, costs, efficiency)]


def _alone(
    tests: PublishedTests, classes: Mapping[str, Sequence[TemplateWork]], costs: Mapping[str, Costs], efficiency: float
) -> list[PublishedCell]:
    cells = []
    for one in tests.results.results:
        works = _like(one.like, classes)
        for column, measured in zip(tests.results.columns, one.alone_s, strict=True):
            if measured is None or not works:
                continue
            setting = Setting(tests.sizes[column.fraction], tests.hardware, column.nodes, efficiency)
            found = class_time(works, costs, setting)
            cells.append(
                PublishedCell(
                    name=one.name, fraction=column.fraction, nodes=column.nodes, kind=kind_of(works),
                    is_under_load=False, predicted_s=found.total_s, measured_s=measured,
                )
            )  # fmt: skip
    return cells


def _together(
    tests: PublishedTests, classes: Mapping[str, Sequence[TemplateWork]], costs: Mapping[str, Costs], efficiency: float
) -> list[PublishedCell]:
    cells = []
    nodes = {column.fraction: column.nodes for column in tests.results.columns}
    every = [one for works in classes.values() for one in works]
    for day in tests.results.together:
        load = Load.of(tests.workload(day.load), every, day.without)
        for name, measured in day.mean_s.items():
            if not (works := _like(name, classes)):
                continue
            setting = Setting(tests.sizes[day.fraction], tests.hardware, nodes[day.fraction], efficiency, load)
            found = class_time(works, costs, setting)
            cells.append(
                PublishedCell(
                    name=name, fraction=day.fraction, nodes=nodes[day.fraction], kind=kind_of(works),
                    is_under_load=True, predicted_s=found.total_s, measured_s=measured,
                )
            )  # fmt: skip
    return cells


def concurrent_cells(
    tests: PublishedTests, classes: Mapping[str, Sequence[TemplateWork]], costs: Mapping[str, Costs], efficiency: float
) -> list[ConcurrentCell]:
    """Scans at a time, of the last column: flat while the disk decides, then as the processors fill."""
    cells = []
    column, results = tests.results.columns[-1], tests.results
    for class_name, table, seen in (
        ("FTSObj", "Object", results.concurrent_object_scans),
        ("FTSFSrc", "ForcedSource", results.concurrent_forced_source_scans),
    ):
        if seen is None or not (works := _like(class_name, classes)):
            continue
        times = []
        for count in seen.scans:
            load = Load(float(count), frozenset({table}))
            setting = Setting(tests.sizes[column.fraction], tests.hardware, column.nodes, efficiency, load)
            times.append(class_time(works, costs, setting).total_s)
        cells += [
            ConcurrentCell(name=f"{table} scans", scans=count, predicted_growth=predicted / times[0],
                           measured_growth=measured / seen.mean_s[0])
            for count, predicted, measured in zip(seen.scans, times, seen.mean_s, strict=True)
        ]  # fmt: skip
    return cells


def _like(name: str, classes: Mapping[str, Sequence[TemplateWork]]) -> list[TemplateWork]:
    """The templates of a class, or the one named ``class/template``, in the area that the tests asked."""
    class_name, _, template = name.partition("/")
    return [one.as_published() for one in classes.get(class_name, ()) if not template or one.template == name]


def kind_of(works: Sequence[TemplateWork]) -> Kind:
    """The kind of a class."""
    if any(one.work.is_near for one in works):
        return Kind.NEAR
    if all(one.work.reach is not Reach.SKY for one in works):
        return Kind.SHORT
    return Kind.JOIN if any(len(one.work.tables) > 1 for one in works) else Kind.SCAN


def model_errors(cells: Sequence[PublishedCell]) -> dict[Kind, ModelError]:
    """The error of each kind that has enough cells."""
    errors = {}
    for kind in Kind:
        mine = [one for one in cells if one.kind == kind]
        if len(mine) < FEWEST_CELLS:
            continue
        logs = np.log([one.ratio for one in mine])
        freedom = max(1, len({(one.name, one.is_under_load) for one in mine}) - 1)
        reach = float(stdtrit(freedom, 0.975)) * float(logs.std(ddof=1)) * float(np.sqrt(1 + 1 / len(mine)))
        errors[kind] = ModelError(float(logs.mean()), reach, len(mine))
    return errors
