"""The definition of right answers: everything that was stored, kept as tables in memory and filtered by place.

It has the methods of a session and of a store, and nothing else: no index, no server, no partition.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from skyshard.apdb.model import Operation, OperationKind, Reading, Receipt, TableName, TableSize, TileRows, VisitId
from skyshard.apdb.tables.apdb_tables import TABLE_NAMES, apdb_table, month_of
from skyshard.apdb.tables.storable_rows import storable_rows
from skyshard.apdb.tables.tile_rows import check_tile_rows
from skyshard.basics.array_types import Flags
from skyshard.basics.errors import ClusterError
from skyshard.chunking.sphere import Polygon

MOST_PARTS = 8
"""So many stores of tiles stay in parts of a table: to put all together for each one took a third of the time."""
ROW_BYTES = 100
"""What is said of any row."""


class NaiveStore:
    """A backend in memory, which is its own session too; calls take turns."""

    name = "naive"

    def __init__(self, failures: int = 0) -> None:
        """``failures``: calls that fail, every seventh one from the third on, before or after they did their work."""
        self.tables = {name: apdb_table(name).schema.empty_table() for name in TABLE_NAMES}
        self.tiles: dict[tuple[int, int], float] = {}
        """Tile → time of its exposure."""
        self.corrupt: TableName | None = None
        """A table whose answers lack one row."""
        self._lock, self._calls, self._failures = threading.RLock(), 0, failures

    def open_session(self) -> NaiveStore:
        return self

    def describe(self) -> Mapping[str, object]:
        return {"engine": "memory"}

    def close(self) -> None:
        pass

    def holds(self, tile: VisitId) -> bool:
        return (tile.visit, tile.detector) in self.tiles

    def stored_tiles(self) -> pa.Table:
        pairs = np.array(list(self.tiles), np.int64).reshape(-1, 2)
        times = np.array(list(self.tiles.values()), np.float64)
        return pa.table({"visit": pairs[:, 0], "detector": pairs[:, 1].astype(np.int32), "time": times})

    def read_objects(self, region: Polygon) -> Reading:
        with self._lock:
            self._may_fail()
            is_inside = pa.array(self._inside("DiaObjectLast", region))
            return self._reading("DiaObjectLast", self.tables["DiaObjectLast"].filter(is_inside))

    def read_sources(self, region: Polygon, since: float, until: float, columns: Sequence[str] | None) -> Reading:
        return self._history("DiaSource", region, since, until, columns)

    def read_forced(self, region: Polygon, since: float, until: float, columns: Sequence[str] | None) -> Reading:
        return self._history("DiaForcedSource", region, since, until, columns)

    def _history(
        self, name: TableName, region: Polygon, since: float, until: float, columns: Sequence[str] | None
    ) -> Reading:
        with self._lock:
            self._may_fail()
            times = self.tables[name]["midpointMjdTai"].to_numpy()
            is_asked = self._inside(name, region) & (times >= since) & (times < until)
            rows = self.tables[name] if columns is None else self.tables[name].select(list(columns))
            return self._reading(name, rows.filter(pa.array(is_asked)))

    def _inside(self, name: TableName, region: Polygon) -> Flags:
        rows = self.tables[name]
        return region.contains(rows["ra"].to_numpy(), rows["dec"].to_numpy())

    def _reading(self, name: TableName, rows: pa.Table) -> Reading:
        rows = rows.slice(1) if self.corrupt == name else rows
        return Reading(rows, [_operation(name, "select", rows)])

    def store(self, rows: TileRows) -> Receipt:
        with self._lock:
            tile = rows.tile.id
            if self.holds(tile):
                return Receipt(was_there=True, operations=[])
            check_tile_rows(rows)
            is_lost = self._may_fail(is_half=True)
            parts: dict[TableName, pa.Table] = {
                "DiaObject": rows.objects, "DiaSource": rows.sources, "DiaForcedSource": rows.forced,
            }  # fmt: skip
            for name, part in parts.items():
                grown = pa.concat_tables([self.tables[name], storable_rows(apdb_table(name), part)])
                self.tables[name] = grown.combine_chunks() if grown["ra"].num_chunks > MOST_PARTS else grown
            self._keep_newest(rows.objects)
            self.tiles[(tile.visit, tile.detector)] = rows.tile.time
            if is_lost:
                raise ClusterError("the reply was lost", remedy="try again")
            return Receipt(False, [_operation(name, "insert", part) for name, part in parts.items()])

    def _keep_newest(self, versions: pa.Table) -> None:
        kind = apdb_table("DiaObjectLast")
        rows = pa.concat_tables([self.tables[kind.name], storable_rows(kind, versions.select(kind.schema.names))])
        ids, begun = rows["diaObjectId"].to_numpy(), rows["validityStartMjdTai"].to_numpy()
        order = np.lexsort((-begun, ids))
        _, first = np.unique(ids[order], return_index=True)
        self.tables[kind.name] = rows.combine_chunks().take(order[first])

    def _may_fail(self, *, is_half: bool = False) -> bool:
        """Fail now, or, in a store, say that the reply will be lost."""
        self._calls += 1
        if self._failures and self._calls % 7 == 3:
            self._failures -= 1
            if is_half:
                return True
            raise ClusterError("the server is gone", remedy="try again")
        return False

    def prepare_month(self, time: float) -> Sequence[Operation]:
        return ()

    def drop_before(self, time: float) -> Sequence[Operation]:
        with self._lock:
            done = []
            for name in ("DiaSource", "DiaForcedSource"):
                months = np.floor_divide(self.tables[name]["midpointMjdTai"].to_numpy(), 30.0)
                kept = self.tables[name].filter(pa.array(months >= month_of(time)))
                done.append(_operation(name, "drop", self.tables[name].slice(kept.num_rows)))
                self.tables[name] = kept
            return done

    def purge_objects(self, time: float) -> Sequence[Operation]:
        with self._lock:
            rows = self.tables["DiaObjectLast"]
            kept = rows.filter(pc.greater_equal(rows["lastDiaSourceMjdTai"], time))
            self.tables["DiaObjectLast"] = kept
            return [_operation("DiaObjectLast", "delete", rows.slice(kept.num_rows))]

    def sizes(self) -> Mapping[TableName, TableSize]:
        return {name: TableSize(rows.num_rows, rows.nbytes) for name, rows in self.tables.items()}


def _operation(name: TableName, kind: OperationKind, rows: pa.Table) -> Operation:
    return Operation(name, kind, rows.num_rows, ROW_BYTES * rows.num_rows, 0.0, 0.0)
