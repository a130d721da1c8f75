"""Who sends the queries: threads of this process, or driver processes, on this host or through Ray.

A phase's queries and clients are divided among the driver processes. Each process keeps its own target open and runs
its share with the same code. All clocks have the same zero, so that samples of different processes can be compared (on
several hosts, to the accuracy of their time service).
"""

from __future__ import annotations

import contextlib
import multiprocessing
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Protocol, TypeVar

import pyarrow as pa

from skyshard.basics.errors import ClusterError, words_of
from skyshard.bench.clock import Clock, WallClock
from skyshard.bench.drive.driver import GRACE_S, PhaseRun, Recording, open_sessions, phase_clients, run_phase
from skyshard.bench.drive.thread_switching import SWITCH_S
from skyshard.bench.record.samples import Sample
from skyshard.bench.target import Target
from skyshard.bench.workload.query_schedule import ClassSchedule
from skyshard.host.child_process import follow_parent
from skyshard.host.process_tuning import allow_tuning
from skyshard.log.event_log import ONLY_LOGGED
from skyshard.log.events import DRIVER_DIED
from skyshard.log.line_output import write_logs_of_environment
from skyshard.runtime import open_runtime

R = TypeVar("R")
PhaseSchedule = Sequence[ClassSchedule]
Opener = Callable[[], Target]
"""Opens the target; it is sent to other processes, so it must be importable there."""
START_AFTER_S = 0.25
"""Seconds from the call to the first due time, so that every process has its share by then."""

LOOK_S = 0.5
"""Longest single wait of a driver process, after which it can be told to stop."""


@dataclass(frozen=True, slots=True)
class DriverProcesses:
    """Clients in processes of their own: how each opens the target, how many there are, and what starts them."""

    opener: Opener
    count: int
    runtime: Literal["processes", "ray"] = "processes"


class Driver(Protocol):
    """Runs phases one after the other."""

    def run(self, phase: PhaseSchedule, recording: Recording) -> bool:
        """Run a phase to its end; False when it was stopped early."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ThreadDriver:
    """All clients are threads of this process."""

    target: Target
    database: str
    clock: Clock

    def run(self, phase: PhaseSchedule, recording: Recording) -> bool:
        stop = threading.Event()
        open_sessions(self.target, phase)
        clients = phase_clients(phase, self.target, self.database, self.clock, recording, stop)
        return run_phase(clients, stop)

    def close(self) -> None:
        """The target is closed by its owner."""


class DriverShare:
    """One driver process's share of the clients; lives in that process."""

    def __init__(self, opener: Opener, database: str, number: int, epoch_s: float) -> None:
        allow_tuning()
        self._target, self._database, self._number = opener(), database, number
        self._clock = WallClock(epoch_s)
        self._recording, self._run = Recording(), PhaseRun([], threading.Event())

    def is_ready(self) -> bool:
        return True

    def open_sessions(self, phase: PhaseSchedule) -> None:
        """Before any process begins the phase."""
        open_sessions(self._target, phase)

    def begin(self, phase: PhaseSchedule, start_s: float, budget: int) -> None:
        """Start the clients; their first queries are due from ``start_s`` on."""
        sys.setswitchinterval(SWITCH_S)
        self._recording, stop = Recording(answer_budget=budget), threading.Event()
        clients = phase_clients(phase, self._target, self._database, self._clock, self._recording, stop, start_s)
        self._run = PhaseRun(clients, stop)

    def wait(self, at_most_s: float) -> bool:
        """Wait at most so long; True when all clients have finished."""
        return self._run.wait(at_most_s)

    def end(self, grace_s: float) -> None:
        """Stop early; see ``PhaseRun.end``."""
        self._run.end(grace_s)

    def take(self) -> tuple[list[Sample], list[pa.Table | None]]:
        """The samples of the phase and their answers."""
        return [replace(sample, process=self._number) for sample in self._recording.samples], self._recording.answers

    def close(self) -> None:
        self._target.close()


ProcessCall = Callable[..., "Future[Any]"]
"""Calls a method of ``DriverShare`` in another process, with its further arguments."""


class ProcessDriver:
    """Clients in driver processes. Only this process handles Ctrl-C; it stops the others."""

    def __init__(self, processes: DriverProcesses, database: str, clock: WallClock) -> None:
        self._clock = clock
        self._stack = ExitStack()
        self._calls: list[ProcessCall] = []
        self._alive = set(range(processes.count))
        start = self._local if processes.runtime == "processes" else self._through_ray
        try:
            self._calls = start([(processes.opener, database, i, clock.epoch_s) for i in range(processes.count)])
            self._all(DriverShare.is_ready)
        except BrokenProcessPool:
            self.close()
            remedy = "see its output above; or run without --processes"
            raise ClusterError("a driver process could not open its target", remedy=remedy) from None
        except BaseException:
            self.close()
            raise

    def _local(self, shares: Sequence[tuple[Any, ...]]) -> list[ProcessCall]:
        context = multiprocessing.get_context("spawn")
        calls: list[ProcessCall] = []
        for share in shares:
            pool = ProcessPoolExecutor(1, mp_context=context, initializer=_open_share, initargs=share)
            self._stack.callback(pool.shutdown, wait=True, cancel_futures=True)
            calls.append(lambda method, *args, pool=pool: pool.submit(_on_share, method, *args))
        return calls

    def _through_ray(self, shares: Sequence[tuple[Any, ...]]) -> list[ProcessCall]:
        runtime = self._stack.enter_context(open_runtime("ray", []))
        handles = [
            runtime.actor(f"bench-{number}", partial(DriverShare, *share)) for number, share in enumerate(shares)
        ]
        return [handle.call for handle in handles]

    def _all(self, method: Callable[..., R], *args: Any) -> list[R]:
        """Call a method of every share at once; their results in order."""
        return [future.result() for future in [call(method, *args) for call in self._calls]]

    def _each_alive(self, method: Callable[..., R], shares: Sequence[Sequence[Any]] | None = None) -> dict[int, R]:
        """Call a method in every live process at once; results by process, without those that died."""
        asked = {number: self._called(number, method, shares[number] if shares else ()) for number in self._alive}
        found = {}
        for number, future in asked.items():
            try:
                if future is None:
                    raise BrokenProcessPool
                found[number] = future.result()
            except (BrokenProcessPool, ClusterError) as error:
                if isinstance(error, ClusterError) and not error.retryable:
                    raise
                self._alive.discard(number)
                ONLY_LOGGED.tell(DRIVER_DIED, number=number, error=words_of(error))
        return found

    def _called(self, number: int, method: Callable[..., R], args: Sequence[Any]) -> Future[R] | None:
        try:
            return self._calls[number](method, *args)
        except BrokenProcessPool:
            return None

    def run(self, phase: PhaseSchedule, recording: Recording) -> bool:
        """When a process dies the others are stopped, their samples kept, and ``recording.lost`` says so.

        Raises:
            ClusterError: no process is left.
        """
        shares = deal(phase, len(self._calls))
        self._each_alive(DriverShare.open_sessions, [(share,) for share in shares])
        start_s = self._clock.now() + START_AFTER_S
        budget = recording.answer_budget // len(self._calls)
        self._each_alive(DriverShare.begin, [(share, start_s, budget) for share in shares])
        is_whole = self._wait()
        for samples, answers in self._each_alive(DriverShare.take).values():
            recording.samples += samples
            recording.answers += answers
            recording.answer_budget -= sum(answer.nbytes for answer in answers if answer is not None)
        dead = len(self._calls) - len(self._alive)
        if not self._alive:
            raise ClusterError("every driver process died: no sample is left", remedy="run the trial again")
        if dead:
            recording.lost = f"{dead} of {len(self._calls)} driver processes died in phase {phase[0].phase}"
        return is_whole and not dead

    def _wait(self) -> bool:
        """Wait until all shares have ended; on Ctrl-C or when a process dies, stop them and return False."""
        count = len(self._calls)
        try:
            while not all(self._each_alive(DriverShare.wait, [(LOOK_S,)] * count).values()):
                if len(self._alive) < count:
                    break
            else:
                return True
        except KeyboardInterrupt:
            pass
        self._each_alive(DriverShare.end, [(GRACE_S,)] * count)
        return False

    def close(self) -> None:
        with contextlib.suppress(BrokenProcessPool, ClusterError):
            self._each_alive(DriverShare.close)
        self._stack.close()


_SHARES: list[DriverShare] = []
"""The one share of a driver process."""


def _open_share(*share: Any) -> None:
    """Make this process's share."""
    follow_parent()
    write_logs_of_environment()
    _SHARES.append(DriverShare(*share))


def _on_share(method: Callable[..., R], *args: Any) -> R:
    return method(_SHARES[0], *args)


def deal(phase: PhaseSchedule, count: int) -> list[list[ClassSchedule]]:
    """Divide a phase: each class's clients evenly, its queries in turn over the shares that have clients of it.

    Every query and every client is in exactly one share.

    >>> from skyshard.bench.workload.query_schedule import Query
    >>> from skyshard.bench.workload.workload import ClassLoad
    >>> arrivals = {"loop": "closed", "clients": 3}
    >>> load = ClassLoad.model_validate({"class": "LV", "templates": ["a"], "count": 4, "arrivals": arrivals})
    >>> phase = [ClassSchedule("one", load, tuple(Query("LV/a", sql) for sql in "pqrs"))]
    >>> for share in deal(phase, 2):
    ...     [(one.load.arrivals.clients, "".join(query.sql for query in one.queries)) for one in share]
    [(2, 'pr')]
    [(1, 'qs')]
    """
    shares: list[list[ClassSchedule]] = [[] for _ in range(count)]
    for number, schedule in enumerate(phase):
        clients = schedule.load.arrivals.clients
        used = min(count, clients)
        for place in range(used):
            arrivals = schedule.load.arrivals.model_copy(update={"clients": clients // used + (place < clients % used)})
            load = schedule.load.model_copy(update={"arrivals": arrivals})
            share = ClassSchedule(schedule.phase, load, schedule.queries[place::used])
            shares[(number + place) % count].append(share)
    return shares


def wall_clock() -> WallClock:
    """A clock whose zero is now; other processes can share it."""
    return WallClock(time.time())
