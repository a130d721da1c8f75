"""A store in one SQLite file: the floor, without a server and with one writer at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import pyarrow as pa

from skyshard.apdb.model import Operation, TableName, TableSize
from skyshard.apdb.stores.gone_objects import create_gone, purge_objects
from skyshard.apdb.stores.ledger import create_ledger, stored_tiles, transaction
from skyshard.apdb.stores.region_reads import StoreShape
from skyshard.apdb.stores.single_session import SingleSession
from skyshard.apdb.stores.sql_dialect import Dialect
from skyshard.apdb.stores.sqlite_server import SQLITE, SqliteServer
from skyshard.apdb.stores.store_settings import StoreSettings, check_kept, kept_text
from skyshard.apdb.stores.stored_tables import MONTH, StoredTable
from skyshard.apdb.tables.apdb_tables import month_of
from skyshard.basics.errors import UserError

DROPPED: tuple[TableName, ...] = ("DiaSource", "DiaForcedSource")
"""Tables whose old months are dropped."""


class SqliteStore:
    """A backend (:class:`~skyshard.apdb.model.VisitStore`); makes the file where there is none.

    Raises:
        UserError: a file of something else, or one that was made with other settings.
    """

    def __init__(self, path: Path, settings: StoreSettings) -> None:
        if not path.parent.is_dir():
            raise UserError(f"there is no folder '{path.parent}'", remedy="make it, or name another file")
        self._path = path
        self._shape = StoreShape.of(settings, SQLITE, has_writer=False)
        self._server = SqliteServer(path)
        try:
            self._prepare()
        except BaseException:
            self._server.close()
            raise

    @property
    def name(self) -> str:
        return "SQLite"

    def open_session(self) -> SingleSession:
        return SingleSession(partial(SqliteServer, self._path), self._shape)

    def describe(self) -> Mapping[str, object]:
        found, _ = self._server.fetch("SELECT sqlite_version() AS version", pa.schema([("version", pa.string())]))
        return self._shape.facts("sqlite", found["version"][0].as_py(), "SQLite")

    def stored_tiles(self) -> pa.Table:
        return stored_tiles(self._server)

    def prepare_month(self, time: float) -> Sequence[Operation]:
        """SQLite has no partitions."""
        return ()

    def drop_before(self, time: float) -> Sequence[Operation]:
        """SQLite has no partitions: the rows are deleted, in one transaction."""
        with transaction(self._server):
            return [
                self._server.run(f'DELETE FROM "{name}" WHERE "{MONTH}" < {month_of(time)}').operation(name, "drop")
                for name in DROPPED
            ]

    def purge_objects(self, time: float) -> Sequence[Operation]:
        return [purge_objects(self._server, time)]

    def sizes(self) -> Mapping[TableName, TableSize]:
        return {name: self._size(table) for name, table in self._shape.tables.items()}

    def close(self) -> None:
        self._server.close()

    def _size(self, table: StoredTable) -> TableSize:
        bytes_sql = f"SELECT COALESCE(SUM(pgsize), 0) AS n FROM dbstat WHERE name = '{table.name}'"
        return TableSize(self._number(f'SELECT COUNT(*) AS n FROM "{table.name}"'), self._number(bytes_sql))

    def _number(self, sql: str) -> int:
        found, _ = self._server.fetch(sql, pa.schema([("n", pa.int64())]))
        return int(found["n"][0].as_py())

    def _prepare(self) -> None:
        """Make the tables, in one transaction, or see that they are those that are asked for."""
        with transaction(self._server):
            if self._number("SELECT COUNT(*) AS n FROM sqlite_master"):
                self._check_kept()
                return
            for statement in create_statements(SQLITE, self._shape):
                self._server.run(statement)

    def _check_kept(self) -> None:
        if not self._number("SELECT COUNT(*) AS n FROM sqlite_master WHERE name = 'StoreFacts'"):
            raise UserError(f"'{self._path}' holds other tables", remedy="name a new file, or one that a store made")
        found, _ = self._server.fetch('SELECT "kept" FROM "StoreFacts"', pa.schema([("kept", pa.string())]))
        check_kept(found["kept"][0].as_py(), self._shape.settings, f"'{self._path}'")


def create_statements(dialect: Dialect, shape: StoreShape) -> list[str]:
    """CREATE TABLE texts of a new store without partitions, and what it keeps of itself."""
    kept = kept_text(shape.settings)
    made = [create_table(dialect, table) for table in shape.tables.values()]
    indexes = [
        f"CREATE UNIQUE INDEX {dialect.named(f'{table.name}_id')} ON {dialect.named(table.name)}"
        f" ({dialect.listed(table.unique)})"
        for table in shape.tables.values()
        if table.unique
    ]
    facts = [f"CREATE TABLE {dialect.named('StoreFacts')} ({dialect.named('kept')} TEXT NOT NULL)"]
    return [
        *made, *indexes, create_ledger(dialect), create_gone(dialect), *facts,
        f"INSERT INTO {dialect.named('StoreFacts')} VALUES ('{kept}')",
    ]  # fmt: skip


def create_table(dialect: Dialect, table: StoredTable) -> str:
    """CREATE TABLE text of one table."""
    columns, key = dialect.columns(table.schema), dialect.listed(table.key)
    return f"CREATE TABLE {dialect.named(table.name)} ({columns}, PRIMARY KEY ({key})) {dialect.table_options}"
