"""Who drives: threads of this process, or seats in processes of their own, local or through Ray.

A phase's queries and clients are dealt out to the seats like cards; each seat keeps its own target open and runs its
share with the same driver. All clocks count from one moment of the wall clock, so that samples of different seats fit
together (to the accuracy of the hosts' time service when seats are on several).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import pyarrow as pa

from skyshard.bench.clock import Clock, WallClock
from skyshard.bench.drive.driver import GRACE_S, Course, Recording, phase_clients, run_phase
from skyshard.bench.record.samples import Sample
from skyshard.bench.target import Target
from skyshard.bench.workload.query_schedule import ClassSchedule
from skyshard.errors import ClusterError
from skyshard.host.interrupts import ENDING_SIGNALS
from skyshard.runtime import open_runtime

Phase = Sequence[ClassSchedule]
Opener = Callable[[], Target]
"""Opens the target; plain and importable, since it goes to other processes."""
START_AFTER_S = 0.25
"""From the call to the first due time, so that all seats have their share by then."""

LOOK_S = 0.5
"""Longest that a seat is asked to wait for its end at a time, so that it hears when it is to stop."""
SWITCH_S = 0.0005
"""Longest that a thread keeps the interpreter while another waits for it; Python's own value is 0.005."""


class Team(Protocol):
    """Runs phases one after the other."""

    def run(self, phase: Phase, recording: Recording) -> bool:
        """Run a phase to its end; False when it was stopped early."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ThreadTeam:
    """All clients are threads here."""

    target: Target
    database: str
    clock: Clock

    def run(self, phase: Phase, recording: Recording) -> bool:
        stop = threading.Event()
        clients = phase_clients(phase, self.target, self.database, self.clock, recording, stop)
        with quick_switching():
            return run_phase(clients, stop)

    def close(self) -> None:
        """The target is its owner's to close."""


@contextmanager
def quick_switching() -> Iterator[None]:
    """Threads hand the interpreter over ten times as often: a client whose query is due does not wait for another's."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class Seat:
    """One process's share of the clients; lives in that process."""

    def __init__(self, opener: Opener, database: str, number: int, epoch_s: float) -> None:
        self._target, self._database, self._number = opener(), database, number
        self._clock = WallClock(epoch_s)
        self._recording, self._course = Recording(), Course([], threading.Event())

    def is_ready(self) -> bool:
        return True

    def begin(self, phase: Phase, start_s: float, budget: int) -> None:
        """Start a share, whose first queries fall due from ``start_s`` on."""
        sys.setswitchinterval(SWITCH_S)
        self._recording, stop = Recording(answer_budget=budget), threading.Event()
        clients = phase_clients(phase, self._target, self._database, self._clock, self._recording, stop, start_s)
        self._course = Course(clients, stop)

    def wait(self, at_most_s: float) -> bool:
        """True when the share has come to its end."""
        return self._course.wait(at_most_s)

    def end(self, grace_s: float) -> None:
        """Stop early; see ``Course.end``."""
        self._course.end(grace_s)

    def take(self) -> tuple[list[Sample], list[pa.Table | None]]:
        """The share's samples and their answers."""
        return [replace(sample, process=self._number) for sample in self._recording.samples], self._recording.answers

    def close(self) -> None:
        self._target.close()


Call = Callable[..., "Future[Any]"]


class SeatTeam:
    """Seats in processes: ``runtime`` says whose. Ctrl-C reaches this process only, which tells them."""

    def __init__(self, opener: Opener, database: str, clock: WallClock, count: int, runtime: str = "processes") -> None:
        self._clock = clock
        self._stack = ExitStack()
        self._calls: list[Call] = []
        self._seats = set(range(count))  # those that live
        start = self._local if runtime == "processes" else self._through_ray
        try:
            self._calls = start([(opener, database, number, clock.epoch_s) for number in range(count)])
            self._all("is_ready")
        except BrokenProcessPool:
            self.close()
            remedy = "its own words stand above; try without --processes"
            raise ClusterError("a driver process could not open its target", remedy=remedy) from None
        except BaseException:
            self.close()
            raise

    def _local(self, seats: Sequence[tuple[Any, ...]]) -> list[Call]:
        context = multiprocessing.get_context("spawn")
        calls: list[Call] = []
        for seat in seats:
            pool = ProcessPoolExecutor(1, mp_context=context, initializer=_sit_down, initargs=seat)
            self._stack.callback(pool.shutdown, wait=True, cancel_futures=True)
            calls.append(lambda method, *args, pool=pool: pool.submit(_call_seat, method, *args))
        return calls

    def _through_ray(self, seats: Sequence[tuple[Any, ...]]) -> list[Call]:
        runtime = self._stack.enter_context(open_runtime("ray", []))
        handles = [runtime.actor(f"bench-{number}", partial(Seat, *seat)) for number, seat in enumerate(seats)]
        return [lambda method, *args, handle=handle: handle.call(getattr(Seat, method), *args) for handle in handles]

    def _all(self, method: str, *args: Any) -> list[Any]:
        """Call a method of every seat at once; their results in order."""
        return [future.result() for future in [call(method, *args) for call in self._calls]]

    def _living(self, method: str, shares: Sequence[Sequence[Any]] | None = None) -> dict[int, Any]:
        """Call a method of every seat that lives at once; results by seat. One that has died is noted as lost."""
        asked = {seat: self._called(seat, method, shares[seat] if shares else ()) for seat in self._seats}
        found = {}
        for seat, future in asked.items():
            try:
                if future is None:
                    raise BrokenProcessPool
                found[seat] = future.result()
            except (BrokenProcessPool, ClusterError) as error:
                if isinstance(error, ClusterError) and not error.retryable:
                    raise
                self._seats.discard(seat)
        return found

    def _called(self, seat: int, method: str, args: Sequence[Any]) -> Future[Any] | None:
        try:
            return self._calls[seat](method, *args)
        except BrokenProcessPool:
            return None

    def run(self, phase: Phase, recording: Recording) -> bool:
        """When a seat dies the others are stopped, their samples kept, and ``recording.lost`` says so.

        Raises:
            ClusterError: no seat is left.
        """
        start_s = self._clock.now() + START_AFTER_S
        budget = recording.answer_budget // len(self._calls)
        self._living("begin", [(share, start_s, budget) for share in deal(phase, len(self._calls))])
        is_whole = self._wait()
        for samples, answers in self._living("take").values():
            recording.samples += samples
            recording.answers += answers
            recording.answer_budget -= sum(answer.nbytes for answer in answers if answer is not None)
        dead = len(self._calls) - len(self._seats)
        if not self._seats:
            raise ClusterError("every driver process died: no sample is left", remedy="run the trial again")
        if dead:
            recording.lost = f"{dead} of {len(self._calls)} driver processes died in phase {phase[0].phase}"
        return is_whole and not dead

    def _wait(self) -> bool:
        """Wait until all seats have come to their end; have them stop on Ctrl-C or when one dies, and give False."""
        count = len(self._calls)
        try:
            while not all(self._living("wait", [(LOOK_S,)] * count).values()):
                if len(self._seats) < count:
                    break
            else:
                return True
        except KeyboardInterrupt:
            pass
        self._living("end", [(GRACE_S,)] * count)
        return False

    def close(self) -> None:
        with contextlib.suppress(BrokenProcessPool, ClusterError):
            self._living("close")
        self._stack.close()


_SEAT: list[Seat] = []


def _sit_down(*seat: Any) -> None:
    """Make this process's seat."""
    for number in ENDING_SIGNALS:  # a terminal sends them to all processes
        signal.signal(number, signal.SIG_IGN)
    _SEAT.append(Seat(*seat))


def _call_seat(method: str, *args: Any) -> Any:
    return getattr(_SEAT[0], method)(*args)


def deal(phase: Phase, seats: int) -> list[list[ClassSchedule]]:
    """A phase's shares: each class's clients spread evenly, its queries dealt in turn to the seats that have clients.

    Every query and every client is in exactly one share.
    """
    shares: list[list[ClassSchedule]] = [[] for _ in range(seats)]
    for number, schedule in enumerate(phase):
        clients = schedule.load.arrivals.clients
        used = min(seats, clients)
        for place in range(used):
            arrivals = schedule.load.arrivals.model_copy(update={"clients": clients // used + (place < clients % used)})
            load = schedule.load.model_copy(update={"arrivals": arrivals})
            share = ClassSchedule(schedule.phase, load, schedule.queries[place::used])
            shares[(number + place) % seats].append(share)
    return shares


def wall_clock() -> WallClock:
    """A clock whose zero is now, and known to other processes."""
    return WallClock(time.time())
