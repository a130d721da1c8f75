"""A store on one private MariaDB server: unsharded, a partition a month, in the storage engine of its settings.

The server is started when the store is opened, on a socket of its own, and stopped when it is closed by who started it.
Engines without transactions are refused: a writer that is killed would leave half a tile that nobody could tell.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from skyshard.apdb.model import Operation, TableName, TableSize
from skyshard.apdb.mutable.bounded_ddl import change_table
from skyshard.apdb.mutable.mutable_tables import DROPPED_TABLES, drop_months, month_named, partition_name
from skyshard.apdb.mutable.new_months import make_month
from skyshard.apdb.stores.gone_objects import create_gone, purge_objects
from skyshard.apdb.stores.ledger import create_ledger, stored_tiles
from skyshard.apdb.stores.mariadb_server import MARIADB, MariaDbServer
from skyshard.apdb.stores.owned_server import take_folder
from skyshard.apdb.stores.region_reads import StoreShape
from skyshard.apdb.stores.scratch_images import ScratchImages
from skyshard.apdb.stores.single_session import SingleSession
from skyshard.apdb.stores.sql_server import Spent
from skyshard.apdb.stores.store_settings import TRANSACTIONAL, StoreSettings, check_kept, kept_text
from skyshard.apdb.stores.stored_tables import MONTH, StoredTable
from skyshard.apdb.tables.apdb_tables import TABLE_NAMES, month_of
from skyshard.basics.errors import UserError
from skyshard.catalog.engines import TableEngine
from skyshard.cluster.cluster_folder import socket_folder
from skyshard.cluster.installation import find_mariadbd
from skyshard.cluster.server import Server
from skyshard.cluster.server_options import Tuning
from skyshard.db.connection import Account, connect, quote_name, quote_text
from skyshard.host.interrupts import uninterrupted

DATABASE = "apdb"
_TUNING = Tuning(key_buffer_mib=16, innodb_buffer_mib=256, aria_cache_mib=64, innodb_log_mib=64)


class MariaDbStore:
    """A backend (:class:`~skyshard.apdb.model.VisitStore`); makes server and tables where there are none.

    Raises:
        UserError: a folder of something else, a store that was made with other settings, an engine without
            transactions or that is not installed.
        ClusterError: the server does not start.
    """

    def __init__(self, folder: Path, settings: StoreSettings) -> None:
        if settings.engine not in TRANSACTIONAL:
            raise UserError(
                f"engine {settings.engine} has no transactions: a killed store would leave half a tile",
                remedy=f"choose {' or '.join(TRANSACTIONAL)}; a cluster's layout takes Aria, with a ledger beside it",
            )
        self._shape = StoreShape.of(settings, MARIADB, has_writer=False)
        self._months: set[int] = set()
        self._lock = threading.Lock()
        installation = find_mariadbd()
        self._version = installation.version_text
        if settings.engine == "MyRocks" and not installation.plugin_options:
            raise UserError("the storage engine MyRocks is not installed", remedy="`make myrocks` provides it")
        self._folder = folder
        self._owned = take_folder(folder, "node1")
        self._server = Server(folder / "node1", socket_folder(folder, create=True) / "node1.sock", _TUNING)
        try:
            self._server.initialise(installation)
            self._server.start(installation)
            self._server.wait_ready()
            self._prepare()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        return f"MariaDB, {self._shape.settings.engine}"

    def open_session(self) -> SingleSession:
        return SingleSession(self._connected, self._shape, self._ensure_month)

    def describe(self) -> Mapping[str, object]:
        return self._shape.facts("mariadb", self._version, self._shape.settings.engine)

    def stored_tiles(self) -> pa.Table:
        with self._session() as server:
            return stored_tiles(server)

    def prepare_month(self, time: float) -> Sequence[Operation]:
        return self._ensure_month(month_of(time))

    def _ensure_month(self, month: int) -> Sequence[Operation]:
        """Give the monthly tables a partition, where they lack it."""
        if month in self._months:
            return ()
        with self._lock:
            done = make_month(self._server.endpoint, DATABASE, self.name, month, self._shape.settings.engine)
            self._months.add(month)
        return done

    def drop_before(self, before: float) -> Sequence[Operation]:
        operations: list[Operation] = []
        with self._lock, connect(self._server.endpoint, Account.ADMIN, DATABASE) as admin:
            for name in DROPPED_TABLES:
                parts = admin.rows(
                    "SELECT PARTITION_NAME, TABLE_ROWS FROM information_schema.PARTITIONS "
                    f"WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {quote_text(name)}"
                )
                months = {month_named(str(part)): int(rows or 0) for part, rows in parts}
                gone = [month for month in months if month is not None and month < month_of(before)]
                if gone:
                    begun = time.perf_counter()
                    change_table(admin, self.name, name, drop_months(name, gone))
                    rows = sum(months[month] for month in gone)
                    operations.append(Spent(rows, 0, time.perf_counter() - begun, 0.0).operation(name, "drop"))
                self._months -= set(gone)
        return operations

    def purge_objects(self, time: float) -> Sequence[Operation]:
        with self._session() as server:
            return [purge_objects(server, time)]

    def sizes(self) -> Mapping[TableName, TableSize]:
        found: dict[TableName, TableSize] = {}
        with connect(self._server.endpoint, Account.ADMIN, DATABASE) as admin:
            for name in TABLE_NAMES:
                rows = int(admin.value(f"SELECT COUNT(*) FROM {quote_name(name)}"))
                size = admin.value(
                    "SELECT COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) FROM information_schema.TABLES "
                    f"WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {quote_text(name)}"
                )
                found[name] = TableSize(rows, int(size))
        return found

    def close(self) -> None:
        """Stop the server, if this process started it; the data stays."""
        if self._owned.is_mine:
            with uninterrupted():
                self._server.stop()
                self._owned.release()

    def _connected(self) -> MariaDbServer:
        endpoint = self._server.endpoint
        writer = connect(endpoint, Account.ADMIN, DATABASE, is_for_bulk=True)
        reader = connect(endpoint, Account.READER, DATABASE)
        return MariaDbServer(writer, ScratchImages(reader, self._server.data), reader, self._months.clear)

    @contextmanager
    def _session(self) -> Iterator[MariaDbServer]:
        server = self._connected()
        try:
            yield server
        finally:
            server.close()

    def _prepare(self) -> None:
        """Make the tables; what the store keeps of itself is written last, so that a killed one is gone on with."""
        with connect(self._server.endpoint, Account.ADMIN) as admin:
            admin.execute(f"CREATE DATABASE IF NOT EXISTS {DATABASE} CHARACTER SET latin1")
            admin.execute(f"USE {DATABASE}")
            engine = TableEngine(self._shape.settings.engine)
            options = f"ENGINE={engine.sql_name} DEFAULT CHARSET=latin1{engine.options(has_blob=False)}"
            for table in self._shape.tables.values():
                admin.execute(create_mariadb(table, options))
            admin.execute(f"{create_ledger(MARIADB)} {options}")
            admin.execute(f"{create_gone(MARIADB)} {options}")
            admin.execute(f"CREATE TABLE IF NOT EXISTS StoreFacts (kept TEXT NOT NULL) {options}")
            kept = admin.rows("SELECT kept FROM StoreFacts")
            if kept:
                check_kept(str(kept[0][0]), self._shape.settings, f"'{self._folder}'")
            else:
                text = kept_text(self._shape.settings)
                admin.execute(f"INSERT INTO StoreFacts VALUES ({quote_text(text)})")


def create_mariadb(table: StoredTable, options: str) -> str:
    """CREATE TABLE text of one table, with a partition for each month to come."""
    named = MARIADB.named
    unique = f", UNIQUE KEY {named('by_object')} ({MARIADB.listed(table.unique)})" if table.unique else ""
    key = f"PRIMARY KEY ({MARIADB.listed(table.key)})"
    month = -(2**31)
    part = f" PARTITION BY LIST ({named(MONTH)}) (PARTITION {partition_name(month)} VALUES IN ({month}))"
    columns = MARIADB.columns(table.schema)
    return (
        f"CREATE TABLE IF NOT EXISTS {named(table.name)} ({columns}, {key}{unique}) {options}"
        f"{part if table.is_monthly else ''}"
    )
