"""The tables of a cluster's databases as a side of a comparison; their rows come through the czar."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from skyshard.catalog.layout import Role
from skyshard.db.connection import quote_name
from skyshard.registry.registry import Registry
from skyshard.releases.schema_changes.schema_side import SAMPLE_ROWS, SideTable

Ask = Callable[[str, str], pa.Table]
"""Answers a statement in a database."""


@dataclass(frozen=True, slots=True)
class ClusterTables:
    """The published databases of a running cluster."""

    registry: Registry
    ask: Ask

    def names(self) -> list[str]:
        return self.registry.published.databases()

    def tables(self, database: str) -> dict[str, SideTable]:
        """The tables of one.

        Raises:
            UserError: there is no such database.
        """
        catalog = self.registry.published.catalog(database)
        made = {}
        for name, entry in catalog.tables.items():
            key = entry.layout.key if entry.layout.role is Role.DIRECTOR else ""
            made[name] = SideTable(entry.table, key, _StoredRows(self.ask, catalog.called, name).rows if key else None)
        return made


@dataclass(frozen=True, slots=True)
class _StoredRows:
    """Asks for rows of one table."""

    ask: Ask
    database: str
    table: str

    def rows(self, columns: Sequence[str], keys: pa.Array | None) -> pa.Table | None:
        """Some rows, or those with the given keys."""
        listed = ", ".join(quote_name(name) for name in columns)
        text = f"SELECT {listed} FROM {quote_name(self.table)}"
        if keys is None:
            return self.ask(self.database, f"{text} LIMIT {SAMPLE_ROWS}")
        numbers = ", ".join(map(str, keys.to_pylist()))
        return self.ask(self.database, f"{text} WHERE {quote_name(columns[0])} IN ({numbers})")
