"""The end of one table of a published database: hidden from queries in one step, then removed from all servers.

Rules: nothing is changed before every node has answered. One registry transaction forgets the table, with all that was
brought to it, and lists what servers have of it; whatever comes next of a drop, ingest or compaction of the database
removes that. A table of the same name that is ingested later has names of its own on the servers, so a query that began
before meets the rows that were there, or none.
"""

from __future__ import annotations

from skyshard.basics.errors import UserError
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.part_tables import by_node, expected_index_tables
from skyshard.ingest.transaction.recovery import GRACE_S, sweep
from skyshard.ingest.upkeep.compaction import require_nothing_open
from skyshard.log.events import TABLE_DROPPED
from skyshard.node.shown_tables import dummy_tables, expected_tables
from skyshard.registry.catalog.published_catalog import Catalog


def drop_table(site: Site, database: str, table: str) -> int:
    """Drop a table, or go on with a drop that was interrupted; returns the number of the transaction that dropped it.

    Args:
        database: its stored name.

    Raises:
        UserError: there is no such table, or tables follow it; an ingest of the database has not ended.
        ClusterError: a node is down, or the database is in use (retryable).
    """
    registry = site.registry
    with registry.ingesting(database), site.held(database, makes_room=True):
        catalog = registry.published.stored_catalog(database)
        require_nothing_open(site, database, catalog.called)
        number = _forget(site, catalog, table) if table in catalog.tables else _unfinished(site, catalog, table)
        site.keep_records(database, over_later=True)
        sweep(site, database, number, is_over=True)
    return number


def _forget(site: Site, catalog: Catalog, table: str) -> int:
    names, servers = _names(site, catalog, table), site.started_s()
    try:
        number = site.registry.transactions.drop_table(catalog.database, catalog.layout, table, names, servers)
    except UserError as error:
        what = f"{catalog.called}.{table} cannot be dropped: {error.what}"
        raise UserError(what, remedy=error.remedy) from None
    site.events.tell(TABLE_DROPPED, transaction=number, database=catalog.called, table=table)
    return number


def _names(site: Site, catalog: Catalog, table: str) -> dict[str, set[str]]:
    """Server → what it has of a table; prototypes are removed with no record."""
    database, registry = catalog.database, site.registry
    held = by_node(registry.replicas.all(database, table=table), site.nodes)
    dummies = dummy_tables([(table, catalog.tables[table].layout.role)])
    names = {node: expected_tables(held[node]) | dummies for node in site.nodes}
    names[CZAR_NAME] = expected_index_tables(database, registry.index_parts.all(database, table))
    return names


def _unfinished(site: Site, catalog: Catalog, table: str) -> int:
    """The drop of a table of which servers may have something left.

    Raises:
        UserError: there is none.
    """
    registry, database = site.registry, catalog.database
    number = registry.transactions.dropped_tables(database).get(table)
    if number is None or not registry.transactions.over_retired(database, GRACE_S):
        raise UserError(f"there is no table {catalog.called}.{table}", remedy="skyshard schema show lists them")
    return number
