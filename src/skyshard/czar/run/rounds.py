"""Sends each unit (a batch of chunk statements) to its node, and yields rows as units complete.

Rules: the rows of a unit are yielded when all of them are here; otherwise the whole unit has failed. In a quick round
one thread for each node reads its units one after another. In a lane round the nodes' scan lanes read them, and pause
while the reader is behind. A round that is given up stops what it runs.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Generator, Iterable, Mapping, Sequence
from concurrent.futures import Future, wait
from itertools import count

from skyshard.basics.errors import ClusterError
from skyshard.czar.run.backlog import Backlog
from skyshard.czar.run.pull_reader import Failure, PullReader, UnitRows
from skyshard.czar.scan.scan_lane import LaneJob, ScanLane
from skyshard.czar.scan.scan_schedule import Length, Unit
from skyshard.db.server_errors import is_passing

STOP_CHECK_S = 0.1
_numbers = count(1)


Outcome = UnitRows | Failure | BaseException


def quick_round(
    task: PullReader, units_by_node: Mapping[str, Sequence[Unit]]
) -> Generator[UnitRows | Failure, None, None]:
    """One thread a node; a single node's units are read here."""
    if len(units_by_node) == 1:
        ((node, units),) = units_by_node.items()
        yield from _brought(task, _in_turn(task, node, units))
        return
    futures: list[Future[list[UnitRows | Failure]]] = [
        task.workers.pool.submit(lambda node=node, units=units: list(_in_turn(task, node, units)))  # type: ignore[misc]
        for node, units in units_by_node.items()
    ]
    try:
        for future in futures:
            yield from _brought(task, future.result())
    except BaseException:
        for future in futures:
            future.cancel()
        if not all(future.done() for future in futures):
            task.stop()
            wait(futures)
        raise


def _brought(task: PullReader, outcomes: Iterable[UnitRows | Failure]) -> Generator[UnitRows | Failure, None, None]:
    """The same, with the rows of each unit here when it comes."""
    for outcome in outcomes:
        found = task.brought(outcome) if isinstance(outcome, UnitRows) else outcome
        yield found
        if isinstance(found, UnitRows):
            task.consumed(found)


def _in_turn(task: PullReader, node: str, units: Sequence[Unit]) -> Generator[UnitRows | Failure, None, None]:
    for number, unit in enumerate(units):
        try:
            with task.workers.throttle.interactive() if task.order.is_short else contextlib.nullcontext():
                rows = task.read(node, 0, unit)
        except ClusterError as error:
            task.running.check()
            if not is_passing(error):  # a table's trouble, not the node's
                yield Failure(node, unit.chunks, error)
                continue
            yield Failure(node, tuple(chunk for one in units[number:] for chunk in one.chunks), error)
            return
        yield rows


class _Round:
    """What the scan lanes put, and the reader takes."""

    def __init__(self, task: PullReader, units_by_node: Mapping[str, Sequence[Unit]], length: Length) -> None:
        self._task = task
        self._job = f"{task.running.query}#{next(_numbers)}"
        self._nodes = list(units_by_node)
        self._outcomes: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        self._down: dict[str, ClusterError] = {}
        self._backlog = Backlog(task.workers.waiting)
        self._lock = threading.Lock()
        self.open = len(units_by_node)
        for node, units in units_by_node.items():
            self._lane(node).submit(self._job, length, units, self._work(node))

    def _lane(self, node: str) -> ScanLane:
        return self._task.workers.by_name[node].lane

    def _work(self, node: str) -> LaneJob:
        return LaneJob(
            run=lambda thread, unit: self._outcomes.put(self._read(node, thread, unit)),
            ended=lambda: self._outcomes.put(None),
        )

    def _read(self, node: str, thread: int, unit: Unit) -> Outcome:
        try:
            if node in self._down:
                return Failure(node, unit.chunks, self._down[node])
            rows = self._task.read(node, thread, unit)
        except ClusterError as error:
            if is_passing(error):
                self._down[node] = error
            return Failure(node, unit.chunks, error)
        except BaseException as error:
            return error
        self._count(rows.bytes)
        return rows

    def taken(self, rows: UnitRows) -> None:
        self._count(-rows.bytes)
        self._task.consumed(rows)

    def lost(self, outcome: Outcome | None) -> None:
        """What waited could not be brought here."""
        if isinstance(outcome, UnitRows):
            self._count(-outcome.bytes)

    def _count(self, size: int) -> None:
        """So many bytes more, or less, wait. Lanes are told inside the lock: one that heard of a pause after its end
        would pause for ever."""
        with self._lock:
            if self._backlog.add(size):
                for node in self._nodes:
                    self._lane(node).hold(self._job, self._backlog.is_full)

    def next(self) -> Outcome | None:
        """The next outcome; None when a node has no more."""
        while True:
            self._task.running.check()
            try:
                found = self._outcomes.get(timeout=STOP_CHECK_S)
            except queue.Empty:
                continue
            self.open -= found is None
            return found

    def give_up(self) -> None:
        """Stop, and wait until no thread works for this round."""
        for node in self._nodes:
            self._lane(node).cancel(self._job)
        self._task.stop()
        while self.open:
            try:
                self.open -= self._outcomes.get(timeout=STOP_CHECK_S) is None
            except queue.Empty:  # a unit may have begun to be computed just then
                self._task.stop_engine()

    def close(self) -> None:
        """Nothing waits for this reader any more."""
        self._backlog.close()


def lane_round(
    task: PullReader, units_by_node: Mapping[str, Sequence[Unit]], length: Length
) -> Generator[UnitRows | Failure, None, None]:
    """The scan lanes of all nodes at the same time."""
    work = _Round(task, units_by_node, length)
    try:
        while work.open:
            found = work.next()
            taken = task.brought(found) if isinstance(found, UnitRows) else found
            if isinstance(taken, UnitRows):
                yield taken
                work.taken(taken)
            elif isinstance(taken, Failure):
                task.running.check()
                work.lost(found)
                yield taken
            elif taken is not None:
                raise taken
    finally:
        try:
            if work.open:
                work.give_up()
        finally:
            work.close()
