"""Objects that were taken out of DiaObjectLast: purged, or joined to another one. Text only, but for what is asked.

Rule: of each the store keeps how new it was then. Only a newer version brings an object back; one that comes late goes
to DiaObject and is nobody's newest, and no version of before takes the place of one that is not to be seen.
"""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from skyshard.apdb.model import Operation
from skyshard.apdb.stores.ledger import transaction
from skyshard.apdb.stores.sql_dialect import Dialect, among, double
from skyshard.apdb.stores.sql_server import SqlServer, until_through
from skyshard.registry.catalog.mutable_chunks import GONE_OBJECTS, LAST_VERSION

GONE_SCHEMA = pa.schema([("diaObjectId", pa.int64()), (LAST_VERSION, pa.float64())])
_TIME = "validityStartMjdTai"


def create_gone(dialect: Dialect) -> str:
    """CREATE TABLE text."""
    columns = ", ".join(f"{dialect.named(one.name)} {dialect.types[one.type]} NOT NULL" for one in GONE_SCHEMA)
    table = dialect.named(GONE_OBJECTS)
    return f"CREATE TABLE IF NOT EXISTS {table} ({columns}, PRIMARY KEY ({dialect.named('diaObjectId')}))"


def gone_of(server: SqlServer, objects: Iterable[int]) -> pa.Table:
    """Those of some objects that are gone (:data:`GONE_SCHEMA`)."""
    dialect, ids = server.dialect, list(objects)
    if not ids:
        return GONE_SCHEMA.empty_table()
    listed, table = dialect.listed(GONE_SCHEMA.names), dialect.named(GONE_OBJECTS)
    found, _ = server.fetch(f"SELECT {listed} FROM {table} WHERE {among(dialect, 'diaObjectId', ids)}", GONE_SCHEMA)
    return found


def still_there(dialect: Dialect) -> str:
    """True of versions in DiaObject of objects that are not gone, or that came after they were.

    >>> from skyshard.apdb.stores.sqlite_server import SQLITE
    >>> print(still_there(SQLITE).replace(" AND", "\\n  AND"))
    NOT EXISTS (SELECT 1 FROM "GoneObjects" AS g WHERE g."diaObjectId" = "DiaObject"."diaObjectId"
      AND g."lastVersion" >= "DiaObject"."validityStartMjdTai")
    """
    history, key, time = (dialect.named(name) for name in ("DiaObject", "diaObjectId", _TIME))
    same = f"g.{key} = {history}.{key} AND g.{dialect.named(LAST_VERSION)} >= {history}.{time}"
    return f"NOT EXISTS (SELECT 1 FROM {dialect.named(GONE_OBJECTS)} AS g WHERE {same})"


def purge_objects(server: SqlServer, time: float) -> Operation:
    """Take objects without a detection since a time out of DiaObjectLast."""
    return until_through(lambda: _purge(server, time))


def _purge(server: SqlServer, time: float) -> Operation:
    condition = f"{server.dialect.named('lastDiaSourceMjdTai')} < {double(time)}"
    note, delete = take_out(server.dialect, condition)
    with transaction(server):
        server.run(note)
        spent = server.run(delete)
    return spent.operation("DiaObjectLast", "delete")


def take_out(dialect: Dialect, condition: str) -> tuple[str, str]:
    """The statements that note objects as gone, and delete those that are noted, for one transaction."""
    named, last = dialect.named, dialect.named("DiaObjectLast")
    gone, key, newest = named(GONE_OBJECTS), named("diaObjectId"), named(LAST_VERSION)
    note = (
        f"INSERT INTO {gone} ({key}, {newest}) SELECT {key}, {named(_TIME)} FROM {last} WHERE {condition} "
        f"{dialect.lock} {dialect.update(('diaObjectId',), (LAST_VERSION,))}"
    )
    noted = f"SELECT 1 FROM {gone} AS g WHERE g.{key} = {last}.{key} AND g.{newest} >= {last}.{named(_TIME)}"
    return note, f"DELETE FROM {last} WHERE {condition} AND EXISTS ({noted})"
