"""Statements whose tables a compaction drops before they are read, whose database is dropped, or whose nodes leave.

Rules: such a statement is planned again, over what is published then, and starts from the beginning: an alias may name
another database by then. Once rows of the answer have been handed out it fails instead, as the rest might be another
generation's. What stays gone is an error.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from typing import TypeVar

import pyarrow as pa

from skyshard.basics.errors import ClusterError, SkyshardError
from skyshard.czar.plan.query_plan import QueryPlan
from skyshard.czar.result.query_progress import Running
from skyshard.czar.result.typed_plan import TypedPlan
from skyshard.db.driver_errors import is_gone
from skyshard.registry.catalog.database_names import DatabaseGone

T = TypeVar("T")
ATTEMPTS = 10
"""A statement is begun so often at most. With no time of grace a job that moves chunks drops tables every few seconds,
and a statement on a busy machine may be overtaken by several of its batches."""


def planned(prepare: Callable[[], T]) -> T:
    """What ``prepare`` gives, which looks keys up in director indexes, and databases, that may be gone."""
    for _ in range(ATTEMPTS - 1):
        try:
            return prepare()
        except SkyshardError as error:
            if not (is_gone(error) or isinstance(error, DatabaseGone)):
                raise
    return prepare()


def answered(
    typed: TypedPlan,
    carry_out: Callable[[TypedPlan], Generator[pa.RecordBatch, None, None]],
    plan_again: Callable[[], TypedPlan],
    running: Running,
    is_outdated: Callable[[TypedPlan], bool] = lambda _: False,
) -> Iterator[pa.RecordBatch]:
    """The rows of an answer, begun again while none was handed out.

    Args:
        plan_again: takes back what was done for the statement and plans it again.
        is_outdated: whether a plan asks nodes that have left the cluster since.

    Raises:
        ClusterError: tables were dropped after rows had been handed out (retryable).
    """
    for attempt in range(1, ATTEMPTS + 1):
        is_begun = False
        try:
            with contextlib.closing(carry_out(typed)) as batches:
                for batch in batches:
                    is_begun = True
                    yield batch
            return
        except SkyshardError as error:
            if not (is_gone(error) or (isinstance(error, ClusterError) and is_outdated(typed))):
                raise
            running.check()
            if is_begun:
                raise ClusterError(
                    "tables that this statement reads were replaced, or dropped, while its rows were handed out",
                    remedy="ask again; --grace of `skyshard compact` and `skyshard drop` keeps old tables for longer",
                    retryable=True,
                ) from error
            if attempt == ATTEMPTS:
                raise
        before, typed = typed, plan_again()
        if typed.types != before.types:
            raise ClusterError("the table was replaced by another one while it was read", retryable=True)


def begin(running: Running, plan: QueryPlan, clock: str) -> None:
    """Set the counters of a query to those of a plan of which nothing is done yet."""
    running.restart()
    running.clock = clock
    running.lane = str(plan.lane)
    running.chunks = sum(len(pull.chunks or ()) for pull in plan.pulls)
    running.asked = max((pull.chunks or () for pull in plan.pulls), key=len, default=())
