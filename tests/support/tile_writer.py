"""Stores tiles of few rows into a mutable database by plain statements, whole or half, and knows what is to be seen."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from skyshard.apdb.model import TableName
from skyshard.apdb.mutable.mutable_database import MutableDatabase
from skyshard.apdb.mutable.mutable_tables import MONTH
from skyshard.apdb.tables.apdb_tables import apdb_table, month_of
from skyshard.db.connection import Account, connect, quote_name
from skyshard.registry.catalog.mutable_chunks import STORED_BY

Values = dict[str, Any]


def apdb_object(key: int, ra: float, dec: float, time: float, sources: int) -> Values:
    """A version of an object."""
    return {
        "diaObjectId": key, "ra": ra, "dec": dec, "validityStartMjdTai": time, "nDiaSources": sources,
        "firstDiaSourceMjdTai": time, "lastDiaSourceMjdTai": time,
    }  # fmt: skip


def apdb_source(key: int, of: int | None, ra: float, dec: float, time: float, visit: int, detector: int) -> Values:
    """A source, of an object or of none."""
    return {
        "diaSourceId": key, "diaObjectId": of, "ra": ra, "dec": dec, "midpointMjdTai": time, "visit": visit,
        "detector": detector, "psfFlux": float(key),
    }  # fmt: skip


@dataclass(slots=True)
class TileWriter:
    """Writes tiles one after another."""

    database: MutableDatabase
    rows: dict[TableName, list[Values]] = field(default_factory=lambda: defaultdict(list))
    """What was stored of whole tiles, every version."""

    def store(
        self, visit: int, detector: int, time: float, objects: Sequence[Values], sources: Sequence[Values],
        *, is_whole: bool = True,
    ) -> int:  # fmt: skip
        """Store a tile; returns the number of its store."""
        number = self.begin(visit, detector, time)
        tables: dict[TableName, Sequence[Values]] = {
            "DiaObject": objects, "DiaObjectLast": objects, "DiaSource": sources,
        }  # fmt: skip
        for name, rows in tables.items():
            self._write(name, rows, number)
        if is_whole:
            self.end(number)
            for name, rows in tables.items():
                self.rows[name] += rows
        return number

    def begin(self, visit: int, detector: int, time: float) -> int:
        """Enter a store in the ledger, not whole."""
        with connect(self.database.ledger, Account.WRITER, self.database.database) as ledger:
            sql = "INSERT INTO TileStores (visit, detector, time) VALUES (%s, %s, %s)"
            ledger.execute(sql, [visit, detector, time])
            return int(ledger.value("SELECT LAST_INSERT_ID()"))

    def end(self, number: int) -> None:
        """Say that a store is whole."""
        with connect(self.database.ledger, Account.WRITER, self.database.database) as ledger:
            ledger.execute("UPDATE TileStores SET is_whole = 1 WHERE storeId = %s", [number])

    def _write(self, name: TableName, rows: Iterable[Values], number: int) -> None:
        kind = apdb_table(name)
        for row in rows:
            full = {one.name: _default(one) for one in kind.schema if not one.nullable}
            full |= {key: value for key, value in row.items() if key in kind.schema.names}
            chunk, sub_chunk = self.database.chunker.locate([row["ra"]], [row["dec"]])
            full |= {"chunkId": int(chunk[0]), "subChunkId": int(sub_chunk[0]), STORED_BY: number}
            [node] = self.database.nodes_of(chunk.tolist())
            if kind.is_monthly:
                full[MONTH] = month_of(float(row[kind.time]))
                self.database.ensure_months([full[MONTH]])
            names, marks = ", ".join(map(quote_name, full)), ", ".join(["%s"] * len(full))
            with self.database.connect(node) as writer:
                writer.execute(f"REPLACE INTO {quote_name(name)} ({names}) VALUES ({marks})", list(full.values()))


def _default(one: pa.Field) -> Any:
    return "" if pa.types.is_string(one.type) else 0
