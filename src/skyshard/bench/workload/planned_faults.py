"""A scenario beside a workload on a cluster: which node each event is about, and whether it can come. No I/O."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from skyshard.bench.workload.fault_scenario import (
    CZAR,
    LARGEST,
    OF_NODES_ALONE,
    RANDOM,
    SILENCING,
    Do,
    FaultEvent,
    ReadScenario,
)
from skyshard.bench.workload.workload import Phase, Workload


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """One event of a scenario, with its phase and its node."""

    number: int
    """From 1 on, in the order of the file."""
    event: FaultEvent
    phase: str
    node: str
    """Empty for what is about the whole cluster."""

    @property
    def label(self) -> str:
        """For people: ``kill node2``.

        >>> PlannedFault(1, FaultEvent(do="kill", node="random"), "one", "node2").label
        'kill node2'
        """
        return f"{self.event.do} {self.node}".replace("_", " ").strip()


@dataclass(frozen=True, slots=True)
class PlannedScenario:
    """All events of a scenario, and what has to be said before it begins."""

    read: ReadScenario
    faults: tuple[PlannedFault, ...]
    warnings: tuple[str, ...] = ()


def phase_duration_s(phase: Phase) -> float | None:
    """Seconds in which queries of a phase are due; None where it ends with its queries."""
    return max((load.duration_s for load in phase.classes if load.duration_s is not None), default=None)


def phase_queries(phase: Phase) -> int | None:
    """Queries of a phase, warm-up included; None where it ends with its time."""
    counts = [load.count for load in phase.classes if load.count is not None]
    if len(counts) < len(phase.classes):
        return None
    return sum(counts) + sum(load.warm_up for load in phase.classes)


def plan_faults(
    read: ReadScenario,
    workload: Workload,
    bytes_by_node: Mapping[str, int],
    replicas: int,
    *,
    counts_queries: bool = True,
) -> PlannedScenario:
    """The events of a scenario with their phases and nodes.

    Args:
        bytes_by_node: every node of the cluster, and what it holds of the database.
        replicas: copies of each chunk.
        counts_queries: whether the driver knows how many queries have ended; driver processes tell only at the end.

    Raises:
        UserError: an unknown node or phase, an event after its phase's end, or one that waits for queries that nobody
            counts; names the file's line.
    """
    phases = {phase.name: phase for phase in workload.phases}
    draw, faults, drawn = random.Random(read.file.seed), [], list[str]()
    for place, event in enumerate(read.file.events):
        if event.phase and event.phase not in phases:
            what = f"workload '{workload.name}' has no phase '{event.phase}'"
            raise read.fault(["events", place, "phase"], what, f"name one of {', '.join(phases)}")
        phase = phases[event.phase] if event.phase else workload.phases[0]
        _refuse_too_late(read, place, event, phase)
        if not counts_queries and (event.at_query or (phase_duration_s(phase) is None and _has_share(event))):
            what = "it waits for a number of queries, which driver processes tell only at the end of a phase"
            key = "at_query" if event.at_query else "at_share" if event.at_share is not None else "for_share"
            raise read.fault(["events", place, key], what, "give at_s and for_s, or run without --processes and --ray")
        node = _node(read, place, event, bytes_by_node, drawn, draw)
        drawn += [node] if node else []
        faults.append(PlannedFault(place + 1, event, phase.name, node))
    return PlannedScenario(read, tuple(faults), tuple(_warnings(workload, faults, replicas)))


def _has_share(event: FaultEvent) -> bool:
    return event.at_share is not None or event.for_share is not None


def _refuse_too_late(read: ReadScenario, place: int, event: FaultEvent, phase: Phase) -> None:
    """An event that cannot come, as its phase has ended by then."""
    duration_s, queries = phase_duration_s(phase), phase_queries(phase)
    has_only_durations = all(load.duration_s is not None for load in phase.classes)
    if event.at_s is not None and has_only_durations and duration_s is not None and event.at_s >= duration_s:
        what = f"phase '{phase.name}' ends after {duration_s:g} s, before {event.at_s:g} s"
        raise read.fault(["events", place, "at_s"], what, "take an earlier time, at_share, or a longer --duration")
    if event.at_query is not None and queries is not None and event.at_query >= queries:
        what = f"phase '{phase.name}' has {queries} queries: it ends with or before number {event.at_query}"
        raise read.fault(["events", place, "at_query"], what, "take an earlier query, or at_share")


def _node(
    read: ReadScenario,
    place: int,
    event: FaultEvent,
    bytes_by_node: Mapping[str, int],
    drawn: Sequence[str],
    draw: random.Random,
) -> str:
    """The node that an event is about; a random one is another than those before, as long as there are others."""
    if event.node in ("", CZAR) or event.node in bytes_by_node:
        if event.node == CZAR and event.do in OF_NODES_ALONE:
            raise read.fault(["events", place, "node"], "the czar's server holds no replicas", "name a node")
        return event.node
    nodes = list(bytes_by_node)
    if event.node == RANDOM:
        return draw.choice([one for one in nodes if one not in drawn] or nodes)
    if event.node == LARGEST:
        return max(nodes, key=lambda one: bytes_by_node[one])
    what = f"the cluster has no node '{event.node}'"
    raise read.fault(["events", place, "node"], what, f"name one of {', '.join(nodes)}, czar, random or largest")


def _warnings(workload: Workload, faults: Sequence[PlannedFault], replicas: int) -> list[str]:
    """What a scenario will cost for sure."""
    found = []
    if any(one.node == CZAR and one.event.do in (*SILENCING, Do.RESTART, Do.CLOCK) for one in faults):
        found.append("while the czar's server is down, no query is answered")
    most = max((len(_down_with(one, faults, workload)) for one in faults), default=0)
    if most >= replicas:
        nodes = f"{most} node{'s' if most > 1 else ''} may be down at once"
        level = f"{replicas} replica{'s' if replicas > 1 else ''} of each chunk"
        found.append(f"{nodes}, and there {'are' if replicas > 1 else 'is'} {level}: some answers will be refused")
    elif replicas == 1 and any(one.event.do is Do.CORRUPT for one in faults):
        found.append("there is 1 replica of each chunk: what is damaged cannot be read elsewhere")
    return found


def _down_with(one: PlannedFault, faults: Sequence[PlannedFault], workload: Workload) -> set[str]:
    """Nodes that may be down when this event has come, its own among them."""
    if one.event.do not in SILENCING or one.node == CZAR:
        return set()
    others = {
        other.node
        for other in faults
        if other.event.do in SILENCING and other.node != CZAR and not _is_over_before(other, one, workload)
    }
    return {one.node, *others}


def _is_over_before(other: PlannedFault, one: PlannedFault, workload: Workload) -> bool:
    """Whether one event is not on when another begins, as far as their times tell."""
    order = [phase.name for phase in workload.phases]
    if order.index(other.phase) > order.index(one.phase):
        return True
    if other.phase != one.phase:
        return other.event.for_share is not None
    for start, length in (("at_s", "for_s"), ("at_share", "for_share")):
        begins = [getattr(event, start) for event in (other.event, one.event)]
        if None not in begins:
            lasts = getattr(other.event, length)
            return bool(begins[0] > begins[1] or (lasts is not None and begins[0] + lasts <= begins[1]))
    return False
