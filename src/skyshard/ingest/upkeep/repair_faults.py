"""Repairs damaged indexes and lists of parts on the nodes; rows stay as they are.

Only what `NodeLoader.faults` finds at fault is touched; a damaged data file stays so, and `verify` reports it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from skyshard.basics.errors import ClusterError
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import Layout
from skyshard.ingest.on_nodes.bounded_futures import answer
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.part_tables import by_node
from skyshard.node.messages import MergeTableOrder, RepairOrder, ShownTable
from skyshard.node.node_loader import NodeLoader
from skyshard.node.shown_tables import shown_tables
from skyshard.registry.stored.records import Replica

_SOURCES: tuple[Literal["index", "definition"], ...] = ("index", "definition")
"""What an index is made again from: what its file says of itself, or where that is gone, the table's definition."""


def repair_faults(site: Site, database: str, layout: Layout) -> int:
    """Repair what is damaged on every node; returns how many indexes and lists that were.

    Raises:
        ClusterError: a table that is at fault after that, too.
    """
    held = by_node(site.registry.replicas.all(database), site.nodes)
    return sum(_repair_node(site, database, layout, node, held[node]) for node in site.nodes)


def _repair_node(site: Site, database: str, layout: Layout, node: str, replicas: Sequence[Replica]) -> int:
    shown = shown_tables(replicas)
    first = found = _unsound(site, database, node, shown)
    parts = {part for table in shown for part in table.parts}
    for source in _SOURCES:
        names = tuple(name for name in found if name in parts)
        if names and layout.engine == "MyISAM":
            answer(node, site.nodes[node].call(NodeLoader.repair, RepairOrder(database, names, source)))
            found = _unsound(site, database, node, shown)
            first |= found
    if lists := {table.name: table.parts for table in shown if table.name in found.keys() - parts}:
        _show(site, database, layout, node, replicas, lists)
        found = _unsound(site, database, node, shown)
    for name, reason in found.items():
        raise ClusterError(f"node '{node}', table {database}.{name}: {reason}", remedy="see skyshard verify")
    return len(first)


def _unsound(site: Site, database: str, node: str, shown: Sequence[ShownTable]) -> dict[str, str]:
    return answer(node, site.nodes[node].call(NodeLoader.faults, database, shown))


def _show(
    site: Site, database: str, layout: Layout, node: str, replicas: Sequence[Replica], lists: dict[str, tuple[str, ...]]
) -> None:
    """Make tables over several parts again, kind by kind."""
    definitions = site.registry.databases.table_definitions(database)
    for table, is_overlap in sorted({(replica.table, replica.is_overlap) for replica in replicas}):
        mine = shown_tables(
            replica for replica in replicas if (replica.table, replica.is_overlap) == (table, is_overlap)
        )
        names = {one.name: lists[one.name] for one in mine if one.name in lists}
        if names:
            stored = stored_table(*definitions[table], overlap=is_overlap)
            order = MergeTableOrder(database, stored, layout.engine, names)
            answer(node, site.nodes[node].call(NodeLoader.make_merge_tables, order))
