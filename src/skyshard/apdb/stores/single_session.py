"""Sessions of a store on one server with transactions: a tile is one transaction, which writes its row of the ledger.

So readers see a tile whole or not at all, and a tile whose row is there is not written again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from skyshard.apdb.model import Operation, Reading, Receipt, TableName, TileRows, VisitId
from skyshard.apdb.stores.ledger import enter_ledger, holds, transaction
from skyshard.apdb.stores.place_rows import TileContent, checked
from skyshard.apdb.stores.region_reads import StoreShape, Wanted, read_wanted, wanted_history, wanted_objects
from skyshard.apdb.stores.sql_server import Deadlock, Spent, SqlServer, until_through
from skyshard.apdb.stores.tile_writes import write_tile
from skyshard.apdb.tables.apdb_tables import month_of
from skyshard.basics.errors import ClusterError
from skyshard.chunking.sphere import Polygon


class SingleSession:
    """A session of one client (:class:`~skyshard.apdb.model.StoreSession`).

    After an error of the server its session is closed; the next call opens a new one.
    """

    def __init__(
        self,
        open_server: Callable[[], SqlServer],
        shape: StoreShape,
        prepare_month: Callable[[int], object] = lambda month: None,
    ) -> None:
        self._open_server = open_server
        self._opened: SqlServer | None = open_server()
        self._shape = shape
        self._prepare_month = prepare_month

    def holds(self, tile: VisitId) -> bool:
        with self._session() as server:
            return holds(server, tile)

    def read_objects(self, region: Polygon) -> Reading:
        begun = time.perf_counter()
        return self._read(wanted_objects(self._shape, region), begun)

    def read_sources(self, region: Polygon, since: float, until: float, columns: Sequence[str] | None) -> Reading:
        return self._history("DiaSource", region, since, until, columns)

    def read_forced(self, region: Polygon, since: float, until: float, columns: Sequence[str] | None) -> Reading:
        return self._history("DiaForcedSource", region, since, until, columns)

    def store(self, rows: TileRows) -> Receipt:
        """Write a tile in one transaction; one that waits for another's in a circle is begun anew."""
        begun = time.perf_counter()
        content = checked(rows)
        made = Operation("", "commit", 0, 0, 0.0, time.perf_counter() - begun)
        return until_through(lambda: self._store(rows, content, made))

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
        self._opened = None

    @contextmanager
    def _session(self) -> Iterator[SqlServer]:
        try:
            self._opened = self._opened or self._open_server()
            yield self._opened
        except ClusterError as error:
            if not isinstance(error, Deadlock):
                self.close()
            raise

    def _history(
        self, name: TableName, region: Polygon, since: float, until: float, columns: Sequence[str] | None
    ) -> Reading:
        begun = time.perf_counter()
        wanted = wanted_history(self._shape, name, region, since, until, columns)
        return self._read(wanted, begun)

    def _read(self, wanted: Wanted, begun: float) -> Reading:
        with self._session() as server:
            return read_wanted(server, wanted, begun)

    def _store(self, rows: TileRows, content: TileContent, made: Operation) -> Receipt:
        self._prepare_month(month_of(rows.tile.time))
        with self._session() as server, transaction(server) as commit:
            entered = server.run(enter_ledger(server.dialect, rows))
            if not entered.rows:
                return Receipt(True, (timed_commit(entered, made),))
            operations = write_tile(server, self._shape, content)
            sent = time.perf_counter()
            commit()
            committed = Spent(0, 0, entered.server_s + time.perf_counter() - sent, entered.client_s)
        return Receipt(False, (*operations, timed_commit(committed, made)))


def timed_commit(spent: Spent, made: Operation) -> Operation:
    """The commit, with what the ledger and the preparation of rows took."""
    return Operation("", "commit", 0, 0, spent.server_s, spent.client_s + made.client_s)
