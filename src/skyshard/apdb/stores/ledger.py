"""The ledger of a store: one row for each tile that it holds; transactions; what is asked of the whole store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pyarrow as pa

from skyshard.apdb.model import TileRows, VisitId
from skyshard.apdb.stores.sql_dialect import Dialect, double
from skyshard.apdb.stores.sql_server import SqlServer
from skyshard.apdb.stores.stored_tables import LEDGER

LEDGER_COLUMNS = ("visit", "detector", "objects", "sources", "forced")
"""A tile, and how many rows it stored, besides the time of its exposure."""
TILES_SCHEMA = pa.schema([("visit", pa.int64()), ("detector", pa.int32()), ("time", pa.float64())])
_COUNT = pa.schema([("n", pa.int64())])


@contextmanager
def transaction(server: SqlServer) -> Iterator[Callable[[], None]]:
    """A transaction that is committed at the end, or earlier by what is given; rolled back when anything is raised."""
    server.begin()
    is_open = True

    def commit() -> None:
        nonlocal is_open
        if is_open:
            server.commit()
            is_open = False

    try:
        yield commit
        commit()
    except BaseException:
        server.rollback()
        raise


def create_ledger(dialect: Dialect) -> str:
    """CREATE TABLE text of the ledger."""
    integer, double = dialect.types[pa.int64()], dialect.types[pa.float64()]
    columns = [f"{dialect.named(name)} {integer} NOT NULL" for name in LEDGER_COLUMNS]
    columns.insert(2, f"{dialect.named('time')} {double} NOT NULL")
    key = f"PRIMARY KEY ({dialect.listed(LEDGER_COLUMNS[:2])})"
    return f"CREATE TABLE IF NOT EXISTS {dialect.named(LEDGER)} ({', '.join(columns)}, {key})"


def holds(server: SqlServer, tile: VisitId) -> bool:
    """Whether the ledger has a tile."""
    named = server.dialect.named
    where = f"{named('visit')} = {tile.visit} AND {named('detector')} = {tile.detector}"
    found, _ = server.fetch(f"SELECT COUNT(*) AS n FROM {named(LEDGER)} WHERE {where}", _COUNT)
    return bool(found["n"][0].as_py())


def enter_ledger(dialect: Dialect, rows: TileRows) -> str:
    """Enters a tile, unless it is there: then no row is changed."""
    tile = rows.tile
    columns = dialect.listed([*LEDGER_COLUMNS[:2], "time", *LEDGER_COLUMNS[2:]])
    counts = f"{rows.objects.num_rows}, {rows.sources.num_rows}, {rows.forced.num_rows}"
    values = f"{tile.id.visit}, {tile.id.detector}, {double(tile.time)}, {counts}"
    table = dialect.named(LEDGER)
    return f"{dialect.insert_once} {table} ({columns}) VALUES ({values}) {dialect.once_tail}"


def stored_tiles(server: SqlServer) -> pa.Table:
    """All tiles of the ledger."""
    dialect = server.dialect
    tiles, _ = server.fetch(f"SELECT {dialect.listed(TILES_SCHEMA.names)} FROM {dialect.named(LEDGER)}", TILES_SCHEMA)
    return tiles
