"""Which nodes there are now: the czar looks again where a plan names one that it does not know, and with its beats."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from skyshard.cluster.node import Node
from skyshard.czar.plan.query_plan import QueryPlan
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.scan.query_worker import QueryWorker

FindNodes = Callable[[], Mapping[str, Node]]


class MetNodes:
    """Keeps ``workers`` those of the nodes that ``find`` gives; without it they stay as they are. Safe for threads."""

    def __init__(self, workers: NodeWorkers, find: FindNodes | None, worker_of: Callable[[Node], QueryWorker]) -> None:
        self._workers = workers
        self._find = find
        self._worker_of = worker_of
        self._lock = threading.Lock()

    def meet(self, plan: QueryPlan | None = None) -> None:
        """See which nodes there are; with a plan only if it names one that is not known."""
        if self._find is None or (plan is not None and self._knows(plan)):
            return
        with self._lock:
            self._workers.meet(self._find(), self._worker_of)

    def has_lost(self, plan: QueryPlan) -> bool:
        """Whether a plan asks nodes that do not belong to the cluster any more."""
        self.meet()
        return not self._knows(plan)

    def _knows(self, plan: QueryPlan) -> bool:
        return plan.nodes.issubset(self._workers.nodes)
