"""The czar: answers statements over the sharded cluster.

    parse ▸ bind ▸ passes ▸ plan ▸ pull rows from the nodes ▸ merge in the czar's own MariaDB ▸ Arrow

Rules: the reading account for everything; whatever a query makes in scratch databases is gone when it ends, also by an
error or Ctrl-C. One czar serves many threads at once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from skyshard.czar.dispatch import TEXT_ROWS, Dispatch, cast_template
from skyshard.czar.explain import Explanation
from skyshard.czar.gather import GATHER_LIMIT_BYTES
from skyshard.czar.plan import Kind, Lane, Plan, Pull
from skyshard.czar.planner import make_plan
from skyshard.czar.scratch import drop_query, query_name, scratch_table, sweep
from skyshard.czar.show import show
from skyshard.czar.statement import ShowStatement, read_statement
from skyshard.czar.typed import TypedColumn, read_types
from skyshard.czar.whole import answer_whole, in_words, store_result
from skyshard.db.connection import Connection, Endpoint
from skyshard.errors import SkyshardError
from skyshard.registry.catalog import CatalogSource
from skyshard.worker.execute import QueryWorker, Sessions

NODE_CALLS = 8
"""Calls to nodes that one czar has under way at a time."""


@dataclass(frozen=True, slots=True)
class QueryStats:
    """How a statement was answered; ``elapsed_s`` from its text to the last row."""

    kind: Kind
    lane: Lane
    chunks: int
    total_chunks: int
    rows: int
    elapsed_s: float
    planned_s: float


@dataclass(frozen=True, slots=True)
class QueryResult:
    """An answer: ``columns`` as MariaDB names them (names may repeat), and the rows, whose columns are c0, c1 ..."""

    columns: tuple[str, ...]
    table: pa.Table
    stats: QueryStats

    @property
    def rows(self) -> int:
        return int(self.table.num_rows)

    def named(self) -> pa.Table:
        """The rows with the names of the result, made different where they repeat (``ra``, ``ra_2``)."""
        seen: dict[str, int] = {}
        names = []
        for name in self.columns:
            seen[name] = seen.get(name, 0) + 1
            names.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
        return self.table.rename_columns(names)


class Czar:
    """Answers statements.

    ``data_dirs``: the data folders of ``czar`` and of the nodes, for row images. Pulls that read more than
    ``text_rows`` rows travel as images; no more than ``gather_limit_bytes`` are brought together for one statement.
    """

    def __init__(
        self,
        source: CatalogSource,
        czar: Endpoint,
        nodes: Mapping[str, Endpoint],
        data_dirs: Mapping[str, Path],
        *,
        gather_limit_bytes: int = GATHER_LIMIT_BYTES,
        text_rows: int = TEXT_ROWS,
    ) -> None:
        self._source = source
        self._sessions = Sessions(czar)
        self._czar_dir = Path(data_dirs["czar"])
        self._workers = {name: QueryWorker(endpoint, data_dirs[name]) for name, endpoint in nodes.items()}
        self._pool = ThreadPoolExecutor(max_workers=max(NODE_CALLS, len(nodes)), thread_name_prefix="czar")
        self._gather_limit_bytes = gather_limit_bytes
        self._text_rows = text_rows
        self._is_swept = False

    def __enter__(self) -> Czar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all sessions and threads."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._sessions.close()
        for worker in self._workers.values():
            worker.close()

    def sweep(self) -> int:
        """Drop what killed czars left in the scratch databases; returns how many tables."""
        swept = 0
        for sessions in [self._sessions, *(worker.sessions for worker in self._workers.values())]:
            with sessions.lease("sweep") as connection:
                swept += sweep(connection)
        return swept

    def explain(self, sql: str, database: str = "") -> Explanation:
        """How a statement would be answered.

        Raises:
            UserError, Refusal: it cannot be.
        """
        statement = read_statement(sql)
        if isinstance(statement, ShowStatement):
            return Explanation.of(Plan(Kind.CATALOG, (), ""))
        return Explanation.of(self._plan(sql, database))

    def execute(self, sql: str, database: str = "") -> QueryResult:
        """Answer a statement.

        Raises:
            UserError, Refusal: it cannot be answered as it is.
            ClusterError: a server failed.
        """
        begun = time.perf_counter()
        statement = read_statement(sql)
        if isinstance(statement, ShowStatement):
            names, table = show(statement, self._source, database)
            elapsed = time.perf_counter() - begun
            stats = QueryStats(Kind.CATALOG, Lane.NONE, 0, 0, table.num_rows, elapsed, elapsed)
            return QueryResult(names, table, stats)
        plan = make_plan(statement, self._source, database, limit_bytes=self._gather_limit_bytes)
        planned = time.perf_counter() - begun
        table = self._run(plan)
        stats = QueryStats(
            plan.kind, plan.lane, plan.chunks, plan.total_chunks, table.num_rows, time.perf_counter() - begun, planned
        )
        return QueryResult(plan.names, table, stats)

    def _plan(self, sql: str, database: str) -> Plan:
        statement = read_statement(sql)
        assert not isinstance(statement, ShowStatement)
        return make_plan(statement, self._source, database, limit_bytes=self._gather_limit_bytes)

    def _run(self, plan: Plan) -> pa.Table:
        if plan.kind is Kind.COUNT:
            return pa.table({"c0": pa.array([plan.count], pa.int64())})
        query = query_name()
        try:
            with self._sessions.lease(query) as czar:
                types = read_types(czar, plan.whole, scratch_table(query, "t"), _internal(len(plan.names)))
                if plan.kind is Kind.REGULAR:
                    return self._regular(query, plan, czar, types)
                return self._distributed(query, plan, czar, types)
        except SkyshardError as error:
            self._clean(query)
            raise in_words(error, query) from error.__cause__
        except BaseException:
            self._clean(query)
            raise

    def _clean(self, query: str) -> None:
        """Stop what a failed or interrupted query runs, and drop what it made."""
        for sessions in [self._sessions, *(worker.sessions for worker in self._workers.values())]:
            with contextlib.suppress(SkyshardError):
                sessions.cancel(query)
                with sessions.lease(query) as connection:
                    drop_query(connection, query)

    def _regular(self, query: str, plan: Plan, czar: Connection, types: tuple[TypedColumn, ...]) -> pa.Table:
        if not plan.has_tables:
            return answer_whole(czar, query, plan.whole, types)
        names = sorted(self._workers)
        worker = self._workers[names[hash(query) % len(names)]]
        with worker.sessions.lease(query) as node:
            return answer_whole(node, query, plan.whole, types)

    def _distributed(self, query: str, plan: Plan, czar: Connection, types: tuple[TypedColumn, ...]) -> pa.Table:
        is_large = max(pull.rows for pull in plan.pulls) > self._text_rows
        if is_large and not self._is_swept:
            self._is_swept = True
            self.sweep()
        dispatch = Dispatch(query, self._workers, self._pool, czar, self._czar_dir, self._text_rows)
        if not plan.merge:
            return dispatch.table(plan.pulls[0], types)
        tables: list[str] = []
        try:
            for number, pull in enumerate(plan.pulls):
                tables.append(scratch_table(query, f"p{number}"))
                dispatch.bring(f"p{number}", pull, self._columns(query, pull, czar))
            return store_result(czar, query, plan.merge_over(tables), types, self._czar_dir, large=is_large)
        finally:
            for table in tables:
                with contextlib.suppress(SkyshardError):
                    czar.execute(f"DROP TABLE IF EXISTS {table}")

    def _columns(self, query: str, pull: Pull, czar: Connection) -> tuple[TypedColumn, ...]:
        """The columns of a pull's scratch table; quotients of DECIMALs get room for all their digits."""
        if pull.columns:
            return tuple(TypedColumn(column.name, column.type) for column in pull.columns)
        table = scratch_table(query, "t")
        columns = read_types(czar, pull.template.of_prototype(), table, pull.names)
        template = cast_template(pull, columns, is_text=False)
        if template is pull.template:
            return columns
        cast = read_types(czar, template.of_prototype(), table, pull.names)
        return tuple(replace(new, is_rounded=old.is_rounded) for old, new in zip(columns, cast, strict=True))


def _internal(count: int) -> list[str]:
    return [f"c{index}" for index in range(count)]
