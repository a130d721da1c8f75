"""Carries a plan out: pulls, merge, and the rows of the answer as they come.

Rules: a generator that is read to its end, or closed, leaves no scratch table behind; what an error leaves is dropped
by the czar. Where a single chunk has the whole answer, nothing is merged.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from skyshard.basics.errors import ClusterError, SkyshardError, words_of
from skyshard.czar.plan.query_plan import FEWEST_PAIR_ROWS, Kind, QueryPlan
from skyshard.czar.result.query_progress import Running, SlowStatement
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.czar.result.typed_results import TypedColumn
from skyshard.czar.run.both_ways import asks_both, require_same
from skyshard.czar.run.column_source import ColumnSource, pair_way
from skyshard.czar.run.doubts import Doubt, TakeDoubt, no_doubt
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.run.scratch_tables import scratch_table
from skyshard.czar.run.shown_rows import FewRows, merged_at_once, shown_rows, shows_whole
from skyshard.czar.run.stored_result import Stored, store_result
from skyshard.db.connection import Connection
from skyshard.db.driver_errors import is_gone
from skyshard.db.server_errors import is_passing
from skyshard.db.sessions import Sessions
from skyshard.log.events import STATEMENT_MOVED

if TYPE_CHECKING:
    from skyshard.czar.run.dispatch import Dispatch

TEXT_ROWS = 20_000
"""Pulls that read at most this many rows travel as text."""


@dataclass(frozen=True, slots=True)
class CarryOut:
    """What carrying out needs: the czar's server, the nodes, the czar's data folder.

    ``is_short``: where a single chunk has the whole answer, its rows are taken as they come. ``pair_rows``: near
    neighbours of so many rows are counted from their positions.
    """

    sessions: Sessions
    workers: NodeWorkers
    czar_dir: Path
    text_rows: int
    is_short: bool = True
    take_doubt: TakeDoubt = no_doubt
    pair_rows: int = FEWEST_PAIR_ROWS
    columns: ColumnSource | None = None

    def batches(self, typed: TypedPlan, running: Running) -> Iterator[pa.RecordBatch]:
        """The rows of the answer; errors come while they are read."""
        has_way = self.columns is not None and any(pull.column_way for pull in typed.plan.pulls)
        has_way = has_way or self._has_pairs(typed.plan, running)
        if has_way and running.scan != "rows" and asks_both():
            yield from self._both_ways(typed, running)
        else:
            yield from self._one_way(typed, running)

    def _both_ways(self, typed: TypedPlan, running: Running) -> Iterator[pa.RecordBatch]:
        """The rows of columns, if they are those of rows; in memory."""
        schema = pa.schema([(column.name, column.arrow) for column in typed.types])
        by_columns = pa.Table.from_batches(list(self._one_way(typed, running)), schema)
        counts = running.chunks_done, running.column_chunks, running.column_bytes
        scan, running.scan = running.scan, "rows"
        running.restart()
        as_rows = pa.Table.from_batches(list(self._one_way(typed, running)), schema)
        running.scan, (running.chunks_done, running.column_chunks, running.column_bytes) = scan, counts
        is_limited = any(pull.column_way is not None and pull.column_way.is_limited for pull in typed.plan.pulls)
        require_same(by_columns, as_rows, running.statement, is_limited=is_limited)
        yield from by_columns.to_batches()

    def _one_way(self, typed: TypedPlan, running: Running) -> Iterator[pa.RecordBatch]:
        plan = typed.plan
        if plan.kind is Kind.COUNT:
            yield from pa.table({"c0": pa.array([plan.count], pa.int64())}).to_batches()
        elif plan.kind is Kind.REGULAR:
            yield from self._regular(typed, running)
        elif not plan.merge or self._is_direct(plan, running):
            pull = plan.direct if plan.direct is not None and self._is_direct(plan, running) else plan.pulls[0]
            rows = self._dispatch(running, None).batches(pull, typed.types, plan.lane)
            yield from rows if pull.limit is None else _first_rows(rows, pull.limit)
        else:
            yield from self._merged(typed, running)

    def _has_pairs(self, plan: QueryPlan, running: Running) -> bool:
        """True where pairs are found from positions."""
        return any(pair_way(pull, running.scan, self.pair_rows) is not None for pull in plan.pulls)

    def _is_direct(self, plan: QueryPlan, running: Running) -> bool:
        """True where a single chunk's rows are the answer, and its node is not asked for positions only."""
        return plan.direct is not None and self.is_short and not self._has_pairs(plan, running)

    def _dispatch(self, running: Running, czar: Connection | None) -> Dispatch:
        from skyshard.czar.run.dispatch import Dispatch  # a statement that reads no chunk imports none of this

        return Dispatch(
            running, self.workers, czar, self.czar_dir, self.text_rows, self.take_doubt, self.pair_rows, self.columns
        )

    def _regular(self, typed: TypedPlan, running: Running) -> Iterator[pa.RecordBatch]:
        """A statement over regular tables runs on any node, one over none on the czar's server."""
        plan, query = typed.plan, running.query
        if not plan.has_tables:
            with self.sessions.lease(query) as czar:
                running.check()  # from here on a session is there to be stopped
                found = store_result(
                    czar, query, plan.statement, typed.types, clock=running.clock,
                    not_dropped=lambda: self.workers.left.add(self.sessions, query),
                )  # fmt: skip
                yield from found.to_batches()
            return
        nodes = sorted(node for node in self.workers.nodes if plan.holders is None or node in plan.holders)
        if not nodes:
            raise ClusterError("no node has good copies of the regular tables", remedy="see `skyshard replicas status`")
        turn = hash(query) % len(nodes)
        for number, node in enumerate(nodes[turn:] + nodes[:turn]):
            begun = time.perf_counter()
            try:
                with self.workers.by_name[node].sessions.lease(query) as connection:
                    running.check()
                    found = store_result(
                        connection, query, plan.statement, typed.types, clock=running.clock,
                        not_dropped=partial(self.workers.leave, node, query),
                    )  # fmt: skip
            except SkyshardError as error:
                if not isinstance(error, ClusterError) and not is_gone(error):
                    raise
                running.check()
                if not is_passing(error):
                    self.take_doubt(Doubt(node, plan.regular, (-1,)))
                if number + 1 == len(nodes):
                    raise
                self.workers.events.tell(STATEMENT_MOVED, query=query, node=node, error=words_of(error))
                continue
            running.note(node, SlowStatement((), time.perf_counter() - begun, plan.statement, is_scan=False))
            yield from found.to_batches()
            return

    def _merged(self, typed: TypedPlan, running: Running) -> Iterator[pa.RecordBatch]:
        plan, query = typed.plan, running.query
        is_large = max(pull.rows for pull in plan.pulls) > self.text_rows
        tables = [scratch_table(query, f"p{number}") for number in range(len(plan.pulls))]
        with self.sessions.lease(query) as czar:
            running.check()
            dispatch = self._dispatch(running, czar)
            stored = Stored(czar, query, typed.types, self.czar_dir, is_large=is_large)
            is_short = _is_short_merge(plan) and shows_whole(typed.types)
            is_shown, merge = is_short and not is_large, plan.merge_over(tables)
            try:
                for number, pull in enumerate(plan.pulls):
                    columns = self._columns(typed, number, query, czar)
                    meanwhile = _nothing if is_shown else stored.create
                    came = dispatch.bring(
                        f"p{number}", pull, columns, plan.lane, meanwhile, is_few_handed_back=is_short
                    )
                    if isinstance(came, FewRows):  # of the only pull
                        running.check()
                        merged = merged_at_once(czar, came, running.clock + merge, typed.types)
                        if merged is not None:
                            tables = []
                            yield from merged.to_batches()
                            return
                        dispatch.store(came)
                        came = len(came.rows)
                    is_shown = is_shown and came <= self.text_rows  # a join may give more rows than it reads
                running.check()
                shown = shown_rows(czar, running.clock + merge, typed.types) if is_shown else None
                yield from stored.batches(merge, running.clock) if shown is None else shown.to_batches()
            finally:
                if not stored.drop(*tables):
                    self.workers.left.add(self.sessions, query)

    def _columns(self, typed: TypedPlan, number: int, query: str, czar: Connection) -> tuple[TypedColumn, ...]:
        """The columns of a pull's scratch table, looked up once."""
        from skyshard.czar.run.pull_columns import read_columns

        if number not in typed.pulled:
            typed.pulled[number] = read_columns(typed.plan.pulls[number], query, czar)
        return typed.pulled[number]


def _is_short_merge(plan: QueryPlan) -> bool:
    """Whether the merge gives at most as many rows as its only pull brought, so that they fit into memory, too."""
    return len(plan.pulls) == 1 and plan.kind is not Kind.GATHER


def _first_rows(batches: Generator[pa.RecordBatch, None, None], count: int) -> Iterator[pa.RecordBatch]:
    """No more than so many of the rows; what brings more is ended."""
    with closing(batches):
        for batch in batches:
            yield batch.slice(0, min(count, batch.num_rows))  # a count may be more than Arrow's integers hold
            count -= batch.num_rows
            if count <= 0:
                return


def _nothing() -> None:
    """What is done meanwhile where no table waits for the answer."""
