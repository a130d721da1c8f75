"""Chunk tables made anew of the rows that they have: parts that become one, keys that are others.

A transaction like any other: nodes make the new tables while the old ones stay, counted and digest-checked, and one
registry transaction shows them in their place. The old ones stay for a time of grace, for queries that began before.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from skyshard.basics.errors import ClusterError
from skyshard.basics.progress import Progress, Watcher
from skyshard.catalog.ddl import create_table, part_suffix, physical_name, stored_table
from skyshard.catalog.engines import TableEngine
from skyshard.catalog.layout import Layout, TableLayout
from skyshard.catalog.schema import Table
from skyshard.ingest.on_nodes.bounded_futures import answer, drain
from skyshard.ingest.on_nodes.build_orders import EMPTY, ChunkKey, built_replicas, in_orders, index_definition
from skyshard.ingest.on_nodes.image_columns import image_columns
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.part_tables import by_node, outdated_tables
from skyshard.ingest.partition.director_keys import KeyKind
from skyshard.ingest.plan.ingest_plan import loader_of
from skyshard.ingest.transaction.ending import settle
from skyshard.ingest.transaction.recovery import sweep
from skyshard.log.events import COMPACTION_BEGUN, PARTS_MERGED, TRANSACTION_PUBLISHED
from skyshard.node.messages import BuildOrder, DigestOrder, Loader, TableBuild
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.catalog.director_index import index_table_name
from skyshard.registry.stored.lifecycle import Event, ReplicaState
from skyshard.registry.stored.records import COMPACTION, WHOLE, IndexPart, OpenTransaction, Replica
from skyshard.registry.stored.sql_tables import INDEX_DATABASE
from skyshard.registry.transactions.transaction_report import ReportedMerge, TransactionReport
from skyshard.rowimage.digest import RowDigest

ChunkTable = tuple[str, int, bool]
"""Table, chunk, overlap: all parts of it."""


@dataclass(slots=True)
class Compacted:
    """What a compaction did; transaction 0 means that there was nothing to merge. Bytes are those written."""

    database: str
    transaction: int = 0
    tables: int = 0
    parts: int = 0
    indexes: int = 0
    rows: int = 0
    bytes: int = 0
    elapsed_s: float = 0.0


class Remake:
    """One run: the making, the switch."""

    def __init__(
        self,
        site: Site,
        database: str,
        replicas: Sequence[Replica],
        merged: AbstractSet[ChunkTable],
        watcher: Watcher,
        *,
        indexes: Mapping[str, Sequence[IndexPart]] | None = None,
        layouts: Mapping[str, TableLayout] | None = None,
    ) -> None:
        """``merged`` and ``indexes``: what is made anew; ``layouts``: of the tables that are to have other keys."""
        self._site = site
        self._database = database
        self._watch = watcher
        self._replicas = replicas
        self._merged = merged
        self._indexes = indexes or {}
        self._layouts = layouts or {}

    @property
    def is_needed(self) -> bool:
        return bool(self._merged or self._indexes)

    def run(self, source: str) -> Compacted:
        """``source``: what the list of transactions says of it."""
        site, database, start = self._site, self._database, time.monotonic()
        layout = site.registry.databases.layout(database)
        assert layout is not None
        mine = site.registry.transactions.begin(database, layout, source, COMPACTION, site.started_s())
        site.events.tell(
            COMPACTION_BEGUN, transaction=mine.id, database=database, tables=len(self._merged),
            indexes=len(self._indexes),
        )  # fmt: skip
        try:
            return self._transact(mine, layout, start)
        except BaseException as error:
            settle(site, database, mine, error)
            raise

    def _transact(self, mine: OpenTransaction, layout: Layout, start: float) -> Compacted:
        site, database = self._site, self._database
        sweep(site, database, mine.id)
        made = self._make_tables(mine, layout.table_engine)
        image_columns(site, database, layout, self._definitions(), made, self._watch)
        indexes = [self._make_index(mine, director, parts) for director, parts in self._indexes.items()]
        done = Compacted(
            database, mine.id, len(self._merged), sum(r.target in self._merged for r in self._replicas), len(indexes),
            sum(replica.rows for replica in made), sum(replica.bytes for replica in made), time.monotonic() - start,
        )  # fmt: skip
        site.write_logs(database, layout.engine)
        site.settle(database)
        site.registry.transactions.move(mine, Event.COMMIT)
        merged = ReportedMerge(tables=done.tables, parts=done.parts, bytes=done.bytes)
        site.registry.transactions.publish_merged(
            database, mine, TransactionReport(compacted=merged), outdated_tables(site, database, made, indexes),
            self._layouts,
        )  # fmt: skip
        site.keep_records(database, over_later=True)
        events = site.events.about(transaction=mine.id, database=database)
        events.tell(PARTS_MERGED, parts=done.parts, tables=done.tables)
        events.tell(TRANSACTION_PUBLISHED, rows=done.rows)
        return done

    def _make_tables(self, mine: OpenTransaction, engine: TableEngine) -> list[Replica]:
        """The merged table of every chunk table on every node that holds it."""
        site, start = self._site, time.monotonic()
        replicas = sorted(self._replicas, key=lambda replica: (replica.chunk, replica.part))
        definitions = self._definitions()
        held = by_node((replica for replica in replicas if replica.target in self._merged), site.nodes)
        queues = {node: list(self._orders(definitions, held[node], mine.id, engine)) for node in site.nodes}
        total = sum(len(order.builds) for orders in queues.values() for order in orders)
        made: list[Replica] = []
        rows = size = 0
        for node, order, tables in drain(queues, site.build):
            new = built_replicas(node, order, tables)
            site.registry.replicas.add(self._database, mine.id, new)
            made += new
            rows, size = rows + sum(replica.rows for replica in new), size + sum(replica.bytes for replica in new)
            self._watch(Progress("compact", len(made), total, rows, size, time.monotonic() - start))
        _require_same(made)
        return made

    def _definitions(self) -> dict[str, tuple[Table, TableLayout]]:
        """The tables, with the keys that they are to have."""
        found = self._site.registry.databases.table_definitions(self._database)
        return found | {name: (found[name][0], layout) for name, layout in self._layouts.items()}

    def _orders(
        self,
        definitions: Mapping[str, tuple[Table, TableLayout]],
        replicas: Sequence[Replica],
        transaction: int,
        engine: TableEngine,
    ) -> Iterable[BuildOrder]:
        """What a node that holds these has to make, in the order of their chunks."""
        by_kind: dict[tuple[str, bool], dict[ChunkKey, list[Replica]]] = defaultdict(lambda: defaultdict(list))
        for replica in replicas:
            by_kind[replica.table, replica.is_overlap][replica.target[1:]].append(replica)
        for (table, is_overlap), targets in by_kind.items():
            stored = stored_table(*definitions[table], overlap=is_overlap)
            builds = [_merged(stored, parts, transaction, engine) for parts in targets.values()]
            loader, _ = loader_of(stored)
            yield from in_orders(self._database, stored, loader, builds, engine.name)

    def _make_index(self, mine: OpenTransaction, director: str, parts: Sequence[IndexPart]) -> IndexPart:
        """A director index in one table, on the czar's server."""
        base = index_table_name(self._database, director)
        names = tuple(base + part_suffix(part.part) for part in parts)
        kind = KeyKind.of(*self._site.registry.databases.table_definitions(self._database)[director])
        table = index_definition(base + part_suffix(mine.id), kind)
        order = DigestOrder(INDEX_DATABASE, table, names)
        found = answer("czar", self._site.czar_loader.call(NodeLoader.digests, order))
        total = sum((RowDigest.parse(one.digest) for one in found if one.digest), EMPTY)
        build = TableBuild(
            table.name, table.name, WHOLE, False, mine.id, create_table(table, table.name), (),
            sum(part.rows for part in parts), str(total), names,
        )  # fmt: skip
        (built,) = answer(
            "czar",
            self._site.czar_loader.call(NodeLoader.build, BuildOrder(INDEX_DATABASE, table, Loader.IMAGE, (build,))),
        )
        part = IndexPart(director, mine.id, built.rows)
        self._site.registry.index_parts.add(self._database, mine.id, part)
        return part


def unequal(replicas: Iterable[Replica]) -> set[ChunkTable]:
    """The chunk tables whose nodes do not all have the same parts: merged, each would have other rows."""
    held: dict[ChunkTable, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    for replica in replicas:
        held[replica.target][replica.node].add(replica.part)
    return {target for target, nodes in held.items() if len(set(map(frozenset, nodes.values()))) > 1}


def doubtful_tables(replicas: Sequence[Replica]) -> set[ChunkTable]:
    """The chunk tables of which a replica is not good, or whose nodes do not all have the same parts."""
    return unequal(replicas) | {one.target for one in replicas if one.state is not ReplicaState.GOOD}


def _require_same(made: Iterable[Replica]) -> None:
    """Make sure that a table that was merged on several nodes has the same rows on each."""
    found: dict[ChunkTable, str] = {}
    for replica in made:
        if found.setdefault(replica.target, replica.digest) != replica.digest:
            raise ClusterError(
                f"the parts of {replica.name} are not the same on all nodes", remedy="run skyshard replicas verify"
            )


def _merged(stored: Table, parts: Sequence[Replica], transaction: int, engine: TableEngine) -> TableBuild:
    """One table of all rows that a node's parts of a chunk table have."""
    first = parts[0]
    name = physical_name(first.table, first.chunk, is_overlap=first.is_overlap, suffix=part_suffix(transaction))
    total = sum((RowDigest.parse(part.digest) for part in parts), EMPTY)
    is_first = [part.part for part in parts] == [0]  # else two parts may have a value each
    create = create_table(stored, name, engine=engine, unique=is_first)
    return TableBuild(
        name, first.table, first.chunk, first.is_overlap, transaction, create, (),
        total.rows, str(total), tuple(one.name for one in parts),
    )  # fmt: skip
