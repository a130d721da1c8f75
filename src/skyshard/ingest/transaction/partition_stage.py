"""The partition stage: every input slice of a table becomes a bundle of rows sorted by chunk, in parallel.

What each slice brought is recorded, and its rows begin their way to the disk, while other slices are read. Once a
director is through, its keys are merged and its index is made in a thread; a table that looks keys up waits for them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from functools import partial

from skyshard.basics.errors import UserError
from skyshard.basics.progress import Progress
from skyshard.catalog.layout import Role
from skyshard.ingest.on_nodes.bounded_futures import BackgroundThread, in_order_of_end
from skyshard.ingest.on_nodes.build_orders import EMPTY, merged_segments
from skyshard.ingest.on_nodes.disk_writer import DiskWriter
from skyshard.ingest.partition.bundle import SliceReport
from skyshard.ingest.partition.first_rows import KeySpec, leave_out_later, read_keys
from skyshard.ingest.partition.given_chunks import check_overlap
from skyshard.ingest.partition.partition_task import PartitionSpec, partition_slice, require_distinct
from skyshard.ingest.plan.ingest_plan import PlannedTable
from skyshard.ingest.source import InputSlice
from skyshard.ingest.transaction.director_indexes import DirectorIndexes
from skyshard.ingest.transaction.partition_places import PartitionPlaces
from skyshard.ingest.transaction.run_context import RunContext
from skyshard.log.events import TABLE_PARTITIONED
from skyshard.registry.stored.records import WHOLE, Contribution
from skyshard.runtime.base import Runtime

AHEAD = 2
"""Partition tasks given out for each core: one that works, and one that follows it at once."""


class PartitionStage:
    """Partitions the tables of one transaction, one after the other."""

    def __init__(
        self,
        run: RunContext,
        records: BackgroundThread,
        fetches: BackgroundThread,
        to_disk: DiskWriter,
        indexes: DirectorIndexes,
    ) -> None:
        self._run = run
        self._records = records
        self._to_disk = to_disk
        self._indexes = indexes
        self._fetches = fetches
        self._places = PartitionPlaces(run, indexes.earlier)

    def partition(self, table: PlannedTable) -> list[SliceReport]:
        """Every slice of a table into a bundle; returns what the slices brought, sorted by their names.

        Raises:
            UserError: wrong input, two slices with the same content, or fewer rows than the source says.
        """
        layout, database = table.source.layout, self._run.plan.database
        if layout.director or layout.director2:
            self._indexes.wait_for_keys(layout.director, layout.director2)
        start = time.monotonic()
        later = self._later_rows(table, start) if layout.duplicates == "keep-first" else ""
        reports = sorted(self._reports(table, start, later), key=lambda report: report.path)
        require_distinct(table.name, reports)
        check_overlap(table.name, reports)
        rows = sum(report.rows for report in reports)
        self._run.events.tell(
            TABLE_PARTITIONED, table=table.name, rows=rows, slices=len(reports), elapsed_s=time.monotonic() - start
        )
        self._check_truth(table, rows + sum(sum(report.left_out.values()) for report in reports))
        if layout.role is Role.DIRECTOR and layout.key:
            self._indexes.start(table, reports)
        if any(report.moved for report in reports):
            self._run.site.registry.databases.mark_scattered(database, table.name)
        return reports

    def _later_rows(self, table: PlannedTable, start: float) -> str:
        """Read the keys of a director beforehand; returns the folder that says which rows come later than others."""
        runtime, slices = self._run.site.tasks_here, table.source.slices
        folder = self._run.staging / f"keys-{table.name}"
        spec = KeySpec.of(table.source, folder)
        shared = runtime.share(spec)
        calls = (partial(runtime.submit, read_keys, shared, piece) for piece in slices)
        files: dict[InputSlice, str] = {}
        size = 0
        for file, piece in in_order_of_end(calls, slices, AHEAD * runtime.cpus):
            files[piece], size = file, size + piece.bytes
            elapsed_s = time.monotonic() - start
            self._run.watch(Progress(f"keys of {table.name}", len(files), len(slices), 0, size, elapsed_s))
        earlier = self._indexes.earlier_keys(table.name)
        leave_out_later(spec, slices, [files[piece] for piece in slices], earlier)
        return str(folder)

    def _reports(self, table: PlannedTable, start: float, later: str) -> Iterable[SliceReport]:
        """What the slices of a table brought, as they come, each one recorded."""
        hosts, site = self._places.of(table, later=later), self._run.site
        runtime = site.runtime if any(hosts.values()) else site.tasks_here
        calls, rows, size = self._calls(table, hosts, later, runtime), 0, 0
        for done, (report, piece) in enumerate(in_order_of_end(calls, list(hosts), AHEAD * runtime.cpus), 1):
            rows, size = rows + report.rows, size + piece.bytes
            elapsed_s = time.monotonic() - start
            self._run.watch(Progress(f"partition {table.name}", done, len(hosts), rows, size, elapsed_s))
            if report.host:
                self._fetches.do(self._places.fetch, report)
            brought = list(_contributions(table.name, report))
            self._records.do(site.registry.contributions.add, self._run.transaction, brought)
            if not report.host:  # else they are copied
                self._to_disk.begin(self._run.staging / one.file for one in report.segments if one.file)
            yield report
        self._fetches.finish()

    def _calls(
        self, table: PlannedTable, hosts: Mapping[InputSlice, str], later: str, runtime: Runtime
    ) -> Iterable[Callable[[], Future[SliceReport]]]:
        """One call for each slice, which starts its task on its host."""
        shared = {host: runtime.share(self._spec(table, host, later)) for host in dict.fromkeys(hosts.values())}
        return (
            partial(runtime.submit, partition_slice, shared[host], piece, node=host) for piece, host in hosts.items()
        )

    def _spec(self, table: PlannedTable, host: str, later: str) -> PartitionSpec:
        layout, plan = table.source.layout, self._run.plan
        one, two = (self._places.keys_folder(name, host) for name in (layout.director, layout.director2))
        return PartitionSpec(
            table.source.table, layout, plan.layout.striping, table.source.reader, table.loader,
            str(self._run.staging_on(host)), one, two, later,
            counts_quality=plan.source.kind == "mapping", host=host,
        )  # fmt: skip

    def _check_truth(self, table: PlannedTable, rows: int) -> None:
        truth = self._run.plan.source.truth.get(table.name)
        if truth is not None and truth != rows and not self._run.replayed.get(table.name, 0):
            raise UserError(
                f"table '{table.name}': {rows} rows read where the source says {truth}",
                remedy="the source is incomplete; make or copy it again",
            )


def _contributions(table: str, report: SliceReport) -> Iterable[Contribution]:
    """What a slice brought to each chunk table; an empty slice is recorded too, so that its replay is known."""
    nothing = {(WHOLE, False): (0, str(EMPTY))}
    for (chunk, is_overlap), (rows, digest) in (merged_segments([report]) or nothing).items():
        orphans = 0 if is_overlap else report.orphans.get(chunk, 0)
        yield Contribution(
            table, report.path, report.digest, chunk, is_overlap, rows, digest, orphans, report.rows, report.elapsed_s
        )
