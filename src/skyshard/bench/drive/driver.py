"""The driver: threads that send the schedule's queries when they are due and record each of them.

Rules: every query that was sent has a sample; a failed query never ends its client; latency counts from the due time.
After ``stop`` no query is sent, and one that still runs after the grace time is recorded as interrupted.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import pyarrow as pa

from skyshard.basics.errors import ClusterError
from skyshard.bench.clock import Clock
from skyshard.bench.record.samples import Sample
from skyshard.bench.target import Cancels, KeepsSessions, Target, TargetAnswer, TargetCall
from skyshard.bench.workload.arrivals import client_starts, next_due
from skyshard.bench.workload.query_schedule import ClassSchedule, Query
from skyshard.bench.workload.workload import Closed

GRACE_S = 10.0
INTERRUPTED = "Interrupted"
STOP_S = 30.0
"""Seconds that a stopped query may take to end before its client continues without it."""
TELL_AGAIN_S = 0.5
"""So long a call that was told to stop has for it before it is told again."""


class Timeout(ClusterError):
    """No answer within the class's ``timeout_s``; the query was stopped where the engine can do that."""


def run_within(target: Target, sql: str, database: str, timeout_s: float | None) -> TargetAnswer:
    """Run a statement; after ``timeout_s`` stop it at the engine and wait until it has ended.

    Raises:
        Timeout: no answer in time; the message says whether the engine has stopped.
    """
    if timeout_s is None:
        return target.run(sql, database)
    outcome: queue.SimpleQueue[TargetAnswer | Exception] = queue.SimpleQueue()
    call = target.begin(sql, database) if isinstance(target, Cancels) else None

    def ask() -> None:
        try:
            outcome.put(target.run(sql, database) if call is None else call.answer())
        except Exception as error:
            outcome.put(error)

    threading.Thread(target=ask, daemon=True, name="bench-timed").start()
    try:
        found = outcome.get(timeout=timeout_s)
    except queue.Empty:
        stopped = _stop(call, outcome)
        raise Timeout(
            f"no answer within {timeout_s:g} s, {stopped}", remedy="raise timeout_s, or lower the load"
        ) from None
    if isinstance(found, Exception):
        raise found
    return found


def _stop(call: TargetCall | None, outcome: queue.SimpleQueue[TargetAnswer | Exception]) -> str:
    """Stop a late call and wait until it has ended; returns the outcome as words for the error.

    It is told again and again: a call that was between two statements, or before its first, has not heard it.
    """
    until_s = time.monotonic() + STOP_S
    try:
        while time.monotonic() < until_s:
            if call is None or not call.cancel():
                return "and the engine cannot stop it: it may still be running"
            with contextlib.suppress(queue.Empty):
                outcome.get(timeout=TELL_AGAIN_S)
                return "stopped"
    except Exception as error:
        return f"not stopped: {' '.join(str(error).split())}"
    return f"still running {STOP_S:g} s after it was told to stop"


@dataclass(slots=True)
class Recording:
    """Samples and answers of a run; all clients append to it."""

    samples: list[Sample] = field(default_factory=list)
    answers: list[pa.Table | None] = field(default_factory=list)
    """The answer of the sample at the same index; None when it failed, was warm-up, or exceeded the budget."""
    answer_budget: int = 0
    """Bytes of answers that can still be stored for checking."""
    lost: str = ""
    """What happened to driver processes whose samples are missing; empty when none are."""
    in_flight: dict[int, Sample] = field(default_factory=dict)
    """By thread: its running query, as the sample that is recorded if it is interrupted."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, pending: Sample) -> None:
        with self.lock:
            self.in_flight[threading.get_ident()] = pending

    def add(self, sample: Sample, answer: TargetAnswer | None) -> None:
        """Record a query that ended, unless it was already recorded as interrupted."""
        with self.lock:
            if self.in_flight.pop(threading.get_ident(), None) is None:
                return
            kept = None
            if answer is not None and not sample.is_warm_up and answer.table.nbytes <= self.answer_budget:
                kept = answer.table
                self.answer_budget -= kept.nbytes
            self.samples.append(sample)
            self.answers.append(kept)

    def close_in_flight(self, now_s: float) -> None:
        """Record the queries that never ended."""
        with self.lock:
            self.samples += [replace(pending, last_row_s=now_s) for pending in self.in_flight.values()]
            self.answers += [None] * len(self.in_flight)
            self.in_flight.clear()


class QueryQueue:
    """The queries of one class, handed out in order to the clients as they become ready."""

    def __init__(self, schedule: ClassSchedule) -> None:
        self._queries: Iterator[Query] = schedule.in_order()
        self._lock = threading.Lock()

    def take(self) -> Query | None:
        with self._lock:
            return next(self._queries, None)


@dataclass(frozen=True, slots=True)
class Client:
    """One client of one class: takes a query, waits until it is due, sends and records it, until none is left."""

    number: int
    schedule: ClassSchedule
    waiting: QueryQueue
    target: Target
    database: str
    clock: Clock
    recording: Recording
    stop: threading.Event
    phase_start_s: float

    def run(self) -> None:
        arrivals = self.schedule.load.arrivals
        think_time_s = arrivals.think_time_s if isinstance(arrivals, Closed) else 0.0
        ramp_s = arrivals.ramp_s if isinstance(arrivals, Closed) else 0.0
        ready_s = self.phase_start_s
        due_s = ready_s + float(client_starts(arrivals.clients, ramp_s)[self.number])
        while not self._is_over(due_s) and (query := self.waiting.take()) is not None:
            if query.due_s is not None:
                due_s = self.phase_start_s + query.due_s
            self.clock.wait_until(due_s, self.stop)
            if self.stop.is_set():
                return
            ready_s = self._send(query, due_s, ready_s)
            due_s = next_due(ready_s, think_time_s)

    def _is_over(self, due_s: float) -> bool:
        duration_s = self.schedule.load.duration_s
        endless = self.schedule.is_endless and duration_s is not None
        return self.stop.is_set() or (endless and due_s - self.phase_start_s >= (duration_s or 0.0))

    def _send(self, query: Query, due_s: float, ready_s: float) -> float:
        """Send one query and record it; returns the time of its end."""
        sent_s = self.clock.now()
        pending = self._pending(query, due_s, sent_s, max(0.0, sent_s - max(due_s, ready_s)))
        self.recording.begin(pending)
        answer: TargetAnswer | None = None
        try:
            answer = run_within(self.target, query.asked_of(self.target), self.database, self.schedule.load.timeout_s)
        except Exception as error:  # any failure of the engine is a sample, never the end of a client
            done_s = self.clock.now()
            done = replace(pending, last_row_s=done_s, error=type(error).__name__, error_text=str(error))
        else:
            done_s = self.clock.now()
            done = _answered(pending, answer, done_s)
        self.recording.add(done, answer)
        return done_s

    def _pending(self, query: Query, due_s: float, sent_s: float, lag_s: float) -> Sample:
        return Sample(
            phase=self.schedule.phase,
            class_name=self.schedule.load.class_name,
            template=query.template,
            sql=query.sql,
            client=self.number,
            is_warm_up=query.is_warm_up,
            intended_s=due_s,
            sent_s=sent_s,
            first_row_s=None,
            last_row_s=sent_s,
            driver_lag_s=lag_s,
            error=INTERRUPTED,
        )


def _answered(pending: Sample, answer: TargetAnswer, done_s: float) -> Sample:
    return replace(
        pending,
        first_row_s=None if answer.first_row_s is None else pending.sent_s + answer.first_row_s,
        last_row_s=done_s,
        rows=answer.rows,
        bytes=answer.bytes,
        chunks=answer.chunks,
        column_bytes=answer.column_bytes,
        error=None,
    )


def phase_clients(
    phase: Sequence[ClassSchedule],
    target: Target,
    database: str,
    clock: Clock,
    recording: Recording,
    stop: threading.Event,
    start_s: float | None = None,
) -> list[Client]:
    """All clients of a phase, which starts at ``start_s``, or now."""
    start_s = clock.now() if start_s is None else start_s
    clients: list[Client] = []
    for schedule in phase:
        waiting = QueryQueue(schedule)
        clients += [
            Client(number, schedule, waiting, target, database, clock, recording, stop, start_s)
            for number in range(schedule.load.arrivals.clients)
        ]
    return clients


def open_sessions(target: Target, phase: Sequence[ClassSchedule]) -> None:
    """Have a session for each client of a phase, so that no query waits for one."""
    if isinstance(target, KeepsSessions):
        target.open_sessions(sum(one.load.arrivals.clients for one in phase))


class PhaseRun:
    """A running phase: its clients, each in a thread of its own."""

    def __init__(self, clients: Sequence[Client], stop: threading.Event) -> None:
        self._clients, self._stop = clients, stop
        self._threads = [
            threading.Thread(target=client.run, daemon=True, name=f"bench-{i}") for i, client in enumerate(clients)
        ]
        for thread in self._threads:
            thread.start()

    def wait(self, at_most_s: float | None = None) -> bool:
        """Wait for the end; True when every client has finished."""
        deadline_s = None if at_most_s is None else time.monotonic() + at_most_s
        for thread in self._threads:
            thread.join(None if deadline_s is None else max(0.0, deadline_s - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def end(self, grace_s: float) -> None:
        """Send no more; wait ``grace_s`` for running queries, and record those that did not end as interrupted."""
        self._stop.set()
        self.wait(grace_s)
        if self._clients:
            self._clients[0].recording.close_in_flight(self._clients[0].clock.now())


def run_phase(clients: Sequence[Client], stop: threading.Event, grace_s: float = GRACE_S) -> bool:
    """Run a phase's clients to the end; False when Ctrl-C stopped it early."""
    run = PhaseRun(clients, stop)
    try:
        return run.wait()
    except KeyboardInterrupt:
        run.end(grace_s)
        return False
