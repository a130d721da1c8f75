"""Makes each chunk table of row images once on a host: one node packs, digests and indexes it, others copy its files.

Pure: no I/O. The first node of a chunk is the one that makes its tables. Only it may take a bundle's file over as its
data file, whatever the others do; what it has made is given to the others as soon as it is there. A table that
merges earlier ones, or is of another engine, every node makes for itself.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from skyshard.catalog.engines import MYISAM
from skyshard.ingest.on_nodes.build_orders import in_orders
from skyshard.node.messages import BuildOrder, BuiltTable, Loader, TableBuild

Queues = dict[str, list[BuildOrder]]
Kind = tuple[str, str]
"""A node, and a table of the catalog."""


class CopiedTables:
    """The orders of one transaction: those that can be given at once, and those that wait for another node."""

    def __init__(self, queues: Mapping[str, Sequence[BuildOrder]], first_node: Callable[[int, str], str]) -> None:
        """
        Args:
            queues: what each node lacks, the orders of one table one after another.
            first_node: of a chunk, among the nodes of the same host as a node that holds it.
        """
        self._first_node = first_node
        self._waiting: dict[tuple[str, str], list[tuple[str, TableBuild]]] = defaultdict(list)
        self._ready: dict[Kind, list[TableBuild]] = defaultdict(list)
        self._lacking: Counter[Kind] = Counter()
        makers = {(node, build.name) for node, orders in queues.items() for order in orders for build in order.builds}
        self.queues: Queues = {
            node: [one for kind in _of_one_kind(orders) for one in self._first(node, kind, makers)]
            for node, orders in queues.items()
        }

    def _first(self, node: str, orders: Sequence[BuildOrder], makers: set[tuple[str, str]]) -> Sequence[BuildOrder]:
        """What a node can make of a table without another one; the rest waits for that."""
        builds, order = [], orders[0]
        for build in (build for order in orders for build in order.builds):
            first = self._first_node(build.chunk, node)
            shared = build if first == node else _without_own_files(build)
            if first != node and (first, build.name) in makers and _can_be_copied(order, build):
                self._waiting[first, build.name].append((node, shared))
                self._lacking[node, order.table.name] += 1
            else:
                builds.append(shared)
        return [*_in_orders(order, builds)]

    def after(self, node: str, order: BuildOrder, built: Sequence[BuiltTable]) -> Queues:
        """The orders that waited for tables which a node has made now: full ones, and the last one of a table."""
        found: Queues = {}
        for table in built:
            for other, build in self._waiting.pop((node, table.name), ()):
                self._ready[other, order.table.name].append(replace(build, made=table.files))
                self._lacking[other, order.table.name] -= 1
        for kind in [kind for kind in self._ready if kind[1] == order.table.name]:
            *full, last = _in_orders(order, self._ready.pop(kind))
            if self._lacking[kind]:
                self._ready[kind] = [*last.builds]
            else:
                full.append(last)
            if full:
                found[kind[0]] = full
        return found


def _of_one_kind(orders: Sequence[BuildOrder]) -> Iterator[list[BuildOrder]]:
    """Orders of one table together."""
    return (list(some) for _, some in groupby(orders, lambda order: order.table.name))


def _in_orders(like: BuildOrder, builds: Sequence[TableBuild]) -> Iterator[BuildOrder]:
    return in_orders(like.database, like.table, like.loader, builds, like.engine)


def _without_own_files(build: TableBuild) -> TableBuild:
    """A build that reads its slices, and takes none of their files over."""
    return replace(build, slices=tuple(replace(piece, is_own=False) for piece in build.slices))


def _can_be_copied(order: BuildOrder, build: TableBuild) -> bool:
    is_image = order.loader is Loader.IMAGE and order.engine == MYISAM.name
    return is_image and build.rows > 0 and not build.merged
