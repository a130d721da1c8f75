"""Says of one chunk who holds it, in what state, and why it is not elsewhere."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from skyshard.basics.errors import UserError
from skyshard.basics.readable import seconds
from skyshard.log.line_output import utc
from skyshard.registry.catalog.database_life import DatabaseRow
from skyshard.registry.catalog.nodes import NodeRow
from skyshard.registry.catalog.replication_index import HeldReplica
from skyshard.registry.registry import Registry
from skyshard.registry.stored.lifecycle import DatabaseState, NodeState, ReplicaState

_DECIDED = {
    NodeState.JOINING: "it is being added",
    NodeState.READ_ONLY: "it is read-only, no new chunk comes to it",
    NodeState.DRAINING: "it is draining, what it holds goes to others",
    NodeState.DRAINED: "it is drained, no chunk comes to it",
    NodeState.REMOVED: "it is being removed",
}


@dataclass(frozen=True, slots=True)
class NodeReason:
    """What a node has of a chunk of a database, in one sentence."""

    database: str
    node: str
    holds: bool
    """All tables of the chunk, good and verified: queries may read it there."""
    reason: str
    state: str
    """What was decided of the node: active, read-only, draining, drained; empty for no node of the cluster."""
    down_s: float
    """Since when it is known not to answer, in seconds since 1970; 0 where it answers."""


@dataclass(frozen=True, slots=True)
class ChunkExplanation:
    """One chunk in every database that has it; databases by the names that people give them."""

    chunk: int
    replicas: tuple[HeldReplica, ...]
    nodes: tuple[NodeReason, ...]


def explain_chunk(registry: Registry, nodes: Iterable[str], chunk: int, database: str = "") -> ChunkExplanation:
    """Who holds a chunk of one published database, or of all, and why others do not.

    Args:
        nodes: those of the cluster, as they were looked at just now.

    Raises:
        UserError: no such database, or none that has the chunk.
    """
    stored = registry.published.names().fixed(database) if database else ""
    rows = {
        row.stored: row
        for row in registry.life.rows()
        if row.state is DatabaseState.PUBLISHED and stored in ("", row.stored)
    }
    held: dict[str, list[HeldReplica]] = defaultdict(list)
    for replica in registry.replication.of_chunk(chunk):
        if replica.database in rows:
            held[replica.database].append(replica)
    if not held:
        where = f"'{database}'" if database else "no published database"
        raise UserError(
            f"{where} has {'no ' if database else ''}chunk {chunk}",
            remedy="`skyshard locate` says which chunk a position is in",
        )
    known = {name: row for name, row in registry.nodes.rows(nodes).items() if name in set(nodes)}
    reasons = [reason for name, mine in held.items() for reason in _reasons(registry, rows[name], mine, known)]
    shown = [_shown(one, rows[one.database].shown) for mine in held.values() for one in mine]
    return ChunkExplanation(chunk, tuple(shown), tuple(reasons))


def _shown(one: HeldReplica, name: str) -> HeldReplica:
    return HeldReplica(
        name, one.table, one.chunk, one.is_overlap, one.part, one.node, one.state, one.rows, one.bytes,
        one.verified_s, one.fault,
    )  # fmt: skip


def _reasons(
    registry: Registry, row: DatabaseRow, held: Sequence[HeldReplica], nodes: Mapping[str, NodeRow]
) -> list[NodeReason]:
    level = int(str(row.layout.get("replicas", 1)))
    placed = registry.placements.of_family(row.family).get(held[0].chunk, ())[:level]
    wanted = {(one.table, one.is_overlap, one.part) for one in held}
    found = []
    for node in dict.fromkeys([*nodes, *(one.node for one in held)]):
        mine = [one for one in held if one.node == node]
        good = {
            (one.table, one.is_overlap, one.part)
            for one in mine
            if one.state is ReplicaState.GOOD and one.verified_s > 0
        }
        if good == wanted:
            reason = "holds every table, good and verified"
        elif mine:
            reason = _lacking(mine, len(wanted - good), len(wanted))
        else:
            reason = _absent(node, placed, held[0].chunk < 0, level)
        one = nodes.get(node)
        told = "; ".join([reason, *_states(one, registry.replication.now_s())])
        state, down_s = ("", 0.0) if one is None else (str(one.state), one.down_s)
        found.append(NodeReason(row.shown, node, good == wanted, told, state, down_s))
    return found


def _states(node: NodeRow | None, now_s: float) -> Iterator[str]:
    """What else is to be known of a node; nothing of an active one that answers."""
    if node is None:
        yield "it is no node of this cluster"
        return
    if node.state in _DECIDED:
        yield _DECIDED[node.state]
    if node.down_s:
        yield f"it has not answered since {utc(node.down_s)}, for {seconds(max(0.0, now_s - node.down_s))}"
    elif node.outages:
        yield f"it answers, and had {node.outages} outages in 24 hours"


def _lacking(mine: Sequence[HeldReplica], missing: int, tables: int) -> str:
    faults = sorted({one.fault or f"a table is {one.state}" for one in mine if one.state is not ReplicaState.GOOD})
    why = f": {faults[0]}" if faults else ""
    return f"{missing} of {tables} tables do not count{why}"


def _absent(node: str, placed: Sequence[str], is_regular: bool, level: int) -> str:
    if is_regular:
        return "has no copy of the regular tables, which `skyshard replicas fill` brings"
    if node in placed:
        return "is to hold it, but has no table of it"
    listed = ", ".join(placed) or "no node"
    return f"is not to hold it: the layout asks for {level}, which {listed} is to hold"
