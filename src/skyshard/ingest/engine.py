"""The course of an ingest: partition, place, build, index, publish.

Every step is recorded before and after, and every step can be done twice: what is killed is run again and goes on
where it stood. Wrong input aborts the transaction and leaves nothing; a failing cluster leaves all that was done.
A published database takes further transactions: what they add stands in tables of its own, which become visible with
the rest in one registry transaction.
"""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from skyshard.ddl import DUMMY_CHUNK
from skyshard.errors import UserError
from skyshard.ingest.builds import EMPTY, BuildContext, index_build, merged_segments, plan_builds, table_bytes
from skyshard.ingest.bundle import Bundle, PartReport
from skyshard.ingest.claims import check_overlap
from skyshard.ingest.director_keys import DirectorKeys, build_keys
from skyshard.ingest.family import require_foreign_directors
from skyshard.ingest.flow import answer, drain, in_order_of_end
from skyshard.ingest.generations import Generations, dummy_targets
from skyshard.ingest.partition import PartitionSpec, partition_part, require_distinct
from skyshard.ingest.plan import IngestPlan, PlannedTable
from skyshard.ingest.recovery import clear_staging, plan_digest, recheck, sweep, take_back
from skyshard.ingest.report import IngestReport, table_report
from skyshard.ingest.site import Site
from skyshard.layout import Role, split_director
from skyshard.placement import place
from skyshard.progress import Progress, Watcher, nobody
from skyshard.registry.lifecycle import DatabaseState, Event, TransactionState
from skyshard.registry.values import WHOLE, Contribution, IndexPart, OpenTransaction, Replica
from skyshard.worker.messages import BuildOrder, BuiltTable
from skyshard.worker.room import writing

T = TypeVar("T")


class Ingest:
    """One run of one plan."""

    def __init__(self, plan: IngestPlan, site: Site, watcher: Watcher = nobody) -> None:
        self._plan = plan
        self._site = site
        self._watch = watcher
        self._reports: dict[str, list[PartReport]] = {}
        self._stages: dict[str, float] = {}
        self._replayed: Counter[str] = Counter()
        self._mine = OpenTransaction(0, TransactionState.STARTED, "", 0, 0.0)

    @property
    def _transaction(self) -> int:
        return self._mine.id

    @property
    def _staging(self) -> Path:
        """Where the bundles of this transaction are; no other one looks there."""
        return self._site.staging / self._plan.database / str(self._transaction)

    def run(self) -> IngestReport:
        """Ingest and publish.

        Raises:
            UserError: the input is wrong; nothing of it is left.
            ClusterError: a node failed, or another ingest of the database is under way; run again to go on.
        """
        databases = sorted({self._plan.database, *(database for database, _ in self._plan.foreign_directors)})
        with ExitStack() as locks:
            for database in databases:  # directors elsewhere stay as they are meanwhile
                locks.enter_context(self._site.registry.exclusive(f"ingest of {database}"))
            self._resolve_layout()
            require_foreign_directors(self._site.registry, self._plan)
            found = self._site.registry.open_transaction(self._plan.database)
            has_news = self._has_news()
            if found is None and not has_news:
                clear_staging(self._site, self._plan.database)
            if has_news or (found is not None and found.state is TransactionState.ABORTING):
                with self._site.held(self._plan.database), writing(self._site.staging):
                    self._open(found)
                    if has_news:
                        return self._transact()
            return IngestReport(self._plan.database, 0, replayed=dict(self._replayed))

    def _has_news(self) -> bool:
        """Leave out what a published database has already; False when nothing remains."""
        if not self._is_published():
            return True
        self._plan = self._without_replays()
        return any(table.source.parts for table in self._plan.tables)

    def _transact(self) -> IngestReport:
        """One transaction to its end: the interrupted one, where it was of this plan, else a new one."""
        registry, plan = self._site.registry, self._plan
        if not self._mine.id:
            self._mine = registry.begin(plan.database, plan.layout, plan.source.path, plan_digest(plan))
        try:
            return self._steps()
        except UserError as error:
            take_back(self._site, plan.database, self._mine, str(error))
            raise

    def _is_published(self) -> bool:
        return self._site.registry.database_state(self._plan.database) is DatabaseState.PUBLISHED

    def _resolve_layout(self) -> None:
        """A database keeps the replication level that it began with; it must be one that the nodes can give."""
        known = self._site.registry.layout(self._plan.database)
        if known is not None and self._is_published():
            layout = self._plan.layout.model_copy(update={"replicas": known.replicas, "engine": known.engine})
            self._plan = replace(self._plan, layout=layout)
        place({0: 0}, list(self._site.nodes), self._plan.layout.replicas)

    def _without_replays(self) -> IngestPlan:
        """Leave out the parts that earlier transactions took in.

        Raises:
            UserError: a part has other content than when it was taken in.
        """
        taken = self._site.registry.ingested_parts(self._plan.database)
        digests = {(table, digest) for (table, _), digest in taken.items()}
        tables = []
        for table in self._plan.tables:
            kept = []
            for part in table.source.parts:
                fingerprint = part.fingerprint()
                if (table.name, fingerprint) in digests:
                    self._replayed[table.name] += 1
                elif (table.name, part.path) in taken:
                    raise UserError(
                        f"'{part.path}' has changed since it was ingested into '{self._plan.database}'",
                        remedy="give changed data another file name, or ingest under another --database",
                    )
                else:
                    kept.append(part)
            tables.append(replace(table, source=replace(table.source, parts=tuple(kept))))
        return replace(self._plan, tables=tuple(tables))

    def _open(self, found: OpenTransaction | None) -> None:
        """Take up the interrupted transaction if it is of this plan; any other one is taken back."""
        if found is None:
            return
        site, database = self._site, self._plan.database
        mine = site.registry.take_over(found)
        if found.state is TransactionState.ABORTING:
            take_back(site, database, mine)
        elif found.plan != plan_digest(self._plan):
            take_back(site, database, mine, "interrupted; another ingest took its place")
        else:
            recheck(site, database, mine)
            self._mine = mine

    def _steps(self) -> IngestReport:
        self._shown("prepare", self._prepare)
        for table in self._plan.tables:
            self._timed("partition", lambda table=table: self._partition(table))  # type: ignore[misc]
        with ThreadPoolExecutor(1, "director-index") as self._beside:
            started = self._start_indexes()
            self._timed("load", self._build)
            self._shown("director index", lambda: self._finish_indexes(started))
        report = IngestReport(
            self._plan.database,
            self._transaction,
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
        sweep(self._site, plan.database, self._transaction)
        for table in plan.tables:
            source = table.source
            registry.add_table(plan.database, source.table, source.layout, str(table.loader), self._transaction)
        self._site.make_prototypes(plan.database, plan.tables)
        self._staging.mkdir(parents=True, exist_ok=True)

    def _generations(self) -> Generations:
        return Generations(self._site, self._plan.database)

    # partition

    def _partition(self, table: PlannedTable) -> None:
        """Every part of a table into a bundle, in parallel; a director's keys are then merged."""
        layout, parts = table.source.layout, table.source.parts
        spec = PartitionSpec(
            table.source.table, layout, self._plan.layout.striping, table.source.reader, table.loader,
            str(self._staging), str(self._keys_folder(layout.director)) if layout.director else "",
            str(self._keys_folder(layout.director2)) if layout.director2 else "",
        )  # fmt: skip
        start, rows, size = time.monotonic(), 0, 0
        reports: list[PartReport] = []
        calls = (self._call(partition_part, spec, part) for part in parts)
        for done, (report, part) in enumerate(in_order_of_end(calls, parts, os.cpu_count() or 1), 1):
            reports.append(report)
            rows, size = rows + report.rows, size + part.bytes
            self._watch(Progress(f"partition {table.name}", done, len(parts), rows, size, time.monotonic() - start))
            self._site.registry.add_contributions(self._transaction, list(_contributions(table.name, report)))
        reports.sort(key=lambda report: report.part)
        require_distinct(table.name, reports)
        check_overlap(table.name, reports)
        self._reports[table.name] = reports
        self._check_truth(table, rows)
        if layout.role is Role.DIRECTOR and layout.key:
            self._merge_keys(table, reports)
        if any(report.moved for report in reports):
            self._site.registry.mark_scattered(self._plan.database, table.name)

    def _call(self, function: Callable[..., T], *args: Any) -> Callable[[], Future[T]]:
        return lambda: self._site.runtime.submit(function, *args)

    def _check_truth(self, table: PlannedTable, rows: int) -> None:
        truth = self._plan.source.truth.get(table.name)
        if truth is not None and truth != rows and not self._replayed[table.name]:
            raise UserError(
                f"table '{table.name}': {rows} rows read where the source says {truth}",
                remedy="the source is incomplete; make or copy it again",
            )

    def _merge_keys(self, table: PlannedTable, reports: Sequence[PartReport]) -> None:
        mine = self._own_keys(table.name)
        shutil.rmtree(mine, ignore_errors=True)
        earlier = DirectorKeys.open(self._keys_folder(table.name))
        files = [Bundle(self._staging, table.name, report.digest).keys for report in reports]
        build_keys(mine, files, table.name, [report.part for report in reports], earlier)

    def _keys_folder(self, director: str) -> Path:
        """Keys of a director, a folder a transaction; they outlive the ingest, for the next one to check against."""
        database, table = split_director(director, self._plan.database)
        return self._site.keys / database / table

    def _own_keys(self, director: str) -> Path:
        return self._keys_folder(director) / str(self._transaction)

    # place and build

    def _place(self) -> dict[int, tuple[str, ...]]:
        """Chunk → nodes, by the bytes of all tables; chunks of the family stay where they are."""
        sizes: Counter[int] = Counter()
        for table in self._plan.tables:
            if table.source.layout.role.is_chunked:
                sizes.update(table_bytes(table, self._reports[table.name]))
        family, registry = self._plan.layout.striping.family, self._site.registry
        with registry.exclusive(f"placement in {family}"):
            placed = registry.placements(family)
            nodes_of = place(sizes, list(self._site.nodes), self._plan.layout.replicas, placed)
            registry.add_placements(family, nodes_of)
        return nodes_of

    def _build(self) -> None:
        """Every table on every node that holds it; each node has its own queue, so a slow one stalls no other."""
        registry, database = self._site.registry, self._plan.database
        finished = registry.replicas(database)
        standing = frozenset(replica.target for replica in finished) | dummy_targets(finished)
        context = BuildContext(self._plan, self._transaction, self._place(), standing, self._staging)
        done = {(r.node, *r.target): r.digest for r in registry.replicas(database, transaction=self._transaction)}
        queues: dict[str, list[BuildOrder]] = {node: [] for node in self._site.nodes}
        for table in self._plan.tables:
            planned = plan_builds(context, table, self._reports[table.name], list(self._site.nodes))
            for node, orders in planned.items():
                queues[node] += [rest for order in orders if (rest := _not_done(node, order, done)).builds]
        total = sum(len(order.builds) for orders in queues.values() for order in orders)
        start, built, rows, size = time.monotonic(), 0, 0, 0
        for node, order, tables in drain(queues, self._site.nodes):
            built, rows = built + len(tables), rows + sum(table.rows for table in tables)
            size += sum(table.bytes for table in tables)
            self._record(node, order, tables)
            self._watch(Progress("load", built, total, rows, size, time.monotonic() - start))
        mine = registry.replicas(database, transaction=self._transaction)
        self._generations().make(finished, mine, self._transaction)

    def _record(self, node: str, order: BuildOrder, built: Sequence[BuiltTable]) -> None:
        replicas = [
            Replica(build.base, build.chunk, build.is_overlap, node, table.rows, table.bytes, table.digest, build.part)
            for build, table in zip(order.builds, built, strict=True)
            if build.chunk != DUMMY_CHUNK
        ]
        self._site.registry.add_replicas(self._plan.database, self._transaction, replicas)

    # index and publish

    def _start_indexes(self) -> list[_StartedIndex]:
        """Have the czar's server make the registry's copy of each director index, like any other table, from sorted
        keys, while the nodes make theirs."""
        registry, database = self._site.registry, self._plan.database
        started = []
        for table in self._plan.tables:
            if table.source.layout.role is not Role.DIRECTOR or not table.source.layout.key or not table.source.parts:
                continue
            earlier = registry.index_parts(database, table.name)
            part = self._transaction if earlier else 0
            keys = self._own_keys(table.name)
            built = self._beside.submit(self._build_index, database, table.name, part, keys, self._staging)
            started.append(_StartedIndex(table.name, part, earlier, built))
        return started

    def _build_index(self, *what: Any) -> list[BuiltTable]:
        built: list[BuiltTable] = self._site.czar_loader.call("build", index_build(*what)).result()
        return built

    def _finish_indexes(self, started: Sequence[_StartedIndex]) -> None:
        for index in started:
            (built,) = answer("czar", index.built)
            mine = IndexPart(index.director, index.part, built.rows)
            self._site.registry.add_index_part(self._plan.database, self._transaction, mine)
            self._generations().make_index(index.director, [*index.earlier, mine])

    def _publish(self, report: IngestReport) -> None:
        """Everything to disk, then one registry transaction makes it visible.

        Bundles go first: what is not there need not be written. Who is killed here partitions again.
        """
        clear_staging(self._site, self._plan.database)
        os.sync()
        truth = {
            table.name: self._plan.source.truth[table.name]
            for table in self._plan.tables
            if table.name in self._plan.source.truth and not self._replayed[table.name]
        }
        content = {
            "stages_s": report.stages_s, "tables": [asdict(table) for table in report.tables], "truth": truth,
        }  # fmt: skip
        self._site.registry.move_transaction(self._mine, Event.COMMIT)
        self._site.registry.publish(self._plan.database, self._mine, content)


@dataclass(frozen=True, slots=True)
class _StartedIndex:
    """One part of a director index under way on the czar's server."""

    director: str
    part: int
    earlier: Sequence[IndexPart]
    built: Future[list[BuiltTable]]


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
