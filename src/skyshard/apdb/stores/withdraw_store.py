"""Takes back what a node has of a store that is not whole: before a retry writes it anew, or after it was refused.

Rules: only rows that no reader sees are removed; an object whose newest version goes has the version before again,
which DiaObject keeps. Running it again changes nothing.
"""

from __future__ import annotations

import pyarrow as pa

from skyshard.apdb.stores.gone_objects import still_there
from skyshard.apdb.stores.ledger import transaction
from skyshard.apdb.stores.region_reads import StoreShape
from skyshard.apdb.stores.sql_dialect import INSERT, among, double
from skyshard.apdb.stores.sql_server import Deadlock, Duplicate, SqlServer
from skyshard.apdb.stores.stored_tables import MONTH, STORED_BY
from skyshard.apdb.stores.tile_ledger import Entry
from skyshard.apdb.stores.versions import newest_versions
from skyshard.apdb.tables.apdb_tables import month_of

_IDS = pa.schema([("diaObjectId", pa.int64())])


def withdraw(server: SqlServer, shape: StoreShape, entry: Entry) -> None:
    """Remove the rows of a store from one node, in one transaction."""
    dialect = server.dialect
    mine, month = f"{dialect.named(STORED_BY)} = {entry.store_id}", month_of(entry.time)
    with transaction(server):
        for name in ("DiaSource", "DiaForcedSource"):
            table = shape.tables[name]
            then = f"{dialect.named(table.kind.time)} = {double(entry.time)} AND {dialect.named(MONTH)} = {month}"
            server.run(f"DELETE FROM {dialect.named(name)} WHERE {then} AND {mine}")
        _withdraw_objects(server, shape, entry, mine)


def _withdraw_objects(server: SqlServer, shape: StoreShape, entry: Entry, mine: str) -> None:
    dialect, history, last = server.dialect, shape.tables["DiaObject"], shape.tables["DiaObjectLast"]
    then = f"{dialect.named(history.kind.time)} = {double(entry.time)}"
    written = f"{then} AND {dialect.named(MONTH)} = {month_of(entry.time)} AND {mine}"
    ids, _ = server.fetch(f"SELECT diaObjectId FROM {dialect.named('DiaObject')} WHERE {written} FOR UPDATE", _IDS)
    if not ids.num_rows:
        return
    those = among(dialect, "diaObjectId", ids["diaObjectId"].to_pylist())
    server.run(f"DELETE FROM {dialect.named('DiaObject')} WHERE {written}")
    # locked, for another tile may be replacing such a row: it is then not this store's any more
    newest = f"FROM {dialect.named('DiaObjectLast')} WHERE {those} AND {mine}"
    gone, _ = server.fetch(f"SELECT diaObjectId {newest} FOR UPDATE", _IDS)
    server.run(f"DELETE {newest}")
    if gone.num_rows:
        listed = dialect.listed(last.schema.names)
        again = f"{among(dialect, 'diaObjectId', gone['diaObjectId'].to_pylist())} AND {still_there(dialect)}"
        versions, _ = server.fetch(f"SELECT {listed} FROM {dialect.named('DiaObject')} WHERE {again}", last.schema)
        if versions.num_rows:
            try:
                server.insert(last, newest_versions(versions), INSERT)
            except Duplicate as error:
                raise Deadlock(error.what, retryable=True) from error
