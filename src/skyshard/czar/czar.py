"""The czar: answers statements over the sharded cluster.

    parse ▸ bind ▸ rewrite ▸ plan ▸ type ▸ pull rows from the nodes ▸ merge in the czar's own MariaDB ▸ Arrow

Rules: the reading account for everything; whatever a query makes in scratch databases is gone when it ends, also by an
error or Ctrl-C. One czar serves many threads at once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import pyarrow as pa

from skyshard.basics.scan_way import ScanWay, require_way
from skyshard.catalog.schema import Table
from skyshard.cluster.node import Node
from skyshard.czar.cache.first_of_shape import FirstOfShape
from skyshard.czar.cache.overtaken import answered, begin, planned
from skyshard.czar.cache.plan_reuse import StatementPlanner
from skyshard.czar.plan.gather_plan import GATHER_LIMIT_BYTES
from skyshard.czar.plan.query_plan import FEWEST_PAIR_ROWS, Kind, Lane, QueryPlan
from skyshard.czar.result.answer import Answer, EndedStatement, QueryResult, QueryStats, schema_of
from skyshard.czar.result.query_progress import Running
from skyshard.czar.result.typed_plan import PlanAhead, TypedPlan
from skyshard.czar.run.brought_tables import Rows, WithBrought, bring_tables
from skyshard.czar.run.clean_up import CleanUp
from skyshard.czar.run.column_source import ColumnSource, FindReplicas, scan_words
from skyshard.czar.run.czar_beats import Beats, CzarBeats
from skyshard.czar.run.doubts import TakeDoubt, no_doubt
from skyshard.czar.run.execute_plan import TEXT_ROWS, CarryOut
from skyshard.czar.run.met_nodes import FindNodes, MetNodes
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.run.queries_under_way import QueriesUnderWay
from skyshard.czar.run.query_events import slow_limit, tell_ended, tell_failed, tell_planned
from skyshard.czar.run.result_types import result_types
from skyshard.czar.run.scratch_tables import query_name
from skyshard.czar.run.syntax_check import enter_scratch, require_syntax
from skyshard.czar.run.visible_stores import seeing
from skyshard.czar.scan.left_tables import LeftTables
from skyshard.czar.scan.query_worker import QueryWorker
from skyshard.czar.scan.scan_threads import scan_threads_on
from skyshard.czar.scan.scan_throttle import ScanThrottle
from skyshard.czar.sql.statement import ShowStatement
from skyshard.db.connection import Connection, Endpoint
from skyshard.db.sessions import Sessions
from skyshard.host.process_tuning import freeze_loaded
from skyshard.log.event_log import ONLY_LOGGED, EventLog
from skyshard.log.events import PLANNED_AGAIN
from skyshard.registry.catalog.published_catalog import Catalog, CatalogSource
from skyshard.registry.catalog_cache import CatalogCache

if TYPE_CHECKING:
    from skyshard.czar.explain import Explanation
    from skyshard.czar.result.analysis import Analysis

__all__ = ["Answer", "Czar", "QueryResult", "QueryStats"]

NODE_CALLS = 32
"""Calls to nodes that one czar has under way at a time, scans not counted."""


class Czar:
    """Answers statements.

    ``czar_dir``: the data folder of the server ``czar``, which is on this host. Pulls that read more than ``text_rows``
    rows travel as images, pairs of near neighbours of ``pair_rows`` are counted from positions; no more than
    ``gather_limit_bytes`` are brought together for one statement.
    ``scan_threads``: of each node's scan lane. A server may be silent for ``silence_s``. ``on_end`` is called for every
    query that :meth:`execute` has ended.
    Without ``is_short`` the rows of a single chunk are merged as those of many, which gives the same answer later.
    ``beats``: by which czars of several hosts know of one another. ``take_doubt`` is told what a node could not read.
    ``find_nodes``: the nodes as they are now; without it they stay those that were given. ``check_session`` is called
    with each new session on a node, ``watch`` with each heartbeat. ``find_replicas``: those of a database and a table;
    without it all is read as rows. ``scan``: how scans are answered where a query does not say.
    """

    def __init__(
        self,
        source: CatalogSource | CatalogCache,
        czar: Endpoint,
        nodes: Mapping[str, Node],
        czar_dir: Path,
        *,
        gather_limit_bytes: int = GATHER_LIMIT_BYTES,
        text_rows: int = TEXT_ROWS,
        pair_rows: int = FEWEST_PAIR_ROWS,
        scan_threads: int | None = None,
        silence_s: float | None = None,
        on_end: Callable[[EndedStatement], None] | None = None,
        is_short: bool = True,
        beats: Beats | None = None,
        take_doubt: TakeDoubt = no_doubt,
        find_nodes: FindNodes | None = None,
        check_session: Callable[[Connection], None] | None = None,
        watch: Callable[[], None] = lambda: None,
        find_replicas: FindReplicas | None = None,
        events: EventLog = ONLY_LOGGED,
        scan: ScanWay = "auto",
    ) -> None:
        self._under_way = QueriesUnderWay()
        self.column_bytes = 0
        """Of column images that its statements have read, those that failed among them."""
        self.scan = require_way(scan)
        beside = sum(node.is_here for node in nodes.values())
        left = LeftTables(self._under_way.__contains__)
        throttle = ScanThrottle()

        def worker_of(node: Node) -> QueryWorker:
            return QueryWorker(
                node,
                scan_threads=scan_threads or scan_threads_on(node, beside),
                throttle=throttle,
                silence_s=silence_s,
                opened=check_session,
                left=left,
                events=events,
            )

        self._watch = watch
        self._source = source
        self._events = events
        self._slow_s = slow_limit()
        self._sessions = Sessions(czar, silence_s=silence_s, opened=enter_scratch, events=events)
        workers = {name: worker_of(node) for name, node in nodes.items()}
        pool = ThreadPoolExecutor(max_workers=max(NODE_CALLS, len(nodes)), thread_name_prefix="czar")
        self._node_workers = NodeWorkers(workers, pool, throttle, events, left=left)
        self._nodes = MetNodes(self._node_workers, find_nodes, worker_of)
        self._columns = ColumnSource(find_replicas) if find_replicas is not None else None
        self._carry_out = CarryOut(
            self._sessions, self._node_workers, czar_dir, text_rows, is_short, take_doubt, pair_rows, self._columns
        )
        syntax = FirstOfShape(partial(require_syntax, self._sessions))
        self._planner = StatementPlanner(
            source, partial(result_types, self._sessions), gather_limit_bytes, syntax.require
        )
        self._lock = threading.Lock()
        self._is_swept = False
        self._beats = CzarBeats(beats, self._meanwhile)
        self._clean_up = CleanUp(self._sessions, self._node_workers, events, self._beats.living)
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
        self._beats.close()
        self._node_workers.close()
        self._sessions.close()
        if isinstance(self._source, CatalogCache):
            self._source.close()

    @property
    def _workers(self) -> Mapping[str, QueryWorker]:
        return self._node_workers.by_name

    @property
    def scan_threads(self) -> dict[str, int]:
        """Threads of each node's scan lane."""
        return {worker.name: worker.scan_threads for worker in self._node_workers.serving}

    def sweep(self) -> int:
        """Drop what killed czars left in the scratch databases, on all servers that answer; returns how many tables."""
        return self._clean_up.sweep()

    def explain(self, sql: str, database: str = "", *, scan: ScanWay | None = None) -> Explanation:
        """How a statement would be answered.

        Raises:
            UserError, Refusal: it cannot be.
        """
        from skyshard.czar.explain import Explanation

        plan = planned(lambda: self._planner.plan(sql, database))
        if isinstance(plan, ShowStatement):
            from skyshard.czar.show_catalog import show

            show(plan, self._planner.now(), database)
            return Explanation.of(QueryPlan(Kind.CATALOG, ()))
        chunked = [pull for pull in plan.pulls if pull.chunks is not None and plan.lane is not Lane.NONE]
        self._nodes.meet(plan)
        nodes = [worker.node for worker in self._node_workers.serving]
        return Explanation.of(plan, [scan_words(pull, nodes, self._way(scan), self._columns) for pull in chunked])

    def _way(self, scan: ScanWay | None) -> ScanWay:
        return self.scan if scan is None else require_way(scan)

    def lane(self, sql: str, database: str = "") -> Lane:
        """In which lane a statement would be answered, by the plan that it then has; errors as of :meth:`explain`."""
        return self.plan_ahead(sql, database).lane

    def plan_ahead(self, sql: str, database: str = "") -> PlanAhead:
        """The plan of a statement that is to be opened at once, for whoever has to know its lane before."""
        return PlanAhead(planned(lambda: self._planner.typed_plan(sql, database)))

    def written_out(self, sql: str, database: str = "") -> str:
        """A statement as one server without functions of ours would run it, over tables under the names of people.

        Raises:
            UserError, Refusal: it cannot be answered.
        """
        return planned(lambda: self._planner.written_out(sql, database))

    def execute(
        self,
        sql: str,
        database: str = "",
        *,
        limit_bytes: int | None = None,
        allow_partial: bool = False,
        scan: ScanWay | None = None,
    ) -> QueryResult:
        """Answer a statement; ``scan``: from column images, as rows, or as is best.

        Raises:
            UserError, Refusal: it cannot be answered as it is.
            ClusterError: a server failed.
        """
        with self.open(
            sql, database, limit_bytes=limit_bytes, allow_partial=allow_partial, is_whole=True, scan=scan
        ) as answer:
            table = answer.table()
            stats = answer.stats()
        return QueryResult(answer.columns, table, stats)

    def analyze(
        self, sql: str, database: str = "", *, on_servers: bool = False, scan: ScanWay | None = None
    ) -> Analysis:
        """Answer a statement, drop its rows, and say where the time went; errors as of :meth:`execute`.

        With ``on_servers`` each node analyses its slowest statement, which it answers once more for that.
        """
        from skyshard.czar.result.analysis import analysis_of
        from skyshard.czar.run.analyze_nodes import analyze_nodes

        with self.open(sql, database, scan=scan) as answer:
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
        brought: Catalog | None = None,
        ahead: PlanAhead | None = None,
        scan: ScanWay | None = None,
    ) -> Iterator[Answer]:
        """Begin to answer a statement; its rows are read as they come, in bounded memory, or with ``is_whole`` when all
        are here, so that it can be begun again to the end.

        ``query``: a name for it, made by ``query_name``; the caller who gives one keeps the history. ``brought``: what
        :meth:`bring` made for it. ``ahead``: its plan, made just before. Errors as of :meth:`execute`, here and while
        reading.
        """
        begun = time.perf_counter()
        running = Running(
            query or query_name(), limit_bytes, allow_partial, is_submitted=bool(query), statement=sql,
            database=database, scan=self._way(scan),
        )  # fmt: skip
        try:
            apart = self._node_workers.throttle.processors.keep_caller_apart
            with apart():
                answer = self._answer(sql, database, running, begun, is_whole=is_whole, brought=brought, ahead=ahead)
            is_scan = answer.plan.lane is Lane.SCAN
            held = self._under_way.hold(running, answer, self._clean_up, self._beats.during)
            with held, contextlib.nullcontext() if is_scan else apart():
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
        """Count what it has read; give a statement that was answered at once to the history."""
        with self._lock:
            self.column_bytes += running.column_bytes
        if self._on_end is not None and not running.is_submitted:
            self._on_end(ended)

    def under_way(self) -> list[Running]:
        """The queries whose rows are being read from this czar now; their counters go on."""
        return self._under_way.list()

    def cancel(self, query: str) -> bool:
        """Stop a query on all servers; False if it is not under way here."""
        return self._under_way.stop(query, self._clean_up)

    def bring(self, schema: str, tables: Mapping[str, tuple[Table, Rows]]) -> AbstractContextManager[Catalog]:
        """Tables of a client's own, on every node while the context lasts; for ``brought`` of :meth:`open`.

        The catalog, called ``schema``, has them under other names, in the order given.
        """
        return bring_tables(self._sessions, self._node_workers, schema, tables)

    def _answer(
        self,
        sql: str,
        database: str,
        running: Running,
        begun: float,
        *,
        is_whole: bool,
        brought: Catalog | None,
        ahead: PlanAhead | None,
    ) -> Answer:
        def typed_plan() -> TypedPlan | ShowStatement:
            extend = None if brought is None else partial(WithBrought, brought=brought)
            return planned(lambda: self._planner.typed_plan(sql, database, extend))

        typed = ahead.typed if ahead is not None else typed_plan()
        if not isinstance(typed, ShowStatement):
            typed = seeing(self._sessions, typed, typed_plan, running)
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
        self._nodes.meet(plan)
        if plan.lane is Lane.SCAN and not self._is_swept:
            self._is_swept = True
            self.sweep()

        def carry_out(typed: TypedPlan) -> Generator[pa.RecordBatch, None, None]:
            batches = self._carry_out.batches(typed, running)
            yield from list(batches) if is_whole else batches

        def plan_again() -> TypedPlan:
            self._events.tell(PLANNED_AGAIN, query=running.query)
            self._clean_up.clean(running.query)
            again = typed_plan()
            assert not isinstance(again, ShowStatement)
            running.visible = {}
            again = seeing(self._sessions, again, typed_plan, running)
            begin(running, again.plan, clock)
            self._nodes.meet(again.plan)
            return again

        batches = answered(typed, carry_out, plan_again, running, lambda typed: self._nodes.has_lost(typed.plan))
        return Answer(
            plan.names, schema_of(typed.types), plan, running, batches, begun, planned_s,
            generation=typed.generation, form=typed.form,
        )  # fmt: skip

    def _meanwhile(self) -> None:
        self._nodes.meet()
        for worker in self._workers.values():
            worker.close_idle()
        self._watch()
