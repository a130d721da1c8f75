"""Where an ingest happens: registry, czar, nodes, folders; and what is done to all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from skyshard.db.connection import Account, Endpoint, connect, quote_name
from skyshard.ddl import create_table, overlap_prototype, stored_table
from skyshard.ingest.plan import PlannedTable
from skyshard.layout import Role
from skyshard.registry.director_index import index_table_name
from skyshard.registry.store import Registry
from skyshard.registry.tables import INDEX_DATABASE
from skyshard.runtime.base import Handle, Runtime
from skyshard.schema import Table


@dataclass(frozen=True, slots=True)
class Site:
    """``staging`` holds bundles while an ingest runs, ``keys`` the sorted director keys for as long as they live."""

    registry: Registry
    runtime: Runtime
    czar: Endpoint
    czar_loader: Handle
    nodes: Mapping[str, Handle]
    staging: Path
    keys: Path

    def prepare_database(self, database: str) -> None:
        """Make the database on every node and on the czar; no-op where it is."""
        for done in [server.call("prepare", database) for server in (*self.nodes.values(), self.czar_loader)]:
            done.result()

    def make_prototypes(self, database: str, tables: Iterable[PlannedTable]) -> None:
        """Empty tables on the czar, from which queries learn types; those that are there stay."""
        with connect(self.czar, Account.ADMIN, database) as connection:
            present = {str(name) for (name,) in connection.rows("SHOW TABLES")}
            for table in tables:
                for stored, name in _prototypes(table):
                    if name not in present:
                        connection.execute(create_table(stored, name))

    def drop_database(self, database: str, tables: Iterable[str]) -> None:
        """Remove a database from the nodes and the czar, with its director indexes."""
        calls = [server.call("drop_database", database) for server in (*self.nodes.values(), self.czar_loader)]
        names = [index_table_name(database, name) for name in tables]
        with connect(self.czar, Account.ADMIN) as connection:
            connection.execute(f"CREATE DATABASE IF NOT EXISTS {quote_name(INDEX_DATABASE)}")
        calls.append(self.czar_loader.call("drop_tables", INDEX_DATABASE, names))
        for call in calls:
            call.result()


def _prototypes(table: PlannedTable) -> list[tuple[Table, str]]:
    """The empty tables that the czar keeps of one table: (stored table, name)."""
    source = table.source
    result = [(table.stored, table.name)]
    if source.layout.role is Role.DIRECTOR:
        overlap = stored_table(source.table, source.layout, overlap=True)
        result.append((overlap, overlap_prototype(table.name)))
    return result
