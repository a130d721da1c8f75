"""Scratch tables on a node, whose data files are row images: rows of units are appended, and read from the files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from skyshard.basics.errors import ClusterError
from skyshard.czar.result.overflow import require_unclipped
from skyshard.czar.run.pull_order import PullOrder
from skyshard.czar.scan.query_worker import QueryWorker

ROTATE_BYTES = 64 << 20
"""A scratch table of this size is closed and the next one begun, so that what was read can be dropped."""


@dataclass(frozen=True, slots=True)
class FileRows:
    """Rows in the data file of a scratch table, from byte ``offset`` on; ``done`` is a table that may be dropped."""

    path: Path
    offset: int
    rows: int
    done: str = ""


@dataclass(slots=True, eq=False)
class NodeTables:
    """The scratch tables that one thread of a query fills on a node, one after another; its maker closes it.

    ``numbers`` gives each table a number that no other table of the pull has.
    """

    worker: QueryWorker
    node: str
    order: PullOrder
    numbers: Iterator[int]
    tables: list[str] = field(default_factory=list)
    _is_open: bool = False
    _offset: int = 0
    _path: Path = Path()

    def add(self, select: str, clock: str = "") -> FileRows:
        """Append the rows of a SELECT; after an error the table is not written to again.

        ``clock``: text that sets the time for this statement; empty for the server's own.
        """
        done = ""
        if self._is_open and self._offset >= ROTATE_BYTES:
            done, self._is_open = self.tables[-1], False
        try:
            with self.worker.sessions_for(is_scan=self.order.is_scan).lease(self.order.query) as connection:
                if not self._is_open:
                    table, file = self.order.table(self.node, next(self.numbers))
                    self._path, self._offset = self.worker.data_dir / file, 0
                    self.tables.append(table)
                    connection.execute(self.order.create(table))
                    self._is_open = True
                rows = connection.execute(f"{clock}INSERT INTO {self.tables[-1]} {select}")
                require_unclipped(self.order.columns, connection, is_stored=True)
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
        """Drop all tables; a server that is gone is no error here."""
        self.worker.drop(self.tables)
