"""Months of sources and forced sources, dropped in one step each: a partition goes, no row is looked at.

Rules: refused while visits read the month (twelve months back from the newest store), or while rows of it are to be
published. A drop that was interrupted is ended by the next; statements that read a table are waited for, two seconds
at a time, and others pass meanwhile. No store is entered while a table is looked at and its month dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

from skyshard.apdb.model import TableName
from skyshard.apdb.mutable.bounded_ddl import change_table
from skyshard.apdb.mutable.mutable_database import MutableDatabase
from skyshard.apdb.mutable.mutable_tables import DROPPED_TABLES, drop_months, has_month, partition_name
from skyshard.apdb.tables.apdb_tables import MONTH_DAYS, month_of
from skyshard.basics.errors import ClusterError, UserError
from skyshard.db.connection import Account, Connection, connect, quote_name
from skyshard.registry.catalog.mutable_chunks import STORES_LOCK_WAIT_S, TILE_STORES, stores_lock

HISTORY_MONTHS = 12
"""Months before the present one that visits read."""


def drop_month(database: MutableDatabase, month: int, *, force: bool = False) -> int:
    """Drop a month of sources and forced sources on every node; returns the rows that went.

    Raises:
        UserError: visits still read it, or some of its rows are not published while others are; not with ``force``.
            Where such a store came while the month was dropped, a part of the tables has it still.
        ClusterError: a node does not answer; run it again to go on.
    """
    if not force:
        _require_unread(database, month)
    meanwhile = nullcontext if force else partial(_unread_and_no_store_enters, database, month)
    gone = 0
    for node in sorted(set(database.placed().values())):
        with connect(database.cluster.node(node).sql, Account.ADMIN, database.database) as admin:
            gone += sum(_dropped(admin, node, name, month, meanwhile) for name in DROPPED_TABLES)
    database.forget_months([month])
    return gone


@contextmanager
def _unread_and_no_store_enters(database: MutableDatabase, month: int) -> Iterator[None]:
    """A month that may be dropped, and meanwhile no store is entered in the ledger: one of this month would be whole
    without its rows.

    Raises:
        UserError: as of :func:`drop_month`.
        ClusterError: stores are being entered for too long.
    """
    with connect(database.ledger, Account.WRITER, database.database) as ledger:
        if ledger.value("SELECT GET_LOCK(%s, %s)", [stores_lock(database.database), STORES_LOCK_WAIT_S]) != 1:
            raise ClusterError(f"tiles of '{database.shown}' are being entered for too long", retryable=True)
        _require_unread(database, month)
        yield


def _require_unread(database: MutableDatabase, month: int) -> None:
    with connect(database.ledger, Account.READER, database.database) as reader:
        newest = reader.value(f"SELECT MAX(time) FROM {quote_name(TILE_STORES)}")
        begin, end = month * MONTH_DAYS, (month + 1) * MONTH_DAYS
        [(waiting, published)] = reader.rows(
            "SELECT COALESCE(SUM(is_published = 0 AND time >= %s AND time < %s), 0), COALESCE(SUM(is_published), 0) "
            f"FROM {quote_name(TILE_STORES)}",
            [begin, end],
        )
    oldest_read = None if newest is None else month_of(float(newest)) - HISTORY_MONTHS
    if oldest_read is not None and month >= oldest_read:
        raise UserError(
            f"visits of '{database.shown}' read month {month}: they go back to month {oldest_read}",
            remedy="drop an older one, or give --force",
        )
    if published and waiting:
        raise UserError(
            f"{int(waiting)} stores of month {month} of '{database.shown}' are not published yet",
            remedy="run `skyshard apdb publish` first, or give --force",
        )


def _dropped(
    admin: Connection, node: str, table: TableName, month: int, meanwhile: Callable[[], AbstractContextManager[None]]
) -> int:
    name = partition_name(month)
    if not has_month(admin, table, month):
        return 0
    rows = int(admin.value(f"SELECT COUNT(*) FROM {quote_name(table)} PARTITION ({quote_name(name)})"))
    change_table(admin, node, table, drop_months(table, [month]), meanwhile)
    return rows
