"""Indexes and lists of parts made anew where they are harmed: the rows of a node's tables are what they were.

Only what `worker.soundness` finds at fault is touched; a data file that is harmed stays so, and `verify` says it.
"""

from __future__ import annotations

from collections.abc import Sequence

from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import Layout
from skyshard.db.connection import quote_name
from skyshard.errors import ClusterError
from skyshard.ingest.on_nodes.bounded_futures import answer
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.part_tables import shown_tables
from skyshard.node.messages import ShownTable
from skyshard.registry.records import Replica

_REPAIRS = ("QUICK", "USE_FRM")
"""Ways to make an index: from what the index file says of itself, or where that is gone, from the definition."""


def mend_tables(site: Site, database: str, layout: Layout) -> int:
    """Make what is harmed anew, on every node; returns how many indexes and lists that were.

    Raises:
        ClusterError: a table that is at fault after that, too.
    """
    return sum(_mend_node(site, database, layout, node) for node in site.nodes)


def _mend_node(site: Site, database: str, layout: Layout, node: str) -> int:
    replicas = [replica for replica in site.registry.replicas(database) if replica.node == node]
    shown = shown_tables(replicas)
    first = found = _unsound(site, database, node, shown)
    parts = {part for table in shown for part in table.parts}
    for way in _REPAIRS:
        texts = [f"REPAIR TABLE {quote_name(name)} {way}" for name in found if name in parts]
        if texts and layout.engine == "MyISAM":
            answer(node, site.nodes[node].call("run", database, texts))
            found = _unsound(site, database, node, shown)
            first |= found
    if lists := {table.name: list(table.parts) for table in shown if table.name in found.keys() - parts}:
        _show(site, database, layout, node, replicas, lists)
        found = _unsound(site, database, node, shown)
    for name, reason in found.items():
        raise ClusterError(f"node '{node}', table {database}.{name}: {reason}", remedy="see skyshard verify")
    return len(first)


def _unsound(site: Site, database: str, node: str, shown: Sequence[ShownTable]) -> dict[str, str]:
    found: dict[str, str] = answer(node, site.nodes[node].call("unsound", database, shown))
    return found


def _show(
    site: Site, database: str, layout: Layout, node: str, replicas: Sequence[Replica], lists: dict[str, list[str]]
) -> None:
    """Make tables over several parts anew, kind by kind."""
    definitions = site.registry.table_definitions(database)
    for table, is_overlap in sorted({(replica.table, replica.is_overlap) for replica in replicas}):
        mine = shown_tables(
            replica for replica in replicas if (replica.table, replica.is_overlap) == (table, is_overlap)
        )
        names = {one.name: lists[one.name] for one in mine if one.name in lists}
        if names:
            stored = stored_table(*definitions[table], overlap=is_overlap)
            answer(node, site.nodes[node].call("show", database, stored, layout.engine, names))
