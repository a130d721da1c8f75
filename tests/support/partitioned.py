"""Partition a whole source in this process, without servers: what the engine does before it loads."""

from __future__ import annotations

from pathlib import Path

from skyshard.catalog.layout import Role
from skyshard.ingest.partition.bundle import Bundle, SliceReport
from skyshard.ingest.partition.director_keys import DirectorKeys, KeyKind, build_keys
from skyshard.ingest.partition.given_chunks import check_overlap
from skyshard.ingest.partition.partition_task import PartitionSpec, partition_slice
from skyshard.ingest.source import Source
from skyshard.node.messages import Loader
from skyshard.rowimage.digest import RowDigest

Digests = dict[tuple[int, bool], RowDigest]


def partition_all(
    source: Source, staging: Path, tables: list[str] | None = None, loader: Loader = Loader.LOAD_DATA
) -> dict[str, list[SliceReport]]:
    """Reports by table, in the order of ingest."""
    staging.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[SliceReport]] = {}
    for table in source.chosen(tables):
        layout = table.layout
        spec = PartitionSpec(
            table.table, layout, source.layout.striping, table.reader, loader, str(staging),
            str(staging / f"keys-{layout.director}"), str(staging / f"keys-{layout.director2}"),
        )  # fmt: skip
        reports = [partition_slice(spec, piece) for piece in table.slices]
        check_overlap(table.name, reports)
        if layout.role is Role.DIRECTOR and layout.key:
            files = [Bundle(staging, table.name, report.digest).keys for report in reports]
            names = [report.path for report in reports]
            kind = KeyKind.of(table.table, layout)
            build_keys(staging / f"keys-{table.name}", files, table.name, names, DirectorKeys([]), kind)
        found[table.name] = reports
    return found


def digests_of(reports: list[SliceReport]) -> Digests:
    """Digest of each chunk table."""
    sums: Digests = {}
    for report in reports:
        for segment in report.segments:
            key = (segment.chunk, segment.is_overlap)
            sums[key] = sums.get(key, RowDigest()) + RowDigest.parse(segment.digest)
    return sums


def conversions_of(reports: list[SliceReport]) -> dict[str, int]:
    found: dict[str, int] = {}
    for report in reports:
        for what, count in report.conversions.items():
            found[what] = found.get(what, 0) + count
    return found
