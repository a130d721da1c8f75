"""From part reports to build orders: which tables a node makes, from which slices, with which digest.

Pure but for the paths of bundles. Every chunk that a node holds gets a table of every chunked kind, empty where there
are no rows, and every node gets the dummy chunk: a chunk statement never meets a missing table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from skyshard.ddl import DUMMY_CHUNK, create_table, physical_name, stored_table
from skyshard.ingest.bundle import Bundle, BundleWriter, PartReport
from skyshard.ingest.director_keys import DirectorKeys
from skyshard.ingest.plan import IngestPlan, PlannedTable
from skyshard.layout import Role
from skyshard.registry.store import WHOLE, index_table_name
from skyshard.registry.tables import INDEX_DATABASE
from skyshard.rowimage.digest import RowDigest, digest
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import RecordLayout
from skyshard.rowimage.sqltype import parse_type
from skyshard.schema import Column, Table
from skyshard.worker.messages import BuildOrder, Loader, Slice, TableBuild

TABLES_PER_ORDER = 32
EMPTY = RowDigest(0, 0)

Target = tuple[int, bool]
"""A chunk table of one table: chunk (``WHOLE`` for a regular table) and whether it is the overlap table."""


def merged_segments(reports: Sequence[PartReport]) -> dict[Target, tuple[int, str]]:
    """Rows and digest of each chunk table, summed over the segments of the given parts."""
    sums: dict[Target, RowDigest] = {}
    for report in reports:
        for segment in report.segments:
            target = (segment.chunk, segment.is_overlap)
            sums[target] = sums.get(target, EMPTY) + RowDigest.parse(segment.digest)
    return {target: (total.rows, str(total)) for target, total in sums.items()}


def table_bytes(table: PlannedTable, reports: Sequence[PartReport]) -> Counter[int]:
    """Bytes to store by chunk: record length times rows, overlap included; an estimate for tables with BLOBs."""
    stored = table.stored
    length = RecordLayout.of(stored).length if table.loader is Loader.IMAGE else 16 * len(stored.columns)
    sizes: Counter[int] = Counter()
    for report in reports:
        for segment in report.segments:
            sizes[segment.chunk] += segment.rows * length
    return sizes


def plan_builds(
    plan: IngestPlan,
    table: PlannedTable,
    reports: Sequence[PartReport],
    node: str,
    nodes_of: Mapping[int, tuple[str, ...]],
    staging: Path,
) -> list[BuildOrder]:
    """The orders that make one table on one node."""
    layout = table.source.layout
    if layout.role is Role.REGULAR:
        targets: list[Target] = [(WHOLE, False)]
    else:
        kinds = (False, True) if layout.role is Role.DIRECTOR else (False,)
        chunks = [chunk for chunk, nodes in nodes_of.items() if node in nodes]
        targets = [(chunk, is_overlap) for chunk in [*chunks, DUMMY_CHUNK] for is_overlap in kinds]
    sums = merged_segments(reports)
    slices = _slices(table, reports, staging)
    builds = [_build(plan, table, target, sums, slices) for target in targets]
    return [
        BuildOrder(plan.database, table.stored, table.loader, tuple(builds[start : start + TABLES_PER_ORDER]))
        for start in range(0, len(builds), TABLES_PER_ORDER)
    ]


def _build(
    plan: IngestPlan,
    table: PlannedTable,
    target: Target,
    sums: Mapping[Target, tuple[int, str]],
    slices: Mapping[Target, list[Slice]],
) -> TableBuild:
    chunk, is_overlap = target
    name = physical_name(table.name, chunk, is_overlap=is_overlap)
    stored = stored_table(table.source.table, table.source.layout, overlap=is_overlap)
    rows, expected = sums.get(target, (0, str(EMPTY)))
    create = create_table(stored, name, engine=plan.layout.engine)
    return TableBuild(name, table.name, chunk, is_overlap, create, tuple(slices.get(target, ())), rows, expected)


def _slices(table: PlannedTable, reports: Sequence[PartReport], staging: Path) -> dict[Target, list[Slice]]:
    found: dict[Target, list[Slice]] = {}
    for report in reports:
        path = str(Bundle(staging, table.name, report.digest).path)
        for segment in report.segments:
            piece = Slice(path, segment.offset, segment.rows)
            found.setdefault((segment.chunk, segment.is_overlap), []).append(piece)
    return found


def index_build(database: str, director: str, keys_folder: Path, staging: Path) -> BuildOrder:
    """The order that loads a director index on the czar's server from the sorted keys."""
    key, number = parse_type("bigint(20)"), parse_type("int(11)")
    columns = (Column("key", key, False), Column("chunkId", number, False), Column("subChunkId", number, False))
    table = Table(index_table_name(database, director), columns, ("key",))
    bundle = Bundle(staging, f"index-{director}", "sorted")
    total, offset, slices = EMPTY, 0, []
    layout = RecordLayout.of(table)
    with BundleWriter(bundle, Loader.IMAGE, None) as writer:
        for batch in _index_batches(DirectorKeys.open(keys_folder), table):
            offset = writer.add_records(pack(batch, layout))
            slices.append(Slice(str(bundle.path), offset, batch.num_rows))
            total += digest(batch, table.columns)
    create = create_table(table, table.name)
    build = TableBuild(table.name, table.name, WHOLE, False, create, tuple(slices), total.rows, str(total))
    return BuildOrder(INDEX_DATABASE, table, Loader.IMAGE, (build,))


def _index_batches(keys: DirectorKeys, table: Table, rows: int = 1 << 20) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(keys), rows):
        values, places = keys.slice(start, start + rows)
        arrays = [pa.array(values), pa.array(places[:, 0].copy()), pa.array(places[:, 1].copy())]
        yield pa.RecordBatch.from_arrays(arrays, names=table.column_names)
