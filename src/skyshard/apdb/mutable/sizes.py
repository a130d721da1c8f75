"""How large mutable tables are, node by node, which months they have, and how far their stores are published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from skyshard.apdb.model import TableName, TableSize
from skyshard.apdb.mutable.later_changes import later_changes
from skyshard.apdb.mutable.mutable_database import MutableDatabase
from skyshard.apdb.mutable.mutable_tables import month_named
from skyshard.apdb.mutable.odd_stores import OddStores, odd_stores
from skyshard.apdb.tables.apdb_tables import TABLE_NAMES
from skyshard.db.connection import Account, Connection, connect, quote_name
from skyshard.registry.catalog.mutable_chunks import TILE_STORES

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class MutableSize:
    """One table on one node: rows as they are counted, bytes of data and indexes as the server says."""

    table: TableName
    node: str
    rows: int
    bytes: int
    months: tuple[int, ...]
    """Empty for DiaObjectLast, which is not parted."""


@dataclass(frozen=True, slots=True)
class ApdbStatus:
    """A mutable database at one moment."""

    database: str
    engine: str
    upsert: str
    chunks: Mapping[str, int]
    """Node → chunks that it has."""
    tables: tuple[MutableSize, ...]
    stores: int
    """Stores that are whole."""
    unfinished: int
    """Stores that were begun and are not whole: their rows are not seen."""
    newest: float | None
    """Time of the newest store, MJD TAI."""
    published: int
    """Stores whose rows are published."""
    lag_s: float | None
    """How far the newest published store is behind the newest one, in seconds of the survey; None before the first."""
    odd: tuple[OddStores, ...] = ()
    """Stores that did not come as a survey sends them."""
    later_changes: Mapping[str, int] = field(default_factory=dict)
    """Action → rows that it changed after they were published: the published copy has them as before."""

    def sizes(self) -> dict[TableName, TableSize]:
        """Over all nodes."""
        found = {}
        for name in TABLE_NAMES:
            mine = [one for one in self.tables if one.table == name]
            found[name] = TableSize(sum(one.rows for one in mine), sum(one.bytes for one in mine))
        return found


def status_of(database: MutableDatabase) -> ApdbStatus:
    """The status now.

    Raises:
        ClusterError: a node does not answer.
    """
    placed = list(database.placed().values())
    tables: list[MutableSize] = []
    for node in sorted(set(placed)):
        with connect(database.cluster.node(node).sql, Account.ADMIN, database.database) as admin:
            tables += [_size(admin, node, name) for name in TABLE_NAMES]
    with connect(database.ledger, Account.READER, database.database) as reader:
        [(stores, whole, newest, published, newest_published)] = reader.rows(
            "SELECT COUNT(*), COALESCE(SUM(is_whole), 0), MAX(time), COALESCE(SUM(is_published), 0), "
            f"MAX(IF(is_published, time, NULL)) FROM {quote_name(TILE_STORES)}"
        )
        odd, changes = odd_stores(reader), later_changes(reader)
    lag_s = None if newest_published is None else max(0.0, (float(newest) - float(newest_published)) * DAY_S)
    return ApdbStatus(
        database.shown, database.layout.engine, database.upsert, {node: placed.count(node) for node in database.nodes},
        tuple(tables), int(whole), int(stores) - int(whole), None if newest is None else float(newest), int(published),
        lag_s, odd, changes,
    )  # fmt: skip


def _size(admin: Connection, node: str, name: TableName) -> MutableSize:
    rows = int(admin.value(f"SELECT COUNT(*) FROM {quote_name(name)}"))
    parts = admin.rows(
        "SELECT PARTITION_NAME, DATA_LENGTH + INDEX_LENGTH FROM information_schema.PARTITIONS "
        "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s",
        [name],
    )
    months = {month_named(str(part)) for part, _ in parts if part is not None}
    size = sum(int(size or 0) for _, size in parts)
    return MutableSize(name, node, rows, size, tuple(sorted(month for month in months if month is not None)))
