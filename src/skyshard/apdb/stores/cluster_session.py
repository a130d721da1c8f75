"""Sessions of a store over the nodes of a cluster: a tile's rows on several nodes are seen whole or not at all.

Each node has its part in one transaction; the ledger on the czar's server says which stores are whole, and every row
names the store that wrote it. A reader asks the ledger once, before it asks nodes, and leaves out rows of stores that
are not whole; where such a row is an object's newest version, it takes the version before from DiaObject.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from dataclasses import replace

import pyarrow as pa

from skyshard.apdb.model import Operation, Reading, Receipt, TableName, TileRows, VisitId
from skyshard.apdb.stores.cluster_write import write_parts
from skyshard.apdb.stores.only_homes import require_only_homes
from skyshard.apdb.stores.place_rows import TileContent, checked
from skyshard.apdb.stores.region_reads import StoreShape, Wanted, wanted_history, wanted_objects
from skyshard.apdb.stores.shard_reads import read_history, read_newest
from skyshard.apdb.stores.shards import Shards
from skyshard.apdb.stores.sky_cells import CellRange, widened
from skyshard.apdb.stores.sql_server import Deadlock, NodeServer, SqlServer, until_through
from skyshard.apdb.stores.store_settings import TRANSACTIONAL
from skyshard.apdb.stores.tile_ledger import Entry, TileLedger
from skyshard.apdb.stores.withdraw_store import withdraw
from skyshard.apdb.tables.apdb_tables import month_of
from skyshard.basics.errors import ClusterError, UserError
from skyshard.chunking.sphere import Polygon
from skyshard.registry.catalog.mutable_chunks import Visible

_ReadNode = Callable[[SqlServer, StoreShape, Wanted, Visible], Reading]


class ClusterSession:
    """A session of one client (:class:`~skyshard.apdb.model.StoreSession`).

    After an error of a server its sessions are closed; the next call opens new ones.
    """

    def __init__(self, shards: Shards, shape: StoreShape, pool: ThreadPoolExecutor) -> None:
        self._shards = shards
        self._shape = shape
        self._pool = pool
        self._servers: dict[str, NodeServer] = {}
        self._ledger: TileLedger | None = None

    def holds(self, tile: VisitId) -> bool:
        with self._sessions() as ledger:
            return ledger.holds(tile)

    def read_objects(self, region: Polygon) -> Reading:
        begun = time.perf_counter()
        return self._read(wanted_objects(self._shape, region), read_newest, begun)

    def read_sources(self, region: Polygon, since: float, until: float, columns: Sequence[str] | None) -> Reading:
        return self._history("DiaSource", region, since, until, columns)

    def read_forced(self, region: Polygon, since: float, until: float, columns: Sequence[str] | None) -> Reading:
        return self._history("DiaForcedSource", region, since, until, columns)

    def store(self, rows: TileRows) -> Receipt:
        begun = time.perf_counter()
        content = checked(rows)
        made = Operation("", "commit", 0, 0, 0.0, time.perf_counter() - begun)
        return until_through(lambda: self._store(rows, content, made))

    def close(self) -> None:
        for server in self._servers.values():
            server.close()
        self._servers.clear()
        if self._ledger is not None:
            self._ledger.close()
        self._ledger = None

    @contextmanager
    def _sessions(self) -> Iterator[TileLedger]:
        try:
            self._ledger = self._ledger or self._shards.open_ledger()
            yield self._ledger
        except ClusterError as error:
            if not isinstance(error, Deadlock):
                self.close()
            raise

    def _server(self, node: str) -> NodeServer:
        if node not in self._servers:
            self._servers[node] = self._shards.open_server(node)
        return self._servers[node]

    def _history(
        self, name: TableName, region: Polygon, since: float, until: float, columns: Sequence[str] | None
    ) -> Reading:
        begun = time.perf_counter()
        return self._read(wanted_history(self._shape, name, region, since, until, columns), read_history, begun)

    def _read(self, wanted: Wanted, read_node: _ReadNode, begun: float) -> Reading:
        with self._sessions() as ledger:
            parts = self._by_node(wanted.cells)
            servers = {node: self._server(node) for node in parts}
            made = time.perf_counter()
            visible = ledger.visible()
            asked = time.perf_counter() - made
            tasks = [
                (servers[node], self._shape, replace(wanted, cells=cells), visible) for node, cells in parts.items()
            ]
            if len(tasks) == 1:
                readings = [read_node(*tasks[0])]
            else:
                readings = self._all_done([self._pool.submit(read_node, *task) for task in tasks])
        found = [one.rows for one in readings if one.rows.num_rows] or [wanted.answered.empty_table()]
        rows = found[0] if len(found) == 1 else pa.concat_tables(found)
        return Reading(rows, (_together(wanted, readings, asked, made - begun),))

    @staticmethod
    def _all_done(futures: Sequence[Future[Reading]]) -> list[Reading]:
        """The answers of all; an error is raised when every node has ended, for sessions are closed then."""
        wait(futures)
        return [future.result() for future in futures]

    def _by_node(self, cells: Sequence[CellRange]) -> dict[str, list[CellRange]]:
        nodes = self._shards.nodes_of([one.chunk_id for one in cells])
        parts: dict[str, list[CellRange]] = {}
        for node, one in zip(nodes, cells, strict=True):
            parts.setdefault(node, []).append(one)
        return dict(sorted(parts.items()))

    def _store(self, rows: TileRows, content: TileContent, made: Operation) -> Receipt:
        with self._sessions() as ledger:
            return self._enter_and_write(ledger, rows, content, made)

    def _enter_and_write(self, ledger: TileLedger, rows: TileRows, content: TileContent, made: Operation) -> Receipt:
        """Enter, write every node's part, and say that the store is whole."""
        tile = rows.tile
        begun = time.perf_counter()
        try:
            entry = ledger.enter(tile, is_alone=self._shape.settings.engine not in TRANSACTIONAL)
            if entry.is_whole:
                return Receipt(True, (replace(made, server_s=time.perf_counter() - begun),))
            if not entry.is_new:
                self._withdraw(entry)
            entered = time.perf_counter()
            nodes = sorted(self._by_node(self._shape.cells.ranges(widened(tile.padded, self._shape.drift_deg))))
            self._shards.prepare_month(month_of(tile.time), nodes)
            servers = {node: self._server(node) for node in nodes}
            operations = self._write(ledger, entry, servers, content)
            wrote = time.perf_counter()
            ledger.finish(entry, tile.time)
        finally:
            ledger.leave()
        ledger_s = entered - begun + time.perf_counter() - wrote
        return Receipt(False, (*operations, replace(made, server_s=ledger_s)))

    def _write(
        self, ledger: TileLedger, entry: Entry, servers: Mapping[str, SqlServer], content: TileContent
    ) -> list[Operation]:
        try:
            with ledger.across_nodes() if len(servers) > 1 else nullcontext():
                written = write_parts(servers, self._shards, self._shape, content, entry.store_id)
            if any(rows.num_rows for rows in written.new.values()):
                written.operations.extend(require_only_homes(self._server, ledger.nodes(), self._shape, written.new))
            return written.operations
        except UserError:
            # what was refused leaves nothing: parts of other nodes may be there already
            self._withdraw(entry)
            ledger.strike(entry)
            raise

    def _withdraw(self, entry: Entry) -> None:
        for node in self._shards.all_nodes():
            self._shards.prepare_month(month_of(entry.time), [node])
            withdraw(self._server(node), self._shape, entry)


def _together(wanted: Wanted, readings: Sequence[Reading], asked_s: float, made_s: float) -> Operation:
    """One operation for what was asked of several nodes at once, with the question to the ledger."""
    parts = [[(one.server_s, one.client_s, one.rows, one.bytes) for one in reading.operations] for reading in readings]
    sums = [[sum(column) for column in zip(*some, strict=True)] for some in parts] or [[0.0, 0.0, 0, 0]]
    server_s, client_s = max(one[0] for one in sums), sum(one[1] for one in sums)
    counts = sum(int(one[2]) for one in sums), sum(int(one[3]) for one in sums)
    return Operation(wanted.table.name, "select", *counts, asked_s + server_s, made_s + client_s)
