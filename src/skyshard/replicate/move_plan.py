"""Which chunks go where, as values: a node drained, nodes evened out, missing replicas given a home. No I/O.

Rules: a chunk goes whole, with the tables of all databases of its family, to a node that has no replica of it; the node
that gives it up comes last. Regular tables come first to a node that is to get chunks, and leave last. The same input
gives the same plan in any order.
"""

from __future__ import annotations

import bisect
import heapq
import itertools
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from skyshard.registry.stored.job_rows import PlannedMove
from skyshard.registry.stored.records import WHOLE

GOLDEN = (5**0.5 - 1) / 2
"""Multiples of it, modulo 1, are as even as those of any number."""
EVEN_SHARE = 0.02
"""Nodes whose bytes differ by less, as a share of their mean, are even."""


@dataclass(frozen=True, slots=True)
class PlacedChunk:
    """One chunk of all databases of a family; ``WHOLE`` for their regular tables, which every node is to have."""

    family: str
    chunk: int
    nodes: tuple[str, ...]
    """That are to hold it, by rank: a database of R replicas is on the first R."""
    level: int
    """Nodes that it is to be on: as many as the database with the most replicas asks for."""
    bytes: Mapping[str, int]
    """What each node holds of it, whether it is to or not."""
    tables: int
    """Of the node with the most."""
    is_settled: bool = True
    """Every database has it on the nodes that are to hold it, and on no other."""
    alone: tuple[str, ...] = ()
    """Nodes that hold it alone, for one database at least."""

    @property
    def size(self) -> int:
        """Of a replica with the tables of all databases."""
        return max(self.bytes.values(), default=0)


@dataclass(frozen=True, slots=True)
class ChunkMove(PlannedMove):
    """A move, and how many tables a node that gets the chunk gets with it."""

    tables: int = 0


@dataclass(frozen=True, slots=True)
class MovePlan:
    """What a job would do."""

    moves: tuple[ChunkMove, ...]
    minimum_bytes: int
    """The fewest bytes with which any plan reaches the same, were chunks of any size."""
    before: Mapping[str, int]
    """Bytes of each node now."""
    after: Mapping[str, int]
    short: Mapping[str, int]
    """Why chunks do not come to their level → how many."""

    @property
    def bytes(self) -> int:
        """To be copied, in all."""
        return sum(move.bytes for move in self.moves)

    @property
    def chunks(self) -> int:
        return sum(move.chunk != WHOLE for move in self.moves)

    @property
    def tables(self) -> int:
        """To be copied, in all."""
        return sum(move.tables * len(move.came) for move in self.moves)

    def came_to(self) -> dict[str, int]:
        """Bytes that each node gets."""
        got: Counter[str] = Counter()
        for move in self.moves:
            for node in move.came:
                got[node] += move.bytes // len(move.came)
        return dict(got)

    def expected_s(self, rate_bytes_s: float, away: Collection[str] = ()) -> float | None:
        """At a rate a node; None without one. The node that gets, or gives, the most decides.

        Args:
            away: nodes that give nothing.
        """
        if not rate_bytes_s:
            return None
        load: dict[str, float] = defaultdict(float, self.came_to())
        for move in self.moves:
            givers = [node for node in move.before if node not in away]
            for node in givers:
                load[node] += move.bytes / len(givers)
        return max(load.values(), default=0.0) / rate_bytes_s


def skew(load: Mapping[str, int], nodes: Collection[str]) -> float:
    """Bytes of the fullest of some nodes against their mean; 1 where nothing is stored.

    >>> skew({"a": 30, "b": 10, "c": 99}, ["a", "b"])
    1.5
    """
    mine = [load.get(node, 0) for node in nodes]
    return max(mine) * len(mine) / sum(mine) if any(mine) else 1.0


class _Loads:
    """Bytes of nodes, and the least loaded ones of some."""

    def __init__(self, chunks: Iterable[PlacedChunk], targets: Sequence[str]) -> None:
        self.bytes: Counter[str] = Counter(dict.fromkeys(targets, 0))
        for one in chunks:
            self.bytes.update(one.bytes)
        self.before = dict(self.bytes)
        self._heap = [(self.bytes[node], rank, node) for rank, node in enumerate(targets)]
        heapq.heapify(self._heap)

    def give(self, size: int, but: Collection[str]) -> str:
        """Let the least loaded target, but some, have so many bytes; its name, empty where there is none."""
        passed, found = [], ""
        while self._heap and not found:
            load, rank, node = heapq.heappop(self._heap)
            if node not in but:
                found, load = node, load + size
                self.bytes[node] += size
            passed.append((load, rank, node))
        for entry in passed:
            heapq.heappush(self._heap, entry)
        return found


def _largest_first(chunks: Iterable[PlacedChunk]) -> list[PlacedChunk]:
    return sorted(
        (one for one in chunks if one.chunk != WHOLE), key=lambda one: (-one.size, one.family, one.chunk)
    )  # fmt: skip


def _regular(chunks: Iterable[PlacedChunk], targets: Iterable[str], loads: _Loads) -> list[ChunkMove]:
    """The regular tables of each family, to the targets that lack them."""
    found, wanted = [], list(targets)
    for one in (one for one in chunks if one.chunk == WHOLE):
        new = tuple(node for node in wanted if node not in one.nodes)
        if new or not one.is_settled:
            after = (*one.nodes, *new)
            found.append(ChunkMove(one.family, WHOLE, one.nodes, after, one.size * len(new), one.tables))
            loads.bytes.update(dict.fromkeys(new, one.size))
    return sorted(found, key=lambda move: move.family)


def plan_drain(chunks: Sequence[PlacedChunk], targets: Sequence[str], node: str) -> MovePlan:
    """Every chunk of a node to others, the largest first, each to the one that is loaded least.

    Args:
        targets: nodes that may get chunks, without the one that is drained.
    """
    loads = _Loads(chunks, targets)
    moves, short = _regular(chunks, targets, loads), Counter[str]()
    minimum = 0
    for one in _largest_first(chunks):
        size = one.bytes.get(node, 0)
        if node not in one.nodes and node not in one.bytes:
            continue
        minimum += size
        others = {name for name in (*one.nodes, *one.bytes) if name != node}
        to = loads.give(size, others) if node in one.nodes else ""
        if node in one.nodes and not to:
            short[_too_few(one.level, len(targets))] += 1
            continue
        after = tuple(to if name == node else name for name in one.nodes)
        moves.append(ChunkMove(one.family, one.chunk, one.nodes, after, size if to else 0, one.tables))
        loads.bytes[node] -= size
    for one in sorted(chunks, key=lambda one: one.family):
        if one.chunk == WHOLE and node in one.bytes and not short:
            new = tuple(name for name in targets if name not in one.nodes)
            there = (*one.nodes, *new)
            left = tuple(name for name in there if name != node)
            moves.append(ChunkMove(one.family, WHOLE, there, left, 0, one.tables))
            loads.bytes[node] -= one.bytes[node]
    return MovePlan(tuple(moves), minimum, loads.before, dict(loads.bytes), dict(short))


def _too_few(level: int, targets: int) -> str:
    nodes = "node is" if targets == 1 else "nodes are"
    return f"level {level} needs {level} nodes that may get chunks, {targets} {nodes} there"


def plan_even(chunks: Sequence[PlacedChunk], nodes: Sequence[str]) -> MovePlan:
    """Nodes with the same bytes each, as few of which are moved as that takes: the fullest gives to the emptiest.

    Chunks of all sizes go by turns: a new node that got the largest ones alone would have the dense parts of the sky,
    and be asked more than others.

    Args:
        nodes: those that may get and give chunks.
    """
    loads = _Loads(chunks, nodes)
    moves = _regular(chunks, nodes, loads)
    mean = sum(loads.bytes[node] for node in nodes) / max(1, len(nodes))
    minimum = sum(move.bytes for move in moves)
    minimum += round(sum(max(0.0, loads.bytes[node] - mean) for node in nodes))
    listed = sorted((one for one in chunks if one.chunk != WHOLE), key=lambda one: (one.family, one.chunk))
    result = [list(one.nodes) for one in listed]
    held: dict[str, list[tuple[int, int]]] = {node: [] for node in nodes}
    for number, one in enumerate(listed):
        for node in one.nodes:
            if node in held and one.bytes.get(node, 0):
                held[node].append((one.bytes[node], number))
    for mine in held.values():
        mine.sort()
    ends = _Ends({node: loads.bytes[node] for node in nodes})
    for turn in itertools.count(1) if len(nodes) > 1 else ():
        giver, taker = ends.fullest, ends.emptiest
        at = _fitting(held[giver], taker, result, listed, (ends.load[giver], ends.load[taker], mean), turn)
        if at is None:
            break
        size, number = held[giver].pop(at)
        result[number][result[number].index(giver)] = taker
        bisect.insort(held[taker], (size, number))
        ends.move(size, giver, taker)
    loads.bytes.update({node: ends.load[node] - loads.bytes[node] for node in nodes})
    for number, one in enumerate(listed):
        after = tuple(result[number])
        if after != one.nodes:
            size = sum(one.bytes[node] for node in one.nodes if node not in after)
            moves.append(ChunkMove(one.family, one.chunk, one.nodes, after, size, one.tables))
    return MovePlan(tuple(moves), minimum, loads.before, dict(loads.bytes), {})


class _Ends:
    """The loads of nodes, and which of them is the fullest and which the emptiest."""

    def __init__(self, load: Mapping[str, int]) -> None:
        self.load = dict(load)
        self._low = [(size, rank, node) for rank, (node, size) in enumerate(load.items())]
        self._high = [(-size, rank, node) for size, rank, node in self._low]
        self._rank = {node: rank for rank, node in enumerate(load)}
        heapq.heapify(self._low)
        heapq.heapify(self._high)

    @property
    def fullest(self) -> str:
        return self._first(self._high, -1)

    @property
    def emptiest(self) -> str:
        return self._first(self._low, 1)

    def _first(self, heap: list[tuple[int, int, str]], sign: int) -> str:
        while heap[0][0] != sign * self.load[heap[0][2]]:  # what it was before
            heapq.heappop(heap)
        return heap[0][2]

    def move(self, size: int, giver: str, taker: str) -> None:
        self.load[giver] -= size
        self.load[taker] += size
        for node in (giver, taker):
            heapq.heappush(self._low, (self.load[node], self._rank[node], node))
            heapq.heappush(self._high, (-self.load[node], self._rank[node], node))


def _fitting(
    held: Sequence[tuple[int, int]],
    taker: str,
    result: Sequence[Sequence[str]],
    listed: Sequence[PlacedChunk],
    loads: tuple[float, float, float],
    turn: int,
) -> int | None:
    """The place of a chunk that the fullest node gives to the emptiest one; None where they are even.

    One that takes neither past the mean if there is any, else one that makes them more even.

    Args:
        loads: of the giver, of the taker, their mean.
    """
    given, taken, mean = loads
    tolerance = EVEN_SHARE * mean
    if given - taken <= tolerance:
        return None
    for most in (min(given - mean, mean - taken) + tolerance / 2, given - taken - 1):
        small = bisect.bisect_right(held, (most, len(listed)))
        for at in _by_turns(small, turn):
            number = held[at][1]
            if _is_free(listed[number], result[number], taker):
                return at
    return None


def _is_free(one: PlacedChunk, holders: Sequence[str], taker: str) -> bool:
    return one.is_settled and taker not in holders  # one that has given it up may take it back


def _by_turns(count: int, turn: int) -> Iterator[int]:
    """Places of a list, each once, from another one with each turn: a few turns come by all parts of the list."""
    first = int(turn * GOLDEN % 1 * count)
    return ((first - step) % count for step in range(count))


def plan_fill(chunks: Sequence[PlacedChunk], targets: Sequence[str], gone: Collection[str] = ()) -> MovePlan:
    """Every chunk on as many nodes as it is to be on: what is missing, or on nodes that are gone, is made elsewhere.

    Where a database asks for more replicas than there are nodes, it gets as many as there are. What a node that is gone
    has alone waits for it.

    Args:
        targets: nodes that may get chunks.
        gone: nodes that are not counted on any more.
    """
    loads = _Loads(chunks, targets)
    moves, short = _regular(chunks, targets, loads), Counter[str]()
    minimum = sum(move.bytes for move in moves)
    for one in _largest_first(chunks):
        there = [node for node in one.nodes if node not in gone]
        if not any(node not in gone for node in one.bytes) or any(node in gone for node in one.alone):
            short["no node that answers has all of their tables"] += 1
            continue
        wanted = max(one.level, 1)
        ranks: list[str] = [node if node in there else "" for node in one.nodes[: max(wanted, len(one.nodes))]]
        ranks = [*ranks[:wanted], *[""] * (wanted - len(ranks))]
        for rank, node in enumerate(ranks):
            if not node:
                ranks[rank] = loads.give(one.size, {*there, *ranks, *one.nodes})
        lacking = sum(not node for node in ranks)
        if lacking:
            short[_too_few(wanted, len({*targets, *there}))] += 1
            ranks = [new or (one.nodes[rank] if rank < len(one.nodes) else "") for rank, new in enumerate(ranks)]
        after = tuple(node for node in ranks if node)
        new = sum(node not in one.nodes for node in after)
        missing = sum(node not in one.bytes for node in after if node in one.nodes)
        minimum += one.size * (new + missing)
        if after != one.nodes or not one.is_settled:
            moves.append(
                ChunkMove(one.family, one.chunk, one.nodes, after, one.size * (new + missing), one.tables)
            )  # fmt: skip
    return MovePlan(tuple(moves), minimum, loads.before, dict(loads.bytes), dict(short))
