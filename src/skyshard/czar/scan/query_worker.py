"""Sessions, scan lane and scratch tables of one node, as the czar uses them.

It knows one server and no registry. All methods of ``QueryWorker`` may be called from several threads.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from skyshard.basics.errors import ClusterError
from skyshard.basics.lazy import locked_property, made_of
from skyshard.cluster.left_scratch import DROP_WAIT_S
from skyshard.cluster.node import Node
from skyshard.czar.scan.carrier import Carrier
from skyshard.czar.scan.left_tables import LeftTables
from skyshard.czar.scan.scan_throttle import ScanThrottle
from skyshard.db.connection import Account, Connection
from skyshard.db.sessions import CLEANING, Sessions
from skyshard.db.silence_watch import SilenceWatch
from skyshard.log.event_log import ONLY_LOGGED, EventLog

if TYPE_CHECKING:
    from skyshard.czar.scan.scan_lane import ScanLane

KEPT_SESSIONS = 2
"""So many sessions on a node are kept while there is nothing to ask: the first statement shall not open one."""


class QueryWorker:
    """Executes statements on one node; ``scan_threads`` of them at a time in its scan lane.

    ``carrier`` brings its row images where this host does not see its files. ``throttle``: of this host; a node of
    another one keeps none. ``opened`` is called with each new session. ``left`` keeps what could not be dropped.
    """

    def __init__(
        self,
        node: Node,
        *,
        scan_threads: int = 1,
        throttle: ScanThrottle | None = None,
        silence_s: float | None = None,
        opened: Callable[[Connection], None] | None = None,
        left: LeftTables | None = None,
        events: EventLog = ONLY_LOGGED,
    ) -> None:
        own = throttle if node.is_here else None

        def opened_for_scans(connection: Connection) -> None:
            if opened is not None:
                opened(connection)
            if own is not None:
                own.processors.add_scans(connection)

        silence = SilenceWatch(node.sql, Account.READER, silence_s, events)
        self.node = node
        self.name = node.name
        self.sessions = Sessions(node.sql, silence=silence, opened=opened, events=events)
        self.scan_sessions = Sessions(node.sql, silence=silence, opened=opened_for_scans, events=events)
        self.carrier = None if node.is_here else Carrier(node.sql, silence, events)
        self.data_dir = node.data
        self._lane_name, self._throttle = f"scan-{node.name}", own
        self.scan_threads = scan_threads
        self.left = left or LeftTables()

    @locked_property
    def lane(self) -> ScanLane:
        """Made with the first scan: most statements need none."""
        from skyshard.czar.scan.scan_lane import ScanLane

        return ScanLane(self._lane_name, self.scan_threads, self._throttle)

    def sessions_for(self, *, is_scan: bool) -> Sessions:
        """Scans have sessions of their own, whose processors may be chosen."""
        return self.scan_sessions if is_scan else self.sessions

    def drop(self, query: str, tables: Sequence[str]) -> None:
        """Drop scratch tables of a query; this is not stopped when the query is. What a server keeps that is gone, it
        drops when it is back (``left``)."""
        if not tables:
            return
        try:
            for is_last in (False, True):  # the first session may be one of before a restart
                try:
                    with self.sessions.lease(CLEANING) as connection:
                        connection.execute(f"DROP TABLE IF EXISTS {', '.join(tables)} WAIT {DROP_WAIT_S}")
                    return
                except ClusterError:
                    if is_last:
                        raise
        except BaseException as error:
            self.left.add(self.sessions, query)
            if not isinstance(error, ClusterError):
                raise

    def cancel(self, query: str) -> int:
        """Stop the statements of a query."""
        return sum(sessions.cancel(query) for sessions in self._all_sessions)

    def close_idle(self) -> None:
        """Give up the sessions that nobody has used for a while, all but a few."""
        for sessions in self._all_sessions:
            sessions.close_idle(but=KEPT_SESSIONS if sessions is self.sessions else 0)

    def close(self) -> None:
        if (lane := made_of(self, "lane")) is not None:
            lane.close()
        for sessions in self._all_sessions:
            sessions.close()

    @property
    def _all_sessions(self) -> list[Sessions]:
        carrying = [self.carrier.sessions] if self.carrier is not None else []
        return [self.sessions, self.scan_sessions, *carrying]
