"""Scratch tables on a node: each is dropped once, whatever threads ask for it; what could not be waits."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skyshard.basics.errors import ClusterError
from skyshard.czar.scan.query_worker import QueryWorker
from skyshard.czar.scan.scan_lane import LaneJob
from skyshard.czar.scan.scan_schedule import Length, Unit
from skyshard.db.connection import Endpoint


class FakeSessions:
    """Sessions that count the tables that are dropped; ``fails``: so many statements end in an error."""

    def __init__(self, fails: int = 0) -> None:
        self.dropped: Counter[str] = Counter()
        self.fails = fails
        self.has_begun, self.may_end = threading.Event(), threading.Event()
        self.may_end.set()

    @contextmanager
    def lease(self, _: str) -> Iterator[FakeSessions]:
        yield self

    def execute(self, statement: str) -> None:
        self.has_begun.set()
        assert self.may_end.wait(5)
        if self.fails:
            self.fails -= 1
            raise ClusterError("the server is gone")
        names = statement.removeprefix("DROP TABLE IF EXISTS ").partition(" WAIT ")[0]
        self.dropped.update(names.split(", "))


def worker(sessions: FakeSessions) -> QueryWorker:
    made = QueryWorker(Endpoint(socket="node.sock"), Path())
    made.sessions = sessions  # type: ignore[assignment]
    return made


def test_tables_of_many_threads_are_all_dropped() -> None:
    """Threads that drop at the same time lose no table and drop none twice."""
    sessions = FakeSessions()
    node = worker(sessions)
    names = [[f"t{thread}_{number}" for number in range(50)] for thread in range(8)]

    def drop_all(mine: list[str]) -> None:
        for name in mine:
            node.drop([name])

    threads = [threading.Thread(target=drop_all, args=(mine,)) for mine in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    node.drop([])
    assert sessions.dropped == Counter(name for mine in names for name in mine)


def test_table_that_comes_while_another_is_dropped_is_not_forgotten() -> None:
    """What a second thread adds during a DROP of the first is dropped, too."""
    sessions = FakeSessions()
    sessions.may_end.clear()
    node = worker(sessions)
    first = threading.Thread(target=node.drop, args=(["a"],))
    first.start()
    assert sessions.has_begun.wait(5)
    second = threading.Thread(target=node.drop, args=(["b"],))
    second.start()
    sessions.may_end.set()
    first.join()
    second.join()
    assert sessions.dropped == {"a": 1, "b": 1}


def test_tables_of_a_server_that_is_gone_are_dropped_later() -> None:
    """A DROP that fails twice leaves its tables for the next time."""
    sessions = FakeSessions(fails=2)
    node = worker(sessions)
    node.drop(["a"])
    assert not sessions.dropped
    node.drop(["b"])
    assert sessions.dropped == {"a": 1, "b": 1}


def test_a_scan_lane_is_made_with_the_first_scan_and_closed_with_the_worker() -> None:
    """Every thread gets the same lane; a worker that never scans has none to close."""
    idle = QueryWorker(Endpoint(socket="node.sock"), Path(), scan_threads=2)
    idle.close()
    assert "lane" not in vars(idle)
    busy = QueryWorker(Endpoint(socket="node.sock"), Path(), scan_threads=2)
    ran: list[tuple[int, ...]] = []
    ended = threading.Event()
    busy.lane.submit("q", Length.FAST, [Unit((7,), 1)], LaneJob(lambda _, unit: ran.append(unit.chunks), ended.set))
    assert ended.wait(5)
    assert ran == [(7,)]
    assert busy.lane is busy.lane
    busy.close()
