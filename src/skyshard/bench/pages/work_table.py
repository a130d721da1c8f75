"""The report's tables of where the time goes: what each class cost each server, as text. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from skyshard.basics.readable import binary_bytes, seconds
from skyshard.bench.record.class_work import ClassWork
from skyshard.bench.record.server_work import CPU_TICK_S, Attribution
from skyshard.pages.page_template import count

HEADERS = (
    "class", "server", "counters of", "queries", "processor", "from disk", "from page cache", "rows by index",
    "rows by scan", "temporary tables", "on disk", "cache misses",
)  # fmt: skip
"""All but the first four for each query."""
SHORT = {"key cache": "keys", "InnoDB pool": "InnoDB", "Aria page cache": "Aria", "RocksDB block cache": "RocksDB"}
"""Caches in a narrow column."""
MOST_TABLES = 6
"""Tables and indexes that are shown for a class."""


def work_rows(found: Sequence[ClassWork], *, has_phases: bool) -> list[list[str]]:
    """One line for each class and server."""
    return [[_label(one, has_phases=has_phases), one.node, *_cells(one)] for one in found]


def _label(one: ClassWork, *, has_phases: bool) -> str:
    name = one.class_name or "all classes"
    return f"{name}, {one.phase}" if has_phases or not one.class_name else name


def _cells(one: ClassWork) -> list[str]:
    of = {
        Attribution.ALONE: "own phase",
        Attribution.AGAIN: "asked again",
        Attribution.MIXED: "mixed phase",
    }
    misses = [f"{SHORT[cache]} {count(missed)}" for cache, missed in one.cache_misses.items()]
    return [
        of[one.attribution], f"{one.queries:,}", _cpu(one), size_text(one.disk_bytes), size_text(one.cached_bytes),
        count(one.rows_by_index), count(one.rows_by_scan), count(one.per_query("created_tmp_tables")),
        count(one.per_query("created_tmp_disk_tables")), ", ".join(misses) or "–",
    ]  # fmt: skip


def _cpu(one: ClassWork) -> str:
    """Seconds for each query; where the window had less than the system can tell, what it cannot have exceeded."""
    if one.counted.get("cpu_s") == 0 and one.queries:
        return f"< {seconds(CPU_TICK_S / one.queries)}"
    return seconds(one.cpu_s)


def size_text(value: float | None) -> str:
    return "–" if value is None else binary_bytes(value)


@dataclass(frozen=True, slots=True)
class TableShare:
    """Rows that a class read of a table, or through one of its indexes, on all servers."""

    class_name: str
    phase: str
    table: str
    index: str
    rows: float
    """For each query."""


def table_shares(table_rows: pa.Table | None) -> list[TableShare]:
    """What each class read most, by table and index, over all servers; empty when rows were not counted."""
    if table_rows is None or not table_rows.num_rows:
        return []
    keys = ["phase", "class", "table", "index"]
    sums = table_rows.group_by(keys, use_threads=False).aggregate([("rows_read", "sum"), ("queries", "max")])
    by_class: dict[tuple[str, str], list[TableShare]] = {}
    for row in sums.sort_by([("rows_read_sum", "descending")]).to_pylist():
        shares = by_class.setdefault((row["phase"], row["class"]), [])
        if len(shares) < MOST_TABLES:
            rows = row["rows_read_sum"] / max(1, row["queries_max"])
            shares.append(TableShare(row["class"], row["phase"], row["table"], row["index"] or "", rows))
    return [share for _, shares in sorted(by_class.items()) for share in shares]
