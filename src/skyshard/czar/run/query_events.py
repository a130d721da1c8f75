"""What is logged of a query: how it was planned, its rounds, what failed on the way, how it ended.

Of submitted queries all is kept for their story, of those that are answered at once what went wrong or was slow:
the history has the rest. Without a listener this costs a comparison.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from skyshard.basics.errors import UserError, words_of
from skyshard.czar.plan.query_plan import QueryPlan
from skyshard.czar.result.answer import QueryStats
from skyshard.czar.result.query_progress import Cancelled, Running
from skyshard.log.event_log import EventLog
from skyshard.log.events import (
    CHUNKS_LEFT_OUT,
    FAILED_OVER,
    QUERY_CANCELLED,
    QUERY_ENDED,
    QUERY_FAILED,
    QUERY_PLANNED,
    QUERY_REFUSED,
    ROUND_BEGUN,
    SLOW_STATEMENT,
    UNITS_FAILED,
)

if TYPE_CHECKING:  # a statement that reads no chunk needs no rounds
    from skyshard.czar.run.pull_reader import Failure
    from skyshard.czar.scan.scan_schedule import Unit

SLOW_VARIABLE = "SKYSHARD_SLOW_S"
SLOW_S = 10.0
"""A statement that takes so many seconds counts as slow, unless the environment says otherwise."""


def slow_limit() -> float:
    """Seconds from the environment, else the default."""
    with contextlib.suppress(ValueError):
        return float(os.environ.get(SLOW_VARIABLE, SLOW_S))
    return SLOW_S


def tell_planned(events: EventLog, running: Running, plan: QueryPlan, planned_s: float) -> None:
    if events.is_heard(QUERY_PLANNED, keep=running.is_submitted):
        events.tell(
            QUERY_PLANNED, keep=running.is_submitted, query=running.query, planned_s=planned_s, kind=str(plan.kind),
            lane=str(plan.lane), chunks=running.chunks,
        )  # fmt: skip


def tell_round(
    events: EventLog, running: Running, number: int, units_by_node: Mapping[str, Sequence[Unit]], lost: Sequence[int]
) -> None:
    """A round begins: ``units_by_node`` has the units of each node, ``lost`` the chunks that no node can give."""
    if lost:
        events.tell(CHUNKS_LEFT_OUT, query=running.query, chunks=len(lost))
    if number == 1 and not events.is_heard(ROUND_BEGUN, keep=running.is_submitted):
        return
    units = [unit for units in units_by_node.values() for unit in units]
    nodes, chunks = ", ".join(units_by_node), sum(len(unit.chunks) for unit in units)
    if number > 1 and chunks:
        events.tell(FAILED_OVER, query=running.query, chunks=chunks, nodes=nodes)
    events.tell(
        ROUND_BEGUN, keep=running.is_submitted, query=running.query, round=number, chunks=chunks, units=len(units),
        nodes=nodes,
    )  # fmt: skip


def tell_failures(events: EventLog, running: Running, failures: Sequence[Failure]) -> None:
    """What nodes did not give in a round, each node once."""
    if not failures:
        return
    for node in {failure.node: None for failure in failures}:
        mine = [failure for failure in failures if failure.node == node]
        chunks, error = sum(len(failure.chunks) for failure in mine), words_of(mine[0].error)
        events.tell(UNITS_FAILED, query=running.query, node=node, chunks=chunks, error=error)


def tell_ended(events: EventLog, running: Running, stats: QueryStats, statement: str, slow_s: float) -> None:
    if stats.elapsed_s >= slow_s:
        events.tell(
            SLOW_STATEMENT, query=running.query, elapsed_s=stats.elapsed_s, planned_s=stats.planned_s,
            statement=statement,
        )  # fmt: skip
    if running.retried or events.is_heard(QUERY_ENDED, keep=running.is_submitted):
        events.tell(
            QUERY_ENDED, keep=running.is_submitted or running.retried > 0, query=running.query,
            elapsed_s=stats.elapsed_s, rows=stats.rows, chunks=running.chunks_done, units=len(running.units),
            retried=running.retried,
        )  # fmt: skip


def tell_failed(events: EventLog, running: Running, error: BaseException, elapsed_s: float) -> None:
    """A query that an error ended: of the statement itself, of a request to stop it, or of a server."""
    mine, is_kept = events.about(query=running.query, elapsed_s=elapsed_s), running.is_submitted or running.retried > 0
    if isinstance(error, Cancelled | KeyboardInterrupt | GeneratorExit):
        mine.tell(QUERY_CANCELLED, keep=is_kept)
    elif isinstance(error, UserError):
        mine.tell(QUERY_REFUSED, keep=is_kept, error=words_of(error))
    else:
        mine.tell(QUERY_FAILED, error=words_of(error))
