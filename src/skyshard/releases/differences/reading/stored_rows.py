"""One table of a published database, read by chunk through the nodes that hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from skyshard.basics.array_types import RowIndexes
from skyshard.basics.errors import ClusterError
from skyshard.catalog.ddl import stored_table
from skyshard.catalog.layout import TableLayout
from skyshard.catalog.schema import Table
from skyshard.node.messages import RowsOrder
from skyshard.node.node_loader import NodeLoader
from skyshard.registry.catalog.published_catalog import Catalog
from skyshard.registry.stored.lifecycle import ReplicaState
from skyshard.registry.stored.records import Replica
from skyshard.rowimage.digest import RowDigest
from skyshard.runtime.base import Handle


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """One chunk of a table, or a whole regular table: its parts, and who has all of them."""

    chunk: int
    rows: int
    digest: RowDigest
    parts: tuple[str, ...]
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StoredRows:
    """The rows of one table."""

    database: str
    table: Table
    """As nodes store it."""
    layout: TableLayout
    chunks: Mapping[int, StoredChunk]
    """Those with rows, ascending; a regular table is chunk -1."""
    nodes: Mapping[str, Handle[NodeLoader]]

    @property
    def rows(self) -> int:
        return sum(chunk.rows for chunk in self.chunks.values())

    @property
    def digest(self) -> RowDigest:
        """Of all rows, in whatever chunks they are."""
        return sum((chunk.digest for chunk in self.chunks.values()), RowDigest())

    def read(self, chunk: int, columns: Sequence[str], rows: RowIndexes | None = None) -> pa.Table:
        """Some columns of a chunk's rows; of the rows with these numbers, if they are given.

        Raises:
            ClusterError: no node that holds the chunk answers.
        """
        stored = self.chunks[chunk]
        order = RowsOrder(self.database, self.table, stored.parts, tuple(columns), rows)
        failed: ClusterError | None = None
        for node in stored.nodes:
            try:
                return self.nodes[node].call(NodeLoader.rows, order).result()
            except ClusterError as error:
                failed = ClusterError(f"node '{node}': {error.what}", remedy=error.remedy, retryable=error.retryable)
        raise failed or ClusterError(
            f"no node holds chunk {chunk} of {self.database}.{self.table.name}", remedy="run skyshard verify"
        )


def stored_rows(
    catalog: Catalog, name: str, replicas: Sequence[Replica], nodes: Mapping[str, Handle[NodeLoader]]
) -> StoredRows:
    """A table of a catalog, by the replicas of its database."""
    entry = catalog.tables[name]
    mine: dict[int, list[Replica]] = {}
    for replica in replicas:
        if replica.table == name and not replica.is_overlap:
            mine.setdefault(replica.chunk, []).append(replica)
    chunks = {chunk: _chunk(chunk, mine[chunk]) for chunk in sorted(mine)}
    filled = {number: chunk for number, chunk in chunks.items() if chunk.rows}
    return StoredRows(catalog.database, stored_table(entry.table, entry.layout), entry.layout, filled, nodes)


def _chunk(number: int, replicas: Sequence[Replica]) -> StoredChunk:
    by_part = {replica.part: replica for replica in replicas}
    parts = [by_part[part] for part in sorted(by_part)]
    holders: dict[str, set[int]] = {}
    for replica in replicas:
        if replica.state is ReplicaState.GOOD:
            holders.setdefault(replica.node, set()).add(replica.part)
    nodes = tuple(sorted(node for node, found in holders.items() if found == set(by_part)))
    digest = sum((RowDigest.parse(part.digest) for part in parts), RowDigest())
    return StoredChunk(number, sum(part.rows for part in parts), digest, tuple(one.name for one in parts), nodes)
