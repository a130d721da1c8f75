"""SQL text of the tables and statements of a store, in the dialect of each engine. No I/O.

Values in texts are numbers only, written so that they are read back as they were.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from skyshard.apdb.stores.sky_cells import CellRange
from skyshard.apdb.stores.store_settings import Pixels, Upsert
from skyshard.apdb.stores.stored_tables import CHUNK, MONTH, SUB_CHUNK, StoredTable
from skyshard.chunking.sphere import Box, Polygon

TEXT_CHARACTERS = 16
"""No text of the four tables is longer; a longer one is refused by engines that limit them."""
SKY_INDEX = 'q3c_ang2ipix("ra", "dec")'
_TOGETHER = 100
"""Conditions side by side."""
INSERT, REPLACE = "INSERT INTO", "REPLACE INTO"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How an engine spells what differs."""

    name: str
    quote: str
    types: dict[pa.DataType, str]
    table_options: str = ""
    """Behind the columns of a CREATE TABLE."""
    lock: str = ""
    """Behind a SELECT whose rows are to stay as they are until the transaction ends."""
    insert_once: str = "INSERT OR IGNORE INTO"
    """Before the name of a table: leaves out a row whose key is there."""
    once_tail: str = ""
    """Behind such a statement."""
    upserts: tuple[Upsert, ...] = tuple(Upsert)
    """Ways to replace a row; the first is the default."""
    sky_index: Pixels | None = None
    """The index of the sky that the engine itself may have."""

    def named(self, name: str) -> str:
        return f"{self.quote}{name}{self.quote}"

    def listed(self, names: Iterable[str]) -> str:
        return ", ".join(map(self.named, names))

    def columns(self, schema: pa.Schema) -> str:
        """Columns of a CREATE TABLE."""
        return ", ".join(
            f"{self.named(field.name)} {self.types[field.type]}{'' if field.nullable else ' NOT NULL'}"
            for field in schema
        )

    def update_all(self, table: StoredTable) -> str:
        """Behind an INSERT: a row that is there takes the values of the new one."""
        return self.update(table.unique, [field.name for field in table.schema])

    def update(self, key: Sequence[str], columns: Sequence[str]) -> str:
        """Behind an INSERT: a row of the same key takes the new values of some columns."""
        names = [self.named(name) for name in columns]
        if self.name == "MariaDB":
            return "ON DUPLICATE KEY UPDATE " + ", ".join(f"{name}=VALUES({name})" for name in names)
        taken = ", ".join(f"{name}=excluded.{name}" for name in names)
        return f"ON CONFLICT ({self.listed(key)}) DO UPDATE SET {taken}"


def select_rows(
    dialect: Dialect, table: StoredTable, columns: Sequence[str], cells: Sequence[CellRange], more: Sequence[str] = ()
) -> str:
    """Rows of some cells for which further conditions hold."""
    conditions = [f"({any_cell(dialect, cells)})", *more]
    listed = dialect.listed(columns)
    return f"SELECT {listed} FROM {dialect.named(table.name)} WHERE {' AND '.join(conditions)}"


def any_cell(dialect: Dialect, cells: Sequence[CellRange]) -> str:
    """True of rows in one of the cells.

    Each range names its chunk again: SQLite would otherwise search all of a chunk by the key's first column.

    >>> from skyshard.apdb.stores.sqlite_server import SQLITE
    >>> any_cell(SQLITE, [CellRange(5, 0, 2), CellRange(5, 7, 7)])
    '("chunkId" = 5 AND "subChunkId" BETWEEN 0 AND 2) OR ("chunkId" = 5 AND "subChunkId" = 7)'
    """
    chunk, sub_chunk = dialect.named(CHUNK), dialect.named(SUB_CHUNK)
    ways = (
        f"({chunk} = {chunk_id} AND {sub_chunk} {f'= {low}' if low == high else f'BETWEEN {low} AND {high}'})"
        for chunk_id, low, high in cells
    )
    return _either(list(ways)) or "1 = 0"


def _either(ways: Sequence[str]) -> str:
    """One of many conditions, in groups of groups: SQLite nests no deeper than a thousand, and each OR nests once.

    >>> text = _either([f"x={n}" for n in range(201)])
    >>> text.count(" OR "), text[:11], text[-16:]
    (200, '(x=0 OR x=1', '=199) OR (x=200)')
    """
    if len(ways) <= _TOGETHER:
        return " OR ".join(ways)
    return _either([f"({_either(ways[at : at + _TOGETHER])})" for at in range(0, len(ways), _TOGETHER)])


def within_box(dialect: Dialect, box: Box) -> str:
    """True of rows whose own positions are in a box, edges included, and of those whose right ascension is not in
    [0, 360): such rows are kept as they were given, and looked at later.

    >>> from skyshard.apdb.stores.sqlite_server import SQLITE
    >>> within_box(SQLITE, Box(359.0, -1.5, 1.0, 2.0))
    '"dec" BETWEEN -1.5e0 AND 2.0e0 AND ("ra" >= 359.0e0 OR "ra" <= 1.0e0)'
    >>> within_box(SQLITE, Box(9.0, 0.0, 10.0, 2.0))
    '"dec" BETWEEN 0.0e0 AND 2.0e0 AND ("ra" BETWEEN 9.0e0 AND 10.0e0 OR "ra" < 0 OR "ra" >= 360)'
    """
    ra, dec = dialect.named("ra"), dialect.named("dec")
    in_height = f"{dec} BETWEEN {double(box.dec_min)} AND {double(box.dec_max)}"
    low, high = box.ra_range
    if low > high:  # over right ascension 0: what is below 0, or 360 and more, is on its sides
        return f"{in_height} AND ({ra} >= {double(low)} OR {ra} <= {double(high)})"
    return f"{in_height} AND ({ra} BETWEEN {double(low)} AND {double(high)} OR {ra} < 0 OR {ra} >= 360)"


def near_polygon(region: Polygon) -> str:
    """True of rows inside of a polygon, by the index that :data:`SKY_INDEX` makes.

    >>> near_polygon(Polygon.of(10, 1, 11, 1, 11, 2))
    'q3c_poly_query("ra", "dec", ARRAY[10.0,1.0,11.0,1.0,11.0,2.0])'
    """
    numbers = ",".join(repr(float(number)) for vertex in region.vertices for number in vertex)
    return f'q3c_poly_query("ra", "dec", ARRAY[{numbers}])'


def within_time(dialect: Dialect, table: StoredTable, since: float, until: float, months: tuple[int, int]) -> list[str]:
    """Conditions: ``since <= time < until``, and the months that such rows are in, both included."""
    time = dialect.named(table.kind.time)
    return [
        f"{dialect.named(MONTH)} BETWEEN {months[0]} AND {months[1]}",
        f"{time} >= {double(since)}",
        f"{time} < {double(until)}",
    ]


def among(dialect: Dialect, column: str, ids: Iterable[int]) -> str:
    """True of rows with one of these numbers; there is at least one."""
    return f"{dialect.named(column)} IN ({','.join(map(str, ids))})"


def double(value: float) -> str:
    """A finite number as a literal of double precision.

    >>> double(60000.5), double(1e99)
    ('60000.5e0', '1e+99')
    """
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"
