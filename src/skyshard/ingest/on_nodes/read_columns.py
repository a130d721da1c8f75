"""Some columns of one replica, read by its node's loader and sent here."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from skyshard.catalog.schema import Table
from skyshard.ingest.on_nodes.bounded_futures import answer
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.node.messages import RowsOrder
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.stored.records import Replica


def read_columns(site: Site, database: str, stored: Table, replica: Replica, columns: Sequence[str]) -> pa.Table:
    """The columns of all rows of a replica, whose node stores the table as ``stored`` says.

    Raises:
        ClusterError: the node does not answer, or its table cannot be read; the error names it.
    """
    named = tuple(stored.column(name).name for name in columns)
    order = RowsOrder(database, stored, (replica.name,), named)
    return answer(replica.node, site.nodes[replica.node].call(NodeLoader.rows, order))
