"""What each class cost each server of a trial, per query: the windows of ``server_work`` as one table. No I/O.

For each class the window that says most about it: its own phase, else asked again by itself, else the whole phase in
which it ran with others. Servers that were sent nothing are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from skyshard.bench.record.server_work import COUNTERS, Attribution

CACHES = {
    "key cache": ("key_read_requests", "key_reads"),
    "InnoDB pool": ("buffer_read_requests", "buffer_reads"),
    "Aria page cache": ("aria_read_requests", "aria_reads"),
    "RocksDB block cache": ("rocksdb_cache_hits", "rocksdb_cache_misses"),
}
"""Caches of the engines: what was asked of each, or found in it, and what it had to read."""
_KEYS = ("handler_read_first", "handler_read_last", "handler_read_key", "handler_read_next", "handler_read_prev")


@dataclass(frozen=True, slots=True)
class ClassWork:
    """One class, or all classes of a phase, on one server; None where the server does not tell."""

    phase: str
    class_name: str
    """Empty: all classes of the phase."""
    attribution: Attribution
    node: str
    queries: int
    elapsed_s: float
    counted: Mapping[str, float | None]
    """Counters of the window by the names of ``COUNTERS``."""

    def per_query(self, name: str) -> float | None:
        """A counter for each query of the window."""
        value = self.counted.get(name)
        return None if value is None or not self.queries else value / self.queries

    @property
    def cpu_s(self) -> float | None:
        return self.per_query("cpu_s")

    @property
    def disk_bytes(self) -> float | None:
        return self.per_query("read_bytes")

    @property
    def cached_bytes(self) -> float | None:
        """Bytes that read calls were given by the page cache of the system; engines' own caches are not in it."""
        calls, disk = self.per_query("read_call_bytes"), self.per_query("read_bytes")
        return None if calls is None or disk is None else max(0.0, calls - disk)

    @property
    def rows_by_index(self) -> float | None:
        """Rows that were read through an index, and look-ups in it."""
        return self._sum(_KEYS)

    @property
    def rows_by_scan(self) -> float | None:
        """Rows that were read in the order of the table, those of temporary tables too."""
        return self.per_query("handler_read_rnd_next")

    @property
    def cache_misses(self) -> dict[str, float]:
        """Misses of each cache for each query; caches that were not asked are left out."""
        used = {cache: names for cache, names in CACHES.items() if any(self.counted.get(name) for name in names)}
        return {cache: self.per_query(missed) or 0.0 for cache, (_, missed) in used.items()}

    def _sum(self, names: tuple[str, ...]) -> float | None:
        values = [self.per_query(name) for name in names]
        return None if None in values else sum(value for value in values if value is not None)


def class_work(work: pa.Table | None) -> list[ClassWork]:
    """What each class cost each server, in the order of phases and classes of the table; empty without windows."""
    if work is None or not work.num_rows:
        return []
    sent = work.filter(pc.or_kleene(pc.is_null(work["statements"]), pc.greater(work["statements"], 0)))
    found = [_one(row) for row in sent.to_pylist()]
    alone = {one.phase for one in found if one.attribution is Attribution.ALONE}
    again = {one.phase for one in found if one.attribution is Attribution.AGAIN}
    dropped = {Attribution.MIXED: again, Attribution.AGAIN: alone, Attribution.ALONE: set[str]()}
    return [one for one in found if one.phase not in dropped[one.attribution]]


def whole_phases(work: pa.Table | None) -> list[ClassWork]:
    """The phases as they ran, of one class or several, server by server."""
    if work is None or not work.num_rows:
        return []
    rows = [_one(row) for row in work.to_pylist() if row["attribution"] != Attribution.AGAIN.value]
    return [one for one in rows if one.counted.get("statements") != 0]


def _one(row: Mapping[str, object]) -> ClassWork:
    counted = {name: None if row[name] is None else float(str(row[name])) for name in COUNTERS}
    return ClassWork(
        str(row["phase"]), str(row["class"]), Attribution(str(row["attribution"])), str(row["node"]),
        int(str(row["queries"])), float(str(row["elapsed_s"])), counted,
    )  # fmt: skip
