"""Plans jobs from what the registry and the nodes say now, and refuses those that cannot be."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from skyshard.basics.errors import ClusterError, UserError
from skyshard.registry.stored.job_rows import JobKind
from skyshard.registry.stored.lifecycle import NodeState
from skyshard.registry.stored.records import WHOLE
from skyshard.replicate.move_plan import MovePlan, PlacedChunk, plan_drain, plan_even, plan_fill, skew
from skyshard.replicate.place import ReplicaPlace
from skyshard.replicate.placed_chunks import read_chunks

NAMED_CHUNKS = 5


@dataclass(frozen=True, slots=True)
class JobPlan:
    """What a job would do; ``away`` are nodes that do not answer, ``gone`` those of them that are not waited for."""

    kind: JobKind
    subject: str
    moves: MovePlan
    targets: tuple[str, ...]
    away: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def skew_before(self) -> float:
        """Bytes of the fullest node against the mean of those that may have chunks."""
        return skew(self.moves.before, self.targets)

    @property
    def skew_after(self) -> float:
        return skew(self.moves.after, self.targets)

    def expected_s(self, rate_bytes_s: float) -> float | None:
        """At a rate a node; None without one."""
        return self.moves.expected_s(rate_bytes_s, self.away)


def _targets(place: ReplicaPlace, there: Sequence[str]) -> tuple[str, ...]:
    """The nodes that answer and may get chunks."""
    return place.registry.nodes.in_states(there, {NodeState.ACTIVE})


def _away(place: ReplicaPlace, there: Sequence[str]) -> tuple[str, ...]:
    """The other nodes."""
    return tuple(name for name in place.nodes if name not in there)


def make_drain_plan(place: ReplicaPlace, node: str) -> JobPlan:
    """What draining a node would do; changes nothing.

    Raises:
        UserError: no such node, no other node that may get its chunks, or too few of them.
        ClusterError: the node does not answer, and nobody else has some of its chunks; nodes that might get its
            chunks do not answer.
    """
    place.require_node(node)
    place.registry.mutable_chunks.require_none_on(node)
    there = place.answering()
    targets = tuple(name for name in _targets(place, there) if name != node)
    chunks = read_chunks(place.registry)
    moves = plan_drain(chunks, targets, node)
    if not targets or moves.short:
        _require_no_targets_away(place, node, there)
    if not targets:
        raise UserError(
            f"node {node} cannot be drained: no other node that answers may get its chunks",
            remedy="add one, or `skyshard nodes enable` one that is read-only",
        )
    for why, count in moves.short.items():
        raise UserError(
            f"node {node} cannot be drained: {count} of its chunks have no other node: {why}",
            remedy="add a node, or lower the level of the databases with `skyshard replicas level`",
        )
    if node not in there:
        _require_others(chunks, node, there)
    return JobPlan(JobKind.DRAIN, node, moves, targets, _away(place, there))


def _require_no_targets_away(place: ReplicaPlace, node: str, there: Sequence[str]) -> None:
    """Where too few nodes may get chunks, say which of them only do not answer."""
    away = [name for name in _targets(place, _away(place, there)) if name != node]
    if away:
        named, verb = ", ".join(away), "does" if len(away) == 1 else "do"
        raise ClusterError(
            f"node {node} cannot be drained now: too few other nodes may get its chunks, and {named} {verb} not answer",
            remedy=f"start {named}, then drain it",
            retryable=True,
        )


def _require_others(chunks: Sequence[PlacedChunk], node: str, there: Collection[str]) -> None:
    """Make sure that a node which is away has nothing alone."""
    alone = [
        one.chunk
        for one in chunks
        if node in one.bytes and (node in one.alone or not any(name in there for name in one.bytes))
    ]
    if alone:
        named = ", ".join("regular tables" if chunk == WHOLE else str(chunk) for chunk in alone[:NAMED_CHUNKS])
        more = f", ... ({len(alone)} in all)" if len(alone) > NAMED_CHUNKS else ""
        raise ClusterError(
            f"node {node} does not answer, and no node that does has chunks {named}{more}",
            remedy=f"start {node} again, then drain it",
            retryable=True,
        )


def left_on(place: ReplicaPlace, node: str) -> MovePlan:
    """What is still to leave a node that is being drained."""
    targets = tuple(name for name in _targets(place, place.answering()) if name != node)
    return plan_drain(read_chunks(place.registry), targets, node)


def make_even_plan(place: ReplicaPlace) -> JobPlan:
    """What evening out the nodes would do; changes nothing."""
    there = place.answering()
    targets = _targets(place, there)
    moves = plan_even(read_chunks(place.registry), targets)
    return JobPlan(JobKind.REBALANCE, "", moves, targets, _away(place, there))


def make_fill_plan(place: ReplicaPlace, *, at_once: bool = False) -> JobPlan:
    """What bringing every chunk to its level would do; changes nothing.

    Args:
        at_once: nodes that do not answer are not waited for; else only those that have been down for long.
    """
    there = place.answering()
    away = _away(place, there)
    gone = away if at_once else _long_down(place, away)
    targets = _targets(place, there)
    moves = plan_fill(read_chunks(place.registry), targets, gone)
    return JobPlan(JobKind.FILL, "", moves, targets, away, gone)


def _long_down(place: ReplicaPlace, away: Sequence[str]) -> tuple[str, ...]:
    """Those of some nodes that have not answered for so long that they are not waited for."""
    if not away:
        return ()
    nodes = place.registry.nodes
    nodes.see(dict.fromkeys(away))
    rows, now_s, after_s = nodes.rows(away), place.registry.replication.now_s(), nodes.down_after_s
    return tuple(name for name in away if rows[name].down_s and now_s - rows[name].down_s >= after_s)
