"""Rows of a tile with the columns that place them: chunk, sub-chunk, month. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from skyshard.apdb.model import TableName, TileRows, VisitId
from skyshard.apdb.stores.sky_cells import SkyCells
from skyshard.apdb.stores.stored_tables import CHUNK, MONTH, STORED_BY, SUB_CHUNK, StoredTable
from skyshard.apdb.tables.apdb_tables import MONTH_DAYS, apdb_table
from skyshard.apdb.tables.storable_rows import storable_rows
from skyshard.apdb.tables.tile_rows import check_tile_rows
from skyshard.basics.array_types import Integers
from skyshard.basics.errors import UserError


@dataclass(frozen=True, slots=True)
class TileContent:
    """What a tile stores, checked; objects are not placed yet, for they stay where they were first."""

    objects: pa.Table
    sources: pa.Table
    forced: pa.Table


def checked(rows: TileRows) -> TileContent:
    """The rows of a tile in the schema's columns and types.

    Raises:
        UserError: rows that no store can hold, two with one key, or such as belong to another tile.
    """
    check_tile_rows(rows)
    names: tuple[TableName, ...] = ("DiaObject", "DiaSource", "DiaForcedSource")
    given = (rows.objects, rows.sources, rows.forced)
    tables = [storable_rows(apdb_table(name), table) for name, table in zip(names, given, strict=True)]
    for name, table in zip(names, tables, strict=True):
        _check_keys(name, table, rows.tile.id)
    return TileContent(*tables)


def _check_keys(name: TableName, rows: pa.Table, tile: VisitId) -> None:
    """Within one tile an object has one new version and one forced source: their ids tell rows apart."""
    key = "diaSourceId" if name == "DiaSource" else "diaObjectId"
    if len(set(rows[key].to_numpy().tolist())) != rows.num_rows:
        where = f"visit {tile.visit}, detector {tile.detector}: table '{name}'"
        raise UserError(f"{where} is given two rows with one {key}", remedy="give each row once")


def placed(table: StoredTable, rows: pa.Table, cells: SkyCells, stored_by: int = 0) -> pa.Table:
    """Rows of DiaSource or DiaForcedSource with the cells of their positions."""
    chunk_ids, sub_chunk_ids = cells.locate(rows["ra"].to_numpy(), rows["dec"].to_numpy())
    return in_cells(table, rows, chunk_ids, sub_chunk_ids, stored_by)


def in_cells(table: StoredTable, rows: pa.Table, chunk_ids: Any, sub_chunk_ids: Integers, stored_by: int) -> pa.Table:
    """Rows with these cells, in the columns of a stored table; columns that it has not are left out."""
    made = {CHUNK: pa.array(chunk_ids, pa.int32()), SUB_CHUNK: pa.array(sub_chunk_ids, pa.int64())}
    if table.is_monthly:
        months = np.floor_divide(rows[table.kind.time].to_numpy(), MONTH_DAYS)
        made[MONTH] = pa.array(months.astype(np.int32), pa.int32())
    if table.has_writer:
        made[STORED_BY] = pa.array(np.full(rows.num_rows, stored_by, np.int64))
    found = rows if rows.num_columns == len(table.kind.schema) else rows.select(table.kind.schema.names)
    for place, (name, values) in enumerate(made.items()):  # one after the other: the others are not looked at
        found = found.add_column(place, table.schema.field(name), values)
    return found
