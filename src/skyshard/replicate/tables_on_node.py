"""What a node has of one database: itself, the dummy chunk, chunk tables, and what shows several parts as one."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from skyshard.basics.errors import ClusterError
from skyshard.catalog.ddl import part_suffix, shown_suffix, stored_table
from skyshard.node.messages import MergeTableOrder
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.stored.records import Replica
from skyshard.replicate.copy_table import TableCopier, TableCopy
from skyshard.replicate.dummy_tables import dummy_faults
from skyshard.replicate.look import Look
from skyshard.replicate.place import NodePlace, ReplicaPlace
from skyshard.replicate.shared_rate import SharedRate


class TablesOnNode:
    """The tables of one database on one node."""

    def __init__(self, place: ReplicaPlace, database: str, node: NodePlace, rate: SharedRate) -> None:
        layout = place.registry.databases.layout(database)
        assert layout is not None
        self.database = database
        self.node = node
        self.engine = layout.table_engine
        self.definitions = place.registry.databases.table_definitions(database)
        self.copier = TableCopier(node, rate)
        self.made_dummies = 0
        """Tables of the dummy chunk that ``prepare`` has made."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Inside, no other loader changes the database on the node."""
        self.node.loader.call(NodeLoader.hold, self.database).result()
        try:
            yield
        finally:
            with suppress(ClusterError):  # a loader that died has let go
                self.node.loader.call(NodeLoader.release, self.database).result()

    def prepare(self) -> set[str]:
        """What a node has of every database: itself, and the tables of the dummy chunk. Returns what else was there."""
        self.node.loader.call(NodeLoader.make_database, self.database).result()
        have = set(self.node.loader.call(NodeLoader.tables, self.database).result())
        for dummy in dummy_faults(Look(self.database, self.definitions), self.node.loader, self.node.name):
            self.copier.build(self.order(dummy.replica))
            self.made_dummies += 1
        return have

    def order(self, replica: Replica) -> TableCopy:
        """A table to be had, as the registry has it."""
        stored = stored_table(*self.definitions[replica.table], overlap=replica.is_overlap)
        return TableCopy(self.database, stored, self.engine, replica)

    def show_parts(self, replica: Replica, parts: Iterable[int], there: Container[str] | None = None) -> None:
        """Make the lists of a chunk table's parts, of this generation and of those that queries may still read.

        Args:
            there: tables that are on the node: a list of others is not made, as a view cannot be; None: all are.
        """
        numbers = sorted(parts)
        names = [replica.named(part_suffix(part)) for part in numbers]
        lists = {
            replica.named(shown_suffix(numbers[:count])): tuple(names[:count])
            for count in range(2, len(numbers) + 1)
            if there is None or all(name in there for name in names[:count])
        }
        if not lists:
            return
        stored = self.order(replace(replica, part=0)).stored
        order = MergeTableOrder(self.database, stored, self.engine.name, lists)
        self.node.loader.call(NodeLoader.make_merge_tables, order).result()

    def settle(self) -> None:
        """Have everything on the disk."""
        self.node.loader.call(NodeLoader.settle, self.database).result()
