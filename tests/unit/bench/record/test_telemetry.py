"""Counters of servers and of the driver while a trial runs."""

from __future__ import annotations

import psutil

from skyshard.bench.clock import WallClock
from skyshard.bench.record.telemetry import DRIVER, TELEMETRY_SCHEMA, Reading, TelemetryRecorder, process_reading, rates


class Two:
    """Two servers whose counters grow by 3 a reading; the second tells no disk."""

    def __init__(self) -> None:
        self.asked = 0

    def read(self) -> list[Reading]:
        self.asked += 1
        return [Reading("node1", 0.1 * self.asked, 100, 3 * self.asked), Reading("node2", 0.2 * self.asked)]

    def close(self) -> None:
        pass


def test_telemetry_is_read_every_period_and_rates_are_differences() -> None:
    """At least start and end are read, for both servers and the driver; what is not told is no rate."""
    with TelemetryRecorder(Two(), WallClock(), period_s=0.02) as recorder:
        psutil.Process().cpu_times()
    table = recorder.table
    assert table.schema.equals(TELEMETRY_SCHEMA)
    assert set(table["node"].to_pylist()) == {"node1", "node2", DRIVER}
    moments, found = rates(table, "node1", "read_bytes")
    assert len(moments) >= 1
    assert (found > 0).all()
    assert len(rates(table, "node2", "read_bytes")[0]) == 0


def test_a_probe_that_fails_leaves_a_gap() -> None:
    """A server that is gone does not end a trial."""

    class Gone(Two):
        def read(self) -> list[Reading]:
            raise ConnectionError("gone")

    with TelemetryRecorder(Gone(), WallClock(), period_s=0.01) as recorder:
        pass
    assert recorder.table.num_rows == 0


def test_a_process_reading_tells_memory() -> None:
    """Of this very process processor time and memory are known."""
    reading = process_reading("me", psutil.Process())
    assert (reading.memory_bytes or 0) > 1_000_000
    assert (reading.cpu_s or 0) > 0
