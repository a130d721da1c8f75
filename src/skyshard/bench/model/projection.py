"""A projection: what trials say of a larger catalog on other hardware, class by class, with honest intervals. No I/O.

An interval has two parts, added as squares of logarithms: the scatter of the trials about the fit, and how far the same
prices are off when they predict the published tests. A class meets its target when the whole interval does, misses it
when none of it does, and is open otherwise.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from pydantic import Field

from skyshard.bench.model.by_columns import fit_columns, parted, with_columns
from skyshard.bench.model.class_time import Load, Setting, TemplateWork, class_time, template_works
from skyshard.bench.model.disk_efficiency import disk_efficiency
from skyshard.bench.model.fit_costs import FittedCosts, fit_costs, sizes_of, too_few
from skyshard.bench.model.hardware import Hardware
from skyshard.bench.model.node_time import Costs
from skyshard.bench.model.observations import Observation, TimeBy
from skyshard.bench.model.priced_templates import PricedTemplate, priced
from skyshard.bench.model.published_cells import (
    ConcurrentCell,
    Kind,
    ModelError,
    PublishedCell,
    PublishedTests,
    concurrent_cells,
    kind_of,
    model_errors,
    published_cells,
)
from skyshard.bench.model.work import CatalogSize
from skyshard.bench.workload.workload import Workload
from skyshard.catalog.strict_files import Strict

MOST_NODES = 999
UNKNOWN = ModelError(0.0, math.log(100.0), 0)
"""Where no published test tells how far the model is off."""

WIDEST = 1_000.0
"""Ratio of an interval's ends from which it tells nothing."""

Verdict = Literal["meets", "misses", "open"]


class ClassProjection(Strict):
    """One class."""

    class_name: str
    target_s: float | None
    nodes: int
    node_bytes: float
    """Bytes of all tables on a node, without indexes."""
    read_bytes: float
    """Bytes that a query reads on a node."""
    cached: float
    """Share of a node's data that its memory holds."""
    regime: str
    """What decides the time: processor, memory, disk, fan-in or overhead."""
    alone_s: float
    predicted_s: float
    """Under the load, where there is one."""
    low_s: float
    high_s: float
    verdict: Verdict | None
    """None without a target."""
    fewest_nodes: int | None
    """The smallest number of nodes whose prediction meets the target; None: not up to 999, or there is no target."""
    sure_nodes: int | None
    """The smallest number for which the whole interval meets it."""

    @property
    def is_useful(self) -> bool:
        """False when the interval is so wide that nothing follows from it."""
        return self.high_s <= WIDEST * max(self.low_s, 1e-12)


class Growth(Strict):
    """The predicted time of a class, alone, over shares of DR1 on the cluster."""

    class_name: str
    fractions: list[float]
    times_s: list[float]
    regimes: list[str]


class Projection(Strict):
    """``projection.json``."""

    version: Literal[1, 2] = 2
    """2: with what is read by columns."""
    trials: list[str]
    profile: str
    fraction: float
    nodes: int
    load: str
    """The workload of the load; empty: each class alone."""
    hardware: Hardware
    classes: list[ClassProjection]
    by_columns: list[ClassProjection] = Field(default_factory=list)
    """The classes that are answered from column images, where trials say what that takes."""
    growth: list[Growth]
    published: list[PublishedCell]
    concurrent: list[ConcurrentCell]
    """Scans at a time."""
    published_hardware: str
    prices: list[PricedTemplate]
    """What the trials say: all that is needed to predict again."""
    column_prices: list[PricedTemplate] = Field(default_factory=list)
    """The same of ``by_columns``."""
    distance: float
    """Rows of the projected catalog over those of the largest that was measured."""
    measured_rows: float
    measured_cold: int
    """Cold trials."""
    disk_efficiency: float
    scatter: float
    """Standard deviation of the logarithm of measured over fitted times."""
    times: TimeBy
    """What the prices come from: elapsed times, or processor times."""
    stretch: float | None
    """Median over the trials of elapsed over processor time."""
    cautions: list[str]
    assumptions: list[str] = Field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Target:
    """What is projected for."""

    size: CatalogSize
    profile: str
    fraction: float
    hardware: Hardware
    nodes: int
    load: Workload
    is_loaded: bool
    """False: each class alone; the load's targets count all the same."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a projection starts from."""

    observations: Sequence[Observation]
    measured_on: Hardware | None
    """The hardware of the trials; None: cold trials cannot tell the efficiency of a disk."""
    tests: PublishedTests
    times: TimeBy = "elapsed"


def project(basis: Basis, target: Target) -> Projection:
    """The projection.

    Raises:
        UserError: the trials are too few to tell overhead from work.
    """
    observations, columns = parted(basis.observations)
    fitted = fit_costs(observations)
    efficiency = disk_efficiency(observations, basis.measured_on)
    classes = template_works(observations)
    cells = published_cells(basis.tests, classes, fitted.costs, efficiency or 1.0)
    model = _Model(fitted, efficiency or 1.0, model_errors(cells), classes, target)
    rows = [model.row(name) for name in model.asked]
    by_columns = model.by_columns(columns)
    largest = max(sum(one.size.rows.values()) for one in basis.observations)
    stretches = [one.stretch for one in basis.observations if np.isfinite(one.stretch) and not one.is_cold]
    return Projection(
        trials=sorted({one.trial for one in basis.observations}),
        profile=target.profile, fraction=target.fraction, nodes=target.nodes,
        load=target.load.name if target.is_loaded else "", hardware=target.hardware, classes=rows,
        by_columns=[by_columns.row(name) for name in by_columns.asked] if by_columns else [],
        column_prices=priced(by_columns.classes, by_columns.fitted.costs) if by_columns else [],
        growth=[model.growth(name) for name in model.asked], published=cells,
        concurrent=concurrent_cells(basis.tests, classes, fitted.costs, efficiency or 1.0),
        published_hardware=basis.tests.hardware.name, prices=priced(classes, fitted.costs),
        distance=sum(target.size.rows.values()) / largest, measured_rows=largest,
        measured_cold=len({one.trial for one in basis.observations if one.is_cold}),
        disk_efficiency=efficiency or 1.0, scatter=fitted.scatter,
        times=basis.times,
        stretch=float(np.median(stretches)) if stretches else None,
        cautions=_cautions(basis, fitted, efficiency, model, by_columns), assumptions=list(ASSUMPTIONS),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Model:
    fitted: FittedCosts
    efficiency: float
    errors: Mapping[Kind, ModelError]
    classes: Mapping[str, Sequence[TemplateWork]]
    target: Target

    @property
    def asked(self) -> list[str]:
        """Classes of the load that the trials have, in the load's order; all that they have, where they share none."""
        named = [load.class_name for phase in self.target.load.phases for load in phase.classes]
        return [name for name in dict.fromkeys(named) if name in self.classes] or list(self.classes)

    def by_columns(self, observations: Sequence[Observation]) -> _Model | None:
        """The same where column images are read; None where trials do not tell."""
        if not observations or (fitted := fit_columns(observations, self.fitted)) is None:
            return None
        return replace(self, fitted=fitted, classes=with_columns(self.classes, observations))

    def works(self, name: str) -> list[TemplateWork]:
        return [one.as_published() for one in self.classes[name]]

    def setting(self, nodes: int, *, is_loaded: bool) -> Setting:
        load = None
        if is_loaded:
            load = Load.of(self.target.load, [one for works in self.classes.values() for one in works])
        return Setting(self.target.size, self.target.hardware, nodes, self.efficiency, load)

    def predicted(self, name: str, nodes: int, costs: Mapping[str, Costs] | None = None) -> float:
        setting = self.setting(nodes, is_loaded=self.target.is_loaded)
        return class_time(self.works(name), costs or self.fitted.costs, setting).total_s

    def interval(self, name: str) -> tuple[float, float]:
        """The factors from the prediction to the ends of its 95 % interval."""
        drawn = np.log([self.predicted(name, self.target.nodes, costs) for costs in self.fitted.drawn])
        error = self.errors.get(kind_of(self.classes[name]), UNKNOWN)
        return error.interval(1.96 * float(drawn.std()))

    def row(self, name: str) -> ClassProjection:
        target, nodes = self.target, self.target.nodes
        found = class_time(self.works(name), self.fitted.costs, self.setting(nodes, is_loaded=target.is_loaded))
        alone = class_time(self.works(name), self.fitted.costs, self.setting(nodes, is_loaded=False))
        down, up = self.interval(name)
        low, high = found.total_s * down, found.total_s * up
        bound = self.bound(name)
        return ClassProjection(
            class_name=name, target_s=bound, nodes=nodes, node_bytes=target.size.bytes / nodes,
            read_bytes=found.read_bytes / nodes, cached=found.cached, regime=found.regime.value,
            alone_s=alone.total_s, predicted_s=found.total_s, low_s=low, high_s=high,
            verdict=None if bound is None else verdict_of(low, high, bound),
            fewest_nodes=None if bound is None else self.fewest(name, bound),
            sure_nodes=None if bound is None else self.fewest(name, bound / up),
        )  # fmt: skip

    def bound(self, name: str) -> float | None:
        """The target of a class, in the load's workload."""
        loads = [load for phase in self.target.load.phases for load in phase.classes if load.class_name == name]
        return loads[0].target_s if loads else None

    def fewest(self, name: str, bound_s: float) -> int | None:
        """The smallest number of nodes whose prediction is within a bound; times fall with nodes until they suffice."""
        tried = [*(2**power for power in range(MOST_NODES.bit_length() - 1)), MOST_NODES]
        enough = next((n for n in tried if self.predicted(name, n) <= bound_s), None)
        if enough is None:
            return None
        fewer = [n for n in tried if n < enough]
        between = range(fewer[-1] + 1 if fewer else 1, enough + 1)
        return between[bisect_left(between, True, key=lambda n: self.predicted(name, n) <= bound_s)]

    def growth(self, name: str) -> Growth:
        """The class alone, from what was measured to all of DR1, on the nodes of the target."""
        fractions = [float(f"{one:.3g}") for one in np.geomspace(1e-5, 1.0, 31)]
        found = []
        for one in fractions:
            rows = {table: count / self.target.fraction * one for table, count in self.target.size.rows.items()}
            size = CatalogSize(rows, self.target.size.row_bytes, self.target.size.chunks, self.target.size.chunk_deg2)
            setting = Setting(size, self.target.hardware, self.target.nodes, self.efficiency)
            found.append(class_time(self.works(name), self.fitted.costs, setting))
        return Growth(class_name=name, fractions=fractions, times_s=[one.total_s for one in found],
                      regimes=[one.regime.value for one in found])  # fmt: skip


def verdict_of(low_s: float, high_s: float, target_s: float) -> Verdict:
    """
    >>> verdict_of(1, 9, 10), verdict_of(11, 20, 10), verdict_of(5, 20, 10)
    ('meets', 'misses', 'open')
    """
    return "meets" if high_s <= target_s else "misses" if low_s > target_s else "open"


def _cautions(
    basis: Basis, fitted: FittedCosts, efficiency: float | None, model: _Model, by_columns: _Model | None
) -> list[str]:
    found = []
    if efficiency is None:
        found.append("No cold scans that are large enough: scans are taken to reach the disk's full rate.")
    elif efficiency == 1.0:
        found.append("Cold scans reached the disk's full rate, or the machine was too busy to tell.")
    if not fitted.has_node_cost:
        found.append("The trials ran on one number of nodes: a node that is asked is taken to cost 1 ms.")
    if by_columns is None and (columns := parted(basis.observations)[1]):
        found.append(
            f"By columns {too_few(sizes_of(columns))}: nothing follows for them. A sky of few chunks is read as rows, "
            "whatever is asked; cover more of it."
        )
    if by_columns is not None:
        found.append("By columns: published tests are of rows; the model is taken to be off as far for columns.")
    if missing := [name for name in model.asked if kind_of(model.classes[name]) not in model.errors]:
        found.append(f"No published test tells how far the model is off for {', '.join(missing)}.")
    return found


ASSUMPTIONS = (
    "Rows are spread evenly over equal nodes, whose memory for data holds a share of them and no particular ones.",
    "A scan reads whole rows, by columns those that it names; an area is read chunk by chunk; a look-up reads eight "
    "pages.",
    "Chunks have the size of the KPM tests' (4.6 square degrees), and areas touch as many as in the trials.",
    "The czar pays for every chunk; more nodes do not lessen that.",
    "Answers grow with the data up to 0.5 GB (LSE-61); beyond that one asks for narrower windows.",
    "Near neighbours are asked for in 100 square degrees, as the KPM tests do.",
    "Under a load every long query gets an equal share of the cores, and every table that is read one of the disk.",
    "Tables are MyISAM without replicas, indexes not counted; nothing fails.",
)
