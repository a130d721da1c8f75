"""Turns slice reports into build orders: which tables a node makes, from which slices, with which digest.

Pure but for the paths of bundles. Every chunk that a node holds gets a table of every chunked kind, empty where there
are no rows, and every node gets the dummy chunk: a chunk statement never meets a missing table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pyarrow as pa

from skyshard.catalog.ddl import DUMMY_CHUNK, create_table, part_suffix, physical_name, stored_table
from skyshard.catalog.layout import Role
from skyshard.catalog.schema import Column, Key, Table
from skyshard.db.connection import quote_name
from skyshard.ingest.partition.bundle import Bundle, BundleWriter, SliceReport
from skyshard.ingest.partition.director_keys import DirectorKeys, KeyKind
from skyshard.ingest.plan.ingest_plan import IngestPlan, PlannedTable
from skyshard.node.messages import BuildOrder, BuiltTable, BundleSlice, Loader, TableBuild
from skyshard.node.read.byte_batches import by_bytes
from skyshard.registry.catalog.director_index import index_table_name
from skyshard.registry.stored.records import WHOLE, Replica
from skyshard.registry.stored.sql_tables import INDEX_DATABASE
from skyshard.rowimage.digest import RowDigest, digest
from skyshard.rowimage.pack import pack
from skyshard.rowimage.record import RecordLayout
from skyshard.rowimage.sqltype import parse_type

ORDER_BYTES = 64 << 20
"""Bytes of rows in an order: long enough that creating a table of each kind again costs little."""
TABLE_BYTES = 512 << 10
"""Bytes of rows that a table counts for besides its own, so that an order has at most 128."""
EMPTY = RowDigest(0, 0)

ChunkKey = tuple[int, bool]
"""A chunk table of one table: chunk (``WHOLE`` for a regular table) and whether it is the overlap table."""
Target = tuple[str, int, bool]
"""A chunk table with its table's name first."""


def merged_segments(reports: Sequence[SliceReport]) -> dict[ChunkKey, tuple[int, str]]:
    """Rows and digest of each chunk table, summed over the segments of the given slices.

    >>> from skyshard.ingest.partition.bundle import Segment
    >>> first = SliceReport("a.parquet", "", segments=[Segment(7, False, 0, 2, str(RowDigest(2, 5)))])
    >>> second = SliceReport("b.parquet", "", segments=[Segment(7, False, 0, 1, str(RowDigest(1, 6)))])
    >>> merged_segments([first, second]) == {(7, False): (3, str(RowDigest(3, 11)))}
    True
    """
    sums: dict[ChunkKey, RowDigest] = {}
    for report in reports:
        for segment in report.segments:
            target = (segment.chunk, segment.is_overlap)
            sums[target] = sums.get(target, EMPTY) + RowDigest.parse(segment.digest)
    return {target: (total.rows, str(total)) for target, total in sums.items()}


def table_bytes(table: PlannedTable, reports: Sequence[SliceReport]) -> Counter[int]:
    """Bytes to store by chunk: record length times rows, overlap included; an estimate for tables with BLOBs."""
    length = _row_bytes(table.stored, table.loader)
    sizes: Counter[int] = Counter()
    for report in reports:
        for segment in report.segments:
            sizes[segment.chunk] += segment.rows * length
    return sizes


def _row_bytes(stored: Table, loader: Loader) -> int:
    return RecordLayout.of(stored).length if loader is Loader.IMAGE else 16 * len(stored.columns)


def in_orders(
    database: str, stored: Table, loader: Loader, builds: Sequence[TableBuild], engine: str
) -> Iterator[BuildOrder]:
    """Builds of one kind as orders of bounded size."""
    length = _row_bytes(stored, loader)
    for some in by_bytes(builds, lambda build: build.rows * length + TABLE_BYTES, ORDER_BYTES):
        yield BuildOrder(database, stored, loader, tuple(some), engine)


@dataclass(frozen=True, slots=True)
class KeptRows:
    """What stays of a chunk table some of whose rows are replaced: all parts but the rows of some files."""

    parts: tuple[str, ...]
    """Names of its tables, the same on every node."""
    digest: RowDigest
    """Of the rows that stay."""
    leave_out: tuple[int, ...]
    """Numbers of the files whose rows go."""


@dataclass(frozen=True, slots=True)
class BuildContext:
    """What the builds of one transaction share.

    ``existing`` are the chunk tables that earlier transactions have made: what this one adds to them becomes a part
    of its own, named after ``transaction``. So are those of a table that is in ``renewed``: a query that began with
    the one that had its name before must not meet them. Everything else is made under its plain name. Those in ``kept``
    are made whole: what stays of them, and what comes.
    """

    plan: IngestPlan
    transaction: int
    nodes_of: Mapping[int, tuple[str, ...]]
    existing: frozenset[Target]
    staging_on: Callable[[str], Path]
    """The folder of bundles on a host."""
    kept: Mapping[Target, KeptRows] = field(default_factory=dict)
    bare: frozenset[str] = frozenset()
    """Nodes that have nothing of the database yet, not even its dummy chunk."""
    renewed: Container[str] = ()
    """Names that tables had which were dropped."""
    absent: Mapping[Target, Container[str]] = field(default_factory=dict)
    """By regular table: nodes that lack what earlier transactions brought of it, and make nothing."""


def plan_builds(
    context: BuildContext, table: PlannedTable, reports: Sequence[SliceReport], nodes: Sequence[str]
) -> dict[str, list[BuildOrder]]:
    """The orders that make one table, by node."""
    builds = _Builds(context, table, merged_segments(reports), _slices(context, table, reports))
    orders, database = {}, context.plan.database
    for node, targets in chunk_targets(context.nodes_of, table.source.layout.role, nodes).items():
        mine = [
            builds.of(target)
            for target in targets
            if node not in context.absent.get((table.name, *target), ())
            and (
                target in builds.sums
                or (table.name, *target) in context.kept
                or (table.name, *target) not in context.existing
                or (target[0] == DUMMY_CHUNK and node in context.bare)
            )
        ]
        orders[node] = list(in_orders(database, builds.stored, table.loader, mine, context.plan.layout.engine))
    return orders


def chunk_targets(nodes_of: Mapping[int, Sequence[str]], role: Role, nodes: Iterable[str]) -> dict[str, list[ChunkKey]]:
    """The chunk tables that each node has of a table of this role, the dummy chunk's among them.

    >>> chunk_targets({7: ["a"], 8: ["a", "b"]}, Role.DEPENDENT, ["b"])
    {'b': [(8, False), (1234567890, False)]}
    """
    if role is Role.REGULAR:
        return {node: [(WHOLE, False)] for node in nodes}
    kinds = (False, True) if role is Role.DIRECTOR else (False,)
    found: dict[str, list[ChunkKey]] = {node: [] for node in nodes}
    for chunk, holders in nodes_of.items():
        for node in holders:
            if node in found:
                found[node] += [(chunk, is_overlap) for is_overlap in kinds]
    return {node: [*mine, *((DUMMY_CHUNK, is_overlap) for is_overlap in kinds)] for node, mine in found.items()}


class _Builds:
    """The builds of one table; what they have in common is made once."""

    def __init__(
        self,
        context: BuildContext,
        table: PlannedTable,
        sums: Mapping[ChunkKey, tuple[int, str]],
        slices: Mapping[ChunkKey, list[BundleSlice]],
    ) -> None:
        self.sums = sums
        self.stored = table.stored
        self._context = context
        self._table = table
        self._slices = slices
        engine = context.plan.layout.table_engine
        self._definitions = {
            is_overlap: create_table(
                stored_table(table.source.table, table.source.layout, overlap=is_overlap), "any", engine=engine
            ).partition("(")[2]
            for is_overlap in (False, True)
        }

    def of(self, target: ChunkKey) -> TableBuild:
        chunk, is_overlap = target
        base = self._table.name
        is_added = (base, *target) in self._context.existing or base in self._context.renewed
        part = self._context.transaction if is_added and chunk != DUMMY_CHUNK else 0  # whose tables have no parts
        name = physical_name(base, chunk, is_overlap=is_overlap, suffix=part_suffix(part))
        rows, expected = self.sums.get(target, (0, str(EMPTY)))
        create = f"CREATE TABLE {quote_name(name)} ({self._definitions[is_overlap]}"
        pieces = tuple(self._slices.get(target, ()))
        build = TableBuild(name, base, chunk, is_overlap, part, create, pieces, rows, expected)
        kept = self._context.kept.get((base, *target))
        return build if kept is None else self._with_kept(build, kept)

    def _with_kept(self, build: TableBuild, kept: KeptRows) -> TableBuild:
        """The build of a whole table; like a compaction's it has no unique keys, as two parts may have a value each."""
        stored = stored_table(self._table.source.table, self._table.source.layout, overlap=build.is_overlap)
        engine = self._context.plan.layout.table_engine
        total = kept.digest + RowDigest.parse(build.digest)
        return replace(
            build, create=create_table(stored, build.name, engine=engine, unique=False), rows=total.rows,
            digest=str(total), merged=kept.parts, leave_out=kept.leave_out,
            brings=tuple(sorted({piece.number for piece in self._table.source.slices})),
        )  # fmt: skip


def _slices(
    context: BuildContext, table: PlannedTable, reports: Sequence[SliceReport]
) -> dict[ChunkKey, list[BundleSlice]]:
    """The slices of each table; the file of one segment may be taken over by the first node that makes the table."""
    found: dict[ChunkKey, list[BundleSlice]] = {}
    for report in reports:
        bundle = Bundle(context.staging_on(report.host), table.name, report.digest).path
        for segment in report.segments:
            path = str(bundle.with_name(segment.file) if segment.file else bundle)
            piece = BundleSlice(path, segment.offset, segment.rows, bool(segment.file), report.host)
            found.setdefault((segment.chunk, segment.is_overlap), []).append(piece)
    return found


def built_replicas(node: str, order: BuildOrder, built: Sequence[BuiltTable]) -> list[Replica]:
    """What the registry records of an order that a node has carried out; the dummy chunk has no replicas."""
    return [
        Replica(build.base, build.chunk, build.is_overlap, node, table.rows, table.bytes, table.digest, build.part)
        for build, table in zip(order.builds, built, strict=True)
        if build.chunk != DUMMY_CHUNK
    ]


def index_build(database: str, director: str, kind: KeyKind, part: int, keys_folder: Path, staging: Path) -> BuildOrder:
    """The order that loads one part of a director index on the czar's server from its sorted keys."""
    table = index_definition(index_table_name(database, director) + part_suffix(part), kind)
    bundle = Bundle(staging, f"index-{director}", "sorted")
    total, slices = EMPTY, []
    layout = RecordLayout.of(table)
    with BundleWriter(bundle, Loader.IMAGE, None) as writer:
        for batch in index_batches(DirectorKeys.open(keys_folder), table):
            ((file, offset),) = writer.add_records(pack(batch, layout), [0, batch.num_rows])
            slices.append(
                BundleSlice(str(bundle.path.with_name(file) if file else bundle.path), offset, batch.num_rows)
            )
            total += digest(batch, table.columns)
    create = create_table(table, table.name)
    build = TableBuild(table.name, table.name, WHOLE, False, part, create, tuple(slices), total.rows, str(total))
    return BuildOrder(INDEX_DATABASE, table, Loader.IMAGE, (build,))


def index_definition(name: str, kind: KeyKind) -> Table:
    """A director index table: key, chunk, sub-chunk; a row for each director row."""
    key, number = parse_type("bigint(20) unsigned" if kind.is_unsigned else "bigint(20)"), parse_type("int(11)")
    columns = (Column("key", key, False), Column("chunkId", number, False), Column("subChunkId", number, False))
    return Table(name, columns, ("key",)) if kind.is_unique else Table(name, columns, (), (Key("key", ("key",)),))


def index_batches(keys: DirectorKeys, table: Table, rows: int = 1 << 20) -> Iterator[pa.RecordBatch]:
    for values, places in keys.blocks(rows):
        arrays = [pa.array(values), pa.array(places[:, 0].copy()), pa.array(places[:, 1].copy())]
        yield pa.RecordBatch.from_arrays(arrays, names=table.column_names)
