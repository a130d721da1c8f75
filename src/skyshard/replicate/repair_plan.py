"""Which replica is made again from which node, as values. No I/O.

Rules: a source is a good replica of the same rows, on the node that gives the fewest bytes so far; a replica without
any is tried in place, and is lost if that does not help; what is on a node that does not answer waits for it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from skyshard.registry.catalog.replication_index import KnownReplica

SameRows = tuple[str, int, bool, int]
"""Table, chunk, overlap, transaction: replicas that agree in it hold the same rows."""


def rows_of(one: KnownReplica) -> SameRows:
    return (*one.replica.target, one.transaction)


@dataclass(frozen=True, slots=True)
class RepairStep:
    """A replica to be made again on its node; without a source only from what is there."""

    known: KnownReplica
    source: str
    """A node that holds the same rows, good; empty for none."""

    @property
    def node(self) -> str:
        return self.known.replica.node

    @property
    def bytes(self) -> int:
        """To be copied."""
        return self.known.replica.bytes if self.source else 0


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What a repair of one database would do."""

    steps: tuple[RepairStep, ...]
    waiting: Mapping[str, int]
    """Node that does not answer → replicas that wait for it."""

    @property
    def bytes(self) -> int:
        """To be copied, in all."""
        return sum(step.bytes for step in self.steps)

    def expected_s(self, rate_bytes_s: float) -> float | None:
        """At a rate a node; None without one. The node that gets, or gives, the most decides."""
        load: dict[str, int] = defaultdict(int)
        for step in self.steps:
            load[step.node] += step.bytes
            load[step.source] += step.bytes
        return max(load.values(), default=0) / rate_bytes_s if rate_bytes_s else None


def plan_repair(
    bad: Iterable[KnownReplica], holders: Mapping[SameRows, Collection[str]], answering: Collection[str]
) -> RepairPlan:
    """What to make again, chunk by chunk, and from where.

    Args:
        bad: replicas that are not good.
        holders: the nodes that hold the same rows, good.
        answering: the nodes that can be read and written now.
    """
    given: dict[str, int] = dict.fromkeys(answering, 0)
    waiting: dict[str, int] = defaultdict(int)
    steps = []
    for one in sorted(bad, key=lambda known: (known.replica.chunk, rows_of(known), known.replica.node)):
        if one.replica.node not in answering:
            waiting[one.replica.node] += 1
            continue
        sources = [node for node in holders.get(rows_of(one), ()) if node in given and node != one.replica.node]
        source = min(sources, key=lambda node: (given[node], node), default="")
        if source:
            given[source] += one.replica.bytes
        steps.append(RepairStep(one, source))
    return RepairPlan(tuple(steps), dict(waiting))
