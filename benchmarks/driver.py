"""What the benchmark's own driver costs: overhead a sample, schedule lag at a high rate, and a stall that must show.

python benchmarks/driver.py [--rate 2000] [--seconds 5] [--processes 2]

The null target answers at once, so all time is the driver's. The bounds that it is held to: 0.2 ms a sample; at 2,000
queries/s offered in open loop a lag below 5 ms at the 99th percentile; a target paused for 2 s must show the pause in
the percentiles of an open loop; a closed one hides it.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable

import numpy as np

from skyshard.bench.drive.driver import Recording
from skyshard.bench.drive.driver_processes import Driver, DriverProcesses, ProcessDriver, ThreadDriver, wall_clock
from skyshard.bench.drive.thread_switching import quick_switching
from skyshard.bench.target import NullTarget, TargetAnswer
from skyshard.bench.workload.data_profile import DataProfile
from skyshard.bench.workload.query_schedule import build_schedule
from skyshard.bench.workload.query_template import read_template
from skyshard.bench.workload.workload import Workload
from skyshard.host.shipped_data import data_folder

KEY = "LV/object_by_id"


class Stalling(NullTarget):
    """Takes 1 ms, and once 2 s for everybody."""

    def __init__(self, stall_at_s: float, stall_s: float = 2.0) -> None:
        super().__init__()
        self._start, self._at_s, self._stall_s = time.perf_counter(), stall_at_s, stall_s
        self._lock, self._is_over = threading.Lock(), False

    def run(self, sql: str, database: str) -> TargetAnswer:
        with self._lock:
            if not self._is_over and time.perf_counter() - self._start > self._at_s:
                time.sleep(self._stall_s)
                self._is_over = True
        time.sleep(0.001)
        return super().run(sql, database)


def drive(target: Callable[[], NullTarget], arrivals: dict[str, object], count: int, processes: int = 0) -> Recording:
    """One class of one phase against a target; ``processes`` 0 drives with threads."""
    load = {"class": "LV", "templates": ["object_by_id"], "arrivals": arrivals, "count": count}
    content = {"version": 1, "name": "driver", "description": "", "database": "d", "seed": 1}
    workload = Workload.model_validate(content | {"phases": [{"name": "one", "classes": [load]}]})
    templates = {KEY: read_template(data_folder("queries", "sql"), KEY)}
    schedule = build_schedule(workload, templates, DataProfile.example(), 1)
    recording, clock = Recording(), wall_clock()
    driver: Driver = ThreadDriver(target(), "d", clock)
    if processes:
        driver = ProcessDriver(DriverProcesses(target, processes), "d", clock)
    try:
        with quick_switching():
            driver.run(schedule[0], recording)
    finally:
        driver.close()
    return recording


def lags_ms(recording: Recording) -> np.ndarray:
    """Sent minus due, of every sample: nothing else delays a null target's queries."""
    return np.array([1e3 * (sample.sent_s - sample.intended_s) for sample in recording.samples])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()

    start = time.perf_counter()
    closed = drive(NullTarget, {"loop": "closed", "clients": 1}, 20_000)
    each_ms = 1e3 * (time.perf_counter() - start) / len(closed.samples)
    print(f"closed loop, null target: {each_ms:.3f} ms a sample, schedule and records included (bound 0.2)")

    arrivals = {"loop": "open", "rate_per_s": options.rate, "process": "poisson", "clients": 16}
    for processes in (0, options.processes):
        recording = drive(NullTarget, arrivals, int(options.rate * options.seconds), processes)
        lag = lags_ms(recording)
        sent = max(s.sent_s for s in recording.samples) - min(s.intended_s for s in recording.samples)
        who = f"{processes} processes" if processes else "threads"
        print(
            f"open loop, {options.rate:g}/s offered, {who}: {len(lag) / sent:,.0f}/s sent, "
            f"lag p50 {np.percentile(lag, 50):.2f} ms, p99 {np.percentile(lag, 99):.2f} ms (bound 5), "
            f"max {lag.max():.1f} ms"
        )

    for loop, arrivals in (
        ("open", {"loop": "open", "rate_per_s": 100, "process": "regular", "clients": 4}),
        ("closed", {"loop": "closed", "clients": 4, "think_time_s": 0.04}),
    ):
        recording = drive(lambda: Stalling(1.0), arrivals, 600)
        latency = np.array([sample.last_row_s - sample.intended_s for sample in recording.samples])
        shown = ", ".join(f"p{p} {1e3 * np.percentile(latency, p):,.1f} ms" for p in (50, 90, 95, 99))
        print(f"target paused 2 s, {loop} loop: {shown}")


if __name__ == "__main__":
    main()
