"""Has the faults of a scenario while phases run: each event in a thread of its own, on the trial's clock.

Rules: a fault that has begun is undone, whatever ends the phases; what an event could not do is in its record, and
never ends a client. What a fault is on a cluster is behind ``FaultHost``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from skyshard.basics.errors import words_of
from skyshard.bench.clock import Clock
from skyshard.bench.record.fault_impact import FaultCourseEnd
from skyshard.bench.record.fault_record import FaultRecord
from skyshard.bench.workload.fault_scenario import CARES, MOVES, Do
from skyshard.bench.workload.planned_faults import PlannedFault, PlannedScenario, phase_duration_s, phase_queries
from skyshard.bench.workload.workload import Phase
from skyshard.host.interrupts import uninterrupted

POLL_S = 0.01
"""An event comes so late at most, besides what its thread waits for a processor."""


class FaultHost(Protocol):
    """Has faults on a cluster; called from many threads, for each event from one."""

    def begin(self, fault: PlannedFault) -> str:
        """Have the fault, or do what the event does; says what was hit. Raises SkyshardError when that fails."""
        ...

    def end(self, fault: PlannedFault) -> None:
        """Take the fault back; no-op when it has gone by itself. Raises SkyshardError when that fails."""
        ...

    def seen(self, fault: PlannedFault) -> tuple[float | None, float | None]:
        """Seconds from a fault's begin until the czar met it, and until it answered a query that had."""
        ...

    def level(self) -> str:
        """Which chunks lack good replicas, for people; empty where none does."""
        ...


@dataclass(slots=True)
class _PhaseCourse:
    """A phase that runs: how far it is."""

    phase: Phase
    clock: Clock
    begun_s: float
    ended: Callable[[], int]
    """How many of its queries have ended."""
    is_over: threading.Event = field(default_factory=threading.Event)

    @property
    def share(self) -> float:
        duration_s = phase_duration_s(self.phase)
        if duration_s is not None:
            return (self.clock.now() - self.begun_s) / duration_s
        return self.ended() / (phase_queries(self.phase) or 1)

    def is_due(self, fault: PlannedFault) -> bool:
        event = fault.event
        if event.at_query is not None:
            return self.ended() >= event.at_query
        if event.at_share is not None:
            return self.share >= event.at_share
        return self.clock.now() - self.begun_s >= (event.at_s or 0.0)


class FaultCourse:
    """The events of one scenario over the phases of a trial."""

    def __init__(self, planned: PlannedScenario, host: FaultHost, clock: Clock) -> None:
        self._planned, self._host, self._clock = planned, host, clock
        self._over = threading.Event()
        self._threads: dict[int, threading.Thread] = {}
        self._changes: dict[int, dict[str, object]] = {one.number: {} for one in planned.faults}
        self._whole_at_s: float | None = None
        self._level = ""
        self.was_interrupted = False
        """Ctrl-C ended the phases, or the wait for a repair or a verification: none is waited for."""

    @contextmanager
    def during(self, phase: Phase, ended: Callable[[], int]) -> Iterator[None]:
        """Have the events of a phase while the block runs it; ``ended``: how many of its queries have ended."""
        course = _PhaseCourse(phase, self._clock, self._clock.now(), ended)
        for fault in self._planned.faults:
            if fault.phase == phase.name:
                thread = threading.Thread(target=self._follow, args=(fault, course), daemon=True, name="fault")
                self._threads[fault.number] = thread
                thread.start()
        try:
            yield
        finally:
            course.is_over.set()

    def close(self) -> None:
        """Wait for what is under way about faults, undo those that are still on, and look at the level."""
        lasting = {fault.number for fault in self._planned.faults if fault.event.lasts}
        try:
            for number, thread in self._threads.items():
                while number not in lasting and thread.is_alive() and not self.was_interrupted:
                    thread.join(POLL_S)
        except KeyboardInterrupt:
            self.was_interrupted = True
        self._over.set()
        with uninterrupted():
            for number, thread in self._threads.items():
                if number in lasting:
                    thread.join()
            if not self.was_interrupted:
                self._look()
        self._threads.clear()

    @property
    def end(self) -> FaultCourseEnd:
        """What is known when all is over."""
        file = self._planned.read.file
        return FaultCourseEnd(file.name, file.errors_allowed, self._records, self._whole_at_s, self._level)

    @property
    def failures(self) -> list[str]:
        """Events that did not come as they should, as sentences."""
        found = []
        for one in self._records:
            if one.error:
                found.append(f"event {one.number} ({one.label}): {one.error}")
            elif one.begun_s is None:
                found.append(f"event {one.number} ({one.label}) never came: phase {one.phase} had ended {one.due}")
        return found

    @property
    def _records(self) -> Sequence[FaultRecord]:
        return [self._record(fault) for fault in self._planned.faults]

    def _record(self, fault: PlannedFault) -> FaultRecord:
        event = fault.event
        known = FaultRecord(
            number=fault.number, do=str(event.do), node=fault.node, phase=fault.phase, due=event.due, lasts=event.lasts
        )
        return known.model_copy(update=self._changes[fault.number])

    def _follow(self, fault: PlannedFault, course: _PhaseCourse) -> None:
        """One event, from its phase's begin until it is over."""
        while not course.is_due(fault):
            if course.is_over.is_set() or self._over.wait(POLL_S):
                return
        self._wait_for_turn(fault)
        known = self._changes[fault.number]
        known["begun_s"], begun_share = self._clock.now(), course.share
        try:
            known["detail"] = self._host.begin(fault)
        except Exception as error:
            known["error"] = words_of(error)
        known["done_s"] = self._clock.now()
        if not fault.event.lasts:
            known["ended_s"] = known["done_s"]
            self._after_repair(fault)
            return
        is_within = self._wait_for_end(fault, course, float(str(known["begun_s"])), begun_share)
        try:
            self._host.end(fault)
            if is_within:
                known.setdefault("ended_s", self._clock.now())
        except Exception as error:
            known["error"] = "; ".join(filter(None, [str(known.get("error", "")), f"not undone: {words_of(error)}"]))

    def _wait_for_turn(self, fault: PlannedFault) -> None:
        """What is no fault comes one after another, in the order of the file."""
        if fault.event.do in CARES:
            for one in self._planned.faults[: fault.number - 1]:
                if one.event.do in CARES and one.number in self._threads:
                    self._threads[one.number].join()

    def _wait_for_end(self, fault: PlannedFault, course: _PhaseCourse, begun_s: float, begun_share: float) -> bool:
        """Until its time is over, or all is; False for the latter."""
        event = fault.event
        while not self._over.is_set():
            if event.for_s is not None and self._clock.now() - begun_s >= event.for_s:
                return True
            is_past = course.is_over.is_set() or course.share - begun_share >= (event.for_share or 0.0)
            if event.for_share is not None and is_past:
                return True
            self._over.wait(POLL_S)
        return False

    def _after_repair(self, fault: PlannedFault) -> None:
        """A repair that leaves nothing undone is the end of damages; a move may have brought chunks to their level."""
        if fault.event.do in MOVES:
            self._look()
        if fault.event.do is not Do.REPAIR or self._changes[fault.number].get("error"):
            return
        self._look()
        for one in self._planned.faults:
            known = self._changes[one.number]
            if not self._level and one.event.do is Do.CORRUPT and "done_s" in known:
                known.setdefault("ended_s", self._clock.now())
        self._look()

    def _look(self) -> None:
        """Whether every chunk is at its level, and since when it is that no fault is on but those made up for."""
        try:
            self._level = self._host.level()
        except Exception as error:
            self._level = f"it cannot be told: {words_of(error)}"
        moments = [one.ended_s for one in self._records if one.ended_s is not None]
        filled_s = max(
            (one.begun_s or 0.0 for one in self._records if one.do == Do.FILL and not one.error), default=0.0
        )
        is_on = any(one.lasts and one.ended_s is None and (one.begun_s or 0.0) > filled_s for one in self._records)
        self._whole_at_s = None if self._level or is_on else max(moments, default=None)

    def take_seen(self) -> None:
        """Ask when each fault was noticed, now that all queries have ended."""
        for fault in self._planned.faults:
            known = self._changes[fault.number]
            if known.get("begun_s") is not None and fault.event.do not in CARES:
                known["noticed_s"], known["failed_over_s"] = self._host.seen(fault)
