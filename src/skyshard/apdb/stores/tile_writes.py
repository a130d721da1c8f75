"""Writes of a tile in one session, inside a transaction that the caller has begun."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from skyshard.apdb.model import Operation
from skyshard.apdb.stores.gone_objects import gone_of
from skyshard.apdb.stores.object_homes import HOME_SCHEMA, Homes, find_homes
from skyshard.apdb.stores.place_rows import TileContent, in_cells, placed
from skyshard.apdb.stores.region_reads import StoreShape
from skyshard.apdb.stores.sql_dialect import INSERT, REPLACE, among
from skyshard.apdb.stores.sql_server import Deadlock, Duplicate, SqlServer
from skyshard.apdb.stores.store_settings import Upsert


def write_tile(server: SqlServer, shape: StoreShape, content: TileContent) -> list[Operation]:
    """Write all rows of a tile, whose month is there.

    Raises:
        UserError: a row whose key is there already, or an object that left its home.
    """
    operations: list[Operation] = []
    if content.objects.num_rows:
        known = look_up(server, shape, content.objects, operations)
        gone = look_up_gone(server, content.objects, known)
        homes = find_homes(content.objects, known, shape.cells, shape.drift_deg, gone)
        operations += write_objects(server, shape, content.objects, homes)
    history = ((shape.tables["DiaSource"], content.sources), (shape.tables["DiaForcedSource"], content.forced))
    for table, rows in history:
        if rows.num_rows:
            spent = server.insert(table, placed(table, rows, shape.cells), INSERT)
            operations.append(spent.operation(table.name, "insert"))
    return operations


def look_up(server: SqlServer, shape: StoreShape, objects: pa.Table, operations: list[Operation]) -> pa.Table:
    """Homes and times of the objects that have a row in DiaObjectLast; none of them changes until the commit."""
    dialect, table = server.dialect, shape.tables["DiaObjectLast"]
    ids = among(dialect, "diaObjectId", objects["diaObjectId"].to_pylist())
    listed = dialect.listed(HOME_SCHEMA.names)
    sql = f"SELECT {listed} FROM {dialect.named(table.name)} WHERE {ids} {dialect.lock}"
    known, spent = server.fetch(sql, HOME_SCHEMA)
    operations.append(spent.operation(table.name, "select"))
    return known


def look_up_gone(server: SqlServer, objects: pa.Table, known: pa.Table) -> pa.Table:
    """Those of the objects without a row in DiaObjectLast that had one."""
    ids = objects["diaObjectId"].to_numpy()
    return gone_of(server, ids[~np.isin(ids, known["diaObjectId"].to_numpy())].tolist())


def write_objects(
    server: SqlServer, shape: StoreShape, objects: pa.Table, homes: Homes, stored_by: int = 0
) -> list[Operation]:
    """New versions to DiaObject, and those that are the newest of their object to DiaObjectLast.

    Raises:
        Deadlock: another transaction has just stored an object that was new to both.
    """
    history, last = shape.tables["DiaObject"], shape.tables["DiaObjectLast"]
    versions = in_cells(history, objects, homes.chunk_ids, homes.sub_chunk_ids, stored_by)
    operations = [server.insert(history, versions, INSERT).operation(history.name, "insert")]
    newest = in_cells(last, objects, homes.chunk_ids, homes.sub_chunk_ids, stored_by)
    new, newer = (newest.filter(pa.array(one)) for one in (homes.is_new, homes.is_known & homes.is_newest))
    if newer.num_rows:
        operations += upsert(server, shape, newer)
    if new.num_rows:
        try:
            operations.append(server.insert(last, new, INSERT).operation(last.name, "upsert"))
        except Duplicate as error:
            raise Deadlock(error.what, retryable=True) from error
    return operations


def upsert(server: SqlServer, shape: StoreShape, newer: pa.Table) -> list[Operation]:
    """Rows of DiaObjectLast, in place of those that are there."""
    last, dialect = shape.tables["DiaObjectLast"], server.dialect
    if shape.upsert is Upsert.REPLACE:
        return [server.insert(last, newer, REPLACE).operation(last.name, "upsert")]
    if shape.upsert is Upsert.ON_DUPLICATE:
        return [server.insert(last, newer, INSERT, dialect.update_all(last)).operation(last.name, "upsert")]
    ids = among(dialect, "diaObjectId", newer["diaObjectId"].to_pylist())
    gone = server.run(f"DELETE FROM {dialect.named(last.name)} WHERE {ids}")
    spent = server.insert(last, newer, INSERT)
    return [gone.operation(last.name, "delete"), spent.operation(last.name, "upsert")]
