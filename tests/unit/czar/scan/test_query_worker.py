"""Scratch tables on a node: dropped at once where it answers, else when it does; and its scan lane."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import cast

from skyshard.basics.errors import ClusterError
from skyshard.cluster.node import Node
from skyshard.czar.scan.left_tables import LeftTables
from skyshard.czar.scan.query_worker import QueryWorker
from skyshard.czar.scan.scan_lane import LaneJob
from skyshard.czar.scan.scan_schedule import Length, Unit
from skyshard.db.connection import Endpoint
from skyshard.db.sessions import Sessions

AT = Endpoint(socket="node.sock")
NODE = Node("node", AT, AT, Path(), Path(), is_here=True)


TABLE = "q_0c6f12ab_77_5_{number}_p0"


class FakeSessions:
    """Sessions of a server with scratch tables; ``is_away``: each statement ends in an error."""

    def __init__(self, *tables: str) -> None:
        self.tables = set(tables)
        self.is_away = False
        self.has_asked = threading.Event()

    @contextmanager
    def lease(self, _: str) -> Iterator[FakeSessions]:
        yield self

    def rows(self, _: str) -> list[tuple[str]]:
        self._require_there()
        return [(table,) for table in sorted(self.tables)]

    def execute(self, statement: str) -> None:
        self._require_there()
        self.tables -= {table for table in self.tables if table in statement}

    def _require_there(self) -> None:
        self.has_asked.set()
        if self.is_away:
            raise ClusterError("the server is gone")


def worker(sessions: FakeSessions, left: LeftTables) -> QueryWorker:
    made = QueryWorker(NODE, left=left)
    made.sessions = sessions  # type: ignore[assignment]
    return made


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_tables_of_a_server_that_is_gone_are_dropped_when_it_is_back() -> None:
    """All tables of the query, without another query; those of other queries stay."""
    mine, more, other = TABLE.format(number=1), f"{TABLE.format(number=1)}_7", TABLE.format(number=11)
    sessions = FakeSessions(mine, more, other)
    sessions.is_away = True
    with closing(LeftTables(wait_s=0.001)) as left:
        worker(sessions, left).drop("q_0c6f12ab_77_5_1", [mine])
        sessions.has_asked.clear()
        assert sessions.has_asked.wait(60)
        assert left.queries == {"q_0c6f12ab_77_5_1"}
        sessions.is_away = False
        until(lambda: not left.queries)
    assert sessions.tables == {other}


def test_tables_of_a_query_that_is_under_way_stay() -> None:
    """A query may have made further tables on a server that is back; what it has left goes when it has ended."""
    table = TABLE.format(number=1)
    sessions, running = FakeSessions(table), {"q_0c6f12ab_77_5_1"}
    with closing(LeftTables(running.__contains__, wait_s=0.001)) as left:
        left.add(cast("Sessions", sessions), "q_0c6f12ab_77_5_1")
        assert sessions.has_asked.wait(60)
        assert sessions.tables == {table}
        running.clear()
        until(lambda: not left.queries)
    assert not sessions.tables


def test_a_server_that_is_no_node_any_more_is_forgotten() -> None:
    """Nothing is asked of it for ever."""
    sessions = FakeSessions()
    sessions.is_away = True
    with closing(LeftTables(wait_s=0.001)) as left:
        left.add(cast("Sessions", sessions), "q_0c6f12ab_77_5_1")
        left.forget(cast("Sessions", sessions))
        assert not left.queries


def test_a_scan_lane_is_made_with_the_first_scan_and_closed_with_the_worker() -> None:
    """Every thread gets the same lane; a worker that never scans has none to close."""
    idle = QueryWorker(NODE, scan_threads=2)
    idle.close()
    assert "lane" not in vars(idle)
    busy = QueryWorker(NODE, scan_threads=2)
    ran: list[tuple[int, ...]] = []
    ended = threading.Event()
    busy.lane.submit("q", Length.FAST, [Unit((7,), 1)], LaneJob(lambda _, unit: ran.append(unit.chunks), ended.set))
    assert ended.wait(60)
    assert ran == [(7,)]
    assert busy.lane is busy.lane
    busy.close()
