"""The nodes' workers, and threads that call them."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass

from skyshard.czar.scan.query_worker import QueryWorker
from skyshard.czar.scan.scan_throttle import ScanThrottle
from skyshard.log.event_log import ONLY_LOGGED, EventLog


@dataclass(frozen=True, slots=True)
class NodeWorkers:
    """The nodes' workers, and threads for the quick round."""

    by_name: Mapping[str, QueryWorker]
    pool: Executor
    throttle: ScanThrottle
    events: EventLog = ONLY_LOGGED

    @property
    def nodes(self) -> list[str]:
        return list(self.by_name)
