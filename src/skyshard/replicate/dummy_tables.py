"""The dummy chunk's tables, which every node has, empty: the registry keeps no replicas of them, so nodes are asked.

A statement that needs no chunk reads them, on any node; nothing is marked, what is at fault is made again at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from skyshard.catalog.ddl import DUMMY_CHUNK
from skyshard.catalog.layout import Role, TableLayout
from skyshard.catalog.schema import Table
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.catalog.replication_index import KnownReplica
from skyshard.registry.stored.records import Replica
from skyshard.replicate.look import Look
from skyshard.rowimage.digest import RowDigest
from skyshard.runtime.base import Handle

NO_ROWS = str(RowDigest(0, 0))


def dummy_replicas(definitions: Mapping[str, tuple[Table, TableLayout]], node: str) -> Iterator[KnownReplica]:
    """What a node must have of the dummy chunk of a database, as if it were replicas."""
    for name, (_, layout) in definitions.items():
        for is_overlap in (False, True)[: 1 + (layout.role is Role.DIRECTOR)]:
            if layout.role.is_chunked:
                yield KnownReplica(Replica(name, DUMMY_CHUNK, is_overlap, node, 0, 0, NO_ROWS), 0, 0.0)


def dummy_faults(look: Look, loader: Handle[NodeLoader], node: str) -> dict[KnownReplica, str]:
    """The tables of a node's dummy chunk that are missing, damaged or not empty, and why.

    Raises:
        ClusterError, UserError: the node does not answer, or lets nobody in: that says nothing of its tables.
    """
    looked_at = ((one, look.alone(loader, one)) for one in dummy_replicas(look.definitions, node))
    return {one: fault for one, fault in looked_at if fault}
