"""The czar: answers statements over the sharded cluster.

    parse ▸ bind ▸ rewrite ▸ plan ▸ type ▸ pull rows from the nodes ▸ merge in the czar's own MariaDB ▸ Arrow

Rules: the reading account for everything; whatever a query makes in scratch databases is gone when it ends, also by an
error or Ctrl-C. One czar serves many threads at once.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pyarrow as pa

from skyshard.basics.errors import SkyshardError
from skyshard.czar.cache.overtaken import answered, begin, planned
from skyshard.czar.cache.plan_reuse import StatementPlanner
from skyshard.czar.plan.gather_plan import GATHER_LIMIT_BYTES
from skyshard.czar.plan.query_plan import Kind, Lane, QueryPlan
from skyshard.czar.result.answer import Answer, EndedStatement, QueryResult, QueryStats, schema_of
from skyshard.czar.result.query_progress import Running
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.czar.result.typed_results import TypedColumn, loosened, read_types
from skyshard.czar.run.execute_plan import TEXT_ROWS, CarryOut
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.run.query_events import slow_limit, tell_ended, tell_failed, tell_planned
from skyshard.czar.run.scratch_tables import drop_query, query_name, scratch_table, sweep
from skyshard.czar.run.stored_result import in_words
from skyshard.czar.scan.query_worker import QueryWorker
from skyshard.czar.scan.scan_throttle import ScanThrottle
from skyshard.czar.sql.statement import ShowStatement
from skyshard.db.connection import Endpoint
from skyshard.db.sessions import CLEANING, Sessions
from skyshard.host.process_tuning import freeze_loaded
from skyshard.log.event_log import ONLY_LOGGED, EventLog
from skyshard.log.events import PLANNED_AGAIN
from skyshard.registry.catalog.published_catalog import CatalogSource
from skyshard.registry.catalog_cache import CatalogCache
from skyshard.rowimage.sqltype import parse_type

if TYPE_CHECKING:
    from skyshard.czar.explain import Explanation
    from skyshard.czar.result.analysis import Analysis

__all__ = ["Answer", "Czar", "QueryResult", "QueryStats"]

NODE_CALLS = 32
"""Calls to nodes that one czar has under way at a time, scans not counted."""


def scan_threads_of(nodes: int, cores: int | None = None) -> int:
    """Threads of a node's scan lane: the cores are shared out, each node has at least one.

    >>> scan_threads_of(2, 2), scan_threads_of(1, 2), scan_threads_of(3, 32)
    (1, 2, 8)
    """
    return max(1, min(8, (cores or os.cpu_count() or 1) // max(nodes, 1)))


class Czar:
    """Answers statements.

    ``data_dirs``: the data folders of ``czar`` and of the nodes, for row images. Pulls that read more than
    ``text_rows`` rows travel as images; no more than ``gather_limit_bytes`` are brought together for one statement.
    ``scan_threads``: of each node's scan lane. ``on_end`` is called for every query that :meth:`execute` has ended.
    Without ``is_short`` the rows of a single chunk are merged as those of many, which gives the same answer later.
    """

    def __init__(
        self,
        source: CatalogSource | CatalogCache,
        czar: Endpoint,
        nodes: Mapping[str, Endpoint],
        data_dirs: Mapping[str, Path],
        *,
        gather_limit_bytes: int = GATHER_LIMIT_BYTES,
        text_rows: int = TEXT_ROWS,
        scan_threads: int | None = None,
        on_end: Callable[[EndedStatement], None] | None = None,
        is_short: bool = True,
        events: EventLog = ONLY_LOGGED,
    ) -> None:
        threads = scan_threads or scan_threads_of(len(nodes))
        throttle = ScanThrottle()
        self._source = source
        self._events = events
        self._slow_s = slow_limit()
        self._sessions = Sessions(czar, events=events)
        self._workers = {
            name: QueryWorker(
                endpoint, data_dirs[name], name=name, scan_threads=threads, throttle=throttle, events=events
            )
            for name, endpoint in nodes.items()
        }
        pool = ThreadPoolExecutor(max_workers=max(NODE_CALLS, len(nodes)), thread_name_prefix="czar")
        self._node_workers = NodeWorkers(self._workers, pool, throttle, events)
        self._carry_out = CarryOut(self._sessions, self._node_workers, Path(data_dirs["czar"]), text_rows, is_short)
        self._planner = StatementPlanner(source, self._types, gather_limit_bytes)
        self._running: dict[str, Running] = {}
        self._lock = threading.Lock()
        self._is_swept = False
        self._on_end = on_end
        freeze_loaded()

    def __enter__(self) -> Czar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all sessions and threads."""
        self._node_workers.pool.shutdown(wait=True, cancel_futures=True)
        self._sessions.close()
        for worker in self._workers.values():
            worker.close()
        if isinstance(self._source, CatalogCache):
            self._source.close()

    def _servers(self) -> list[Sessions]:
        workers = self._workers.values()
        return [self._sessions, *(one for worker in workers for one in (worker.sessions, worker.scan_sessions))]

    def sweep(self) -> int:
        """Drop what killed czars left in the scratch databases; returns how many tables."""
        swept = 0
        for sessions in self._servers():
            with sessions.lease("sweep") as connection:
                swept += sweep(connection, self._events)
        return swept

    def explain(self, sql: str, database: str = "") -> Explanation:
        """How a statement would be answered.

        Raises:
            UserError, Refusal: it cannot be.
        """
        from skyshard.czar.explain import Explanation

        plan = planned(lambda: self._planner.plan(sql, database))
        return Explanation.of(QueryPlan(Kind.CATALOG, ()) if isinstance(plan, ShowStatement) else plan)

    def execute(
        self, sql: str, database: str = "", *, limit_bytes: int | None = None, allow_partial: bool = False
    ) -> QueryResult:
        """Answer a statement.

        Raises:
            UserError, Refusal: it cannot be answered as it is.
            ClusterError: a server failed.
        """
        with self.open(sql, database, limit_bytes=limit_bytes, allow_partial=allow_partial, is_whole=True) as answer:
            table = answer.table()
            stats = answer.stats()
        return QueryResult(answer.columns, table, stats)

    def analyze(self, sql: str, database: str = "", *, on_servers: bool = False) -> Analysis:
        """Answer a statement, drop its rows, and say where the time went; errors as of :meth:`execute`.

        With ``on_servers`` each node analyses its slowest statement, which it answers once more for that.
        """
        from skyshard.czar.result.analysis import analysis_of
        from skyshard.czar.run.analyze_nodes import analyze_nodes

        with self.open(sql, database) as answer:
            answer.running.slow_statements = {} if on_servers else None
            for _ in answer.batches:
                pass
            stats = answer.stats()
            plans = analyze_nodes(answer.running, self._workers)
        return analysis_of(stats, answer.running, plans)

    @contextlib.contextmanager
    def open(
        self,
        sql: str,
        database: str = "",
        *,
        limit_bytes: int | None = None,
        allow_partial: bool = False,
        query: str = "",
        is_whole: bool = False,
    ) -> Iterator[Answer]:
        """Begin to answer a statement; its rows are read as they come, in bounded memory, or with ``is_whole`` when all
        are here, so that it can be begun again to the end.

        ``query``: a name for it, made by ``query_name``; the caller who gives one keeps the history. Errors as of
        :meth:`execute`, here and while reading.
        """
        begun = time.perf_counter()
        running = Running(query or query_name(), limit_bytes, allow_partial, is_submitted=bool(query))
        try:
            apart = self._node_workers.throttle.processors.keep_caller_apart
            with apart():
                answer = self._answer(sql, database, running, begun, is_whole=is_whole)
            is_scan = answer.plan.lane is Lane.SCAN
            with self._under_way(running, answer), contextlib.nullcontext() if is_scan else apart():
                yield answer
        except BaseException as error:
            elapsed_s, words = time.perf_counter() - begun, str(error) or type(error).__name__
            tell_failed(self._events, running, error, elapsed_s)
            self._record(EndedStatement(sql, database, elapsed_s, None, words, running.query), running)
            raise
        stats = answer.stats()
        tell_ended(self._events, running, stats, sql, self._slow_s)
        self._record(EndedStatement(sql, database, stats.elapsed_s, stats, "", running.query), running)

    def _record(self, ended: EndedStatement, running: Running) -> None:
        """Give a statement that was answered at once to the history."""
        if self._on_end is not None and not running.is_submitted:
            self._on_end(ended)

    @contextlib.contextmanager
    def _under_way(self, running: Running, answer: Answer) -> Iterator[None]:
        """The query can be cancelled; whatever happens, nothing of it is left."""
        with self._lock:
            self._running[running.query] = running
        try:
            try:
                yield
            finally:
                answer.close()
        except SkyshardError as error:
            self._clean(running.query)
            running.check()
            raise in_words(error, running.query) from error.__cause__
        except BaseException:
            self._clean(running.query)
            raise
        finally:
            with self._lock:
                del self._running[running.query]

    def cancel(self, query: str) -> bool:
        """Stop a query on all servers; False if it is not under way here."""
        with self._lock:
            running = self._running.get(query)
        if running is None:
            return False
        running.stop()
        for sessions in self._servers():
            sessions.cancel(query)
        return True

    def _answer(self, sql: str, database: str, running: Running, begun: float, *, is_whole: bool) -> Answer:
        typed = planned(lambda: self._planner.typed_plan(sql, database))
        planned_s = time.perf_counter() - begun
        if isinstance(typed, ShowStatement):
            from skyshard.czar.show_catalog import show

            names, table = show(typed, self._planner.now(), database)
            shown = QueryPlan(Kind.CATALOG, ())
            return Answer(names, table.schema, shown, running, table.to_batches(), begun, planned_s)
        plan = typed.plan
        clock = f"SET STATEMENT timestamp = {time.time():.6f} FOR " if plan.asks_time else ""
        begin(running, plan, clock)
        tell_planned(self._events, running, plan, planned_s)
        if plan.lane is Lane.SCAN and not self._is_swept:
            self._is_swept = True
            self.sweep()

        def carry_out(typed: TypedPlan) -> Generator[pa.RecordBatch, None, None]:
            batches = self._carry_out.batches(typed, running)
            yield from list(batches) if is_whole else batches

        def plan_again() -> TypedPlan:
            self._events.tell(PLANNED_AGAIN, query=running.query)
            self._clean(running.query)
            again = planned(lambda: self._planner.typed_plan(sql, database))
            assert not isinstance(again, ShowStatement)
            begin(running, again.plan, clock)
            return again

        batches = answered(typed, carry_out, plan_again, running)
        return Answer(plan.names, schema_of(typed.types), plan, running, batches, begun, planned_s)

    def _types(self, plan: QueryPlan, whole: str) -> tuple[TypedColumn, ...]:
        """The types of a plan's result, those of the ``whole`` on one server; a failed look leaves nothing behind."""
        if plan.kind is Kind.COUNT:
            return (TypedColumn("c0", parse_type("bigint")),)
        query = query_name()
        names = [f"c{index}" for index in range(len(plan.names))]
        try:
            with self._sessions.lease(query) as connection:
                types = read_types(connection, whole, scratch_table(query, "t"), names)
        except SkyshardError as error:
            raise in_words(error, query) from error.__cause__
        return loosened(types, plan.loose, plan.vague)

    def _clean(self, query: str) -> None:
        """Stop what a failed or interrupted query runs, and drop what it made."""
        for sessions in self._servers():
            sessions.cancel(query)
            for _ in range(2):  # the first session may be one of before a restart
                with contextlib.suppress(SkyshardError), sessions.lease(CLEANING) as connection:
                    drop_query(connection, query)
                    break
