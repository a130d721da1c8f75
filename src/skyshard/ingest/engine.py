"""The course of an ingest: partition, place, build, index, publish.

Every step is recorded before and after, and every step can be done twice: what is killed is run again and goes on
where it stood. Wrong input aborts the transaction and leaves nothing; a failing cluster leaves all that was done.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from skyshard.db.connection import Account, Endpoint, connect, quote_name
from skyshard.ddl import DUMMY_CHUNK, create_table, overlap_prototype, physical_name, stored_table
from skyshard.errors import UserError
from skyshard.ingest.bundle import Bundle, PartReport
from skyshard.ingest.builds import index_build, merged_segments, plan_builds, table_bytes
from skyshard.ingest.director_keys import build_keys
from skyshard.ingest.flow import drain, in_order_of_end
from skyshard.ingest.partition import PartitionSpec, partition_part
from skyshard.ingest.plan import IngestPlan, PlannedTable
from skyshard.layout import Role
from skyshard.placement import place
from skyshard.progress import Progress, Watcher, nobody
from skyshard.registry.lifecycle import DatabaseState, Event
from skyshard.registry.store import Contribution, Registry, Replica
from skyshard.registry.tables import INDEX_DATABASE
from skyshard.runtime.base import Handle, Runtime
from skyshard.worker.messages import BuildOrder, BuiltTable

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Site:
    """Where an ingest happens: registry, czar, nodes and a folder for bundles."""

    registry: Registry
    runtime: Runtime
    czar: Endpoint
    czar_loader: Handle
    nodes: Mapping[str, Handle]
    staging: Path


@dataclass(slots=True)
class TableReport:
    """What became of one table."""

    table: str
    role: str
    loader: str
    rows: int = 0
    overlap_rows: int = 0
    chunks: int = 0
    bytes: int = 0
    orphans: int = 0
    moved: int = 0
    conversions: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class IngestReport:
    """What an ingest did, for people and for JSON."""

    database: str
    transaction: int
    tables: list[TableReport] = field(default_factory=list)
    stages_s: dict[str, float] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(table.rows for table in self.tables)


class Ingest:
    """One run of one plan."""

    def __init__(self, plan: IngestPlan, site: Site, watcher: Watcher = nobody) -> None:
        self._plan = plan
        self._site = site
        self._watch = watcher
        self._staging = site.staging / plan.database
        self._reports: dict[str, list[PartReport]] = {}
        self._stages: dict[str, float] = {}

    def run(self) -> IngestReport:
        """Ingest and publish.

        Raises:
            UserError: the input is wrong; nothing is left.
            ClusterError: a node failed; run again to go on.
        """
        registry, plan = self._site.registry, self._plan
        if registry.database_state(plan.database) is DatabaseState.PUBLISHED:
            raise UserError(f"database '{plan.database}' is published already", remedy="use another --database")
        place({0: 0}, list(self._site.nodes), plan.layout.replicas)
        registry.add_database(plan.database, plan.layout, plan.source.path)
        transaction = registry.open_transaction(plan.database, plan.source.path)
        try:
            return self._steps(transaction)
        except UserError as error:
            self._abort(transaction, str(error))
            raise

    def _steps(self, transaction: int) -> IngestReport:
        self._prepare()
        for table in self._plan.tables:
            self._timed("partition", lambda table=table: self._partition(table, transaction))  # type: ignore[misc]
        nodes_of = self._place()
        self._timed("load", lambda: self._build(transaction, nodes_of))
        self._timed("director index", self._load_indexes)
        report = self._report(transaction)
        self._timed("publish", lambda: self._publish(transaction, report))
        shutil.rmtree(self._staging, ignore_errors=True)
        return report

    def _timed(self, stage: str, work: Callable[[], None]) -> None:
        start = time.monotonic()
        work()
        self._stages[stage] = self._stages.get(stage, 0.0) + time.monotonic() - start

    # preparation

    def _prepare(self) -> None:
        """Databases on the nodes, empty prototypes on the czar, the tables in the registry."""
        plan = self._plan
        self._staging.mkdir(parents=True, exist_ok=True)
        for done in [node.call("prepare", plan.database) for node in self._site.nodes.values()]:
            done.result()
        with connect(self._site.czar, Account.ADMIN) as connection:
            connection.execute(f"CREATE DATABASE IF NOT EXISTS {quote_name(plan.database)} CHARACTER SET latin1")
            connection.execute(f"USE {quote_name(plan.database)}")
            for table in plan.tables:
                for stored, name in prototypes(table):
                    connection.execute(f"DROP TABLE IF EXISTS {quote_name(name)}")
                    connection.execute(create_table(stored, name))
        for table in plan.tables:
            source = table.source
            self._site.registry.add_table(
                plan.database, source.table, source.layout, str(table.loader), plan.source.truth.get(table.name)
            )

    # partition

    def _partition(self, table: PlannedTable, transaction: int) -> None:
        """Every part of a table into a bundle, in parallel; a director's keys are then merged."""
        layout = table.source.layout
        spec = PartitionSpec(
            table.source.table, layout, self._plan.layout.striping, table.source.reader, table.loader,
            str(self._staging), str(self._keys_folder(layout.director)) if layout.director else "",
        )  # fmt: skip
        start, rows, size = time.monotonic(), 0, 0
        reports: list[PartReport] = []
        parts = table.source.parts
        calls = (self._call(partition_part, spec, part) for part in parts)
        for done, (report, part) in enumerate(in_order_of_end(calls, parts, os.cpu_count() or 1), 1):
            reports.append(report)
            rows, size = rows + report.rows, size + part.bytes
            elapsed = time.monotonic() - start
            self._watch(Progress(f"partition {table.name}", done, len(parts), rows, size, elapsed))
            self._site.registry.add_contributions(transaction, list(_contributions(table.name, report)))
        reports.sort(key=lambda report: report.part)
        self._reports[table.name] = reports
        self._check_truth(table, rows)
        if layout.role is Role.DIRECTOR and layout.key:
            files = [Bundle(self._staging, table.name, report.digest).keys for report in reports]
            build_keys(self._keys_folder(table.name), files, table.name, [report.part for report in reports])
        if any(report.moved for report in reports):
            self._site.registry.mark_scattered(self._plan.database, table.name)

    def _call(self, function: Callable[..., T], *args: Any) -> Callable[[], Future[T]]:
        return lambda: self._site.runtime.submit(function, *args)

    def _check_truth(self, table: PlannedTable, rows: int) -> None:
        truth = self._plan.source.truth.get(table.name)
        if truth is not None and truth != rows:
            raise UserError(
                f"table '{table.name}': {rows} rows read where the source says {truth}",
                remedy="the source is incomplete; make or copy it again",
            )

    def _keys_folder(self, director: str) -> Path:
        return self._staging / f"keys-{director}"

    # place and build

    def _place(self) -> dict[int, tuple[str, ...]]:
        """Chunk → nodes, by the bytes of all tables; chunks of the family stay where they are."""
        sizes: Counter[int] = Counter()
        for table in self._plan.tables:
            if table.source.layout.role.is_chunked:
                sizes.update(table_bytes(table, self._reports[table.name]))
        placed = self._site.registry.placed_chunks(self._plan.layout.striping.family)
        return place(sizes, list(self._site.nodes), self._plan.layout.replicas, placed)

    def _build(self, transaction: int, nodes_of: Mapping[int, tuple[str, ...]]) -> None:
        """Every table on every node that holds it; each node has its own queue, so a slow one stalls no other."""
        done_already = self._standing()
        queues: dict[str, list[BuildOrder]] = {}
        for node in self._site.nodes:
            orders = []
            for table in self._plan.tables:
                builds = plan_builds(self._plan, table, self._reports[table.name], node, nodes_of, self._staging)
                orders += [order for order in builds if not _is_done(order, done_already.get(node, {}))]
            queues[node] = orders
        total = sum(len(order.builds) for orders in queues.values() for order in orders)
        start, built, rows, size = time.monotonic(), 0, 0, 0
        for node, order, tables in drain(queues, self._site.nodes):
            built, rows = built + len(tables), rows + sum(table.rows for table in tables)
            size += sum(table.bytes for table in tables)
            self._record(transaction, node, order, tables)
            self._watch(Progress("load", built, total, rows, size, time.monotonic() - start))

    def _standing(self) -> dict[str, dict[str, str]]:
        """node → table name → digest of what an interrupted run had built already, as the node holds it."""
        standing: dict[str, dict[str, str]] = {}
        for replica in self._site.registry.replicas(self._plan.database):
            name = physical_name(replica.table, replica.chunk, is_overlap=replica.is_overlap)
            standing.setdefault(replica.node, {})[name] = replica.digest
        return standing

    def _record(self, transaction: int, node: str, order: BuildOrder, built: Sequence[BuiltTable]) -> None:
        replicas = [
            Replica(build.base, build.chunk, build.is_overlap, node, table.rows, table.bytes, table.digest)
            for build, table in zip(order.builds, built, strict=True)
            if build.chunk != DUMMY_CHUNK
        ]
        self._site.registry.add_replicas(self._plan.database, transaction, replicas)

    # index and publish

    def _load_indexes(self) -> None:
        """The registry's copy of each director index, made like any other table, from sorted keys."""
        self._site.czar_loader.call("prepare", INDEX_DATABASE).result()
        for table in self._plan.tables:
            if table.source.layout.role is Role.DIRECTOR and table.source.layout.key:
                order = index_build(self._plan.database, table.name, self._keys_folder(table.name), self._staging)
                self._site.czar_loader.call("build", order).result()

    def _publish(self, transaction: int, report: IngestReport) -> None:
        """Everything to disk, then one registry transaction makes it visible."""
        os.sync()
        content = {"stages_s": report.stages_s, "tables": [asdict(table) for table in report.tables]}
        self._site.registry.move_transaction(transaction, Event.COMMIT)
        self._site.registry.publish(self._plan.database, transaction, content)

    def _report(self, transaction: int) -> IngestReport:
        return IngestReport(
            self._plan.database,
            transaction,
            [_table_report(table, self._reports[table.name]) for table in self._plan.tables],
            self._stages,
        )

    def _abort(self, transaction: int, error: str) -> None:
        """Take back all that the transaction did: tables, index, bundles, registry entries."""
        registry, database = self._site.registry, self._plan.database
        registry.move_transaction(transaction, Event.ABORT, error=error)
        drop_database(self._site, database, [table.name for table in self._plan.tables])
        shutil.rmtree(self._staging, ignore_errors=True)
        registry.move_transaction(transaction, Event.ABORTED)
        registry.forget_database(database)


def drop_database(site: Site, database: str, directors: Iterable[str]) -> None:
    """Remove a database from the nodes and the czar, with its director indexes."""
    calls = [node.call("drop_database", database) for node in site.nodes.values()]
    calls.append(site.czar_loader.call("drop_database", database))
    calls.append(site.czar_loader.call("drop_tables", INDEX_DATABASE, [f"{database}__{name}" for name in directors]))
    for call in calls:
        call.result()


def prototypes(table: PlannedTable) -> list[tuple[Any, str]]:
    """The empty tables that the czar keeps of one table: (stored table, name)."""
    source = table.source
    result = [(table.stored, table.name)]
    if source.layout.role is Role.DIRECTOR:
        overlap = stored_table(source.table, source.layout, overlap=True)
        result.append((overlap, overlap_prototype(table.name)))
    return result


def _is_done(order: BuildOrder, standing: Mapping[str, str]) -> bool:
    return all(standing.get(build.name) == build.digest for build in order.builds)


def _contributions(table: str, report: PartReport) -> Iterable[Contribution]:
    for (chunk, is_overlap), (rows, digest) in merged_segments([report]).items():
        orphans = 0 if is_overlap else report.orphans.get(chunk, 0)
        yield Contribution(table, report.part, report.digest, chunk, is_overlap, rows, digest, orphans)


def _table_report(table: PlannedTable, reports: Sequence[PartReport]) -> TableReport:
    conversions: Counter[str] = Counter()
    result = TableReport(table.name, str(table.source.layout.role), str(table.loader))
    chunks = set()
    for report in reports:
        conversions.update(report.conversions)
        result.rows += report.rows
        result.moved += report.moved
        result.orphans += sum(report.orphans.values())
        result.overlap_rows += sum(segment.rows for segment in report.segments if segment.is_overlap)
        chunks |= {segment.chunk for segment in report.segments if not segment.is_overlap and segment.chunk >= 0}
    result.chunks, result.conversions = len(chunks), dict(conversions)
    result.bytes = sum(table_bytes(table, reports).values())
    return result
