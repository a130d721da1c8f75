"""The driver keeps every sample, charges waiting to latency, and survives failures and Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from tests.support.lv_workloads import Exhausted, lv_schedule, lv_workload

from skyshard.basics.errors import ClusterError
from skyshard.bench.clock import VirtualClock, WallClock
from skyshard.bench.drive import driver
from skyshard.bench.drive.driver import INTERRUPTED, Recording, Timeout, phase_clients, run_phase, run_within
from skyshard.bench.record.samples import sample_table
from skyshard.bench.target import NullTarget, Target, TargetAnswer
from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.query_schedule import build_schedule
from skyshard.bench.workload.query_template import read_template
from skyshard.bench.workload.workload import Workload
from skyshard.host.shipped_data import data_folder


def workload(**load: object) -> Workload:
    classes = [{"class": "LV", "templates": ["object_by_id"]} | load]
    content = {"version": 1, "name": "w", "description": "", "database": "d", "seed": 1}
    return Workload.model_validate(content | {"phases": [{"name": "one", "classes": classes}]})


def drive(target: Target, clock: VirtualClock | None = None, **load: object) -> tuple[Recording, bool]:
    """Run one class against a target: in this thread on a virtual clock, else in threads."""
    templates = {"LV/object_by_id": read_template(data_folder("queries", "sql"), "LV/object_by_id")}
    schedule = build_schedule(workload(**load), templates, DataProfile.example(), 1)
    recording, stop = Recording(answer_budget=1 << 20), threading.Event()
    clients = phase_clients(schedule[0], target, "d", clock or WallClock(), recording, stop)
    if clock is None:
        return recording, run_phase(clients, stop, grace_s=0.05)
    clients[0].run()
    return recording, True


def latencies(recording: Recording) -> NDArray[np.float64]:
    table = sample_table(recording.samples, sorted({s.sql for s in recording.samples}))
    latency: NDArray[np.float64] = table["latency_s"].to_numpy()
    return latency


class Timed(NullTarget):
    """Takes virtual time: ``service_s``, and ``stall_s`` for the query number ``stalled``."""

    def __init__(self, clock: VirtualClock, service_s: float, stalled: int = -1, stall_s: float = 0.0) -> None:
        super().__init__()
        self.clock, self.service_s, self.stalled, self.stall_s, self.asked = clock, service_s, stalled, stall_s, 0

    def run(self, sql: str, database: str) -> TargetAnswer:
        self.clock.advance(self.stall_s if self.asked == self.stalled else self.service_s)
        self.asked += 1
        return super().run(sql, database)


class Failing(NullTarget):
    """Fails every third query, in ways foreign and own."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def run(self, sql: str, database: str) -> TargetAnswer:
        self.asked += 1
        if self.asked % 3 == 0:
            raise (ClusterError("node2 is gone") if self.asked % 2 else ZeroDivisionError("oops"))
        return super().run(sql, database)


@pytest.mark.parametrize(
    "arrivals",
    [
        {"loop": "closed", "clients": 4},
        {"loop": "closed", "clients": 3, "ramp_s": 0.01, "think_time_s": 0.0001},
        {"loop": "open", "rate_per_s": 5000, "clients": 4},
        {"loop": "open", "rate_per_s": 5000, "process": "regular", "clients": 1},
    ],
)
def test_a_null_target_gives_exactly_the_samples_of_the_schedule(arrivals: dict[str, object]) -> None:
    """Every scheduled query becomes one sample, warm-up included, and none is sent before it is due."""
    recording, is_whole = drive(NullTarget(), arrivals=arrivals, warm_up=5, count=100)
    assert is_whole
    assert len(recording.samples) == 105
    assert sum(s.is_warm_up for s in recording.samples) == 5
    assert all(s.intended_s <= s.sent_s <= s.last_row_s for s in recording.samples)
    assert all(s.error is None for s in recording.samples)


def test_a_failing_query_is_a_sample_and_its_client_goes_on() -> None:
    """Every third query fails; all are recorded with the class and text of their error."""
    recording, _ = drive(Failing(), count=30)
    errors = [s.error for s in recording.samples if s.error]
    assert len(recording.samples) == 30
    assert (errors.count("ClusterError"), errors.count("ZeroDivisionError")) == (5, 5)
    assert {s.error_text for s in recording.samples} == {None, "node2 is gone", "oops"}


def test_an_open_loop_charges_a_stall_to_every_query_that_waited() -> None:
    """At 10/s one stall of 2 s delays the 20 queries behind it: the 90th percentile sees it, service time does not."""
    clock = VirtualClock()
    target = Timed(clock, service_s=0.01, stalled=10, stall_s=2.0)
    arrivals = {"loop": "open", "rate_per_s": 10, "process": "regular", "clients": 1}
    recording, _ = drive(target, clock, arrivals=arrivals, count=100)
    latency = latencies(recording)
    service = np.array([s.last_row_s - s.sent_s for s in recording.samples])
    assert (service > 0.1).sum() == 1
    assert (latency > 0.1).sum() == pytest.approx(21, abs=2)
    assert np.percentile(latency, 90) > 0.9
    assert latency[-1] == pytest.approx(0.01)


def test_a_closed_loop_hides_a_stall_from_all_but_one() -> None:
    """The same stall in a closed loop is one slow query: the other half of why there are open loops."""
    clock = VirtualClock()
    recording, _ = drive(Timed(clock, 0.01, stalled=10, stall_s=2.0), clock, count=100)
    assert (latencies(recording) > 0.1).sum() == 1


def test_waiting_behind_a_query_is_not_the_drivers_own_lag() -> None:
    """A query that waits for its client has latency, but no driver lag."""
    clock = VirtualClock()
    arrivals = {"loop": "open", "rate_per_s": 10, "process": "regular", "clients": 1}
    recording, _ = drive(Timed(clock, service_s=0.5), clock, arrivals=arrivals, count=20)
    assert max(s.driver_lag_s for s in recording.samples) == pytest.approx(0, abs=1e-9)
    assert latencies(recording).max() > 5


def test_think_time_lies_between_answer_and_next_due_time() -> None:
    """A closed loop's queries fall due one service time and one think time apart."""
    clock = VirtualClock()
    arrivals = {"loop": "closed", "think_time_s": 0.5}
    recording, _ = drive(Timed(clock, service_s=0.25), clock, arrivals=arrivals, count=4)
    assert [s.intended_s for s in recording.samples] == pytest.approx([0, 0.75, 1.5, 2.25])


def test_a_closed_loop_with_a_duration_goes_round_its_statements() -> None:
    """In 10 s at 0.1 s a query 100 are sent, over 7 distinct statements, warm-up only once."""
    clock = VirtualClock()
    recording, _ = drive(Timed(clock, 0.1), clock, duration_s=10, distinct=7, warm_up=2)
    assert len(recording.samples) == pytest.approx(100, abs=1)
    assert len({s.sql for s in recording.samples if not s.is_warm_up}) == 7
    assert sum(s.is_warm_up for s in recording.samples) == 2


def test_an_open_loop_with_a_duration_sends_what_falls_due_in_it() -> None:
    """At 10/s regular for 3 s there are 30 queries."""
    clock = VirtualClock()
    arrivals = {"loop": "open", "rate_per_s": 10, "process": "regular", "clients": 1}
    recording, _ = drive(Timed(clock, 0.01), clock, arrivals=arrivals, duration_s=3)
    assert len(recording.samples) == 30


def test_answers_are_kept_within_the_budget() -> None:
    """Answers beyond the budget are dropped, their samples are not."""
    answer = TargetAnswer.of(pa.table({"a": np.zeros(10_000)}))
    target = NullTarget(answer.table)
    recording, _ = drive(target, count=30)
    kept = [a for a in recording.answers if a is not None]
    assert len(kept) == (1 << 20) // answer.table.nbytes
    assert len(recording.samples) == len(recording.answers) == 30


class Hanging(NullTarget):
    """Interrupts the main thread on the fifth query and never answers that one in time."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        super().__init__()
        self.interrupt, self.asked, self.released = interrupt, 0, threading.Event()

    def run(self, sql: str, database: str) -> TargetAnswer:
        self.asked += 1
        if self.asked == 5:
            self.interrupt()
            self.released.wait(60)
        return super().run(sql, database)


def test_ctrl_c_ends_a_run_cleanly_and_records_what_never_came_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C no query is sent, the one under way is recorded as interrupted, its late answer changes nothing."""
    pressed = threading.Event()
    join = threading.Thread.join

    def join_or_interrupt(thread: threading.Thread, timeout: float | None = None) -> None:
        if timeout is None and thread.name.startswith("bench-") and pressed.wait(60):
            raise KeyboardInterrupt
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", join_or_interrupt)
    target = Hanging(pressed.set)
    recording, is_whole = drive(target, count=1000)
    assert not is_whole
    assert [s.error for s in recording.samples] == [None] * 4 + [INTERRUPTED]
    before = list(recording.samples)
    target.released.set()
    monkeypatch.undo()
    for thread in threading.enumerate():
        if thread.name.startswith("bench-"):
            thread.join(60)
    assert recording.samples == before
    assert len(recording.answers) == len(recording.samples)


class Slow(NullTarget):
    """Every third query takes until it is released."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.released = threading.Event()

    def run(self, sql: str, database: str) -> TargetAnswer:
        self.asked += 1
        if self.asked % 3 == 0:
            self.released.wait()
        return super().run(sql, database)


def test_a_query_without_answer_in_time_is_a_timeout_and_the_client_goes_on() -> None:
    """Every third query hangs: it is a Timeout, the others are answered, and none is lost."""
    loaded = lv_workload({"timeout_s": 0.2, "count": 9})
    recording, stop, target = Recording(), threading.Event(), Slow()
    run_phase(phase_clients(lv_schedule(loaded)[0], target, "d", WallClock(), recording, stop), stop)
    target.released.set()
    assert [s.error for s in recording.samples].count("Timeout") == 3
    assert [s.error for s in recording.samples].count(None) == 6


class Deaf(NullTarget):
    """Its statement ends when it is stopped, unless it is not begun yet: then it has to be told again."""

    def __init__(self) -> None:
        super().__init__()
        self.told = 0
        self.stopped = threading.Event()

    def begin(self, sql: str, database: str) -> Deaf:
        return self

    def answer(self) -> TargetAnswer:
        assert self.stopped.wait(60)
        raise ClusterError("stopped")

    def cancel(self) -> bool:
        self.told += 1
        if self.told == 2:
            self.stopped.set()
        return True


def test_a_call_that_did_not_hear_that_it_is_to_stop_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was between two statements when it was told first."""
    monkeypatch.setattr(driver, "TELL_AGAIN_S", 0.02)
    target = Deaf()
    with pytest.raises(Timeout, match=r"no answer within 0\.01 s, stopped"):
        run_within(target, "SELECT 1", "d", 0.01)
    assert target.told == 2


def test_an_error_within_the_time_is_that_error() -> None:
    """A limit does not change what a target raises."""
    target = Exhausted()
    target.asked = 100
    with pytest.raises(ClusterError, match="too many connections"):
        run_within(target, "q", "d", 1.0)
