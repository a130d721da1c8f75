"""What one node answers of a read over several: rows of whole stores only."""

from __future__ import annotations

import time
from dataclasses import replace

import pyarrow as pa

from skyshard.apdb.model import Operation, Reading
from skyshard.apdb.stores.gone_objects import still_there
from skyshard.apdb.stores.region_reads import StoreShape, Wanted, box_around, read_wanted
from skyshard.apdb.stores.sky_cells import CellRange
from skyshard.apdb.stores.sql_dialect import among, select_rows, within_box
from skyshard.apdb.stores.sql_server import SqlServer
from skyshard.apdb.stores.stored_tables import CHUNK, STORED_BY, SUB_CHUNK
from skyshard.apdb.stores.versions import hidden_rows, newest_versions
from skyshard.registry.catalog.mutable_chunks import Visible


def read_history(server: SqlServer, shape: StoreShape, wanted: Wanted, visible: Visible) -> Reading:
    """Rows of DiaSource or DiaForcedSource."""
    seen = visible.condition(server.dialect.named(STORED_BY))
    return read_wanted(server, replace(wanted, conditions=(*wanted.conditions, seen)), time.perf_counter())


def read_newest(server: SqlServer, shape: StoreShape, wanted: Wanted, visible: Visible) -> Reading:
    """The newest visible version of each object; where DiaObjectLast has a hidden one, that before it.

    Hidden ones are fetched wherever they are in the cells: the version before may be nearer. Of the others the server
    leaves out those outside of the box around the region.
    """
    begun = time.perf_counter()
    placed, dialect = wanted.table.schema, server.dialect
    near = f"({within_box(dialect, box_around(wanted.region))} OR {visible.otherwise(dialect.named(STORED_BY))})"
    sql = select_rows(dialect, wanted.table, placed.names, wanted.cells, (near, *wanted.conditions))
    made = time.perf_counter() - begun
    rows, spent = server.fetch(sql, placed)
    decoded = time.perf_counter()
    is_hidden = hidden_rows(rows, visible)
    operations = []
    if is_hidden.any():
        hidden = rows.filter(pa.array(is_hidden))
        before, more = _versions_before(server, shape, hidden, visible)
        rows = pa.concat_tables([rows.filter(pa.array(~is_hidden)), before])
        operations.append(more)
    inside = wanted.cut(rows)
    client_s = made + time.perf_counter() - decoded - sum(one.server_s + one.client_s for one in operations)
    operations.append(spent.operation(wanted.table.name, "select", client_s))
    return Reading(inside, operations)


def _versions_before(
    server: SqlServer, shape: StoreShape, hidden: pa.Table, visible: Visible
) -> tuple[pa.Table, Operation]:
    dialect = server.dialect
    places = {
        CellRange(int(chunk), int(cell), int(cell))
        for chunk, cell in zip(hidden[CHUNK].to_pylist(), hidden[SUB_CHUNK].to_pylist(), strict=True)
    }
    seen = visible.condition(dialect.named(STORED_BY))
    those = among(dialect, "diaObjectId", hidden["diaObjectId"].to_pylist())
    sql = select_rows(
        dialect, shape.tables["DiaObject"], hidden.schema.names, sorted(places), (those, seen, still_there(dialect))
    )
    rows, spent = server.fetch(sql, hidden.schema)
    return newest_versions(rows), spent.operation("DiaObject", "select")
