"""DuckDB over the Parquet files of a synthetic catalog: the same rows, another engine. Needs the extra ``duckdb``.

Each table of the manifest is a view over its files; ``chunkId`` is that of the file. sciSQL's functions are
macros, and ``qserv_areaspec_...`` is rewritten to a condition on the director's position.
"""

from __future__ import annotations

import atexit
import gc
import glob
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from skyshard.basics.errors import ClusterError, UserError
from skyshard.bench.target import TargetAnswer
from skyshard.catalog.layout import Role
from skyshard.catalog.synth_manifest import ManifestTable, SynthManifest, read_manifest

MACROS = """
CREATE MACRO scisql_angSep(a, b, c, d) AS degrees(2 * asin(least(1.0, sqrt(
    pow(sin(radians(d - b) / 2), 2) + cos(radians(b)) * cos(radians(d)) * pow(sin(radians(c - a) / 2), 2)))));
CREATE MACRO in_box(ra, decl, a, b, c, d) AS decl BETWEEN b AND d
    AND CASE WHEN a <= c THEN ra BETWEEN a AND c ELSE ra >= a OR ra <= c END;
"""
_AREA = re.compile(r"qserv_areaspec_(box|circle)\(([^()]*)\)", re.IGNORECASE)
_FROM = re.compile(r"\bFROM\s+(.*?)(?:\bWHERE\b|\bGROUP\b|\bORDER\b|\bLIMIT\b|$)", re.IGNORECASE)
_BETWEEN = re.compile(r",|\b(?:(?:INNER|LEFT|CROSS)\s+)?JOIN\b", re.IGNORECASE)
_TABLE = re.compile(r"\s*(\w+)(?:\s+(?:AS\s+)?(?!ON\b|USING\b)(\w+))?", re.IGNORECASE)


class DuckDBTarget:
    """One in-process DuckDB; each query has a cursor of its own."""

    name = "duckdb"

    def __init__(self, folder: Path) -> None:
        try:
            import duckdb
        except ImportError:
            raise UserError("target duckdb: the package is missing", remedy="pip install 'skyshard[duckdb]'") from None
        atexit.register(
            gc.unfreeze
        )  # DuckDB's bindings would report objects that a czar in this process has frozen as leaked
        manifest = read_manifest(folder)
        self._version = duckdb.__version__
        self._errors: type[Exception] = duckdb.Error
        self._position = _positions(manifest)
        self._database = duckdb.connect()
        self._database.execute(MACROS)
        for name, table in manifest.tables.items():
            self._database.execute(_view(name, table, folder))

    def run(self, sql: str, database: str) -> TargetAnswer:
        return self.begin(sql, database).answer()

    def begin(self, sql: str, database: str) -> DuckDBCall:
        return DuckDBCall(self._database.cursor(), to_duckdb(sql, self._position), self._errors)

    def explain(self, sql: str, database: str) -> str:
        rows: list[tuple[Any, ...]] = (
            self._database.cursor().execute(f"EXPLAIN {to_duckdb(sql, self._position)}").fetchall()
        )
        return "\n".join(str(row[-1]) for row in rows)

    def describe(self) -> Mapping[str, object]:
        return {"engine": "DuckDB", "version": self._version}

    def close(self) -> None:
        self._database.close()


@dataclass(slots=True)
class DuckDBCall:
    """One statement on a cursor of its own."""

    cursor: Any
    sql: str
    errors: type[Exception]
    _is_late: bool = False

    def answer(self) -> TargetAnswer:
        try:
            if self._is_late:
                raise ClusterError("duckdb: stopped before it was asked")
            table: pa.Table = self.cursor.sql(self.sql).to_arrow_table()
        except self.errors as error:
            raise ClusterError(f"duckdb: {' '.join(str(error).split())[:300]}") from None
        finally:
            self.cursor.close()
        return TargetAnswer.of(table.rename_columns([f"c{number}" for number in range(table.num_columns)]))

    def cancel(self) -> bool:
        self._is_late = True
        self.cursor.interrupt()
        return True


def to_duckdb(sql: str, position: Mapping[str, tuple[str, str]]) -> str:
    """Rewrite a statement for DuckDB: an areaspec becomes a condition on the position of every director in FROM.

    >>> to_duckdb("SELECT 1 FROM Object o, S WHERE qserv_areaspec_circle(1, 2, 3)", {"Object": ("ra", "decl")})
    'SELECT 1 FROM Object o, S WHERE (scisql_angSep(o.ra, o.decl, 1, 2) <= 3)'
    >>> to_duckdb("SELECT 1 FROM T a, T b WHERE qserv_areaspec_box(1, 2, 3, 4)", {"T": ("ra", "decl")})
    'SELECT 1 FROM T a, T b WHERE (in_box(a.ra, a.decl, 1, 2, 3, 4) AND in_box(b.ra, b.decl, 1, 2, 3, 4))'
    """
    places = _places(sql, position)

    def test(match: re.Match[str]) -> str:
        numbers = [part.strip() for part in match.group(2).split(",")]
        if match.group(1).lower() == "box":
            parts = [f"in_box({place}, {', '.join(numbers)})" for place in places]
        else:
            parts = [f"scisql_angSep({place}, {numbers[0]}, {numbers[1]}) <= {numbers[2]}" for place in places]
        return f"({' AND '.join(parts)})"

    return _AREA.sub(test, sql)


def _places(sql: str, position: Mapping[str, tuple[str, str]]) -> list[str]:
    """Position columns of the directors in a FROM clause, qualified by the names used there."""
    found = _FROM.search(sql)
    tables = [_TABLE.match(part) for part in _BETWEEN.split(found.group(1))] if found else []
    named = [(one.group(1), one.group(2) or one.group(1)) for one in tables if one]
    known = [(position[table], alias) for table, alias in named if table in position]
    return [f"{alias}.{ra}, {alias}.{decl}" for (ra, decl), alias in known] or ["ra, decl"]


def _positions(manifest: SynthManifest) -> dict[str, tuple[str, str]]:
    """Position columns of each director; dependents have none of their own."""
    director = Role.DIRECTOR
    return {
        name: table.position for name, table in manifest.tables.items() if table.role is director and table.position
    }


def _view(name: str, table: ManifestTable, folder: Path) -> str:
    """The statement that makes a view over a table's files, with the chunk of each row where there are chunks."""
    files = {str((folder / file.path).resolve()): file.chunk for file in table.files}
    listed = ", ".join(_quoted(glob.escape(path)) for path in files)
    if table.role is Role.REGULAR or not files:
        return f'CREATE VIEW "{name}" AS SELECT * FROM read_parquet([{listed}])'
    chunks = ", ".join(f"({_quoted(path)}, {chunk})" for path, chunk in files.items())
    return (
        f'CREATE TABLE "chunks of {name}" AS SELECT * FROM (VALUES {chunks}) t(filename, chunkId); '
        f'CREATE VIEW "{name}" AS SELECT r.* EXCLUDE (filename), c.chunkId '
        f'FROM read_parquet([{listed}], filename = true) r JOIN "chunks of {name}" c USING (filename)'
    )


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
