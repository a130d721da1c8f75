"""What every server did for each class of a trial: counters at the end of a window less those at its beginning.

Windows, and what may be said of them (``Attribution``):

    alone   a phase of one class: all of it is that class's
    mixed   a phase of several classes: the whole phase; nobody can say whose it was
    again   the class, asked once more by itself after the phases, servers warm; only when server statistics are asked

Counters are of the whole server. What the readings themselves count (SHOW STATUS makes a temporary table) is measured
and taken off; background threads are not. A counter that fell, such as by a restart, is null.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

import pyarrow as pa

from skyshard.basics.errors import SkyshardError


class Attribution(StrEnum):
    """How far the counters of a window are those of a class."""

    ALONE = "alone"
    MIXED = "mixed"
    AGAIN = "again"


STATUS_COUNTERS = {
    "Questions": "statements",
    "Handler_read_first": "handler_read_first",
    "Handler_read_key": "handler_read_key",
    "Handler_read_last": "handler_read_last",
    "Handler_read_next": "handler_read_next",
    "Handler_read_prev": "handler_read_prev",
    "Handler_read_rnd": "handler_read_rnd",
    "Handler_read_rnd_next": "handler_read_rnd_next",
    "Handler_tmp_write": "handler_tmp_write",
    "Created_tmp_tables": "created_tmp_tables",
    "Created_tmp_disk_tables": "created_tmp_disk_tables",
    "Created_tmp_files": "created_tmp_files",
    "Sort_rows": "sort_rows",
    "Opened_tables": "opened_tables",
    "Key_read_requests": "key_read_requests",
    "Key_reads": "key_reads",
    "Innodb_buffer_pool_read_requests": "buffer_read_requests",
    "Innodb_buffer_pool_reads": "buffer_reads",
    "Aria_pagecache_read_requests": "aria_read_requests",
    "Aria_pagecache_reads": "aria_reads",
    "Rocksdb_block_cache_hit": "rocksdb_cache_hits",
    "Rocksdb_block_cache_miss": "rocksdb_cache_misses",
}
"""Variables of SHOW GLOBAL STATUS, and what they are called here; an engine that is not there tells none."""
CPU_TICK_S = 0.01
"""In such steps the system tells the processor time of a process."""
PROCESS_COUNTERS = ("cpu_s", "read_bytes", "written_bytes", "read_call_bytes")
"""Of the operating system; bytes: from the disk, to the disk, and by read calls, whether from disk or page cache."""
COUNTERS = (*PROCESS_COUNTERS, *STATUS_COUNTERS.values())
READINGS = "readings"
"""How often a server's status had been read, by whomever of this process."""

WORK_SCHEMA = pa.schema(
    [
        pa.field("phase", pa.string(), nullable=False),
        pa.field("class", pa.string(), nullable=False),  # empty: all classes of the phase
        pa.field("attribution", pa.string(), nullable=False),
        pa.field("node", pa.string(), nullable=False),
        pa.field("queries", pa.int64(), nullable=False),  # sent in the window, with warm-up and failed ones
        pa.field("elapsed_s", pa.float64(), nullable=False),
        *(pa.field(name, pa.float64() if name == "cpu_s" else pa.int64()) for name in COUNTERS),
    ],
    metadata={b"skyshard.work.version": b"1"},
)

TABLE_ROWS_SCHEMA = pa.schema(
    [
        pa.field("phase", pa.string(), nullable=False),
        pa.field("class", pa.string(), nullable=False),
        pa.field("node", pa.string(), nullable=False),
        pa.field("table", pa.string(), nullable=False),  # DATABASE.TABLE; chunks and overlap of a table together
        pa.field("index", pa.string()),  # null: all rows of the table, however they were found
        pa.field("queries", pa.int64(), nullable=False),
        pa.field("rows_read", pa.int64(), nullable=False),
    ],
    metadata={b"skyshard.table_rows.version": b"1"},
)

Counters = Mapping[str, float | None]


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows that one server read of a table, or of one of its indexes, since it was asked to count."""

    node: str
    table: str
    index: str | None
    rows_read: int


@runtime_checkable
class WorkProbe(Protocol):
    """Reads the counters of all servers, and lets them count rows by table."""

    def counters(self) -> Mapping[str, Counters]:
        """By server, under the names of ``COUNTERS`` and ``READINGS``; what is not told is None or left out."""
        ...

    def count_tables(self) -> None:
        """Begin to count rows by table and index, from zero; this slows servers down."""
        ...

    def table_rows(self) -> Sequence[TableRows]:
        """What was counted since, and no longer count."""
        ...


@dataclass(slots=True)
class WorkMeter:
    """Measures windows; servers that do not answer leave a window out, and end nothing."""

    probe: object
    """Windows are measured when it is a ``WorkProbe``."""
    rows: list[dict[str, object]] = field(default_factory=list)
    _reading_costs: dict[str, Counters] = field(default_factory=dict)

    @contextmanager
    def window(self, phase: str, class_name: str, attribution: Attribution) -> Iterator[list[int]]:
        """Measure what is done inside; the caller puts the number of queries into the list."""
        queries: list[int] = []
        before, begun = self._counters(is_first=True), time.perf_counter()
        yield queries
        elapsed_s, after = time.perf_counter() - begun, self._counters()
        for node in sorted(before.keys() & after.keys()):
            done = differences(before[node], after[node], self._reading_costs.get(node, {}))
            named = {"phase": phase, "class": class_name, "attribution": attribution.value, "node": node}
            self.rows.append({**named, "queries": sum(queries), "elapsed_s": elapsed_s, **done})

    def _counters(self, *, is_first: bool = False) -> dict[str, Counters]:
        if not isinstance(self.probe, WorkProbe):
            return {}
        try:
            if is_first and not self._reading_costs:
                self._reading_costs = _costs(self.probe.counters(), self.probe.counters())
            return dict(self.probe.counters())
        except SkyshardError:
            return {}

    @property
    def table(self) -> pa.Table:
        return pa.Table.from_pylist(self.rows, schema=WORK_SCHEMA)


def _costs(first: Mapping[str, Counters], second: Mapping[str, Counters]) -> dict[str, Counters]:
    """What one reading of the status counts on each server; the system's counters are too coarse to tell."""
    costs: dict[str, Counters] = {}
    for node in first.keys() & second.keys():
        readings = (second[node].get(READINGS) or 0) - (first[node].get(READINGS) or 0)
        pairs = {name: (first[node].get(name), second[node].get(name)) for name in STATUS_COUNTERS.values()}
        told = {name: (old, new) for name, (old, new) in pairs.items() if old is not None and new is not None}
        costs[node] = {name: max(0, new - old) / max(1, readings) for name, (old, new) in told.items()}
    return costs


def differences(before: Counters, after: Counters, cost: Counters) -> dict[str, float | int | None]:
    """What was counted between two readings, less what the readings cost; None where it is not told or fell.

    >>> found = differences({"readings": 1, "key_reads": 5}, {"readings": 3, "key_reads": 25}, {"key_reads": 2})
    >>> found["key_reads"], found["aria_reads"]
    (16, None)
    """
    readings = (after.get(READINGS) or 0) - (before.get(READINGS) or 0)
    found: dict[str, float | int | None] = {}
    for name in COUNTERS:
        old, new = before.get(name), after.get(name)
        found[name] = None
        if old is not None and new is not None and new >= old:
            done = max(0, new - old - readings * (cost.get(name) or 0))
            found[name] = done if name == "cpu_s" else round(done)
    return found
