"""The course of one transaction: prepare, partition, place, build, index, publish.

Every step is recorded before and after, and every step can be done twice: what is killed is run again and goes on
where it stood. Nothing waits for what it does not need: records are written, director indexes made and rows brought to
the disk in threads beside.
"""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import asdict, replace
from typing import Any, TypeVar

from skyshard.catalog.layout import Role
from skyshard.catalog.placement import place
from skyshard.errors import SkyshardError, UserError
from skyshard.ingest.on_nodes.bounded_futures import Beside, drain, in_order_of_end
from skyshard.ingest.on_nodes.build_orders import (
    EMPTY,
    BuildContext,
    built_replicas,
    merged_segments,
    plan_builds,
    table_bytes,
)
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.part_tables import Generations, dummy_targets
from skyshard.ingest.on_nodes.to_disk import ToDisk
from skyshard.ingest.partition.bundle import PartReport
from skyshard.ingest.partition.doubled_input import where_rows_stand
from skyshard.ingest.partition.given_chunks import check_overlap
from skyshard.ingest.partition.partition_task import PartitionSpec, partition_part, require_distinct
from skyshard.ingest.plan.ingest_plan import IngestPlan, PlannedTable
from skyshard.ingest.plan.server_check import require_makeable
from skyshard.ingest.transaction.director_indexes import DirectorIndexes
from skyshard.ingest.transaction.ingest_report import IngestReport, table_report
from skyshard.ingest.transaction.kept_truth import keep_known
from skyshard.ingest.transaction.recovery import clear_staging, sweep
from skyshard.ingest.transaction.strays import Strays
from skyshard.log.events import (
    CHUNKS_PLACED,
    TABLE_PARTITIONED,
    TABLES_LOADED,
    TRANSACTION_PUBLISHED,
)
from skyshard.node.doubled_rows import DoubledRow
from skyshard.node.messages import BuildOrder
from skyshard.progress import Progress, Watcher
from skyshard.registry.lifecycle import Event
from skyshard.registry.records import WHOLE, Contribution, OpenTransaction

T = TypeVar("T")
AHEAD = 2
"""Partition tasks given out for each core: one that works, and one that follows it at once."""


class TransactionRun:
    """One run of one transaction; ``replayed`` counts the parts, by table, that earlier ones took in."""

    def __init__(
        self, plan: IngestPlan, site: Site, mine: OpenTransaction, replayed: Mapping[str, int], watcher: Watcher
    ) -> None:
        self._plan = plan
        self._site = site
        self._mine = mine
        self._replayed = replayed
        self._watch = watcher
        self._events = site.events.about(transaction=mine.id, database=plan.database)
        self._staging = site.folders.staging / plan.database / str(mine.id)
        self._reports: dict[str, list[PartReport]] = {}
        self._stages: dict[str, float] = {}
        self._records = Beside("registry")
        self._to_disk = ToDisk()
        self._indexes = DirectorIndexes(site, plan.database, mine.id, self._staging)

    def run(self) -> IngestReport:
        """From the first step, or from where a run before this one stood, to the published rows."""
        with closing(self._records), closing(self._to_disk), self._indexes:
            self._shown("prepare", self._prepare)
            for table in self._plan.tables:
                self._timed("partition", lambda table=table: self._partition(table))  # type: ignore[misc]
            self._timed("load", self._load)
            self._shown("director index", self._indexes.finish)
            self._records.finish()
            self._to_disk.end()
        Strays(self._site, self._plan, self._mine.id, self._staging).record(self._reports)
        report = IngestReport(
            self._plan.database,
            self._mine.id,
            [table_report(table, self._reports[table.name]) for table in self._plan.tables],
            self._stages,
            dict(self._replayed),
        )
        self._shown("publish", lambda: self._publish(report))
        return report

    def _shown(self, stage: str, work: Callable[[], None]) -> None:
        """A stage of one step."""
        self._watch(Progress(stage, 0, 1))
        self._timed(stage, work)
        self._watch(Progress(stage, 1, 1, elapsed_s=self._stages[stage]))

    def _timed(self, stage: str, work: Callable[[], None]) -> None:
        start = time.monotonic()
        work()
        self._stages[stage] = self._stages.get(stage, 0.0) + time.monotonic() - start

    def _prepare(self) -> None:
        """Leftovers swept; the tables in the registry, databases on the nodes, empty prototypes on the czar."""
        plan, registry = self._plan, self._site.registry
        self._site.prepare_database(plan.database)
        sweep(self._site, plan.database, self._mine.id)
        for table in plan.tables:
            source = table.source
            registry.databases.add_table(plan.database, source.table, source.layout, str(table.loader), self._mine.id)
        self._site.make_prototypes(plan.database, plan.tables)
        if plan.layout.engine != "MyISAM":  # the prototypes' own
            require_makeable(self._site.czar, plan.tables, plan.layout.engine)
        self._staging.mkdir(parents=True, exist_ok=True)

    # partition

    def _partition(self, table: PlannedTable) -> None:
        """Every part of a table into a bundle, in parallel; what a director's keys make is then begun."""
        layout, parts = table.source.layout, table.source.parts
        if layout.director or layout.director2:
            self._indexes.wait_for_keys(layout.director, layout.director2)
        spec = PartitionSpec(
            table.source.table, layout, self._plan.layout.striping, table.source.reader, table.loader,
            str(self._staging), str(self._indexes.keys_folder(layout.director)) if layout.director else "",
            str(self._indexes.keys_folder(layout.director2)) if layout.director2 else "",
        )  # fmt: skip
        start, rows, size = time.monotonic(), 0, 0
        reports: list[PartReport] = []
        shared = self._site.runtime.share(spec)
        calls = (self._call(partition_part, shared, part) for part in parts)
        for done, (report, part) in enumerate(in_order_of_end(calls, parts, AHEAD * (os.cpu_count() or 1)), 1):
            reports.append(report)
            rows, size = rows + report.rows, size + part.bytes
            self._watch(Progress(f"partition {table.name}", done, len(parts), rows, size, time.monotonic() - start))
            brought = list(_contributions(table.name, report))
            self._records.do(self._site.registry.contributions.add, self._mine.id, brought)
            if self._plan.layout.replicas == 1:  # else they are copied
                self._to_disk.begin(self._staging / one.file for one in report.segments if one.file)
        reports.sort(key=lambda report: report.part)
        require_distinct(table.name, reports)
        check_overlap(table.name, reports)
        self._reports[table.name] = reports
        self._events.tell(
            TABLE_PARTITIONED, table=table.name, rows=rows, parts=len(parts), elapsed_s=time.monotonic() - start
        )
        self._check_truth(table, rows)
        if layout.role is Role.DIRECTOR and layout.key:
            self._indexes.start(table, reports)
        if any(report.moved for report in reports):
            self._site.registry.databases.mark_scattered(self._plan.database, table.name)

    def _call(self, function: Callable[..., T], *args: Any) -> Callable[[], Future[T]]:
        return lambda: self._site.runtime.submit(function, *args)

    def _check_truth(self, table: PlannedTable, rows: int) -> None:
        truth = self._plan.source.truth.get(table.name)
        if truth is not None and truth != rows and not self._replayed.get(table.name, 0):
            raise UserError(
                f"table '{table.name}': {rows} rows read where the source says {truth}",
                remedy="the source is incomplete; make or copy it again",
            )

    # place and build

    def _place(self) -> dict[int, tuple[str, ...]]:
        """Chunk → nodes, by the bytes of all tables; chunks of the family stay where they are."""
        sizes: Counter[int] = Counter()
        for table in self._plan.tables:
            if table.source.layout.role.is_chunked:
                sizes.update(table_bytes(table, self._reports[table.name]))
        family, registry = self._plan.layout.striping.family, self._site.registry
        with registry.exclusive(f"placement in {family}"):
            placed = registry.placements.of_family(family)
            nodes_of = place(sizes, list(self._site.nodes), self._plan.layout.replicas, placed)
            registry.placements.add(family, nodes_of)
        nodes, replicas = len(self._site.nodes), self._plan.layout.replicas
        self._events.tell(CHUNKS_PLACED, chunks=len(sizes), nodes=nodes, replicas=replicas)
        return nodes_of

    def _load(self) -> None:
        """All tables; a key that stands twice is what a node stumbled over, and says so better."""
        try:
            self._build()
        except SkyshardError as error:
            self._indexes.wait_for_keys()
            if isinstance(error, DoubledRow):
                raise self._with_rows(error) from None
            raise

    def _with_rows(self, error: DoubledRow) -> UserError:
        """The error with the rows of the input behind it, as far as they are found again."""
        (table,) = (table for table in self._plan.tables if table.name == error.table)
        paths = [
            report.part
            for report in self._reports[table.name]
            if any(segment.chunk == error.chunk and not segment.is_overlap for segment in report.segments)
        ]
        places = where_rows_stand(table.source, paths, error.values)
        return UserError(f"{error.what}{f', in {places}' if places else ''}; there may be more", remedy=error.remedy)

    def _build(self) -> None:
        """Every table on every node that holds it; each node has its own queue, so a slow one stalls no other."""
        registry, database = self._site.registry, self._plan.database
        finished = registry.replicas.all(database)
        standing = frozenset(replica.target for replica in finished) | dummy_targets(finished)
        context = BuildContext(self._plan, self._mine.id, self._place(), standing, self._staging)
        done = {(r.node, *r.target): r.digest for r in registry.replicas.all(database, transaction=self._mine.id)}
        queues: dict[str, list[BuildOrder]] = {node: [] for node in self._site.nodes}
        for table in self._plan.tables:
            planned = plan_builds(context, table, self._reports[table.name], list(self._site.nodes))
            for node, orders in planned.items():
                queues[node] += [rest for order in orders if (rest := _not_done(node, order, done)).builds]
        total = sum(len(order.builds) for orders in queues.values() for order in orders)
        start, built, rows, size = time.monotonic(), 0, 0, 0
        made_on: dict[str, Counter[str]] = defaultdict(Counter)
        for node, order, tables in drain(queues, self._site.nodes):
            made_on[node].update(tables=len(tables), rows=sum(table.rows for table in tables))
            built, rows = built + len(tables), rows + sum(table.rows for table in tables)
            made = sum(table.bytes for table in tables)
            size += made
            self._records.do(registry.replicas.add, database, self._mine.id, built_replicas(node, order, tables))
            self._to_disk.made(made)
            self._watch(Progress("load", built, total, rows, size, time.monotonic() - start))
        for node, count in sorted(made_on.items()):
            self._events.tell(TABLES_LOADED, tables=count["tables"], rows=count["rows"], node=node)
        if finished:  # else there is one part of each table
            self._records.finish()
            mine = registry.replicas.all(database, transaction=self._mine.id)
            Generations(self._site, database).make(finished, mine, self._mine.id)

    # publish

    def _publish(self, report: IngestReport) -> None:
        """Everything to disk, then one registry transaction makes it visible.

        Bundles go first: what is not there need not be written. Who is killed here partitions again.
        """
        clear_staging(self._site, self._plan.database)
        os.sync()
        truth = {
            table.name: self._plan.source.truth[table.name]
            for table in self._plan.tables
            if table.name in self._plan.source.truth and not self._replayed.get(table.name, 0)
        }
        content = {
            "stages_s": report.stages_s, "tables": [asdict(table) for table in report.tables], "truth": truth,
        }  # fmt: skip
        keep_known(self._site.folders.truth / self._plan.database, self._plan.source, self._reports, self._mine.id)
        self._site.registry.transactions.move(self._mine, Event.COMMIT)
        self._site.registry.transactions.publish(self._plan.database, self._mine, content)
        self._events.tell(TRANSACTION_PUBLISHED, rows=sum(table.rows for table in report.tables))


def _not_done(node: str, order: BuildOrder, done: dict[tuple[str, str, int, bool], str]) -> BuildOrder:
    """What is left of an order after the tables that an interrupted run has built and recorded."""
    return replace(
        order,
        builds=tuple(b for b in order.builds if done.get((node, b.base, b.chunk, b.is_overlap)) != b.digest),
    )


def _contributions(table: str, report: PartReport) -> Iterable[Contribution]:
    """What a part brought to each chunk table; an empty part is recorded too, so that its replay is known."""
    nothing = {(WHOLE, False): (0, str(EMPTY))}
    for (chunk, is_overlap), (rows, digest) in (merged_segments([report]) or nothing).items():
        orphans = 0 if is_overlap else report.orphans.get(chunk, 0)
        yield Contribution(
            table, report.part, report.digest, chunk, is_overlap, rows, digest, orphans, report.rows, report.elapsed_s
        )
