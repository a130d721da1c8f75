"""What follows once the registry has its rows again: empty tables on the czar, director indexes, a look at the nodes.

Rules: all of it can be done any number of times; what a node that is down keeps from being done is said, with the
command that does it later.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

from skyshard.backup.found_tables import FoundTables, SeenTables, reconcile
from skyshard.backup.place import BackupPlace
from skyshard.basics.errors import ClusterError
from skyshard.basics.progress import Watcher, unwatched
from skyshard.catalog.ddl import part_suffix, stored_table
from skyshard.catalog.layout import Role
from skyshard.db.connection import Account, connect, quote_name
from skyshard.ingest.on_nodes.bounded_futures import answer
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.part_tables import MergeTables
from skyshard.ingest.partition.director_keys import KeyKind
from skyshard.ingest.plan.server_check import make_table
from skyshard.ingest.upkeep.index_rebuild import rebuild_indexes
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.catalog.director_index import index_table_name
from skyshard.registry.stored.lifecycle import DatabaseState
from skyshard.registry.stored.records import IndexPart
from skyshard.registry.stored.sql_tables import INDEX_DATABASE


@dataclass(slots=True)
class BroughtBack:
    """What was done, and what could not be."""

    databases: list[str] = field(default_factory=list)
    """By their shown names."""
    indexes: dict[str, int] = field(default_factory=dict)
    """Databases whose director indexes were made again of the nodes' rows, with their keys."""
    differences: list[FoundTables] = field(default_factory=list)
    unanswered: dict[str, str] = field(default_factory=dict)
    """Nodes that could not be looked at, and why."""
    undone: dict[str, str] = field(default_factory=dict)
    """What is left to do, as a command, and why it was not done."""


def bring_back(
    place: BackupPlace, tables: SeenTables, watcher: Watcher = unwatched, *, outdated: Collection[str] = ()
) -> BroughtBack:
    """Have czar and registry fit to what the nodes hold.

    Args:
        outdated: stored names of databases of which nodes know more than the registry: their records stay.
    """
    site, done = place.site(), BroughtBack(unanswered=dict(tables.unanswered))
    done.differences = reconcile(place, site, tables)
    for row in place.registry.life.rows():
        if row.state is not DatabaseState.PUBLISHED:
            continue
        done.databases.append(row.shown)
        _make_prototypes(place, site, row.stored)
        _clear_index_files(place, site, row.stored)
        try:
            if _have_indexes(place, site, row.stored):
                _show_indexes(place, site, row.stored)
            else:
                done.indexes[row.shown] = sum(rebuild_indexes(site, row.stored, watcher, with_tables=False).values())
            if row.stored not in outdated and not tables.are_records_even(row.stored):
                site.keep_records(row.stored)
        except ClusterError as error:
            done.undone[f"skyshard index rebuild {row.shown}"] = str(error)
    return done


def _make_prototypes(place: BackupPlace, site: Site, database: str) -> None:
    """The empty tables from which queries learn types; those that are there stay."""
    for name in (database, INDEX_DATABASE):
        answer("czar", site.czar_loader.call(NodeLoader.make_database, name))
    definitions = place.registry.databases.table_definitions(database)
    with connect(place.czar, Account.ADMIN, database) as connection:
        present = {str(name) for (name,) in connection.rows("SHOW TABLES")}
        for table, layout in definitions.values():
            kinds = (False, True) if layout.role is Role.DIRECTOR else (False,)
            for stored in (stored_table(table, layout, overlap=is_overlap) for is_overlap in kinds):
                if stored.name not in present:
                    make_table(connection, stored)


def _clear_index_files(place: BackupPlace, site: Site, database: str) -> None:
    """Remove files of index tables that a killed process had only begun to make."""
    for table, layout in place.registry.databases.table_definitions(database).values():
        if layout.role is Role.DIRECTOR:
            prefix = index_table_name(database, table.name)
            answer("czar", site.czar_loader.call(NodeLoader.remove_leftover_files, INDEX_DATABASE, prefix))


def _have_indexes(place: BackupPlace, site: Site, database: str) -> bool:
    """Whether every part of the database's director indexes is there, with all its keys, and the keys in files too."""
    parts = place.registry.index_parts.all(database)
    there = set(answer("czar", site.czar_loader.call(NodeLoader.tables, INDEX_DATABASE)))
    with connect(place.czar, Account.ADMIN, INDEX_DATABASE) as connection:
        connection.execute("FLUSH TABLES")  # files that a restore brought
        for part in parts:
            name = index_table_name(database, part.director) + part_suffix(part.part)
            has_files = any((place.folders.keys / database / part.director).glob("*"))
            if name not in there or not has_files:
                return False
            if connection.value(f"SELECT COUNT(*) FROM {quote_name(name)}") != part.rows:
                return False
    return True


def _show_indexes(place: BackupPlace, site: Site, database: str) -> None:
    """The tables that show several parts of an index as one."""
    definitions = place.registry.databases.table_definitions(database)
    by_director: dict[str, list[IndexPart]] = defaultdict(list)
    for part in place.registry.index_parts.all(database):
        by_director[part.director].append(part)
    for director, parts in by_director.items():
        ordered = sorted(parts, key=lambda part: part.part)
        for count in range(2, len(ordered) + 1):  # each of those that ingests made, as they would be there
            MergeTables(site, database).make_index(director, KeyKind.of(*definitions[director]), ordered[:count])
