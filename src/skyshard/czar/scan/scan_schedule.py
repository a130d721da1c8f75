"""The schedule of one node's scan lane: which query's unit runs next on which thread.

    events in ──▶ Schedule.step(event) ──▶ instructions out

Rules: no I/O, no clock, no threads. A unit is a batch of chunk statements of one query, sent in one round trip. The
queries of a class read their chunks in step, in one circular order: the next unit is the nearest one after the current
position, of whichever query, so chunks that one query brought into memory serve the others. A late query starts at the
current position and ends where it started; one that finds its class idle starts with its first unit. Classes share the
threads by weight, charged with the time that their units took. A query that outlasts its class's budget moves to the
next slower class.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

import numpy as np


class Length(StrEnum):
    """How long a scan is expected to take."""

    FAST = "fast"
    MEDIUM = "medium"
    SLOW = "slow"
    SNAIL = "snail"


@dataclass(frozen=True, slots=True)
class ClassRule:
    """``weight``: share of the threads; ``budget_s``: thread time after which a query moves on to ``slower``."""

    weight: float
    budget_s: float
    slower: Length


RULES: dict[Length, ClassRule] = {
    Length.FAST: ClassRule(8, 10.0, Length.MEDIUM),
    Length.MEDIUM: ClassRule(4, 120.0, Length.SLOW),
    Length.SLOW: ClassRule(2, 1800.0, Length.SNAIL),
    Length.SNAIL: ClassRule(1, float("inf"), Length.SNAIL),
}


def length_of(expected_s: float) -> Length:
    """The class of a query by its expected thread time on a node.

    >>> length_of(0.5), length_of(3600)
    (<Length.FAST: 'fast'>, <Length.SNAIL: 'snail'>)
    """
    return next(length for length, rule in RULES.items() if expected_s <= rule.budget_s)


@dataclass(frozen=True, slots=True)
class Unit:
    """Chunks of one query that are read together, and how many rows that may be; ``by_columns``: from column images."""

    chunks: tuple[int, ...]
    rows: int = 0
    by_columns: bool = False


@dataclass(frozen=True, slots=True)
class Submit:
    """A query brings its units, in the order of their chunks."""

    job: str
    length: Length
    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """A thread has finished its unit, well or not."""

    thread: int
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Cancel:
    """A query wants no more units; those under way end by themselves."""

    job: str


@dataclass(frozen=True, slots=True)
class Hold:
    """A query's reader is behind: no new units until it lets go."""

    job: str
    is_held: bool


ScheduleEvent = Submit | Done | Cancel | Hold


@dataclass(frozen=True, slots=True)
class Run:
    """Start a unit on a thread."""

    thread: int
    job: str
    unit: Unit


@dataclass(frozen=True, slots=True)
class JobEnded:
    """A query has no unit left and none under way."""

    job: str


Instruction = Run | JobEnded


@dataclass(slots=True)
class _Job:
    length: Length
    units: list[Unit]
    running: int = 0
    spent_s: float = 0.0
    is_held: bool = False

    @property
    def is_ready(self) -> bool:
        return bool(self.units) and not self.is_held

    def next_from(self, place: int) -> int:
        """Index of the first unit at or after a chunk; 0 when the order starts again."""
        found = bisect_left(self.units, place, key=lambda unit: unit.chunks[0])
        return found if found < len(self.units) else 0


@dataclass(slots=True)
class Schedule:
    """The state of one node's scan lane with so many threads."""

    threads: int
    _idle: list[int] = field(default_factory=list)
    _jobs: dict[str, _Job] = field(default_factory=dict)
    _running: dict[int, str] = field(default_factory=dict)
    _place: dict[Length, int] = field(default_factory=dict)
    _used: dict[Length, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._idle = list(range(self.threads))

    def step(self, event: ScheduleEvent) -> list[Instruction]:
        """Take an event in; returns what is to be done now."""
        ended: list[Instruction] = []
        if isinstance(event, Submit):
            if not any(job.length is event.length for job in self._jobs.values()):
                self._place.pop(event.length, None)
            self._wake(event.length)
            self._jobs[event.job] = _Job(event.length, list(event.units))
            ended = self._end_of(event.job)
        elif isinstance(event, Done):
            ended = self._finish(event)
        elif event.job in self._jobs:
            if isinstance(event, Cancel):
                self._jobs[event.job].units.clear()
                ended = self._end_of(event.job)
            else:
                self._jobs[event.job].is_held = event.is_held
        return [*ended, *self._assign()]

    def length(self, job: str) -> Length | None:
        """The class that a query is in now; None when it has ended."""
        return self._jobs[job].length if job in self._jobs else None

    def _wake(self, length: Length) -> None:
        """A class that was idle has no claim to the time that it did not use."""
        busy = [self._used.get(job.length, 0.0) for job in self._jobs.values() if job.length is not length]
        if not any(job.length is length for job in self._jobs.values()) and busy:
            self._used[length] = max(self._used.get(length, 0.0), min(busy))

    def _finish(self, event: Done) -> list[Instruction]:
        name = self._running.pop(event.thread)
        self._idle.append(event.thread)
        job = self._jobs[name]
        job.running -= 1
        job.spent_s += event.elapsed_s
        self._used[job.length] = self._used.get(job.length, 0.0) + event.elapsed_s / RULES[job.length].weight
        if job.spent_s > RULES[job.length].budget_s:
            slower = RULES[job.length].slower
            self._wake(slower)
            job.length = slower
        return self._end_of(name)

    def _end_of(self, name: str) -> list[Instruction]:
        job = self._jobs[name]
        if job.units or job.running:
            return []
        del self._jobs[name]
        return [JobEnded(name)]

    def _assign(self) -> list[Instruction]:
        started: list[Instruction] = []
        while self._idle and (found := self._choose()) is not None:
            name, index = found
            job = self._jobs[name]
            unit = job.units.pop(index)
            job.running += 1
            self._place[job.length] = unit.chunks[0]
            thread = self._idle.pop(0)
            self._running[thread] = name
            started.append(Run(thread, name, unit))
        return started

    def _choose(self) -> tuple[str, int] | None:
        ready = {name: job for name, job in self._jobs.items() if job.is_ready}
        if not ready:
            return None
        length = min({job.length for job in ready.values()}, key=lambda one: (self._used.get(one, 0.0), one))
        place = self._place.get(length, 0)
        choices = [
            (unit.chunks[0] < place, unit.chunks[0], name, index)
            for name, job in ready.items()
            if job.length is length
            for index in (job.next_from(place),)
            for unit in (job.units[index],)
        ]
        _, _, name, index = min(choices)
        return name, index


def even_units(chunks: Sequence[int], rows: Sequence[int], count: int, *, most_chunks: int) -> tuple[Unit, ...]:
    """Chunks in order, put together into about ``count`` units of much the same rows, so that threads end together.

    >>> [unit.chunks for unit in even_units([1, 2, 3, 4], [5, 5, 5, 5], 2, most_chunks=9)]
    [(1, 2), (3, 4)]
    """
    sizes = np.fromiter(rows, np.int64, len(rows))
    ends = np.cumsum(sizes)
    total = max(int(ends[-1]), 1) if len(ends) else 1
    shares = np.minimum(count - 1, (2 * ends - sizes) * count // (2 * total))
    edges = [0, *(np.flatnonzero(np.diff(shares)) + 1).tolist(), len(rows)]
    return tuple(
        unit
        for first, last in pairwise(edges)
        for unit in units_up_to(chunks[first:last], rows[first:last], most_chunks=most_chunks, most_rows=total)
    )


def units_up_to(chunks: Sequence[int], rows: Sequence[int], *, most_chunks: int, most_rows: int) -> tuple[Unit, ...]:
    """Chunks in order, put together into units of bounded size.

    >>> [unit.chunks for unit in units_up_to([1, 2, 3, 4], [5, 5, 5, 50], most_chunks=3, most_rows=12)]
    [(1, 2), (3,), (4,)]
    """
    if chunks and len(chunks) <= most_chunks and (together := sum(rows)) <= most_rows:
        return (Unit(tuple(chunks), together),)
    units: list[Unit] = []
    start, total = 0, 0
    for index, count in enumerate(rows):
        if index > start and (total + count > most_rows or index - start >= most_chunks):
            units.append(Unit(tuple(chunks[start:index]), total))
            start, total = index, 0
        total += count
    if start < len(chunks):
        units.append(Unit(tuple(chunks[start:]), total))
    return tuple(units)
