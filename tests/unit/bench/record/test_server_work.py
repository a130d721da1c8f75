"""Windows of the servers' counters, less what the readings cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from skyshard.basics.errors import ClusterError
from skyshard.bench.record.server_work import READINGS, WORK_SCHEMA, Attribution, Counters, TableRows, WorkMeter


class Counting:
    """A server whose readings cost three rows each; ``work`` is what it did besides."""

    def __init__(self) -> None:
        self.readings = 0
        self.work = 0

    def counters(self) -> Mapping[str, Counters]:
        self.readings += 1
        rows = 3 * self.readings + self.work
        return {"node1": {READINGS: self.readings, "handler_read_rnd_next": rows, "cpu_s": 0.5 * self.work}}

    def count_tables(self) -> None:
        pass

    def table_rows(self) -> Sequence[TableRows]:
        return []


def test_a_window_counts_what_was_done_in_it_and_not_the_readings() -> None:
    """Also when the telemetry read the status in between."""
    probe = Counting()
    meter = WorkMeter(probe)
    with meter.window("p", "LV", Attribution.ALONE) as queries:
        probe.work += 10
        probe.counters()
        queries.append(5)
    (row,) = meter.table.to_pylist()
    assert meter.table.schema.equals(WORK_SCHEMA)
    assert (row["handler_read_rnd_next"], row["cpu_s"], row["queries"], row["attribution"]) == (10, 5.0, 5, "alone")
    assert row["key_reads"] is None


def test_a_counter_that_fell_is_not_told() -> None:
    """A server that was restarted has counters from zero."""
    probe = Counting()
    probe.work = 100
    meter = WorkMeter(probe)
    with meter.window("p", "", Attribution.MIXED):
        probe.work = 0
    assert meter.table["handler_read_rnd_next"].to_pylist() == [None]


def test_a_server_that_does_not_answer_leaves_the_window_out() -> None:
    """The trial goes on."""

    class Gone(Counting):
        def counters(self) -> Mapping[str, Counters]:
            raise ClusterError("gone")

    meter = WorkMeter(Gone())
    with meter.window("p", "", Attribution.MIXED):
        pass
    assert meter.table.num_rows == 0


def test_a_probe_without_counters_has_no_windows() -> None:
    """Targets that are no servers of the testbed."""
    meter = WorkMeter(object())
    with meter.window("p", "", Attribution.MIXED):
        pass
    assert meter.table.num_rows == 0
