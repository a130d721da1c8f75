"""A small catalog as tracts of files under Butler-like paths, whose rows are given by hand; files are rewritten.

What SQLite says of the same rows is the independent answer. A tract has one file a table.
"""

from __future__ import annotations

import math
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from tests.support.same_answer import rows_in

from skyshard.testbed import Testbed

STRIPING = {"stripes": 18, "substripes": 4, "overlap_deg": 0.5}
RUN = "HSC/runs/RC2/w_2026_24/DM-54321"
NEXT_RUN = "HSC/runs/RC2/w_2026_28/DM-55555"
Row = tuple[Any, ...]
Rows = dict[tuple[str, int], list[Row]]
"""By table and tract."""
_COLUMNS: Mapping[str, Mapping[str, pa.DataType]] = {
    "Object": {"objectId": pa.int64(), "ra": pa.float64(), "decl": pa.float64(), "flux": pa.float64()},
    "Source": {"sourceId": pa.int64(), "objectId": pa.int64(), "ra": pa.float64(), "decl": pa.float64()},
    "Visit": {"visit": pa.int64(), "band": pa.string()},
}
_TYPES = {"int64": "bigint", "double": "double", "string": "varchar(8)"}
_DATASETS = {"Object": "objectTable_tract", "Source": "sourceTable_tract", "Visit": "visitTable_tract"}
_ROLES: Mapping[str, dict[str, Any]] = {
    "Object": {"role": "director", "key": "objectId", "position": ["ra", "decl"]},
    "Source": {"role": "dependent", "director": "Object", "key": "objectId", "position": ["ra", "decl"],
               "primary_key": ["sourceId"]},
    "Visit": {"role": "regular", "primary_key": ["visit"]},
}  # fmt: skip
STATEMENTS = (
    "SELECT COUNT(*), SUM(objectId), MIN(flux) FROM Object",
    "SELECT COUNT(*), SUM(sourceId) FROM Source",
    "SELECT objectId, ra, decl, flux FROM Object",
    "SELECT sourceId, objectId FROM Source",
    "SELECT visit, band FROM Visit",
    "SELECT o.objectId, s.sourceId FROM Object o JOIN Source s ON o.objectId = s.objectId",
    "SELECT s.sourceId FROM Source s LEFT JOIN Object o ON o.objectId = s.objectId WHERE o.objectId IS NULL",
    "SELECT o.objectId FROM Object o LEFT JOIN Source s ON o.objectId = s.objectId WHERE s.sourceId IS NULL",
    "SELECT a.sourceId, b.sourceId FROM Source a JOIN Source b USING (objectId) WHERE a.sourceId < b.sourceId",
    "SELECT sourceId FROM Source WHERE objectId BETWEEN 2 AND 11",
    *(f"SELECT sourceId FROM Source WHERE objectId = {key}" for key in (1, 2, 3, 12, 99)),
    *(f"SELECT flux FROM Object WHERE objectId = {key}" for key in (1, 2, 3, 5, 11)),
    "SELECT a.objectId, b.objectId FROM Object a, Object b WHERE a.objectId < b.objectId "
    "AND scisql_angSep(a.ra, a.decl, b.ra, b.decl) < 0.4",
)


@dataclass(slots=True)
class TractFiles:
    """The folder of one catalog; ``provenance`` is the mapping's. ``rows`` are those of the files that are there."""

    folder: Path
    database: str
    provenance: Any = True
    text: bool = False
    tables: tuple[str, ...] = ("Object", "Source", "Visit")
    rows: Rows = field(default_factory=dict)
    run: str = RUN

    @property
    def mapping(self) -> Path:
        return self.folder / "mapping.yaml"

    def path(self, table: str, tract: int) -> Path:
        kind = _DATASETS[table]
        name = f"{kind}_{tract}_hsc_rings_v1_{self.run.replace('/', '_')}"
        return self.folder / self.run / kind / str(tract) / f"{name}.{'csv' if self.text else 'parq'}"

    def write(self, table: str, tract: int, rows: Sequence[Row], *, group_rows: int = 1 << 20) -> Path:
        """Write the file of a table and tract, whether it is there or not; then the mapping."""
        path = self.path(table, tract)
        path.parent.mkdir(parents=True, exist_ok=True)
        names = list(_COLUMNS[table])
        if self.text:
            lines = [",".join(names), *(",".join(map(str, row)) for row in rows)]
            path.write_text("\n".join(lines) + "\n")
        else:
            arrays = [pa.array([row[i] for row in rows], kind) for i, kind in enumerate(_COLUMNS[table].values())]
            pq.write_table(pa.table(arrays, names), path, row_group_size=group_rows)
        self.rows[table, tract] = list(rows)
        self._write_mapping()
        return path

    def remove(self, table: str, tract: int) -> None:
        self.path(table, tract).unlink()
        del self.rows[table, tract]

    def _write_mapping(self) -> None:
        tables = {
            name: _ROLES[name] | {
                "files": [f"{self.run}/{_DATASETS[name]}/*/*"], "optional": True,
                "declare": [{"name": column, "type": _TYPES[str(kind)]} for column, kind in _COLUMNS[name].items()],
            }
            for name in self.tables
        }  # fmt: skip
        content = {
            "version": 1, "database": self.database, "striping": STRIPING, "provenance": self.provenance,
            "tables": tables,
        }  # fmt: skip
        self.mapping.write_text(yaml.safe_dump(content))


def first_state(files: TractFiles) -> None:
    """Two tracts: objects in four chunks and at a border, sources of each, one of an object that is nowhere."""
    files.write("Object", 1, [(1, 10.0, 5.0, 1.5), (2, 10.2, 5.1, 9.5), (3, 40.0, 5.0, 2.5), (4, 359.9, 0.1, 3.5)])
    files.write("Object", 2, [(11, 10.1, 5.2, 4.5), (12, 200.0, -30.0, 5.5)])
    sources = [(101, 1, 10.0, 5.0), (102, 2, 10.2, 5.1), (103, 3, 40.0, 5.0), (104, 4, 359.9, 0.1), (106, 3, 40.0, 5.0)]
    files.write("Source", 1, sources)
    files.write("Source", 2, [(201, 11, 10.1, 5.2), (202, 12, 200.0, -30.0), (203, 99, 100.0, 50.0)])
    files.write("Visit", 1, [(1, "g"), (2, "r")])
    files.write("Visit", 2, [(3, "i")])


def second_objects(files: TractFiles) -> Path:
    """Tract 1 again: object 2 is gone, 3 has moved to another chunk, 5 is new."""
    return files.write(
        "Object", 1, [(1, 10.0, 5.0, 1.75), (3, 60.0, 5.0, 2.5), (4, 359.9, 0.1, 3.5), (5, 10.3, 5.0, 6.5)]
    )


def first_files(folder: Path, **given: Any) -> TractFiles:
    """The first state, written, under a database name of its own."""
    files = TractFiles(folder, f"x{uuid.uuid4().hex[:10]}", **given)
    first_state(files)
    return files


def second_state(files: TractFiles) -> None:
    """The same with its sources and visits."""
    second_objects(files)
    files.write("Source", 1, [(101, 1, 10.0, 5.0), (103, 3, 60.0, 5.0), (105, 5, 10.3, 5.0)])
    files.write("Visit", 1, [(1, "g"), (4, "z")])


def right_answers(rows: Rows, statements: Iterable[str] = STATEMENTS) -> dict[str, list[Row]]:
    """What SQLite answers over the rows of all files."""
    server = sqlite3.connect(":memory:")
    server.create_function("scisql_angSep", 4, _separation)
    for table, columns in _COLUMNS.items():
        server.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
    for (table, _), values in rows.items():
        server.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(_COLUMNS[table]))})", values)
    found = {sql: _sorted(server.execute(sql).fetchall()) for sql in statements}
    server.close()
    return found


def answers(testbed: Testbed, database: str, statements: Iterable[str] = STATEMENTS) -> dict[str, list[Row]]:
    """What the cluster answers to the same."""
    return {sql: _sorted(rows_in(testbed.query(sql, database=database).table)) for sql in statements}


def _sorted(rows: Iterable[Row]) -> list[Row]:
    plain = [tuple(value if value is None or isinstance(value, str) else float(value) for value in row) for row in rows]
    return sorted(plain, key=lambda row: tuple((value is not None, value) for value in row))


def _separation(ra1: float, decl1: float, ra2: float, decl2: float) -> float:
    """By the haversine formula, degrees."""
    a1, d1, a2, d2 = map(math.radians, (ra1, decl1, ra2, decl2))
    root = math.sin((d2 - d1) / 2) ** 2 + math.cos(d1) * math.cos(d2) * math.sin((a2 - a1) / 2) ** 2
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(root))))
