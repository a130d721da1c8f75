"""Parts and merge tables on the nodes: which tables belong to a replica, which show several, which are there.

A chunk table's first rows are in the table of its plain name; a later transaction adds a part ``_p<transaction>`` and
a MERGE table ``_g<transaction>`` over all parts. Parts never change, so a query that began with an earlier merge table
reads on undisturbed, and adding a hundredth of the rows writes a hundredth of the rows.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future

from skyshard.basics.errors import ClusterError
from skyshard.catalog.ddl import (
    DUMMY_CHUNK,
    part_suffix,
    shown_suffix,
    stored_table,
)
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.cluster.cluster import CZAR_NAME
from skyshard.ingest.on_nodes.bounded_futures import answer
from skyshard.ingest.on_nodes.build_orders import index_definition
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.partition.director_keys import KeyKind
from skyshard.node.messages import DigestOrder, MergeTableOrder, ShownTable, TableDigest
from skyshard.node.node_loader import NodeLoader
from skyshard.node.shown_tables import expected_tables, shown_suffixes
from skyshard.registry.catalog.director_index import index_table_name
from skyshard.registry.catalog.snapshot import parts_of
from skyshard.registry.stored.lifecycle import ReplicaState
from skyshard.registry.stored.records import IndexPart, Replica
from skyshard.registry.stored.sql_tables import INDEX_DATABASE
from skyshard.runtime.base import Handle


class MergeTables:
    """The tables of one database on the nodes of a site."""

    def __init__(self, site: Site, database: str) -> None:
        self._site = site
        self._database = database

    def make(self, finished: Sequence[Replica], added: Sequence[Replica], transaction: int) -> None:
        """Make the MERGE tables that a transaction's parts call for; earlier ones stay for those who read them."""
        definitions = self._site.registry.databases.table_definitions(self._database, transaction=transaction)
        layout = self._site.registry.databases.layout(self._database)
        engine = layout.engine if layout else "MyISAM"
        parts = parts_of([*finished, *added])
        shown: dict[tuple[str, str, bool], dict[str, tuple[str, ...]]] = defaultdict(dict)
        for replica in added:
            numbers = parts[replica.target]
            if replica.part and len(numbers) > 1:
                names = tuple(replica.named(part_suffix(part)) for part in numbers)
                kind = (replica.node, replica.table, replica.is_overlap)
                shown[kind][replica.named(shown_suffix(numbers))] = names
        calls: dict[str, list[Future[None]]] = defaultdict(list)
        for (node, table, is_overlap), generations in shown.items():
            stored = stored_table(*definitions[table], overlap=is_overlap)
            order = MergeTableOrder(self._database, stored, engine, generations)
            calls[node].append(self._site.nodes[node].call(NodeLoader.make_merge_tables, order))
        for node, futures in calls.items():
            for future in futures:
                answer(node, future)

    def make_index(self, director: str, kind: KeyKind, parts: Sequence[IndexPart]) -> None:
        """The same for a director index on the czar's server."""
        if len(parts) < 2:
            return
        base = index_table_name(self._database, director)
        shown = base + shown_suffix([part.part for part in parts])
        names = tuple(base + part_suffix(part.part) for part in parts)
        order = MergeTableOrder(INDEX_DATABASE, index_definition(shown, kind), "MyISAM", {shown: names})
        answer("czar", self._site.czar_loader.call(NodeLoader.make_merge_tables, order))


def by_node(replicas: Iterable[Replica], nodes: Iterable[str]) -> dict[str, list[Replica]]:
    """Replicas of each of the nodes, in their order; those of other nodes are left out.

    >>> found = by_node([Replica("Object", 7, False, node, 10, 80, "") for node in "aab"], "bc")
    >>> [(node, len(replicas)) for node, replicas in found.items()]
    [('b', 1), ('c', 0)]
    """
    found: dict[str, list[Replica]] = {node: [] for node in nodes}
    for replica in replicas:
        if replica.node in found:
            found[replica.node].append(replica)
    return found


def one_of_each(table: str, replicas: Sequence[Replica], *, is_overlap: bool = False) -> list[Replica]:
    """One replica of each part of a table's chunks, or of their overlap, or of the whole regular table.

    A good one, where there is any.
    """
    chosen: dict[tuple[int, int], Replica] = {}
    for replica in sorted(replicas, key=lambda r: (r.chunk, r.part, r.state is not ReplicaState.GOOD, r.node)):
        if replica.table == table and replica.is_overlap is is_overlap:
            chosen.setdefault((replica.chunk, replica.part), replica)
    return list(chosen.values())


def right_of_each(site: Site, database: str, name: str, stored: Table, replicas: Sequence[Replica]) -> list[Replica]:
    """As :func:`one_of_each`, for what is made of the rows: one that is not good has the registry's rows all the same.

    Raises:
        ClusterError: no replica of a part has them.
    """
    chosen = one_of_each(name, replicas)
    doubtful = [replica for replica in chosen if replica.state is not ReplicaState.GOOD]
    for node, held in by_node(doubtful, sorted({replica.node for replica in doubtful})).items():
        order = DigestOrder(database, stored, tuple(one.name for one in held))
        found = answer(node, site.nodes[node].call(NodeLoader.digests, order))
        for replica, one in zip(held, found, strict=True):
            if one.digest != replica.digest:
                raise ClusterError(
                    f"node '{node}': table {database}.{replica.name} has other rows than it should, and no other "
                    "replica of them is good",
                    remedy="run skyshard replicas repair",
                )
    return chosen


def shown_indexes(database: str, parts: Iterable[IndexPart]) -> list[ShownTable]:
    """The same for the director indexes of a database."""
    rows: dict[str, dict[int, int]] = defaultdict(dict)
    for part in parts:
        rows[index_table_name(database, part.director)][part.part] = part.rows
    return [
        ShownTable(
            base + shown_suffix(sorted(counts)), tuple(base + part_suffix(part) for part in sorted(counts)),
            sum(counts.values()),
        )
        for base, counts in rows.items()
    ]  # fmt: skip


def expected_index_tables(database: str, parts: Iterable[IndexPart]) -> set[str]:
    """The same for the director indexes of a database."""
    numbers: dict[str, list[int]] = defaultdict(list)
    for part in parts:
        numbers[index_table_name(database, part.director)].append(part.part)
    return {
        base + suffix
        for base, those in numbers.items()
        for suffix in [*map(part_suffix, those), *shown_suffixes(sorted(those))]
    }


def outdated_tables(
    site: Site, database: str, made: Sequence[Replica], indexes: Sequence[IndexPart]
) -> dict[str, set[str]]:
    """Server → tables that nothing shows once whole chunk tables and director indexes are there that were made anew."""
    targets, directors = {replica.target for replica in made}, {part.director for part in indexes}
    before = site.registry.replicas.all(database)
    after = [*(replica for replica in before if replica.target not in targets), *made]
    held, left = by_node(before, site.nodes), by_node(after, site.nodes)
    names = {node: expected_tables(held[node]) - expected_tables(left[node]) for node in site.nodes}
    parts = site.registry.index_parts.all(database)
    kept = [part for part in parts if part.director not in directors]
    names[CZAR_NAME] = expected_index_tables(database, parts) - expected_index_tables(database, [*kept, *indexes])
    return names


def index_names(bases: Iterable[str]) -> re.Pattern[str]:
    """Matches the names that tables of the given director indexes can have."""
    return re.compile(rf"(?:{'|'.join(map(re.escape, bases)) or '(?!)'})(?:_[pg][0-9]+)?")


def read_replicas(
    nodes: Mapping[str, Handle[NodeLoader]],
    database: str,
    definitions: Mapping[str, tuple[Table, TableLayout]],
    replicas: Iterable[Replica],
) -> dict[tuple[str, str], TableDigest]:
    """(node, table name) → what is there now; nodes work at the same time."""
    groups: dict[tuple[str, str, bool], list[str]] = defaultdict(list)
    for replica in replicas:
        groups[replica.node, replica.table, replica.is_overlap].append(replica.name)
    calls = []
    for (node, table, is_overlap), names in groups.items():
        stored = stored_table(*definitions[table], overlap=is_overlap)
        order = DigestOrder(database, stored, tuple(names))
        calls.append((node, nodes[node].call(NodeLoader.digests, order)))
    return {(node, found.name): found for node, call in calls for found in answer(node, call)}


def dummy_targets(finished: Iterable[Replica]) -> set[tuple[str, int, bool]]:
    """The dummy chunk's tables that are there because a finished transaction has made their table."""
    return {(replica.table, DUMMY_CHUNK, replica.is_overlap) for replica in finished if replica.chunk >= 0}
