"""What the slices of a transaction hold, put together by table, before their bundles go."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from skyshard.ingest.partition.bundle import Bundle, SliceReport
from skyshard.ingest.plan.ingest_plan import PlannedTable
from skyshard.ingest.quality.kept_quality import TableQuality, table_quality
from skyshard.ingest.quality.near_positions import load_positions, near_rows
from skyshard.ingest.quality.slice_counts import CountedColumns


def count_tables(
    tables: Iterable[PlannedTable], reports: Mapping[str, Sequence[SliceReport]], staging: Path
) -> dict[str, TableQuality]:
    """The counts of each table whose slices were counted; a table of which some were not is left out."""
    found = {}
    for planned in tables:
        table, layout, slices = planned.source.table, planned.source.layout, reports[planned.name]
        if not slices or not all(report.quality for report in slices):
            continue
        near = None
        if CountedColumns.of(table, layout).keeps_positions:
            paths = [Bundle(staging, table.name, report.digest).positions for report in slices]
            near = near_rows(*load_positions(paths))
        counted = [{"path": report.path, "digest": report.digest, **report.quality} for report in slices]
        found[table.name] = table_quality(table, counted, near)
    return found
