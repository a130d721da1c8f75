"""New months: a partition in each monthly table, and its file lengthened before rows come.

InnoDB lengthens a file below 64 pages page by page and waits for the disk each time, in the statement that needs the
page; a longer file grows by 64 pages. So a new partition is filled in a transaction that is rolled back: no reader ever
sees a row of it, nor is there one after a kill, and the file stays as long as it was.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from skyshard.apdb.model import Operation, TableName
from skyshard.apdb.mutable.bounded_ddl import bound_waits, change_table
from skyshard.apdb.mutable.mutable_tables import MONTH, add_month, has_month, partition_name
from skyshard.apdb.tables.apdb_tables import TABLE_NAMES, apdb_table
from skyshard.db.connection import Account, Connection, Endpoint, connect, quote_name

LENGTHENED = "InnoDB"
"""The engine whose files are."""
_EXTENT_PAGES, _EXTENT_BYTES = 64, 1 << 20
"""A file grows by so many pages, or so many bytes where pages are small, once it has as many."""
_FILLED = {
    "tinyint": (1, "1"),
    "smallint": (2, "1"),
    "int": (4, "-seq"),
    "float": (4, "-seq"),
    "bigint": (8, "-seq"),
    "double": (8, "-seq"),
}
"""Type -> the bytes of a value in a row, and the value in a row that is to go again."""


def make_month(endpoint: Endpoint, database: str, node: str, month: int, engine: str) -> list[Operation]:
    """Give the monthly tables of a server a month; one operation where some lacked it, else none.

    They are made at once, for each waits for the disk again and again.

    Raises:
        ClusterError: statements used a table for a minute.
    """

    def make(name: TableName) -> bool:
        with connect(endpoint, Account.ADMIN, database) as admin:
            return _made(admin, node, name, month, engine)

    monthly = [name for name in TABLE_NAMES if apdb_table(name).is_monthly]
    with ThreadPoolExecutor(len(monthly), thread_name_prefix="month") as threads:
        begun = time.perf_counter()
        is_new = any(list(threads.map(make, monthly)))
        return [Operation("", "prepare", 0, 0, time.perf_counter() - begun, 0.0)] if is_new else []


def _made(admin: Connection, node: str, name: TableName, month: int, engine: str) -> bool:
    if has_month(admin, name, month):
        return False
    change_table(admin, node, name, add_month(name, month))
    if engine == LENGTHENED:
        lengthen(admin, name, month)
    return True


def lengthen(admin: Connection, name: TableName, month: int) -> None:
    """Make the file of a month 64 pages long. One that another session lengthens at this moment is left to it."""
    lock = f"'skyshard month {month} {name}'"
    bound_waits(admin)
    if admin.value(f"SELECT GET_LOCK(CONCAT_WS(' ', {lock}, LEFT(DATABASE(), 24)), 0)") != 1:
        return
    try:
        admin.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        admin.execute("START TRANSACTION")
        admin.execute(filling(admin, name, month))
    finally:
        admin.execute("ROLLBACK")
        admin.execute("DO RELEASE_ALL_LOCKS()")


@dataclass(frozen=True, slots=True)
class _Columns:
    """The columns of a table, and those of each of its indexes with the primary key's."""

    values: Mapping[str, str]
    widths: Mapping[str, int]
    entries: Sequence[frozenset[str]]

    @property
    def row_bytes(self) -> int:
        """At least, in the primary key and in all other indexes."""
        return sum(self.widths.values()) + sum(self.widths[name] for entry in self.entries for name in entry)


def filling(admin: Connection, name: TableName, month: int) -> str:
    """The statement that fills a month to 64 pages: with so many rows that full pages could not hold them in fewer."""
    columns = _columns(admin, name, month)
    page = int(admin.value("SELECT @@innodb_page_size"))
    rows = math.ceil(max(_EXTENT_PAGES * page, _EXTENT_BYTES) / columns.row_bytes)
    listed, values = ", ".join(map(quote_name, columns.values)), ", ".join(columns.values.values())
    part = f"{quote_name(name)} PARTITION ({quote_name(partition_name(month))})"
    return f"INSERT INTO {part} ({listed}) SELECT {values} FROM seq_1_to_{rows}"


def _columns(admin: Connection, name: TableName, month: int) -> _Columns:
    found = admin.rows(
        "SELECT COLUMN_NAME, DATA_TYPE, COALESCE(CHARACTER_MAXIMUM_LENGTH, 0) FROM information_schema.COLUMNS "
        "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
        [name],
    )
    filled = {str(column): _FILLED.get(str(kind), (int(most), f"REPEAT('x', {most})")) for column, kind, most in found}
    keys: dict[str, set[str]] = {}
    for key, column in admin.rows(
        "SELECT INDEX_NAME, COLUMN_NAME FROM information_schema.STATISTICS "
        "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s",
        [name],
    ):
        keys.setdefault(str(key), set()).add(str(column))
    primary = keys.pop("PRIMARY")
    values = {column: value for column, (_, value) in filled.items()} | {MONTH: str(month)}
    return _Columns(
        values,
        {column: size for column, (size, _) in filled.items()},
        [frozenset(one | primary) for one in keys.values()],
    )
