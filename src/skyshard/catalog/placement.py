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
) -> dict[int, tuple[str, ...]]:
    """Assign each chunk to ``replicas`` different nodes, the largest chunk first, each to the least loaded nodes.

    The first node of a chunk is the one that is first for the fewest bytes, so that what reads or keeps only the first
    replica is even too.

    Args:
        chunk_bytes: chunk → bytes to store.
        placed: chunk → nodes that hold it already, by rank; the first ``replicas`` are kept, missing ones filled up.

    Returns:
        chunk → nodes, the first of which is the primary one. The same input gives the same output in any order.

    Raises:
        UserError: more replicas than nodes.

    >>> place({1: 10, 2: 6, 3: 5}, ["a", "b"])
    {1: ('a',), 2: ('b',), 3: ('b',)}
    """
    if not 1 <= replicas <= len(nodes):
        raise UserError(f"{replicas} replicas need as many nodes, there are {len(nodes)}", remedy="lower --replicas")
    kept = {chunk: tuple(n for n in (placed or {}).get(chunk, ()) if n in nodes)[:replicas] for chunk in chunk_bytes}
    load = dict.fromkeys(nodes, 0)
    for chunk, holders in kept.items():
        for node in holders:
            load[node] += chunk_bytes[chunk]
    heap = [(load[node], rank, node) for rank, node in enumerate(nodes)]
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
    passed = []
    while len(holders) < replicas:
        load, rank, node = heapq.heappop(heap)
        if node not in holders:
            holders = (*holders, node)
            load += size
        passed.append((load, rank, node))
    for entry in passed:
        heapq.heappush(heap, entry)
    return holders


def rebalanced(
    chunk_bytes: Mapping[int, int],
    nodes: Sequence[str],
    replicas: int,
    placed: Mapping[int, Sequence[str]],
) -> dict[int, tuple[str, ...]]:
    """A placement on changed nodes that moves no more than needed to even out the load, to within the largest chunk.

    Chunks of nodes that are gone are placed again; then the fullest node gives to the emptiest, largest chunks first,
    until they differ by no more than the largest chunk.

    Raises:
        UserError: more replicas than nodes.

    >>> rebalanced({1: 5, 2: 5, 3: 5, 4: 5}, ["a", "b", "c"], 1, {1: ["a"], 2: ["a"], 3: ["b"], 4: ["b"]})
    {1: ('c',), 2: ('a',), 3: ('b',), 4: ('b',)}
    """
    result = {chunk: list(holders) for chunk, holders in place(chunk_bytes, nodes, replicas, placed).items()}
    load = dict.fromkeys(nodes, 0)
    held: dict[str, list[int]] = {node: [] for node in nodes}
    for chunk in sorted(result, key=lambda number: (chunk_bytes[number], -number)):
        for node in result[chunk]:
            load[node] += chunk_bytes[chunk]
            held[node].append(chunk)
    largest = max(chunk_bytes.values(), default=0)
    while load:
        giver, taker = max(nodes, key=lambda n: load[n]), min(nodes, key=lambda n: load[n])
        gap = load[giver] - load[taker]
        fitting = (i for i in reversed(range(len(held[giver]))) if taker not in result[held[giver][i]])
        at = next((i for i in fitting if 0 < chunk_bytes[held[giver][i]] < gap), None)
        if gap <= largest or at is None:
            break
        chunk = held[giver].pop(at)
        result[chunk][result[chunk].index(giver)] = taker
        held[taker].append(chunk)
        load[giver] -= chunk_bytes[chunk]
        load[taker] += chunk_bytes[chunk]
    return {chunk: tuple(holders) for chunk, holders in result.items()}
