"""The parts of a tile on the nodes that have its chunks: homes are asked of all, then each has one transaction."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from skyshard.apdb.model import Operation
from skyshard.apdb.stores.object_homes import HOME_SCHEMA, Homes, find_homes
from skyshard.apdb.stores.place_rows import TileContent, placed
from skyshard.apdb.stores.region_reads import StoreShape
from skyshard.apdb.stores.shards import Shards
from skyshard.apdb.stores.sql_dialect import INSERT
from skyshard.apdb.stores.sql_server import Spent, SqlServer
from skyshard.apdb.stores.stored_tables import CHUNK, StoredTable
from skyshard.apdb.stores.tile_writes import look_up, look_up_gone, write_objects
from skyshard.basics.array_types import Flags, Integers


@dataclass(frozen=True, slots=True)
class Written:
    """What a tile has on the nodes."""

    operations: list[Operation] = field(default_factory=list)
    new: dict[str, pa.Table] = field(default_factory=dict)
    """Node → versions of objects that had no row of DiaObjectLast, and have one there now."""


def write_parts(
    servers: Mapping[str, SqlServer], shards: Shards, shape: StoreShape, content: TileContent, store_id: int
) -> Written:
    """Write a tile to the nodes that have chunks of its padded region; all begin before the first commits.

    Raises:
        UserError: a row whose key is there already, or an object that left its home; some nodes may have committed.
    """
    written = Written()
    operations = written.operations
    try:
        for server in servers.values():
            server.begin()
        homes = _homes(servers, shape, content.objects, operations)
        for table, rows in (
            (shape.tables["DiaSource"], content.sources),
            (shape.tables["DiaForcedSource"], content.forced),
        ):
            _write_rows(servers, shards, table, placed(table, rows, shape.cells, store_id), operations)
        on_node = _nodes(shards, homes.chunk_ids)
        for node, server in servers.items():
            is_mine = on_node == node
            if is_mine.any():
                objects = content.objects.filter(pa.array(is_mine))
                operations.extend(write_objects(server, shape, objects, _some(homes, is_mine), store_id))
                written.new[node] = content.objects.filter(pa.array(is_mine & homes.is_new))
        operations.extend([_commit(server) for server in servers.values()])
    except BaseException:
        for server in servers.values():
            server.rollback()
        raise
    return written


def _homes(
    servers: Mapping[str, SqlServer], shape: StoreShape, objects: pa.Table, operations: list[Operation]
) -> Homes:
    if not objects.num_rows:
        nothing = np.empty(0, np.int64)
        return Homes(nothing, nothing, np.empty(0, np.bool_), np.empty(0, np.bool_))
    known = [look_up(server, shape, objects, operations) for server in servers.values()]
    found = pa.concat_tables([HOME_SCHEMA.empty_table(), *known])
    gone = pa.concat_tables(look_up_gone(server, objects, found) for server in servers.values())
    return find_homes(objects, found, shape.cells, shape.drift_deg, gone)


def _nodes(shards: Shards, chunk_ids: Integers) -> Integers:
    """The node of each row, by its chunk."""
    chunks, at = np.unique(chunk_ids, return_inverse=True)
    names = np.array(shards.nodes_of(chunks.tolist()), dtype=object)
    return np.asarray(names[at]) if len(chunks) else np.empty(0, dtype=object)


def _write_rows(
    servers: Mapping[str, SqlServer], shards: Shards, table: StoredTable, rows: pa.Table, operations: list[Operation]
) -> None:
    on_node = _nodes(shards, rows[CHUNK].to_numpy())
    for node, server in servers.items():
        mine = rows.filter(pa.array(on_node == node))
        if mine.num_rows:
            operations.append(server.insert(table, mine, INSERT).operation(table.name, "insert"))


def _some(homes: Homes, which: Flags) -> Homes:
    return Homes(homes.chunk_ids[which], homes.sub_chunk_ids[which], homes.is_newest[which], homes.is_known[which])


def _commit(server: SqlServer) -> Operation:
    begun = time.perf_counter()
    server.commit()
    return Spent(0, 0, time.perf_counter() - begun, 0.0).operation("", "commit")
