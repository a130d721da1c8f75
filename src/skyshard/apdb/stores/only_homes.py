"""An object has one home over all nodes: what was new to a store must be nowhere else when the store is whole.

Homes are looked up on the nodes near a tile, and no lock spans nodes. So a store looks at the others when its own rows
are committed, and before it is whole: of two stores that have brought one object to two nodes at once, the one that
looks last sees the other's row, and gives way. Until then no reader sees its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa

from skyshard.apdb.model import Operation
from skyshard.apdb.stores.object_homes import HOME_SCHEMA, find_homes
from skyshard.apdb.stores.region_reads import StoreShape
from skyshard.apdb.stores.sql_dialect import among
from skyshard.apdb.stores.sql_server import Deadlock, NodeServer


def require_only_homes(
    server_of: Callable[[str], NodeServer], nodes: list[str], shape: StoreShape, new: Mapping[str, pa.Table]
) -> list[Operation]:
    """See that objects that were new to a store have no home on another node than theirs.

    Args:
        nodes: all that have chunks, read after the store has committed its rows.
        new: node → the versions that have their home there.

    Raises:
        UserError: an object has its home elsewhere, farther away than a store lets objects drift.
        Deadlock: another store brought such an object meanwhile; this one is to be taken back and begun anew.
    """
    operations: list[Operation] = []
    for node in nodes:
        others = pa.concat_tables([rows for place, rows in new.items() if place != node] or [_NO_ROWS])
        if not others.num_rows:
            continue
        found, operation = _homes_on(server_of(node), shape, others)
        operations.append(operation)
        if found.num_rows:
            is_there = np.isin(others["diaObjectId"].to_numpy(), found["diaObjectId"].to_numpy())
            find_homes(others.filter(pa.array(is_there)), found, shape.cells, shape.drift_deg)
            raise Deadlock(f"{found.num_rows} objects were stored by another tile meanwhile", retryable=True)
    return operations


_NO_ROWS = pa.table({"diaObjectId": pa.array([], pa.int64())})


def _homes_on(server: NodeServer, shape: StoreShape, objects: pa.Table) -> tuple[pa.Table, Operation]:
    dialect, name = server.dialect, shape.tables["DiaObjectLast"].name
    those = among(dialect, "diaObjectId", objects["diaObjectId"].to_pylist())
    sql = f"SELECT {dialect.listed(HOME_SCHEMA.names)} FROM {dialect.named(name)} WHERE {those}"
    found, spent = server.fetch_text(sql, HOME_SCHEMA)
    return found, spent.operation(name, "select")
