"""The load stage: chunks are placed on nodes, and every node makes its tables from the bundles.

Each node has its own queue of orders, so that a slow one stalls no other. What an interrupted run has made and recorded
is not made again.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import replace

from skyshard.basics.errors import SkyshardError, UserError
from skyshard.basics.progress import Progress
from skyshard.ingest.on_nodes.bounded_futures import BackgroundThread, drain
from skyshard.ingest.on_nodes.build_orders import (
    BuildContext,
    built_replicas,
    merged_segments,
    plan_builds,
    table_bytes,
)
from skyshard.ingest.on_nodes.copied_tables import CopiedTables
from skyshard.ingest.on_nodes.disk_writer import DiskWriter
from skyshard.ingest.on_nodes.order_sender import OrderSender
from skyshard.ingest.on_nodes.part_tables import MergeTables, dummy_targets
from skyshard.ingest.partition.bundle import SliceReport
from skyshard.ingest.partition.doubled_input import where_rows_stand
from skyshard.ingest.transaction.chunk_places import place_chunks
from skyshard.ingest.transaction.director_indexes import DirectorIndexes
from skyshard.ingest.transaction.replaced_rows import absent_nodes, kept_rows
from skyshard.ingest.transaction.run_context import RunContext
from skyshard.log.events import TABLES_LOADED
from skyshard.node.load.doubled_rows import DoubledRow
from skyshard.node.messages import BuildOrder
from skyshard.registry.stored.records import Replica


class LoadStage:
    """Loads the tables of one transaction; ``reports`` are those of its input slices, by table."""

    def __init__(
        self,
        run: RunContext,
        records: BackgroundThread,
        to_disk: DiskWriter,
        indexes: DirectorIndexes,
        reports: Mapping[str, Sequence[SliceReport]],
        sender: OrderSender,
    ) -> None:
        self._run = run
        self._records = records
        self._to_disk = to_disk
        self._indexes = indexes
        self._reports = reports
        self._sender = sender
        self._nodes_of: dict[int, tuple[str, ...]] = {}
        self._made: dict[tuple[str, str, int, bool], Replica] = {}

    def load(self) -> Collection[Replica]:
        """Load all tables; where a key that occurs twice is behind an error, it is raised instead.

        Returns all that the transaction has made, earlier runs of it included; it may not be recorded yet.
        """
        try:
            self._build()
        except SkyshardError as error:
            self._indexes.wait_for_keys()
            if isinstance(error, DoubledRow):
                raise self._with_rows(error) from None
            raise
        return self._made.values()

    def _with_rows(self, error: DoubledRow) -> UserError:
        """The error with the rows of the input behind it, as far as they are found again."""
        (table,) = (table for table in self._run.plan.tables if table.name == error.table)
        paths = [
            report.path
            for report in self._reports[table.name]
            if any(segment.chunk == error.chunk and not segment.is_overlap for segment in report.segments)
        ]
        places = where_rows_stand(table.source, paths, error.values)
        return UserError(f"{error.what}{f', in {places}' if places else ''}; there may be more", remedy=error.remedy)

    def _build(self) -> None:
        """Every table on every node that holds it, and the tables that show new parts with the earlier ones."""
        registry, site, transaction = self._run.site.registry, self._run.site, self._run.transaction
        finished = registry.replicas.all(self._run.database)
        queues = self._queues(finished)
        total = sum(len(order.builds) for orders in queues.values() for order in orders)
        copied = CopiedTables(queues, self._first_node)
        start, built, rows, size = time.monotonic(), 0, 0, 0
        made_on: dict[str, Counter[str]] = defaultdict(Counter)
        for node, order, tables in drain(copied.queues, self._sender.build, copied.after):
            new = built_replicas(node, order, tables)
            self._records.do(registry.replicas.add, self._run.database, transaction, new)
            self._made |= _by_target(new)
            made = Counter(tables=len(tables), rows=sum(t.rows for t in tables), bytes=sum(t.bytes for t in tables))
            made_on[node] += made
            built, rows, size = built + made["tables"], rows + made["rows"], size + made["bytes"]
            self._to_disk.made(made["bytes"])
            self._run.watch(Progress("load", built, total, rows, size, time.monotonic() - start))
        for node, count in sorted(made_on.items()):
            self._run.events.tell(TABLES_LOADED, tables=count["tables"], rows=count["rows"], node=node)
        if finished and not self._run.plan.replaced:  # else there is one part of each table
            self._records.finish()
            mine = registry.replicas.all(self._run.database, transaction=transaction)
            MergeTables(site, self._run.database).make(finished, mine, transaction)

    def _queues(self, finished: Sequence[Replica]) -> dict[str, list[BuildOrder]]:
        """What each node has to make, in the order of the tables; earlier transactions made what ``finished`` says."""
        run = self._run
        existing = frozenset(replica.target for replica in finished) | dummy_targets(finished)
        coming = [(name, *target) for name, reports in self._reports.items() for target in merged_segments(reports)]
        kept = kept_rows(run.site.registry, run.plan, finished, coming)
        self._nodes_of = nodes_of = self._place({chunk for _, chunk, _ in kept if chunk >= 0})
        bare = frozenset(run.site.nodes).difference(replica.node for replica in finished)
        renewed = run.site.registry.transactions.dropped_tables(run.database)
        absent = absent_nodes(finished, run.site.nodes)
        context = BuildContext(
            run.plan, run.transaction, nodes_of, existing, run.staging_on, kept, bare, renewed, absent
        )
        recorded = run.site.registry.replicas.all(run.database, transaction=run.transaction)
        self._made = _by_target(recorded)
        done = {target: replica.digest for target, replica in self._made.items()}
        queues: dict[str, list[BuildOrder]] = {node: [] for node in run.site.nodes}
        for table in run.plan.tables:
            planned = plan_builds(context, table, self._reports[table.name], list(run.site.nodes))
            for node, orders in planned.items():
                queues[node] += [rest for order in orders if (rest := _not_done(node, order, done)).builds]
        return queues

    def _first_node(self, chunk: int, node: str) -> str:
        """Of the nodes of a host that hold a chunk, or a regular table, the one that makes its tables."""
        site = self._run.site
        host = site.host_of(node)
        return next(one for one in self._nodes_of.get(chunk, tuple(site.nodes)) if site.host_of(one) == host)

    def _place(self, chunks: Set[int]) -> dict[int, tuple[str, ...]]:
        """Chunk → nodes, by the bytes of all tables; chunks of the family stay where they are.

        Args:
            chunks: those that have their place, whether rows come to them or not.
        """
        sizes: Counter[int] = Counter(dict.fromkeys(chunks, 0))
        for table in self._run.plan.tables:
            if table.source.layout.role.is_chunked:
                sizes.update(table_bytes(table, self._reports[table.name]))
        return place_chunks(self._run, sizes)


def _by_target(replicas: Iterable[Replica]) -> dict[tuple[str, str, int, bool], Replica]:
    """Each by its node and chunk table."""
    return {(replica.node, *replica.target): replica for replica in replicas}


def _not_done(node: str, order: BuildOrder, done: dict[tuple[str, str, int, bool], str]) -> BuildOrder:
    """What is left of an order after the tables that an interrupted run has built and recorded."""
    return replace(
        order,
        builds=tuple(b for b in order.builds if done.get((node, b.base, b.chunk, b.is_overlap)) != b.digest),
    )
