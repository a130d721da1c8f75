"""Reads the units of one pull from nodes: as text, or as row images, which are files, bytes that were carried, or bytes
that stay on their node until it is their turn, as memory is bounded. The reader gets no unit that is only half here."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from skyshard.basics.errors import ClusterError, UserError
from skyshard.czar.plan.mutable_rows import with_whole_stores
from skyshard.czar.plan.pair_way import PairWay
from skyshard.czar.result.overflow import require_unclipped
from skyshard.czar.result.query_progress import Cancelled, Running, SlowStatement
from skyshard.czar.result.row_images import CarriedRows, RowImages, SpilledRows
from skyshard.czar.run.backlog import HOLD_BYTES
from skyshard.czar.run.node_tables import CarriedTables, LeftRows, NodeTables, node_tables
from skyshard.czar.run.node_workers import NodeWorkers
from skyshard.czar.run.pull_order import PullOrder
from skyshard.czar.scan.scan_schedule import Unit
from skyshard.db.connection import Row
from skyshard.db.driver_errors import is_gone

if TYPE_CHECKING:  # most statements need none of these
    import pyarrow as pa

    from skyshard.czar.run.column_reader import ColumnReader
    from skyshard.czar.run.pair_images import PairImages
    from skyshard.czar.run.pair_reader import PairReader

CELL_BYTES = 64
"""What a value takes that travels as text."""


@dataclass(frozen=True, slots=True)
class UnitRows:
    """The rows of a unit: as the driver returned them, as row images, or as they were made here."""

    node: str
    rows: Sequence[Row]
    filled: RowImages | None
    bytes: int
    chunks: tuple[int, ...] = ()
    elapsed_s: float = 0.0
    made: pa.Table | None = None

    @property
    def count(self) -> int:
        if self.made is not None:
            return int(self.made.num_rows)
        return len(self.rows) if self.filled is None else self.filled.rows


@dataclass(frozen=True, slots=True)
class Failure:
    """A node could not give these chunks."""

    node: str
    chunks: tuple[int, ...]
    error: ClusterError


@dataclass(slots=True, eq=False)
class PullReader:
    """Reads the units of one pull, from any thread."""

    running: Running
    workers: NodeWorkers
    order: PullOrder
    spill: Path
    """A folder of this host for rows that memory should not hold."""
    way: PairWay | None = None
    """How pairs of near neighbours are counted here; None where the nodes count them."""
    by_columns: ColumnReader | None = None
    pair_images: PairImages | None = None
    _tables: dict[tuple[str, int], NodeTables] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _table_numbers: count[int] = field(default_factory=count)
    _carried: int = 0
    _spilled: list[SpilledRows] = field(default_factory=list)
    _is_stopped: threading.Event = field(default_factory=threading.Event)
    _pairs: PairReader | None = None

    def __post_init__(self) -> None:
        if self.way is not None and (self.way.outputs or not self.order.record_bytes):
            from skyshard.czar.run.pair_reader import PairReader, order_of  # only pairs need it

            order = order_of(self.order, self.way)
            self._pairs = PairReader(
                self.way, order, self.running, self.workers, self._table_numbers, self._require_wanted, self.pair_images
            )

    @property
    def finds_pairs(self) -> bool:
        """Whether units give the pairs of positions, so that nodes only read rows."""
        return self._pairs is not None

    def read(self, node: str, thread: int, unit: Unit) -> UnitRows:
        """Read a unit; images that would fill the memory stay on their node for now.

        Raises what the node raises; a table that is not there is the node's trouble, not the statement's.
        """
        try:
            return self._read(node, thread, unit)
        except UserError as error:
            if not is_gone(error):
                raise
            raise ClusterError(error.what, remedy="see `skyshard replicas status`") from error

    def _read(self, node: str, thread: int, unit: Unit) -> UnitRows:
        self.running.check()
        if unit.by_columns:
            return self._columns(node, unit)
        begun = time.perf_counter()
        select = with_whole_stores(self.order.statement(unit), self.running.visible)
        clock, size = self.running.clock, self.order.record_bytes
        paired = self._paired(node, thread, unit)
        if paired is not None and self._pairs is not None:
            found = replace(paired, elapsed_s=time.perf_counter() - begun)
            select = self._pairs.statement(unit)
        elif size:
            filled = self._images(node, thread, select, clock)
            found = UnitRows(node, (), filled, filled.rows * size, unit.chunks, time.perf_counter() - begun)
        else:
            rows = self._text_rows(node, clock + select)
            taken = len(rows) * CELL_BYTES * (len(rows[0]) if rows else 0)
            found = UnitRows(node, rows, None, taken, unit.chunks, time.perf_counter() - begun)
        with self._lock:
            self.running.note(node, SlowStatement(unit.chunks, found.elapsed_s, select, self.order.is_scan))
            if not isinstance(found.filled, LeftRows):
                self._count(found)
        return found

    def _paired(self, node: str, thread: int, unit: Unit) -> UnitRows | None:
        """The pairs of a unit, or their count, from positions; None where the node is to find them."""
        if self._pairs is None or self.way is None:
            return None
        if self.way.outputs:
            made = self._pairs.rows(node, thread, unit, self.order.columns)
            return UnitRows(node, (), None, made.nbytes, unit.chunks, made=made) if made is not None else None
        counted = self._pairs.count(node, thread, unit)
        return UnitRows(node, [(counted,)], None, CELL_BYTES, unit.chunks) if counted is not None else None

    def _columns(self, node: str, unit: Unit) -> UnitRows:
        """Raises NotByColumns where rows have to be read instead."""
        assert self.by_columns is not None
        begun = time.perf_counter()
        read = self.by_columns.read(node, unit.chunks)
        self._require_wanted()
        elapsed_s = time.perf_counter() - begun
        found = UnitRows(node, (), None, read.table.nbytes, unit.chunks, elapsed_s, read.table)
        with self._lock:
            self.running.column_chunks += len(unit.chunks)
            self.running.column_bytes += read.bytes
            self._count(found)
        return found

    def _count(self, found: UnitRows) -> None:
        self.running.add(found.node, found.chunks, found.count, found.bytes, found.elapsed_s)

    def _images(self, node: str, thread: int, select: str, clock: str) -> RowImages:
        tables = self._node_tables(node, thread)
        filled = tables.add(select, clock)
        if not isinstance(tables, CarriedTables) or not isinstance(filled, LeftRows):
            return filled
        size = filled.rows * self.order.record_bytes
        if not self._take(size):
            return filled
        try:
            return tables.carried(filled)
        except BaseException:
            self._give(size)
            raise

    def _take(self, size: int) -> bool:
        """Whether so many carried bytes more may wait here; they count until :meth:`consumed`."""
        with self._lock:
            is_allowed = size <= HOLD_BYTES and (not self._carried or self._carried + size <= HOLD_BYTES)
            self._carried += size * is_allowed
            return is_allowed

    def _give(self, size: int) -> None:
        with self._lock:
            self._carried -= size

    def brought(self, rows: UnitRows) -> UnitRows | Failure:
        """The same with what was left on its node brought here whole, so that all of it counts or, as a failure, none;
        on a disk what memory should not hold."""
        left = rows.filled
        if not isinstance(left, LeftRows):
            return rows
        filled: RowImages
        try:
            is_long = rows.bytes > HOLD_BYTES
            filled = left.spilled(self.spill) if is_long else replace(left.carried(), done=left.done)
        except ClusterError as error:
            return Failure(rows.node, rows.chunks, error)
        found = replace(rows, filled=filled)
        with self._lock:
            self._count(found)
            if isinstance(filled, SpilledRows):
                self._spilled.append(filled)
            else:
                self._carried += rows.bytes
        return found

    def _text_rows(self, node: str, statement: str) -> Sequence[Row]:
        sessions = self.workers.by_name[node].sessions_for(is_scan=self.order.is_scan)
        with sessions.lease(self.order.query) as connection:
            self._require_wanted()
            rows = connection.rows(statement)
            require_unclipped(self.order.columns, connection, is_stored=False)
            return rows

    def _node_tables(self, node: str, thread: int) -> NodeTables:
        with self._lock:
            if (node, thread) not in self._tables:
                made = node_tables(self.workers.by_name[node], self.order, self._table_numbers, self._require_wanted)
                self._tables[node, thread] = made
            return self._tables[node, thread]

    def consumed(self, rows: UnitRows) -> None:
        """The reader is past these rows: a table that ended before them may go."""
        if isinstance(rows.filled, CarriedRows):
            self._give(rows.bytes)
        if isinstance(rows.filled, SpilledRows):
            rows.filled.file.close()
            self._spilled.remove(rows.filled)
        if rows.filled is not None and rows.filled.done:
            self.workers.by_name[rows.node].drop(self.order.query, [rows.filled.done])

    def _require_wanted(self) -> None:
        """Raises where the pull was stopped before a session was there to be stopped with it."""
        self.running.check()
        if self._is_stopped.is_set():
            raise Cancelled(f"query {self.running.query} wants no more rows")

    def stop(self) -> None:
        """Stop what the nodes run for the query, and what its threads are about to have them run."""
        self._is_stopped.set()
        self.stop_engine()
        self.workers.each(lambda worker: worker.cancel(self.running.query), list(self.workers.by_name.values()))

    def stop_engine(self) -> None:
        """Stop what is computed here from columns."""
        if self.by_columns is not None:
            self.by_columns.calls.stop()

    def close(self) -> None:
        for spilled in self._spilled:
            spilled.file.close()
        self.workers.each(lambda tables: tables.close(), list(self._tables.values()))
        if self._pairs is not None:
            self._pairs.close()
