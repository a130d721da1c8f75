"""Gives nodes their orders: what an order needs of other hosts is brought to the node's host before it is given.

What lies there already is read by path, as ever. At most ``PER_NODE`` orders are on their way to a node, and
``UNDER_WAY`` blocks for each.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from skyshard.ingest.on_nodes.bounded_futures import PER_NODE
from skyshard.ingest.on_nodes.carried_slices import Block, carried
from skyshard.ingest.on_nodes.ingest_site import Site
from skyshard.ingest.on_nodes.moved_blocks import HERE
from skyshard.node.host_files import HostFiles
from skyshard.node.messages import BuildOrder, BuiltTable


class OrderSender:
    """For one transaction; ``folder`` is its folder, below the staging folder of each host."""

    def __init__(self, site: Site, folder: Path) -> None:
        self._site = site
        self._folder = folder
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._token = uuid.uuid4().hex[:12]
        self._numbers = itertools.count()

    def build(self, node: str, order: BuildOrder) -> Future[list[BuiltTable]]:
        """Have a node build an order; returns at once. Bytes that were brought for it are gone when it has ended."""
        host = self._site.host_of(node)
        if all(piece.host == host for build in order.builds for piece in build.slices):
            return self._site.build(node, order)
        if node not in self._threads:
            self._threads[node] = ThreadPoolExecutor(PER_NODE, f"carry-{node}")
        return self._threads[node].submit(self._carry, node, host, order)

    def close(self) -> None:
        """Give up orders that have not begun, and wait for the others."""
        for threads in self._threads.values():
            threads.shutdown(cancel_futures=True)

    def _carry(self, node: str, host: str, order: BuildOrder) -> list[BuiltTable]:
        name = f"in-{self._token}-{next(self._numbers)}"
        ready, blocks = carried(order, host, str(self._site.staging_on(host) / self._folder / name))
        try:
            self._site.mover.move(blocks, host)
            return self._site.build(node, ready).result()
        finally:
            self._remove(host, blocks)

    def _remove(self, host: str, blocks: Sequence[Block]) -> None:
        """Nobody waits for that; a host that is gone is swept when it is back."""
        paths = sorted({place.path for block in blocks for place in block.places})
        if host:
            self._site.away[host].files.call(HostFiles.remove, paths)
        else:
            HERE.remove(paths)
