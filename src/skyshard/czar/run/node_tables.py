"""Scratch tables on a node, whose data files are row images: rows of units are added, and read from the files.

Where this host sees the files, units are appended to one table after another, and their bytes are read in place. Else
each unit is the whole content of a table, which a session carries (``scan.carrier``), at once or when its turn comes; a
long one is carried in pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from skyshard.basics.errors import ClusterError, UserError
from skyshard.czar.result.overflow import require_unclipped
from skyshard.czar.result.row_images import Block, CarriedRows, FileRows, RowImages, SpilledRows
from skyshard.czar.run.pull_order import PullOrder
from skyshard.czar.scan.carrier import Carrier
from skyshard.czar.scan.query_worker import QueryWorker
from skyshard.db.connection import Connection
from skyshard.db.driver_errors import is_gone

ROTATE_BYTES = 64 << 20
"""A scratch table of this size is closed and the next one begun, so that what was read can be dropped."""


class NodeTables(Protocol):
    """The scratch tables that one thread of a query fills on a node; its maker closes it."""

    def add(self, select: str, clock: str = "") -> RowImages:
        """The rows of a SELECT; after an error the table is not written to again.

        ``clock``: text that sets the time for this statement; empty for the server's own.
        """
        ...

    def close(self) -> None:
        """Drop all tables; a server that is gone is no error here."""
        ...


def node_tables(
    worker: QueryWorker, order: PullOrder, numbers: Iterator[int], require_wanted: Callable[[], None] = lambda: None
) -> NodeTables:
    """Tables for a node; ``numbers`` gives each a number that no other table of the pull has.

    ``require_wanted``: called with each session before it is used, raises when the rows are wanted no more.
    """
    if worker.carrier is not None:
        return CarriedTables(worker, worker.carrier, order, numbers, require_wanted)
    return FileTables(worker, order, numbers, require_wanted)


@dataclass(slots=True, eq=False)
class FileTables:
    """Tables whose files this host sees, filled one after another."""

    worker: QueryWorker
    order: PullOrder
    numbers: Iterator[int]
    require_wanted: Callable[[], None]
    tables: list[str] = field(default_factory=list)
    _is_open: bool = False
    _offset: int = 0
    _path: Path = Path()

    def add(self, select: str, clock: str = "") -> FileRows:
        """See ``NodeTables.add``."""
        done = ""
        if self._is_open and self._offset >= ROTATE_BYTES:
            done, self._is_open = self.tables[-1], False
        try:
            with self.worker.sessions_for(is_scan=self.order.is_scan).lease(self.order.query) as connection:
                self.require_wanted()
                if not self._is_open:
                    table, file = self.order.table(next(self.numbers))
                    self._path, self._offset = self.worker.data_dir / file, 0
                    self.tables.append(table)
                    connection.execute(self.order.create(table))
                    self._is_open = True
                rows = _fill(connection, self.order, self.tables[-1], select, clock)
        except BaseException:
            self._is_open = False
            raise
        filled = FileRows(self._path, self._offset, rows, done)
        self._offset += rows * self.order.record_bytes
        self._require_written()
        return filled

    def _require_written(self) -> None:
        """A server that was killed may have lost what it said it wrote."""
        size = self._path.stat().st_size if self._path.exists() else -1
        if size < self._offset:
            self._is_open = False
            raise ClusterError(
                f"{self._path} holds {size} bytes, not the {self._offset} that were written",
                remedy="is the data folder on this host?",
                retryable=True,
            )

    def close(self) -> None:
        self.worker.drop(self.order.query, self.tables)


@dataclass(frozen=True, slots=True)
class LeftRows:
    """Rows in a scratch table of another host, whole, until they are asked for; ``done`` is that table."""

    worker: QueryWorker
    carrier: Carrier
    order: PullOrder
    numbers: Iterator[int]
    done: str
    file: str
    rows: int

    def blocks(self, record_bytes: int, block_bytes: int = 0) -> Iterator[Block]:
        """The bytes of the rows, in pieces that a packet holds.

        Raises:
            ClusterError: they cannot be read any more.
        """
        try:
            yield from self._pieces(record_bytes)
        except UserError as error:
            if not is_gone(error):
                raise
            what = f"{self.worker.name}: the rows of a partial result are gone, as after a restart of its server"
            raise ClusterError(what, remedy="ask again", retryable=True) from error

    def _pieces(self, record_bytes: int) -> Iterator[bytes]:
        at_once = max(1, self.carrier.piece_bytes // record_bytes)
        if self.rows <= at_once:
            if self.rows:
                yield self._fetch(self.done, self.file, self.rows)
            return
        piece, file = self.order.table(next(self.numbers))
        try:
            for start in range(0, self.rows, at_once):
                with self.worker.sessions_for(is_scan=self.order.is_scan).lease(self.order.query) as connection:
                    connection.execute(f"TRUNCATE TABLE {piece}" if start else self.order.create(piece))
                    select = f"SELECT * FROM {self.done} LIMIT {start}, {at_once}"
                    count = connection.execute(f"INSERT INTO {piece} {select}")
                yield self._fetch(piece, file, count)
        finally:
            self.worker.drop(self.order.query, [piece])

    def _fetch(self, table: str, file: str, rows: int) -> bytes:
        return self.carrier.fetch(self.order.query, table, file, rows, rows * self.order.record_bytes)

    def carried(self) -> CarriedRows:
        """The rows, brought here; errors as of :meth:`blocks`."""
        return CarriedRows([*self.blocks(self.order.record_bytes)], self.rows)

    def spilled(self, folder: Path) -> SpilledRows:
        """The same in a file of a folder of this host; it holds what memory should not."""
        return SpilledRows.of(self.blocks(self.order.record_bytes), self.rows, folder, self.done)


@dataclass(slots=True, eq=False)
class CarriedTables:
    """Tables that hold one unit each; one whose rows are here takes those of the next."""

    worker: QueryWorker
    carrier: Carrier
    order: PullOrder
    numbers: Iterator[int]
    require_wanted: Callable[[], None]
    tables: list[str] = field(default_factory=list)
    _free: list[tuple[str, str]] = field(default_factory=list)

    def add(self, select: str, clock: str = "") -> LeftRows:
        """See ``NodeTables.add``."""
        with self.worker.sessions_for(is_scan=self.order.is_scan).lease(self.order.query) as connection:
            self.require_wanted()
            if self._free:
                table, file = self._free.pop()
                connection.execute(f"TRUNCATE TABLE {table}")
            else:
                table, file = self.order.table(next(self.numbers))
                self.tables.append(table)
                connection.execute(self.order.create(table))
            rows = _fill(connection, self.order, table, select, clock)
        return LeftRows(self.worker, self.carrier, self.order, self.numbers, table, file, rows)

    def carried(self, left: LeftRows) -> CarriedRows:
        """Bring rows here at once; errors as of ``LeftRows.blocks``."""
        found = left.carried()
        self._free.append((left.done, left.file))
        return found

    def close(self) -> None:
        self.worker.drop(self.order.query, self.tables)


def _fill(connection: Connection, order: PullOrder, table: str, select: str, clock: str) -> int:
    """Add the rows of a SELECT to a table; returns how many."""
    rows = connection.execute(f"{clock}INSERT INTO {table} {select}")
    require_unclipped(order.columns, connection, is_stored=True)
    return rows
