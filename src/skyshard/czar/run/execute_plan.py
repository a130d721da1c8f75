"""Carries a plan out: pulls, merge, and the rows of the answer as they come.

Rules: a generator that is read to its end, or closed, leaves no scratch table behind; what an error leaves is dropped
by the czar. Where a single chunk has the whole answer, nothing is merged.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from skyshard.basics.errors import ClusterError, SkyshardError, words_of
from skyshard.czar.plan.query_plan import Kind, Pull, QueryPlan
from skyshard.czar.result.query_progress import Running, SlowStatement
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.czar.result.typed_results import SAFE_DIGITS, SPARE_DIGITS, TypedColumn, read_types
from skyshard.czar.run.dispatch import Dispatch
from skyshard.czar.run.pull_order import cast_template
from skyshard.czar.run.rounds import NodeWorkers
from skyshard.czar.run.scratch_tables import scratch_table
from skyshard.czar.run.stored_result import Stored, store_result
from skyshard.db.connection import Connection
from skyshard.db.sessions import Sessions
from skyshard.log.events import STATEMENT_MOVED
from skyshard.rowimage.sqltype import MOST_DIGITS, parse_type

SUM_DIGITS = 22
"""So many digits more a SUM declares than what it adds up."""
EXACT_SCALE = 30
"""Digits behind the point of a DECIMAL quotient, where those before it leave room."""


@dataclass(frozen=True, slots=True)
class CarryOut:
    """What carrying out needs: the czar's server, the nodes, the czar's data folder.

    ``is_short``: where a single chunk has the whole answer, its rows are taken as they come.
    """

    sessions: Sessions
    workers: NodeWorkers
    czar_dir: Path
    text_rows: int
    is_short: bool = True

    def batches(self, typed: TypedPlan, running: Running) -> Iterator[pa.RecordBatch]:
        """The rows of the answer; errors come while they are read."""
        plan = typed.plan
        if plan.kind is Kind.COUNT:
            yield from pa.table({"c0": pa.array([plan.count], pa.int64())}).to_batches()
        elif plan.kind is Kind.REGULAR:
            yield from self._regular(typed, running)
        elif not plan.merge or (plan.direct is not None and self.is_short):
            dispatch = Dispatch(running, self.workers, None, self.czar_dir, self.text_rows)
            pull = plan.direct if plan.direct is not None and self.is_short else plan.pulls[0]
            yield from dispatch.batches(pull, typed.types, plan.lane)
        else:
            yield from self._merged(typed, running)

    def _regular(self, typed: TypedPlan, running: Running) -> Iterator[pa.RecordBatch]:
        """A statement over regular tables runs on any node, one over none on the czar's server."""
        plan, query = typed.plan, running.query
        if not plan.has_tables:
            with self.sessions.lease(query) as czar:
                yield from store_result(czar, query, plan.statement, typed.types, clock=running.clock).to_batches()
            return
        nodes = sorted(self.workers.nodes)
        turn = hash(query) % len(nodes)
        for number, node in enumerate(nodes[turn:] + nodes[:turn]):
            begun = time.perf_counter()
            try:
                with self.workers.by_name[node].sessions.lease(query) as connection:
                    found = store_result(connection, query, plan.statement, typed.types, clock=running.clock)
            except ClusterError as error:
                running.check()
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
            dispatch = Dispatch(running, self.workers, czar, self.czar_dir, self.text_rows)
            stored = Stored(czar, query, typed.types, self.czar_dir, is_large=is_large)
            try:
                for number, pull in enumerate(plan.pulls):
                    columns = self._columns(typed, number, query, czar)
                    dispatch.bring(f"p{number}", pull, columns, plan.lane, stored.create)
                running.check()
                yield from stored.batches(plan.merge_over(tables), running.clock)
            finally:
                with contextlib.suppress(SkyshardError):
                    czar.execute(f"DROP TABLE IF EXISTS {', '.join([*tables, stored.table])}")

    def _columns(self, typed: TypedPlan, number: int, query: str, czar: Connection) -> tuple[TypedColumn, ...]:
        """The columns of a pull's scratch table; quotients of DECIMALs get room for all their digits."""
        if number not in typed.pulled:
            typed.pulled[number] = _read_columns(typed.plan, number, query, czar)
        return typed.pulled[number]


def _read_columns(plan: QueryPlan, number: int, query: str, czar: Connection) -> tuple[TypedColumn, ...]:
    pull = plan.pulls[number]
    if pull.columns:
        return tuple(TypedColumn(column.name, column.type) for column in pull.columns)
    table = scratch_table(query, "t")
    columns = read_types(czar, pull.template.written().of_prototype(), table, pull.names)
    columns = tuple(column if _is_declared(column, pull) else column.loosened() for column in columns)
    columns = tuple(exact(column, pull) if column.name in pull.divided else column for column in columns)
    if not any(column.is_rounded for column in columns):
        return columns
    cast = read_types(czar, cast_template(pull, columns, is_text=False).of_prototype(), table, pull.names)
    return tuple(replace(old, type=new.type) if old.is_rounded else old for old, new in zip(columns, cast, strict=True))


def _is_declared(column: TypedColumn, pull: Pull) -> bool:
    return column.name in pull.declared or (pull.is_cut and column.type.base == "decimal")


def exact(column: TypedColumn, pull: Pull) -> TypedColumn:
    """A quotient with digits behind the point that it does not show: 30, or as many as those before it leave room for.

    It is ``is_vague`` where MariaDB may have reached its limit of digits, and does not say how many there are.
    """
    if column.type.base != "decimal":
        return column
    precision, scale = column.digits
    added = SUM_DIGITS if column.name in pull.summed else 0
    room = MOST_DIGITS - SPARE_DIGITS - (precision - added - scale)
    scale = max(scale, EXACT_SCALE if precision >= MOST_DIGITS else min(EXACT_SCALE, room))
    kind = parse_type(f"decimal({MOST_DIGITS},{scale})")
    is_vague = precision >= MOST_DIGITS or precision - added > SAFE_DIGITS
    return replace(column, type=kind, is_exact=True, is_vague=is_vague)
