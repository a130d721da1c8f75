"""Sessions, scan lane and scratch tables of one node, as the czar uses them.

It knows one server and no registry. All methods of ``QueryWorker`` may be called from several threads.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from skyshard.basics.errors import ClusterError
from skyshard.basics.lazy import locked_property, made_of
from skyshard.czar.scan.scan_throttle import ScanThrottle
from skyshard.db.connection import Endpoint
from skyshard.db.sessions import CLEANING, Sessions
from skyshard.log.event_log import ONLY_LOGGED, EventLog

if TYPE_CHECKING:
    from skyshard.czar.scan.scan_lane import ScanLane

DROP_WAIT_S = 10
"""So long a statement that is being ended may keep its table."""


class QueryWorker:
    """Executes statements on one node; ``scan_threads`` of them at a time in its scan lane.

    ``throttle``: of this host; a node of another one keeps none.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        data_dir: Path | str,
        *,
        name: str = "node",
        scan_threads: int = 1,
        throttle: ScanThrottle | None = None,
        events: EventLog = ONLY_LOGGED,
    ) -> None:
        own = throttle if endpoint.socket else None
        opened = own.processors.add_scans if own is not None else None
        self.sessions = Sessions(endpoint, events=events)
        self.scan_sessions = Sessions(endpoint, opened=opened, events=events)
        self.data_dir = Path(data_dir)
        self._lane_name, self._throttle = f"scan-{name}", own
        self.scan_threads = scan_threads
        self._left: list[str] = []
        self._left_lock = threading.Lock()

    @locked_property
    def lane(self) -> ScanLane:
        """Made with the first scan: most statements need none."""
        from skyshard.czar.scan.scan_lane import ScanLane

        return ScanLane(self._lane_name, self.scan_threads, self._throttle)

    def sessions_for(self, *, is_scan: bool) -> Sessions:
        """Scans have sessions of their own, whose processors may be chosen."""
        return self.scan_sessions if is_scan else self.sessions

    def drop(self, tables: Sequence[str]) -> None:
        """Drop scratch tables; this is not stopped when the query is. What a dead server keeps goes next time."""
        with self._left_lock:
            self._left += tables
        for _ in range(2):  # the first session may be one of before a restart
            with self._left_lock:
                mine, self._left = self._left, []
            if not mine:
                return
            try:
                with self.sessions.lease(CLEANING) as connection:
                    connection.execute(f"DROP TABLE IF EXISTS {', '.join(mine)} WAIT {DROP_WAIT_S}")
            except BaseException as error:
                with self._left_lock:
                    self._left = mine + self._left
                if not isinstance(error, ClusterError):
                    raise

    def cancel(self, query: str) -> int:
        """Stop the statements of a query."""
        return self.sessions.cancel(query) + self.scan_sessions.cancel(query)

    def close(self) -> None:
        if (lane := made_of(self, "lane")) is not None:
            lane.close()
        self.sessions.close()
        self.scan_sessions.close()
