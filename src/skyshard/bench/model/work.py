"""The work in a statement: which tables it reads, how far, and what that is in rows, bytes and look-ups. No I/O.

A statement reads the whole sky, the chunks of an area, or one key. Row stores read whole rows, so columns do not
matter; of column images only those are read that are named. The rows of an area are found by reading its chunks, since
chunk tables have no index of positions. A table that is joined by key inside an area is read through its index.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from skyshard.bench.workload.schema_names import DIRECTOR

CHUNK_DEG2 = 4.6
"""Area of a chunk of 85 stripes (41,253 square degrees over 8,983 chunks)."""
SUBCHUNKS = 144
"""Sub-chunks of such a chunk."""
KEY_READS = 8.0
"""Pages that a look-up reads when nothing is cached: two tables opened, three levels of an index, a row of each."""
JOIN_READS = 2.0
"""Pages for each row that is joined by key inside an area: a leaf of the index, and the rows, which lie together."""
MOST_ANSWER_BYTES = 5e8
"""The largest answer (LSE-61, lvMaxReturnedResults); on a larger catalog one asks for narrower windows."""

_KEY = re.compile(r"\bWHERE\s+[\w.`]+\s*=\s*-?\d+\s*;?\s*$", re.IGNORECASE)
_BOX = re.compile(r"qserv_areaspec_box\(\s*([^)]*)\)", re.IGNORECASE)
_CIRCLE = re.compile(r"qserv_areaspec_circle\(\s*([^)]*)\)", re.IGNORECASE)
_NEAR = re.compile(r"\bscisql_angSep\(\s*([A-Za-z_]\w*)\.[^)]*,\s*(?!\1\.)([A-Za-z_]\w*)\.", re.IGNORECASE)


class Reach(StrEnum):
    """How far a statement reads."""

    SKY = "sky"
    AREA = "area"
    KEY = "key"


@dataclass(frozen=True, slots=True)
class Work:
    """What a statement reads; ``tables`` are in the statement's order, without repetition."""

    tables: tuple[str, ...]
    reach: Reach
    is_near: bool = False
    """Pairs of neighbours are looked for."""
    area_deg2: float = 0.0
    """Of its area; 0 where it has none."""
    column_row_bytes: float = 0.0
    """Bytes of column images for each row that is read; 0 where rows are read."""


@dataclass(frozen=True, slots=True)
class CatalogSize:
    """A catalog, measured or imagined."""

    rows: Mapping[str, float]
    row_bytes: Mapping[str, float]
    chunks: float
    chunk_deg2: float = CHUNK_DEG2

    @property
    def bytes(self) -> float:
        """Of all rows, without indexes."""
        return sum(self.rows[name] * self.row_bytes.get(name, 0.0) for name in self.rows)


@dataclass(frozen=True, slots=True)
class Demand:
    """A statement's work on a catalog, all nodes together."""

    chunks: float
    rows: float
    """Rows that are read one after another."""
    bytes: float
    """Bytes of those rows."""
    pairs: float = 0.0
    """Pairs of rows that are compared."""
    key_reads: float = 0.0
    """Pages read in any order."""
    answer_rows: float = 0.0
    answer_bytes: float = 0.0
    partner_bytes: float = 0.0
    """Bytes of one chunk of the table that is looked up for each matching row; 0 where nothing is."""


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer as it was measured, and how many chunks were read for it."""

    chunks: float
    rows: float
    bytes: float


def work_of(sql: str, tables: Mapping[str, object]) -> Work:
    """The work in a statement, by its text.

    >>> work_of("SELECT COUNT(*) FROM Source WHERE flux > 1", {"Object": 0, "Source": 0})
    Work(tables=('Source',), reach=<Reach.SKY: 'sky'>, is_near=False, area_deg2=0.0, column_row_bytes=0.0)
    >>> work_of("SELECT ra FROM Object WHERE objectId = 17", {"Object": 0}).reach
    <Reach.KEY: 'key'>
    """
    found = {name: place.start() for name in tables if (place := re.search(rf"\b{re.escape(name)}\b", sql))}
    names = tuple(sorted(found, key=lambda name: found[name]))
    area = _area(sql)
    reach = Reach.KEY if _KEY.search(sql) else Reach.AREA if area else Reach.SKY
    return Work(names, reach, is_near=bool(_NEAR.search(sql)), area_deg2=area)


def _area(sql: str) -> float:
    """Square degrees of a statement's box or circle, without the narrowing towards the poles; 0 for none."""
    if (box := _BOX.search(sql)) and len(sides := _numbers(box[1])) == 4:
        return ((sides[2] - sides[0]) % 360) * (sides[3] - sides[1])
    if (circle := _CIRCLE.search(sql)) and len(sides := _numbers(circle[1])) == 3:
        return 3.1416 * sides[2] ** 2
    return 0.0


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        return []


def demand_of(work: Work, on: CatalogSize, answer: Answer, made_on: CatalogSize) -> Demand:
    """The work of a statement on a catalog; ``answer`` was measured on ``made_on``, which may be the same.

    An area touches as many chunks on any catalog; answers grow with the rows that are read.
    """
    chunks = on.chunks if work.reach is Reach.SKY else max(1.0, min(answer.chunks, on.chunks))
    touched = chunks / on.chunks
    first = _first(work)
    read = work.tables if work.reach is Reach.SKY else (first,)
    rows = sum(on.rows.get(name, 0.0) for name in read) * touched
    size = sum(on.rows.get(name, 0.0) * on.row_bytes.get(name, 0.0) for name in read) * touched
    if work.column_row_bytes:
        size = rows * work.column_row_bytes
    density = on.rows.get(first, 0.0) / (on.chunks * on.chunk_deg2)
    inside = min(work.area_deg2 * density, on.rows.get(first, 0.0) * touched)
    pairs = inside * on.rows.get(first, 0.0) / on.chunks / SUBCHUNKS if work.is_near else 0.0
    if work.reach is Reach.KEY:
        rows, size = 0.0, 0.0
    growth = _growth(work, answer, on, made_on)
    is_join = len(work.tables) > 1 and work.reach is Reach.SKY and not work.column_row_bytes
    partner = on.rows.get(DIRECTOR, 0.0) / on.chunks * on.row_bytes.get(DIRECTOR, 0.0) if is_join else 0.0
    return Demand(
        chunks=chunks, rows=rows, bytes=size, pairs=pairs, key_reads=_reads(work, inside),
        answer_rows=answer.rows * growth, answer_bytes=min(answer.bytes * growth, MOST_ANSWER_BYTES),
        partner_bytes=partner,
    )  # fmt: skip


def _first(work: Work) -> str:
    """The table whose chunks are read for an area: the director, where it is named."""
    return DIRECTOR if DIRECTOR in work.tables else work.tables[0] if work.tables else ""


def _reads(work: Work, inside: float) -> float:
    if work.reach is Reach.KEY:
        return KEY_READS
    return JOIN_READS * inside if work.reach is Reach.AREA and len(work.tables) > 1 else 0.0


def _growth(work: Work, answer: Answer, on: CatalogSize, made_on: CatalogSize) -> float:
    """How much larger an answer is: one row stays one, a row for each chunk follows the chunks, others the rows."""
    if answer.rows <= 1 or work.reach is Reach.KEY:
        return 1.0
    if answer.rows == made_on.chunks:
        return on.chunks / made_on.chunks
    last = max(work.tables, key=lambda name: made_on.rows.get(name, 0.0), default="")
    ratio = on.rows.get(last, 0.0) / max(made_on.rows.get(last, 0.0), 1.0)
    return ratio if work.reach is Reach.SKY else ratio * made_on.chunks / on.chunks
