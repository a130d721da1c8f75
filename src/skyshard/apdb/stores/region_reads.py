"""Reads of a region from one session: statement, rows, exact cut; what each costs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from skyshard.apdb.model import Reading, TableName
from skyshard.apdb.stores.sky_cells import CellRange, SkyCells, open_cells, widened
from skyshard.apdb.stores.sql_dialect import Dialect, near_polygon, select_rows, within_box, within_time
from skyshard.apdb.stores.sql_server import SqlServer, kept
from skyshard.apdb.stores.store_settings import Pixels, StoreSettings, Upsert
from skyshard.apdb.stores.stored_tables import StoredTable, stored_tables
from skyshard.apdb.tables.apdb_tables import MONTH_DAYS, MOST_DAYS
from skyshard.basics.errors import UserError
from skyshard.chunking.sphere import Box, Polygon

_REMEMBERED = 4_096
"""Regions whose boxes are remembered."""

EDGE_DEG = 1e-5
"""So much farther is asked for than a region, whose edges another library may see a little elsewhere."""


@dataclass(frozen=True, slots=True)
class StoreShape:
    """What all sessions of a store share."""

    settings: StoreSettings
    cells: SkyCells
    tables: dict[TableName, StoredTable]
    upsert: Upsert
    dialect: Dialect

    @classmethod
    def of(cls, settings: StoreSettings, dialect: Dialect, *, has_writer: bool) -> StoreShape:
        """
        Raises:
            UserError: the engine cannot replace rows in the way that was asked for.
        """
        upsert = settings.upsert or dialect.upserts[0]
        if upsert not in dialect.upserts:
            known = ", ".join(dialect.upserts)
            raise UserError(f"{dialect.name} has no upsert '{upsert}'", remedy=f"choose {known}")
        if settings.pixels is Pixels.Q3C and dialect.sky_index is not Pixels.Q3C:
            raise UserError(f"{dialect.name} has no pixels 'q3c'", remedy="they are PostgreSQL's; choose chunks")
        return cls(settings, open_cells(settings), stored_tables(has_writer), upsert, dialect)

    def conditions(self, region: Polygon) -> list[str]:
        """What an index of the engine's own finds rows of a region by; none where cells do."""
        return [near_polygon(widened(region, EDGE_DEG))] if self.settings.pixels is Pixels.Q3C else []

    @property
    def drift_deg(self) -> float:
        return self.settings.drift_arcsec / 3600.0

    def facts(self, backend: str, version: str, engine: str, nodes: int = 1) -> Mapping[str, object]:
        """What a store of this shape says in the manifest of a trial."""
        facts = {"backend": backend, "version": version, "engine": engine, "nodes": nodes}
        return {**facts, "upsert": str(self.upsert), "pixels": str(self.settings.pixels), "partition": "month"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One read: which rows of which table, and which of their columns are answered."""

    table: StoredTable
    region: Polygon
    cells: Sequence[CellRange]
    conditions: Sequence[str]
    answered: pa.Schema

    @property
    def fetched(self) -> pa.Schema:
        """The answered columns and the positions, by which rows are cut."""
        missing = [name for name in ("ra", "dec") if self.answered.get_field_index(name) < 0]
        more = [self.table.kind.schema.field(name) for name in missing]
        return pa.schema([*self.answered, *more]) if more else self.answered

    def cut(self, rows: pa.Table) -> pa.Table:
        """The rows inside of the region, with the answered columns."""
        return kept(rows, self.region.contains).select(self.answered.names)


def wanted_objects(shape: StoreShape, region: Polygon) -> Wanted:
    """The newest versions of the objects in a region."""
    table = shape.tables["DiaObjectLast"]
    cells = shape.cells.ranges(widened(region, shape.drift_deg))
    return Wanted(table, region, cells, shape.conditions(region), table.kind.schema)


def wanted_history(
    shape: StoreShape, name: TableName, region: Polygon, since: float, until: float, columns: Sequence[str] | None
) -> Wanted:
    """Rows of DiaSource or DiaForcedSource in a region with ``since <= time < until``.

    Raises:
        UserError: a column that there is not, or a time that is no number.
    """
    table = shape.tables[name]
    unknown = sorted(set(columns or ()) - set(table.kind.schema.names))
    if unknown:
        raise UserError(f"table '{name}' has no column '{unknown[0]}'", remedy="correct its name")
    if not (abs(since) < MOST_DAYS and abs(until) < MOST_DAYS):
        raise UserError(f"times {since} and {until} are not MJD in days", remedy="give finite times")
    months = int(since // MONTH_DAYS), int(until // MONTH_DAYS)
    conditions = [*within_time(shape.dialect, table, since, until, months), *shape.conditions(region)]
    answered = table.kind.chosen(None if columns is None else tuple(columns))
    return Wanted(table, region, shape.cells.ranges(region), conditions, answered)


@lru_cache(_REMEMBERED)
def box_around(region: Polygon) -> Box:
    """The box that a region is within."""
    return region.bounds()


def read_wanted(server: SqlServer, wanted: Wanted, begun: float) -> Reading:
    """Rows of one server; ``begun`` is when the read began, by ``time.perf_counter``.

    The server leaves out rows outside of the box around the region: cells reach over it, and a row that is left out
    there is neither copied nor decoded.
    """
    fetched = wanted.fetched
    near = (within_box(server.dialect, box_around(wanted.region)), *wanted.conditions)
    sql = select_rows(server.dialect, wanted.table, fetched.names, wanted.cells, near)
    made = time.perf_counter() - begun
    sent = time.perf_counter()
    inside, spent = server.fetch(sql, fetched, wanted.region.contains)
    if fetched is not wanted.answered:
        inside = inside.select(wanted.answered.names)
    decoded_s = time.perf_counter() - sent - spent.server_s - spent.client_s
    return Reading(inside, (spent.operation(wanted.table.name, "select", made + decoded_s),))
