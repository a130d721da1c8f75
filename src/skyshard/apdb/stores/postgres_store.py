"""A store on one private PostgreSQL server: unsharded, a partition a month; the published relational reference."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from skyshard.apdb.model import Operation, TableName, TableSize
from skyshard.apdb.mutable.mutable_tables import DROPPED_TABLES, month_named, partition_name
from skyshard.apdb.stores.gone_objects import create_gone, purge_objects
from skyshard.apdb.stores.ledger import create_ledger, stored_tiles, transaction
from skyshard.apdb.stores.owned_server import take_folder
from skyshard.apdb.stores.postgres_process import PostgresProcess
from skyshard.apdb.stores.postgres_server import POSTGRES, PostgresServer
from skyshard.apdb.stores.region_reads import StoreShape
from skyshard.apdb.stores.single_session import SingleSession
from skyshard.apdb.stores.sql_dialect import SKY_INDEX
from skyshard.apdb.stores.sql_server import Spent, until_through
from skyshard.apdb.stores.store_settings import Pixels, StoreSettings, check_kept, kept_text
from skyshard.apdb.stores.stored_tables import MONTH, StoredTable
from skyshard.apdb.tables.apdb_tables import TABLE_NAMES, apdb_table, month_of
from skyshard.basics.errors import UserError
from skyshard.host.interrupts import uninterrupted

_COUNT = pa.schema([("n", pa.int64())])
_NAMES = pa.schema([("name", pa.string())])


class PostgresStore:
    """A backend (:class:`~skyshard.apdb.model.VisitStore`); makes server and tables where there are none.

    Raises:
        UserError: no PostgreSQL, or one that cannot run here; a folder of something else; other settings.
        ClusterError: the server does not start.
    """

    def __init__(self, folder: Path, settings: StoreSettings) -> None:
        self._shape = StoreShape.of(settings, POSTGRES, has_writer=False)
        self._months: set[int] = set()
        self._lock = threading.Lock()
        self._owned = take_folder(folder, "data")
        self._folder = folder
        self._process = PostgresProcess(folder)
        try:
            self._process.initialise()
            self._process.start()
            with self._session() as server:
                self._prepare(server)
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        return "PostgreSQL"

    def open_session(self) -> SingleSession:
        return SingleSession(self._connected, self._shape, self._ensure_month)

    def describe(self) -> Mapping[str, object]:
        return self._shape.facts("postgresql", self._process.version, "PostgreSQL")

    def stored_tiles(self) -> pa.Table:
        with self._session() as server:
            return stored_tiles(server)

    def prepare_month(self, time: float) -> Sequence[Operation]:
        return self._ensure_month(month_of(time))

    def _ensure_month(self, month: int) -> Sequence[Operation]:
        """Give the monthly tables a partition, where they lack it."""
        if month in self._months:
            return ()
        done = []
        with self._lock, self._session() as server:
            for name in TABLE_NAMES:
                if apdb_table(name).is_monthly:
                    part, whole = POSTGRES.named(_part(name, month)), POSTGRES.named(name)
                    made = f"CREATE TABLE IF NOT EXISTS {part} PARTITION OF {whole} FOR VALUES IN ({month})"
                    done.append(_change(server, made).operation(name, "prepare"))
            self._months.add(month)
        return done

    def drop_before(self, time: float) -> Sequence[Operation]:
        operations = []
        with self._lock, self._session() as server:
            for name in DROPPED_TABLES:
                sql = f"SELECT tablename::text AS name FROM pg_tables WHERE tablename LIKE '{name}#_m%' ESCAPE '#'"
                found, _ = server.fetch(sql, _NAMES)
                for part in found["name"].to_pylist():
                    month = month_named(part.removeprefix(f"{name}_"))
                    if month is not None and month < month_of(time):
                        operations.append(_change(server, f"DROP TABLE {POSTGRES.named(part)}").operation(name, "drop"))
                        self._months.discard(month)
        return operations

    def purge_objects(self, time: float) -> Sequence[Operation]:
        with self._session() as server:
            return [purge_objects(server, time)]

    def sizes(self) -> Mapping[TableName, TableSize]:
        with self._session() as server:
            return {name: TableSize(*(_number(server, sql) for sql in _size_texts(name))) for name in TABLE_NAMES}

    def close(self) -> None:
        """Stop the server, if this process started it; the data stays."""
        if self._owned.is_mine:
            with uninterrupted():
                self._process.stop()
                self._owned.release()

    def _connected(self) -> PostgresServer:
        return PostgresServer(self._process.uri, self._months.clear)

    @contextmanager
    def _session(self) -> Iterator[PostgresServer]:
        server = self._connected()
        try:
            yield server
        finally:
            server.close()

    def _prepare(self, server: PostgresServer) -> None:
        """Make the tables, in one transaction, or see that they are those that are asked for."""
        with transaction(server):
            if _number(server, "SELECT COUNT(*) AS n FROM pg_tables WHERE tablename = 'StoreFacts'"):
                kept, _ = server.fetch('SELECT "kept" AS name FROM "StoreFacts"', _NAMES)
                check_kept(kept["name"][0].as_py(), self._shape.settings, f"'{self._folder}'")
                return
            text = kept_text(self._shape.settings)
            has_sky_index = self._shape.settings.pixels is Pixels.Q3C
            if has_sky_index:
                self._take_q3c(server)
            tables = self._shape.tables.values()
            made = [statement for table in tables for statement in create_postgres(table, has_sky_index)]
            facts = [
                'CREATE TABLE "StoreFacts" ("kept" TEXT NOT NULL)',
                f"INSERT INTO \"StoreFacts\" VALUES ('{text}')",
            ]
            for statement in (*made, create_ledger(POSTGRES), create_gone(POSTGRES), *facts):
                server.run(statement)

    def _take_q3c(self, server: PostgresServer) -> None:
        if not _number(server, "SELECT COUNT(*) AS n FROM pg_available_extensions WHERE name = 'q3c'"):
            raise UserError(
                f"PostgreSQL {self._process.version} has not the extension q3c",
                remedy="`make postgresql` provides it (Debian: postgresql-15-q3c); or choose pixels chunks",
            )
        server.run("CREATE EXTENSION IF NOT EXISTS q3c")


def _change(server: PostgresServer, statement: str) -> Spent:
    """Change a table that others use: wait for them two seconds at a time, for all who come later wait behind it.

    Raises:
        ClusterError: they left it no moment (retryable).
    """
    server.run("SET lock_timeout = '2s'")
    return until_through(lambda: server.run(statement))


def create_postgres(table: StoredTable, has_sky_index: bool = False) -> list[str]:
    """CREATE texts of one table: rows lie as they come, so an index leads to a region's."""
    columns, name = POSTGRES.columns(table.schema), POSTGRES.named(table.name)
    parted = f" PARTITION BY LIST ({POSTGRES.named(MONTH)})" if table.is_monthly else ""
    made = [f"CREATE TABLE {name} ({columns}, PRIMARY KEY ({POSTGRES.listed(table.key)})){parted}"]
    if table.unique:
        made.append(
            f"CREATE UNIQUE INDEX {POSTGRES.named(f'{table.name}_id')} ON {name} ({POSTGRES.listed(table.unique)})"
        )
    if has_sky_index:
        made.append(f"CREATE INDEX {POSTGRES.named(f'{table.name}_sky')} ON {name} ({SKY_INDEX})")
    return made


def _part(name: TableName, month: int) -> str:
    return f"{name}_{partition_name(month)}"


def _size_texts(name: TableName) -> tuple[str, str]:
    named = POSTGRES.named(name)
    size = f"SELECT COALESCE(SUM(pg_total_relation_size(relid)), 0)::bigint AS n FROM pg_partition_tree('{named}')"
    whole = f"SELECT pg_total_relation_size('{named}')::bigint AS n"
    return f"SELECT COUNT(*) AS n FROM {named}", size if apdb_table(name).is_monthly else whole


def _number(server: PostgresServer, sql: str) -> int:
    found, _ = server.fetch(sql, _COUNT)
    return int(found["n"][0].as_py())
