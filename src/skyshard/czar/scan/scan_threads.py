"""How many threads the scan lanes of nodes have; nodes of one host share its cores."""

from __future__ import annotations

import os

from skyshard.cluster.node import Node

MOST_THREADS = 8
"""Of one node: more of them do not make its server read faster."""


def scan_threads_of(nodes: int, cores: int | None = None) -> int:
    """Threads of the scan lanes of nodes that share cores: these are shared out, each node has at least one.

    >>> scan_threads_of(2, 2), scan_threads_of(1, 2), scan_threads_of(3, 32)
    (1, 2, 8)
    """
    return max(1, min(MOST_THREADS, (cores or os.cpu_count() or 1) // max(nodes, 1)))


def scan_threads_on(node: Node, beside: int) -> int:
    """Of one node's scan lane; so many nodes are on this host."""
    if node.scan_threads:
        return node.scan_threads
    return scan_threads_of(beside if node.is_here and not node.cores else 1, node.cores or None)
