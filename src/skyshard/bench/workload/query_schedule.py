"""The schedule of a trial: every statement, its order and, in an open loop, its due time, fixed before the run.

Pure: equal workload, templates, profile and seed give an equal schedule. Each class of each phase draws from its own
stream of random numbers, so that adding a class does not change the others; fresh places are dealt out in turn.
"""

from __future__ import annotations

import itertools
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from skyshard.basics.errors import UserError
from skyshard.bench.target import TakesForms, Target
from skyshard.bench.workload.arrivals import due_times, due_times_within
from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.fresh_places import FreshPlaces
from skyshard.bench.workload.parameters import Draws, draw, has_fresh, place_of
from skyshard.bench.workload.query_template import QueryTemplate
from skyshard.bench.workload.workload import ClassLoad, Closed, Open, Workload

MOST_TRIALS = 10_000
"""Trials of one sequence of fresh places; then it begins again."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query of the schedule."""

    template: str
    sql: str
    is_warm_up: bool = False
    due_s: float | None = None
    """Seconds since the start of the phase; None in a closed loop, where it depends on the previous answer."""
    place: tuple[float, float] | None = None
    """Longitude and latitude that the query is about, in degrees; None for the whole sky."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """Forms for targets that do not take SQL, by name."""

    def asked_of(self, target: Target) -> str:
        """The text that a target gets: the statement, or its form."""
        return self.forms[target.form] if isinstance(target, TakesForms) else self.sql


@dataclass(frozen=True, slots=True)
class ClassSchedule:
    """The queries of one class in one phase, in order of sending."""

    phase: str
    load: ClassLoad
    queries: tuple[Query, ...]

    @property
    def is_endless(self) -> bool:
        """True when a closed loop repeats its queries until the duration is over."""
        return isinstance(self.load.arrivals, Closed) and self.load.duration_s is not None

    def in_order(self) -> Iterator[Query]:
        """The queries in order; an endless schedule repeats those after the warm-up."""
        yield from self.queries
        if self.is_endless:
            yield from itertools.cycle([query for query in self.queries if not query.is_warm_up])


def build_schedule(
    workload: Workload, templates: Mapping[str, QueryTemplate], profile: DataProfile, seed: int
) -> list[list[ClassSchedule]]:
    """The classes of each phase with their queries.

    Fresh places of a trial with the workload's seed are the first of a sequence; a seed one higher gives the next.

    Raises:
        UserError: a class would repeat statements whose places must not repeat, or measures no query at all.
    """
    _require_fresh(workload, templates)
    fresh = FreshPlaces(profile.area, profile.object_ids, workload.seed)
    schedule = _schedules(workload, templates, profile, seed, fresh)
    trial = (seed - workload.seed) % MOST_TRIALS
    if not trial or fresh.taken == (0, 0):
        return schedule
    skipped = (trial * fresh.taken[0], trial * fresh.taken[1])
    return _schedules(workload, templates, profile, seed, replace(fresh, skipped=skipped))


def _schedules(
    workload: Workload, templates: Mapping[str, QueryTemplate], profile: DataProfile, seed: int, fresh: FreshPlaces
) -> list[list[ClassSchedule]]:
    return [
        [_class_schedule(phase.name, load, templates, profile, seed, fresh) for load in phase.classes]
        for phase in workload.phases
    ]


def _require_fresh(workload: Workload, templates: Mapping[str, QueryTemplate]) -> None:
    for phase in workload.phases:
        for load in phase.classes:
            keys = [f"{load.class_name}/{name}" for name in load.templates]
            fresh = [key for key in keys if has_fresh(templates[key].header.parameters)]
            if fresh and load.duration_s is not None and isinstance(load.arrivals, Closed):
                raise UserError(
                    f"class '{load.class_name}' of phase '{phase.name}' repeats its {load.distinct} statements until "
                    f"its duration is over, but template '{fresh[0]}' may ask of no place twice",
                    remedy="give it 'count', or an open loop",
                )


def without(
    schedule: Sequence[Sequence[ClassSchedule]], templates: Collection[str]
) -> tuple[list[list[ClassSchedule]], Counter[str]]:
    """The schedule without the queries of some templates, and how many of each are left out.

    Classes and phases without queries are left out too; warm-up is not counted. The other queries are unchanged.
    """
    left_out = Counter(
        query.template
        for phase in schedule for one in phase for query in one.queries
        if query.template in templates and not query.is_warm_up
    )  # fmt: skip
    kept = [
        [replace(one, queries=tuple(q for q in one.queries if q.template not in templates)) for one in phase]
        for phase in schedule
    ]
    kept = [[one for one in phase if any(not q.is_warm_up for q in one.queries)] for phase in kept]
    return [phase for phase in kept if phase], left_out


def _class_schedule(
    phase: str,
    load: ClassLoad,
    templates: Mapping[str, QueryTemplate],
    profile: DataProfile,
    seed: int,
    fresh: FreshPlaces,
) -> ClassSchedule:
    streams = np.random.default_rng([seed, zlib.crc32(f"{phase}/{load.class_name}".encode())]).spawn(2)
    due = _due_times(load, streams[0])
    if due is not None and len(due) <= load.warm_up:
        raise _measures_nothing(phase, load, len(due))
    measured = load.distinct if load.count is None and due is None else load.count
    total = len(due) if due is not None else load.warm_up + (measured or 0)
    keys = [f"{load.class_name}/{name}" for name in load.templates]
    queries, draws = [], Draws(profile, streams[1], fresh)
    for number, key in enumerate(_mix(keys, load.warm_up, total, streams[1])):
        parameters = templates[key].header.parameters
        values = draw(parameters, draws)
        due_s = None if due is None else float(due[number])
        place = place_of(parameters, values, profile)
        template = templates[key]
        sql, is_warm_up = template.render(values), number < load.warm_up
        queries.append(Query(key, sql, is_warm_up, due_s, place, template.forms(values)))
    return ClassSchedule(phase, load, tuple(queries))


def _measures_nothing(phase: str, load: ClassLoad, due: int) -> UserError:
    falls = "none falls due" if not due else f"{due} fall due, as warm-up,"
    return UserError(
        f"class '{load.class_name}' of phase '{phase}' measures no query: {falls} in {load.duration_s:g} s at "
        f"{load.arrivals.text}",
        remedy="give it a longer duration, a higher rate or less warm-up, or leave the class out",
    )


def _due_times(load: ClassLoad, random: np.random.Generator) -> np.ndarray | None:
    """Due times of an open loop, warm-up included; None for a closed loop."""
    arrivals = load.arrivals
    if not isinstance(arrivals, Open):
        return None
    if load.duration_s is not None:
        return due_times_within(arrivals.process, arrivals.rate_per_s, load.duration_s, random)
    return due_times(arrivals.process, arrivals.rate_per_s, load.warm_up + (load.count or 0), random)


def _mix(keys: list[str], warm_up: int, total: int, random: np.random.Generator) -> list[str]:
    """Template keys in sending order; warm-up and measured part each hold the templates as evenly as possible."""
    warm_up = min(warm_up, total)
    parts = [[keys[i % len(keys)] for i in range(size)] for size in (warm_up, total - warm_up)]
    shuffled = [[part[i] for i in random.permutation(len(part))] for part in parts]
    return shuffled[0] + shuffled[1]
