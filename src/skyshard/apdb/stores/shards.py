"""What a session over several nodes needs of its cluster: where chunks are, and sessions on its servers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from skyshard.apdb.stores.sql_server import NodeServer
from skyshard.apdb.stores.tile_ledger import TileLedger


class Shards(Protocol):
    """A cluster with one database; threads share it. All methods raise ``ClusterError`` when a server fails."""

    def nodes_of(self, chunks: Sequence[int]) -> list[str]:
        """The node of each chunk; a chunk without one is given one."""
        ...

    def all_nodes(self) -> list[str]:
        """Every node that has a chunk."""
        ...

    def open_server(self, node: str) -> NodeServer:
        """A session on a node."""
        ...

    def open_ledger(self) -> TileLedger:
        """A session on the ledger."""
        ...

    def prepare_month(self, month: int, nodes: Sequence[str]) -> None:
        """Give the monthly tables of these nodes a month, where they lack it."""
        ...
