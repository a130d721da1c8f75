"""One ingest transaction from its beginning to its end: prepare, partition, load, index, publish.

Every step is recorded before and after, and every step can be done twice: what is killed is run again and goes on
where it was. Nothing waits for what it does not need: records are written, director indexes made and rows brought to
the disk in threads of their own.

Worked example: ``Object`` (a director, two input slices) and ``Source`` (its dependent, one slice) on two nodes. Each
line says what is there once the stage is over; below them is what a run that was killed leaves behind.

===============  ======================================================================================================
prepare          Registry: both tables, under the open transaction. Nodes: the database. Czar: empty prototypes.
partition        Object's two slices are two tasks: two bundles in ``staging``, one contribution a chunk table in the
                 registry. Its keys are merged in the index thread. Source needs them to find its rows' chunks, so its
                 slice is read only when they can be looked up; director rows and dependents meet in one chunk.
load             Chunks get their nodes, in the registry, by the bytes of both tables. Both nodes make their tables at
                 the same time, at most two orders under way at each; each table is counted, digested, then recorded.
images           Where the layout asks for column images: each node writes those of the tables that it has just made.
director index   The czar's table of Object's keys, begun right after partitioning, is waited for and recorded.
publish          Bundles go, everything is on the disk, then one registry transaction shows all rows at once.
===============  ======================================================================================================

A kill before ``publish`` leaves an open transaction and nothing that a query sees. The same plan again: contributions
and recorded tables stay, tables and files that no record accounts for are swept, missing bundles are made again.
Another plan, or ``abort``: all of it is taken back. A kill within ``publish`` falls before or after its one commit.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TypeVar

from skyshard.basics.progress import Progress, Watcher
from skyshard.catalog.engines import MYISAM
from skyshard.ingest.on_nodes.bounded_futures import BackgroundThread
from skyshard.ingest.on_nodes.disk_writer import DiskWriter
from skyshard.ingest.on_nodes.image_columns import image_columns
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.order_sender import OrderSender
from skyshard.ingest.on_nodes.part_tables import outdated_tables
from skyshard.ingest.partition.bundle import Bundle, SliceReport
from skyshard.ingest.partition.quarantine import join_quarantines
from skyshard.ingest.plan.ingest_plan import IngestPlan
from skyshard.ingest.quality.kept_quality import TableQuality, keep_quality
from skyshard.ingest.transaction.director_indexes import DirectorIndexes
from skyshard.ingest.transaction.file_numbers import note_files
from skyshard.ingest.transaction.ingest_report import IngestReport, table_report
from skyshard.ingest.transaction.kept_truth import keep_known
from skyshard.ingest.transaction.left_behind import LeftBehind, left_behind
from skyshard.ingest.transaction.load_stage import LoadStage
from skyshard.ingest.transaction.partition_stage import PartitionStage
from skyshard.ingest.transaction.quality_of_slices import count_tables
from skyshard.ingest.transaction.recovery import sweep, sweep_kept
from skyshard.ingest.transaction.run_context import RunContext
from skyshard.ingest.transaction.strays import Strays
from skyshard.log.events import TRANSACTION_PUBLISHED
from skyshard.registry.stored.lifecycle import Event
from skyshard.registry.stored.records import OpenTransaction, Replica
from skyshard.registry.transactions.transaction_report import ReportedTable, TransactionReport

T = TypeVar("T")


class TransactionRun:
    """One run of one transaction; ``replayed`` counts the input slices, by table, that earlier ones took in."""

    def __init__(
        self, plan: IngestPlan, site: Site, mine: OpenTransaction, replayed: Mapping[str, int], watcher: Watcher
    ) -> None:
        self._run = RunContext(plan, site, mine.id, replayed, watcher)
        self._mine = mine
        self._stages: dict[str, float] = {}
        self._quality: dict[str, TableQuality] = {}

    def run(self) -> IngestReport:
        """From the first step, or from where a run before this one ended, to the published rows."""
        run, site = self._run, self._run.site
        with (
            closing(BackgroundThread("registry")) as records,
            closing(BackgroundThread("fetch")) as fetches,
            closing(DiskWriter(site.write_back)) as to_disk,
            closing(BackgroundThread("director-index")) as index_thread,
            closing(OrderSender(site, run.folder)) as sender,
        ):
            indexes = DirectorIndexes(run, index_thread)
            self._shown("prepare", self._prepare)
            stage = PartitionStage(run, records, fetches, to_disk, indexes)
            reports = {
                table.name: self._timed("partition", partial(stage.partition, table)) for table in run.plan.tables
            }
            made = self._timed("load", LoadStage(run, records, to_disk, indexes, reports, sender).load)
            self._timed("images", partial(self._image, made, to_disk))
            self._shown("director index", indexes.finish)
            records.finish()
            to_disk.end()
        note_files(run.site.registry, run.plan, run.transaction, reports)
        Strays(run.site, run.plan, run.transaction, run.staging).record(reports)
        behind = left_behind(run) if run.plan.replaced else LeftBehind()
        run.site.registry.contributions.add_strays(run.transaction, behind.found)
        self._timed("quality", partial(self._count, reports))
        tables = [table_report(table, reports[table.name]) for table in run.plan.tables]
        gone = dict(Counter(file.table for file in run.plan.replaced))
        report = IngestReport(run.plan.called, run.transaction, tables, self._stages, dict(run.replayed), gone)
        self._shown("publish", partial(self._publish, report, reports, behind))
        return report

    def _shown(self, stage: str, work: Callable[[], None]) -> None:
        """A stage of one step."""
        self._run.watch(Progress(stage, 0, 1))
        self._timed(stage, work)
        self._run.watch(Progress(stage, 1, 1, elapsed_s=self._stages[stage]))

    def _timed(self, stage: str, work: Callable[[], T]) -> T:
        start = time.monotonic()
        done = work()
        self._stages[stage] = self._stages.get(stage, 0.0) + time.monotonic() - start
        return done

    def _prepare(self) -> None:
        """Leftovers swept; the tables in the registry, databases on the nodes, empty prototypes on the czar."""
        plan, site, transaction = self._run.plan, self._run.site, self._run.transaction
        site.prepare_database(plan.database)
        sweep(site, plan.database, transaction)
        for table in plan.tables:
            source, loader = table.source, str(table.loader)
            site.registry.databases.add_table(plan.database, source.table, source.layout, loader, transaction)
        site.make_prototypes(plan.database, plan.tables)
        if plan.layout.engine != MYISAM.name:  # the prototypes' own
            site.require_made(plan.tables, plan.layout.table_engine)
        self._run.staging.mkdir(parents=True, exist_ok=True)

    def _image(self, made: Collection[Replica], to_disk: DiskWriter) -> None:
        """Column images of all that the transaction has made, where the layout asks for some."""
        run, registry = self._run, self._run.site.registry
        if run.plan.layout.has_images:
            definitions = registry.databases.table_definitions(run.database, transaction=run.transaction)
            image_columns(run.site, run.database, run.plan.layout, definitions, made, run.watch, to_disk.begin)

    def _count(self, reports: Mapping[str, Sequence[SliceReport]]) -> None:
        """What the rows of the transaction hold; files of bundles are read, which go when it is published."""
        self._quality = count_tables(self._run.plan.tables, reports, self._run.staging)

    def _publish(self, report: IngestReport, reports: Mapping[str, Sequence[SliceReport]], behind: LeftBehind) -> None:
        """Everything to disk, then one registry transaction makes it visible.

        Bundles are removed first, so that they need not be written. A run that is killed here partitions again.
        """
        plan, site, registry = self._run.plan, self._run.site, self._run.site.registry
        self._keep_quarantines(report, reports)
        site.clear_staging(plan.database)
        site.write_logs(plan.database, plan.layout.engine)
        site.settle(plan.database)
        truth = {
            table.name: plan.source.truth[table.name]
            for table in plan.tables
            if table.name in plan.source.truth and not self._run.replayed.get(table.name, 0)
        }
        tables = tuple(ReportedTable(**asdict(table)) for table in report.tables)
        content = TransactionReport(stages_s=report.stages_s, tables=tables, truth=truth)
        keep_quality(site.folders.quality / plan.database, self._run.transaction, self._quality)
        keep_known(site.folders.truth / plan.database, plan.source, reports, self._run.transaction)
        registry.transactions.move(self._mine, Event.COMMIT)
        if plan.replaced:
            self._publish_replaced(content, behind)
        else:
            registry.transactions.publish(plan.database, self._mine, content)
        site.keep_records(plan.database, over_later=True)
        self._run.events.tell(TRANSACTION_PUBLISHED, rows=sum(table.rows for table in report.tables))

    def _publish_replaced(self, content: TransactionReport, behind: LeftBehind) -> None:
        """The tables that were made whole take the place of those that there were, which stay for a time of grace."""
        run, registry = self._run, self._run.site.registry
        made = registry.replicas.all(run.database, transaction=run.transaction)
        indexes = registry.index_parts.all(run.database, transaction=run.transaction)
        names = outdated_tables(run.site, run.database, made, indexes)
        registry.transactions.publish_replaced(
            run.database, self._mine, content, names, run.plan.replaced, behind.looked_at
        )
        sweep_kept(run.site, run.database)

    def _keep_quarantines(self, report: IngestReport, reports: Mapping[str, Sequence[SliceReport]]) -> None:
        """Rows that were left out, to where they stay: a file a table, from those of its slices."""
        folder = self._run.site.folders.quarantine / self._run.database / str(self._run.transaction)
        for table in report.tables:
            bundles = [Bundle(self._run.staging, table.table, one.digest) for one in reports[table.table]]
            files = [bundle.quarantine for bundle in bundles if bundle.quarantine.exists()]
            if files:
                table.quarantine = str(folder / f"{table.table}.parquet")
                join_quarantines(files, Path(table.quarantine))
