"""What a database has on servers and in files, and its removal. Each step may be done again.

Rules: the database is in the registry, invisible, until all of this is gone; nodes are held against other loaders.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from skyshard.ingest.on_nodes.bounded_futures import answer
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.part_tables import index_names
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.catalog.director_index import index_table_name
from skyshard.registry.catalog.mono_state import CREATE, ORACLE_DATABASE, forget_text
from skyshard.registry.stored.sql_tables import INDEX_DATABASE
from skyshard.runtime.base import Handle


@dataclass(frozen=True, slots=True)
class LifePlace:
    """Where databases are dropped: what ingest works with, the oracle's copy, and folders beside it."""

    site: Site
    has_copy: Callable[[str], bool]
    """True where the oracle's server has files of a database, whether it runs or not."""
    oracle: Callable[[], AbstractContextManager[Handle[NodeLoader]]]
    """The oracle's loader; its server runs inside."""
    passed_through: tuple[Path, ...]
    """Folders in which each database has one of its stored name: of rows on their way to the oracle, and out of a
    mutable database to its published copy."""


def remove_database(place: LifePlace, database: str) -> None:
    """Remove all that servers and folders have of a database, by its stored name.

    Raises:
        ClusterError: a server did not answer; the rest is done by the next call.
    """
    site = place.site
    directors = list(site.registry.databases.table_definitions(database))
    with site.held(database, makes_room=True):
        site.drop_database(database, directors)
        _drop_index_tables(site, database, directors)
        if place.has_copy(database):
            _drop_copy(place, database)
        for folder in (*site.folders.of_database(database), *(one / database for one in place.passed_through)):
            shutil.rmtree(folder, ignore_errors=True)
        site.clear_staging(database)


def _drop_index_tables(site: Site, database: str, tables: list[str]) -> None:
    """The parts of director indexes, and the tables that showed them."""
    ours = index_names(index_table_name(database, table) for table in tables)
    have = answer("czar", site.czar_loader.call(NodeLoader.tables, INDEX_DATABASE))
    names = [name for name in have if ours.fullmatch(name)]
    answer("czar", site.czar_loader.call(NodeLoader.drop_tables, INDEX_DATABASE, names))


def _drop_copy(place: LifePlace, database: str) -> None:
    """The oracle's record goes first, so that it never answers from half a copy."""
    with place.oracle() as mono:
        answer("mono", mono.call(NodeLoader.make_database, ORACLE_DATABASE))
        answer("mono", mono.call(NodeLoader.run, ORACLE_DATABASE, [CREATE, forget_text(database)]))
        answer("mono", mono.call(NodeLoader.drop_database, database))
