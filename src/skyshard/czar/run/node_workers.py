"""The nodes' workers, and threads that call them.

Rules: what queries wait for has threads of its own (``pool``); stopping, cleaning and closing have others (``aside``),
on all servers at the same time, so that one which says nothing keeps no other waiting. Nodes come and go meanwhile: who
has the name of one that has gone still finds its worker.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TypeVar

from skyshard.cluster.node import Node
from skyshard.czar.run.backlog import WaitingBytes
from skyshard.czar.scan.left_tables import LeftTables
from skyshard.czar.scan.query_worker import QueryWorker
from skyshard.czar.scan.scan_throttle import ScanThrottle
from skyshard.log.event_log import ONLY_LOGGED, EventLog

T = TypeVar("T")
R = TypeVar("R")
ASIDE_CALLS = 64
"""Calls to servers that are under way at a time aside of queries."""


@dataclass(slots=True)
class NodeWorkers:
    """The nodes' workers, and threads for the quick round and for what is done aside."""

    by_name: Mapping[str, QueryWorker]
    """Replaced as a whole, never changed."""
    pool: Executor
    throttle: ScanThrottle
    events: EventLog = ONLY_LOGGED
    aside: Executor = field(default_factory=lambda: ThreadPoolExecutor(ASIDE_CALLS, thread_name_prefix="aside"))

    left: LeftTables = field(default_factory=LeftTables)
    """What could not be dropped on servers that did not answer."""
    gone: frozenset[str] = frozenset()
    """Nodes that do not belong to the cluster any more."""
    waiting: WaitingBytes = field(default_factory=WaitingBytes)
    """For the readers of all queries."""

    @property
    def nodes(self) -> list[str]:
        return [name for name in self.by_name if name not in self.gone]

    @property
    def serving(self) -> list[QueryWorker]:
        """The workers of the nodes that belong to the cluster."""
        gone = self.gone
        return [worker for name, worker in self.by_name.items() if name not in gone]

    def meet(self, nodes: Mapping[str, Node], made: Callable[[Node], QueryWorker]) -> None:
        """The nodes are these from now on; one caller at a time."""
        new = {
            name: made(node)
            for name, node in nodes.items()
            if name not in self.by_name or self.by_name[name].node != node
        }
        gone = frozenset(self.by_name) - frozenset(nodes)
        if new:
            self.by_name = {**self.by_name, **new}
        if gone != self.gone:
            self.gone = gone
        for name in gone:
            self.left.forget(self.by_name[name].sessions)

    def leave(self, node: str, query: str) -> None:
        """Have what a query has left on a node dropped when that answers again."""
        self.left.add(self.by_name[node].sessions, query)

    def each(self, call: Callable[[T], R], of: Sequence[T]) -> list[R]:
        """The same call for several servers at the same time, one of them in this thread; the first error is raised
        when all calls have ended."""
        if not of:
            return []
        futures = [self.aside.submit(call, one) for one in of[1:]]
        try:
            first = call(of[0])
        finally:
            wait(futures)
        return [first, *(future.result() for future in futures)]

    def close(self) -> None:
        """Wait for calls under way, and close all sessions of nodes."""
        self.left.close()
        self.pool.shutdown(wait=True, cancel_futures=True)
        self.each(QueryWorker.close, list(self.by_name.values()))
        self.aside.shutdown(wait=True)
