"""Rows in SQLite's memory, and statements over them: an engine that shares nothing with ours."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from skyshard.ingest.transaction.kept_truth import KnownAnswer

_STEPS, _MOST_STEPS = 1_000_000, 3_000
"""SQLite's work is looked at every so many instructions, and given up after so many looks."""


class RowEngine:
    """Tables that are filled once and asked many times.

    ``tables``: name → its columns and, by column, their values; ``indexes``: name → columns by which joins find rows.

    >>> engine = RowEngine({"Object": (["ra"], [[0.5, 359.5]])}, {})
    >>> engine.answer("SELECT MAX(ra) FROM Object", "SELECT MAX(ra) FROM Object").rows
    ((359.5,),)
    """

    def __init__(
        self, tables: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]], indexes: Mapping[str, Sequence[str]]
    ) -> None:
        self._connection = sqlite3.connect(":memory:", check_same_thread=False)
        self._connection.create_function("scisql_angSep", 4, _separation, deterministic=True)
        self.rows = sum(len(values[0]) for _, values in tables.values())
        for name, (columns, values) in tables.items():
            self._connection.execute(f"CREATE TABLE {name} ({', '.join(columns)})")
            marks = ", ".join("?" * len(columns))
            self._connection.executemany(f"INSERT INTO {name} VALUES ({marks})", zip(*values, strict=True))
            for number, column in enumerate(one for one in indexes.get(name, ()) if one in columns):
                self._connection.execute(f"CREATE INDEX {name}_{number} ON {name} ({column})")

    def answer(self, sql: str, as_sqlite: str) -> KnownAnswer | None:
        """The answer to ``sql``, asked as ``as_sqlite``; None where SQLite refuses it, or takes too long."""
        looks = iter(range(_MOST_STEPS))
        self._connection.set_progress_handler(lambda: next(looks, None) is None, _STEPS)
        try:
            found = self._connection.execute(as_sqlite)
            rows = tuple(found.fetchall())
            return KnownAnswer(sql, rows, columns=len(found.description))
        except sqlite3.Error:
            return None


def row_engine(
    tables: Mapping[str, tuple[Sequence[str], Sequence[Sequence[Any]]]], indexes: Mapping[str, Sequence[str]]
) -> RowEngine | None:
    """An engine with these rows; None where SQLite does not take a name or a value."""
    try:
        return RowEngine(tables, indexes)
    except sqlite3.Error:
        return None


def _separation(ra1: float, dec1: float, ra2: float, dec2: float) -> float | None:
    """Degrees between two positions in degrees, by half-angles."""
    if None in (ra1, dec1, ra2, dec2):
        return None
    south, north = math.radians(dec1), math.radians(dec2)
    up, across = math.sin((north - south) / 2), math.sin(math.radians(ra2 - ra1) / 2)
    part = up * up + math.cos(south) * math.cos(north) * across * across
    return math.degrees(2 * math.asin(min(1.0, math.sqrt(part))))
