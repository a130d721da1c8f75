"""The time of a class on a cluster: the mean over its templates, alone or under a load. No I/O."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from skyshard.bench.model.hardware import Hardware
from skyshard.bench.model.node_time import ALONE, Costs, Crowd, Place, Regime, Time, time_on
from skyshard.bench.model.observations import Observation
from skyshard.bench.model.work import Answer, CatalogSize, Reach, Work, demand_of
from skyshard.bench.workload.workload import Closed, Workload

NEAR_DEG2 = 100.0
"""Square degrees of the near-neighbour queries of the KPM tests, 8 to 12 degrees a side."""


@dataclass(frozen=True, slots=True)
class TemplateWork:
    """A template's work, and its answer where it was measured on the largest catalog."""

    class_name: str
    template: str
    work: Work
    answer: Answer
    size: CatalogSize

    def as_published(self) -> TemplateWork:
        """The same in the area that the KPM tests ask near neighbours of."""
        if not self.work.is_near:
            return self
        across = math.sqrt(NEAR_DEG2 / self.size.chunk_deg2) + 1
        answer = replace(self.answer, chunks=across**2)
        return replace(self, work=replace(self.work, area_deg2=NEAR_DEG2), answer=answer)


@dataclass(frozen=True, slots=True)
class Setting:
    """A catalog on a cluster, and what runs there."""

    size: CatalogSize
    hardware: Hardware
    nodes: int
    disk_efficiency: float = 1.0
    load: Load | None = None
    """None: each class alone."""
    is_cold: bool = False
    """Caches are emptied before each query."""


@dataclass(frozen=True, slots=True)
class Load:
    """Who else asks: clients of long queries, and the tables that these read."""

    queries: float
    tables: frozenset[str]

    @classmethod
    def of(cls, workload: Workload, works: Sequence[TemplateWork], without: Sequence[str] = ()) -> Load:
        """The load of a workload's closed loops; classes that no trial has asked count as clients only."""
        clients: dict[str, int] = {}
        for phase in workload.phases:
            for one in phase.classes:
                if isinstance(one.arrivals, Closed) and one.class_name not in without:
                    clients[one.class_name] = clients.get(one.class_name, 0) + one.arrivals.clients
        read = {table for one in works if one.class_name in clients for table in one.work.tables}
        return cls(float(sum(clients.values())), frozenset(read))


def template_works(observations: Sequence[Observation]) -> dict[str, list[TemplateWork]]:
    """The templates of each class, from the largest catalog that each was asked on."""
    found: dict[str, TemplateWork] = {}
    for one in sorted(observations, key=lambda one: sum(one.size.rows.values())):
        found[one.template] = TemplateWork(one.class_name, one.template, one.work, one.answer, one.size)
    classes: dict[str, list[TemplateWork]] = {}
    for work in found.values():
        classes.setdefault(work.class_name, []).append(work)
    return classes


def template_time(one: TemplateWork, costs: Costs, setting: Setting) -> Time:
    """The time of one template."""
    size, load = setting.size, setting.load
    is_short = one.work.reach is not Reach.SKY and not one.work.is_near
    crowd = ALONE
    if load is not None:
        streams = len(load.tables) + (1 if is_short else 0)
        # Short statements have processors of their own; they share the disk.
        crowd = Crowd(1.0 if is_short else max(1.0, load.queries), max(1.0, float(streams)))
    own = [name for name in one.work.tables if name in size.rows]
    is_whole = is_short or load is not None
    data = size.bytes if is_whole else sum(size.rows[name] * size.row_bytes.get(name, 0.0) for name in own)
    demand = demand_of(one.work, size, one.answer, one.size)
    if one.work.column_row_bytes and not is_whole:
        data = demand.bytes
    place = Place(setting.hardware, setting.nodes, data, setting.disk_efficiency, setting.is_cold)
    return time_on(demand, costs, place, crowd)


@dataclass(frozen=True, slots=True)
class ClassTime:
    """Mean over the templates of a class."""

    total_s: float
    regime: Regime
    cached: float
    read_bytes: float
    """Bytes of rows that a query reads, all nodes together."""


def class_time(works: Sequence[TemplateWork], costs: Mapping[str, Costs], setting: Setting) -> ClassTime:
    """The mean time of a class; its regime is that of its longest template."""
    times = [template_time(one, costs[one.template], setting) for one in works]
    longest = max(times, key=lambda one: one.total_s)
    read = [demand_of(one.work, setting.size, one.answer, one.size).bytes for one in works]
    return ClassTime(
        total_s=sum(one.total_s for one in times) / len(times),
        regime=longest.regime,
        cached=longest.cached,
        read_bytes=sum(read) / len(read),
    )
