"""What servers did in the trials of an experiment, for each query: from a trial, and over the trials of a cell.

Where several classes ran at once the numbers are those of the whole phase, and ``class_name`` is empty.
"""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from skyshard.bench.record.class_work import ClassWork, class_work
from skyshard.bench.record.server_work import Attribution
from skyshard.bench.record.trial_folder import Trial
from skyshard.catalog.strict_files import Strict


class ServerNumbers(Strict):
    """One class, or a mixed phase, on one server; means for each query, None where they are not told."""

    phase: str
    class_name: str
    node: str
    attribution: Attribution
    cpu_s: float | None
    disk_bytes: float | None
    cached_bytes: float | None
    rows_by_index: float | None
    rows_by_scan: float | None
    tmp_tables: float | None
    tmp_disk_tables: float | None
    cache_misses: dict[str, float]
    """By cache; those that were not used are left out."""


class CellServer(ServerNumbers):
    """The same for a cell: medians over its trials."""

    cell: int


VALUES = (
    "cpu_s", "disk_bytes", "cached_bytes", "rows_by_index", "rows_by_scan", "tmp_tables", "tmp_disk_tables",
)  # fmt: skip


def servers_of(trial: Trial) -> list[ServerNumbers]:
    """What each class cost each server of a trial."""
    return [_one(work) for work in class_work(trial.work)]


def _one(work: ClassWork) -> ServerNumbers:
    return ServerNumbers(
        phase=work.phase, class_name=work.class_name, node=work.node, attribution=work.attribution, cpu_s=work.cpu_s,
        disk_bytes=work.disk_bytes, cached_bytes=work.cached_bytes, rows_by_index=work.rows_by_index,
        rows_by_scan=work.rows_by_scan, tmp_tables=work.per_query("created_tmp_tables"),
        tmp_disk_tables=work.per_query("created_tmp_disk_tables"), cache_misses=work.cache_misses,
    )  # fmt: skip


def servers_of_cells(trials: Iterable[tuple[int, list[ServerNumbers]]]) -> list[CellServer]:
    """Medians over the trials of each cell, given with the cells' numbers."""
    found: dict[tuple[int, str, str, str], list[ServerNumbers]] = {}
    for cell, servers in trials:
        for one in servers:
            found.setdefault((cell, one.phase, one.class_name, one.node), []).append(one)
    return [_median(key[0], ones) for key, ones in sorted(found.items())]


def _median(cell: int, ones: list[ServerNumbers]) -> CellServer:
    values = {name: _middle([getattr(one, name) for one in ones]) for name in VALUES}
    caches = sorted({cache for one in ones for cache in one.cache_misses})
    misses = {cache: median([one.cache_misses.get(cache, 0.0) for one in ones]) for cache in caches}
    return CellServer(**ones[0].model_dump() | values | {"cell": cell, "cache_misses": misses})


def _middle(values: list[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return median(told) if told else None
