"""The scan lane of one node: a few threads that do what the schedule says.

Rules: the threads start with the first query and live as long as the lane; what a unit does must not raise. Queries
that touch few chunks do not come here, so they never queue behind scans.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from skyshard.czar.scan.scan_schedule import (
    Cancel,
    Done,
    Hold,
    JobEnded,
    Length,
    Run,
    Schedule,
    ScheduleEvent,
    Submit,
    Unit,
)
from skyshard.czar.scan.scan_throttle import ScanThrottle


@dataclass(frozen=True, slots=True)
class LaneJob:
    """What a query does with a unit on a thread of the lane, and what it does when there are no more."""

    run: Callable[[int, Unit], None]
    ended: Callable[[], None]


class ScanLane:
    """The threads of one node's scan lane; ``throttle`` is that of the host, where the node is on it."""

    def __init__(self, name: str, threads: int, throttle: ScanThrottle | None = None) -> None:
        self._name = name
        self._throttle = throttle
        self._schedule = Schedule(threads)
        self._count = threads
        self._threads: list[threading.Thread] = []
        self._orders: list[Run | None] = [None] * threads
        self._jobs: dict[str, LaneJob] = {}
        self._changed = threading.Condition()
        self._is_closed = False

    def submit(self, job: str, length: Length, units: Sequence[Unit], work: LaneJob) -> None:
        """Take a query in; its units begin when threads are free."""
        with self._changed:
            self._jobs[job] = work
            if not self._threads:
                self._threads = [
                    threading.Thread(target=self._serve, args=(number,), name=f"{self._name}-{number}", daemon=True)
                    for number in range(self._count)
                ]
                for thread in self._threads:
                    thread.start()
            ended = self._step(Submit(job, length, tuple(units)))
        _end(ended)

    def cancel(self, job: str) -> None:
        """Start no more units of a query; ``ended`` comes when those under way are done."""
        with self._changed:
            ended = self._step(Cancel(job))
        _end(ended)

    def hold(self, job: str, is_held: bool) -> None:
        """Stop giving a query units for a while, or go on."""
        with self._changed:
            self._step(Hold(job, is_held))

    def close(self) -> None:
        """End the threads; units under way are waited for."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def _step(self, event: ScheduleEvent) -> list[LaneJob]:
        """Pass an event on; returns the queries that have ended."""
        ended = []
        for instruction in self._schedule.step(event):
            if isinstance(instruction, Run):
                self._orders[instruction.thread] = instruction
            elif isinstance(instruction, JobEnded):
                ended.append(self._jobs.pop(instruction.job))
        self._changed.notify_all()
        return ended

    def _serve(self, thread: int) -> None:
        while True:
            with self._changed:
                while self._orders[thread] is None and not self._is_closed:
                    self._changed.wait()
                order = self._orders[thread]
                if order is None:
                    return
                self._orders[thread] = None
                work = self._jobs[order.job]
            with self._throttle.unit() if self._throttle is not None else contextlib.nullcontext():
                begun = time.perf_counter()
                work.run(thread, order.unit)
            with self._changed:
                ended = self._step(Done(thread, time.perf_counter() - begun))
            _end(ended)


def _end(jobs: Sequence[LaneJob]) -> None:
    for job in jobs:
        job.ended()
