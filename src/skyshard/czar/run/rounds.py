"""Sends each unit (a batch of chunk statements) to its node, and yields rows as units complete.

Rules: the rows of a unit are yielded when all of them are here; otherwise the whole unit has failed. In a quick round
one thread for each node reads its units one after another. In a lane round the nodes' scan lanes read them, and pause
while the reader is behind. A round that is given up stops what it runs.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from itertools import count

from skyshard.basics.errors import ClusterError
from skyshard.czar.result.overflow import require_unclipped
from skyshard.czar.result.query_progress import Running, SlowStatement
from skyshard.czar.run.node_tables import FileRows, NodeTables
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.run.pull_order import PullOrder
from skyshard.czar.scan.scan_lane import LaneJob, ScanLane
from skyshard.czar.scan.scan_schedule import Length, Unit
from skyshard.db.connection import Row

HOLD_BYTES = 256 << 20
"""So much waits for the reader at most, before the scan lanes hold back."""
CELL_BYTES = 64
"""What a value takes that travels as text."""
STOP_CHECK_S = 0.1
_numbers = count(1)


@dataclass(frozen=True, slots=True)
class UnitRows:
    """The rows of a unit: as the driver returned them, or in a data file."""

    node: str
    rows: Sequence[Row]
    filled: FileRows | None
    bytes: int

    @property
    def count(self) -> int:
        return len(self.rows) if self.filled is None else self.filled.rows


@dataclass(frozen=True, slots=True)
class Failure:
    """A node could not give these chunks."""

    node: str
    chunks: tuple[int, ...]
    error: ClusterError


Outcome = UnitRows | Failure | BaseException


@dataclass(slots=True, eq=False)
class PullReader:
    """Reads the units of one pull, from any thread."""

    running: Running
    workers: NodeWorkers
    order: PullOrder
    _tables: dict[tuple[str, int], NodeTables] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _table_numbers: count[int] = field(default_factory=count)

    def read(self, node: str, thread: int, unit: Unit) -> UnitRows:
        """Read a unit. Raises what the node raises."""
        self.running.check()
        begun = time.perf_counter()
        select, clock, size = self.order.statement(unit), self.running.clock, self.order.record_bytes
        if size:
            filled = self._node_tables(node, thread).add(select, clock)
            found = UnitRows(node, (), filled, filled.rows * size)
        else:
            rows = self._text_rows(node, clock + select)
            found = UnitRows(node, rows, None, len(rows) * CELL_BYTES * (len(rows[0]) if rows else 0))
        elapsed_s = time.perf_counter() - begun
        with self._lock:
            self.running.add(node, unit.chunks, found.count, found.bytes, elapsed_s)
            self.running.note(node, SlowStatement(unit.chunks, elapsed_s, select, self.order.is_scan))
        return found

    def _text_rows(self, node: str, statement: str) -> Sequence[Row]:
        sessions = self.workers.by_name[node].sessions_for(is_scan=self.order.is_scan)
        with sessions.lease(self.order.query) as connection:
            rows = connection.rows(statement)
            require_unclipped(self.order.columns, connection, is_stored=False)
            return rows

    def _node_tables(self, node: str, thread: int) -> NodeTables:
        with self._lock:
            if (node, thread) not in self._tables:
                made = NodeTables(self.workers.by_name[node], node, self.order, self._table_numbers)
                self._tables[node, thread] = made
            return self._tables[node, thread]

    def consumed(self, rows: UnitRows) -> None:
        """The reader is past these rows: a table that ended before them may go."""
        if rows.filled is not None and rows.filled.done:
            self.workers.by_name[rows.node].drop([rows.filled.done])

    def stop(self) -> None:
        """Stop what the nodes run for the query."""
        for worker in self.workers.by_name.values():
            worker.cancel(self.running.query)

    def close(self) -> None:
        for tables in self._tables.values():
            tables.close()


def quick_round(
    task: PullReader, units_by_node: Mapping[str, Sequence[Unit]]
) -> Generator[UnitRows | Failure, None, None]:
    """One thread a node; a single node's units are read here."""
    if len(units_by_node) == 1:
        ((node, units),) = units_by_node.items()
        yield from _in_turn(task, node, units)
        return
    futures: list[Future[list[UnitRows | Failure]]] = [
        task.workers.pool.submit(lambda node=node, units=units: list(_in_turn(task, node, units)))  # type: ignore[misc]
        for node, units in units_by_node.items()
    ]
    try:
        for future in futures:
            yield from future.result()
    except BaseException:
        for future in futures:
            future.cancel()
        if not all(future.done() for future in futures):
            task.stop()
            wait(futures)
        raise


def _in_turn(task: PullReader, node: str, units: Sequence[Unit]) -> Generator[UnitRows | Failure, None, None]:
    for number, unit in enumerate(units):
        try:
            with task.workers.throttle.interactive() if task.order.is_short else contextlib.nullcontext():
                rows = task.read(node, 0, unit)
        except ClusterError as error:
            task.running.check()
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
        self._waiting = 0
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
            self._down[node] = error
            return Failure(node, unit.chunks, error)
        except BaseException as error:
            return error
        self._wait_for_reader(rows.bytes)
        return rows

    def _wait_for_reader(self, size: int) -> None:
        with self._lock:
            self._waiting += size
            is_full = self._waiting > HOLD_BYTES >= self._waiting - size
        if is_full:
            self._hold(True)

    def taken(self, rows: UnitRows) -> None:
        with self._lock:
            self._waiting -= rows.bytes
            is_free = self._waiting <= HOLD_BYTES // 2 < self._waiting + rows.bytes
        if is_free:
            self._hold(False)
        self._task.consumed(rows)

    def _hold(self, is_held: bool) -> None:
        for node in self._nodes:
            self._lane(node).hold(self._job, is_held)

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
            self.open -= self._outcomes.get() is None


def lane_round(
    task: PullReader, units_by_node: Mapping[str, Sequence[Unit]], length: Length
) -> Generator[UnitRows | Failure, None, None]:
    """The scan lanes of all nodes at the same time."""
    work = _Round(task, units_by_node, length)
    try:
        while work.open:
            found = work.next()
            if isinstance(found, UnitRows):
                yield found
                work.taken(found)
            elif isinstance(found, Failure):
                task.running.check()
                yield found
            elif found is not None:
                raise found
    finally:
        if work.open:
            work.give_up()
