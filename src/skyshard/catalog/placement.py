"""Which nodes hold which chunk: by bytes, deterministic, siblings together.

No I/O. A chunk that any database of the family has placed stays where it is, so that tables and databases that are
joined by chunk are on the same node.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

from skyshard.basics.errors import UserError


def place(
    chunk_bytes: Mapping[int, int],
    nodes: Sequence[str],
    replicas: int = 1,
    placed: Mapping[int, Sequence[str]] | None = None,
    taking: Sequence[str] | None = None,
) -> dict[int, tuple[str, ...]]:
    """Assign each chunk to ``replicas`` different nodes, the largest chunk first, each to the least loaded nodes.

    The first node of a chunk is the one that is first for the fewest bytes, so that what reads or keeps only the first
    replica is even too.

    Args:
        chunk_bytes: chunk → bytes to store.
        placed: chunk → nodes that hold it already, by rank; the first ``replicas`` are kept, missing ones filled up.
        taking: the nodes that chunks may come to; all if None. What others hold stays there.

    Returns:
        chunk → nodes, the first of which is the primary one. The same input gives the same output in any order.

    Raises:
        UserError: more replicas than nodes, or than nodes that chunks may come to.

    >>> place({1: 10, 2: 6, 3: 5}, ["a", "b"])
    {1: ('a',), 2: ('b',), 3: ('b',)}
    >>> place({1: 10, 2: 6, 3: 5}, ["a", "b"], placed={1: ["a"]}, taking=["b"])
    {1: ('a',), 2: ('b',), 3: ('b',)}
    """
    if not 1 <= replicas <= len(nodes):
        raise UserError(f"{replicas} replicas need as many nodes, there are {len(nodes)}", remedy="lower --replicas")
    open_to = nodes if taking is None else [node for node in nodes if node in taking]
    there = frozenset(nodes)
    kept = {chunk: tuple(n for n in (placed or {}).get(chunk, ()) if n in there)[:replicas] for chunk in chunk_bytes}
    load = dict.fromkeys(nodes, 0)
    for chunk, holders in kept.items():
        for node in holders:
            load[node] += chunk_bytes[chunk]
    heap = [(load[node], rank, node) for rank, node in enumerate(open_to)]
    heapq.heapify(heap)
    first = dict.fromkeys(nodes, 0)
    result: dict[int, tuple[str, ...]] = {}
    for chunk in sorted(chunk_bytes, key=lambda number: (-chunk_bytes[number], number)):
        holders = _fill(kept[chunk], replicas, chunk_bytes[chunk], heap)
        if not kept[chunk]:
            holders = tuple(sorted(holders, key=lambda node: first[node]))
        first[holders[0]] += chunk_bytes[chunk]
        result[chunk] = holders
    return dict(sorted(result.items()))


def _fill(holders: tuple[str, ...], replicas: int, size: int, heap: list[tuple[int, int, str]]) -> tuple[str, ...]:
    """Add the least loaded nodes until there are enough."""
    passed: list[tuple[int, int, str]] = []
    while len(holders) < replicas:
        if not heap:
            raise UserError(
                f"{replicas} replicas need as many nodes that take new chunks, there are {len(passed)}",
                remedy="see `skyshard nodes list`; run `skyshard nodes enable` or `add`, or lower --replicas",
            )
        load, rank, node = heapq.heappop(heap)
        if node not in holders:
            holders = (*holders, node)
            load += size
        passed.append((load, rank, node))
    for entry in passed:
        heapq.heappush(heap, entry)
    return holders
