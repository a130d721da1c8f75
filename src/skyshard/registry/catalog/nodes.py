"""Nodes as the cluster has decided of them, and as they were seen: states, marks of data folders, outages.

Rules: states follow ``lifecycle``; a node without a row is active; *down* is never decided, only seen. Plain SQL: a
query reads states, too.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skyshard.basics.errors import ClusterError, UserError
from skyshard.db.connection import Connection
from skyshard.registry.stored import chunk_entries, node_sql
from skyshard.registry.stored.lifecycle import HOLDING, MEMBERS, NodeEvent, NodeState, follow
from skyshard.registry.stored.store import Store

DOWN_AFTER_S = 600.0
"""A node that has not answered for so long is replaced, unless the cluster has chosen another time."""
FLAPPING_S = 86_400.0
"""Outages that began in the last so many seconds are counted."""
OUTAGES_KEPT_S = 30 * 86_400.0
RESTART_S = 3.0
"""Start times of a server that differ by less are one: it says them by subtracting two whole numbers of seconds."""
_DOWN_AFTER = "down_after_s"
_BRINGS_NOTHING = 0
"""The transaction of a change of nodes: rows came with none."""


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node; times are seconds since 1970 by the czar's server, 0 for never."""

    name: str
    state: NodeState
    mark: str = ""
    """What its data folder has to hold; empty where none was given."""
    added_s: float = 0.0
    changed_s: float = 0.0
    """When its state changed last."""
    seen_s: float = 0.0
    """When its server answered last."""
    started_s: float = 0.0
    """When that was started, as it says itself."""
    down_s: float = 0.0
    """Since when it is known not to answer; 0 where it answered when it was last asked."""
    outages: int = 0
    """That began in the last 24 hours."""


class Nodes(Store):
    """Reads and writes of the tables ``nodes``, ``outages`` and ``policies``."""

    def states(self) -> dict[str, NodeState]:
        """The nodes that have a row, removed ones among them; any other node is active."""
        with self._plain.reading() as connection:
            return {str(name): NodeState(state) for name, state, _ in connection.rows(node_sql.STATES)}

    def state(self, name: str) -> NodeState:
        """The state of a node; that of one without a row is active."""
        return self.states().get(name, NodeState.ACTIVE)

    def members(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of some nodes that belong to the cluster, in their order."""
        return self.in_states(names, MEMBERS)

    def in_states(self, names: Iterable[str], states: Collection[NodeState]) -> tuple[str, ...]:
        """Those of some nodes that are in one of the states, in their order."""
        known = self.states()
        return tuple(name for name in names if known.get(name, NodeState.ACTIVE) in states)

    def holding(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of some nodes that hold rows, or are to get some, in their order: not one whose drain only has to be
        ended, so that work which begins now does not keep it from that."""
        with self._plain.reading() as connection:
            states = {str(name): NodeState(state) for name, state, _ in connection.rows(node_sql.STATES)}
            draining = [name for name in names if states.get(name) is NodeState.DRAINING]
            empty = {name for name in draining if _is_empty(connection, name)}
        return tuple(name for name in names if states.get(name, NodeState.ACTIVE) in HOLDING and name not in empty)

    def set(self, name: str, event: NodeEvent) -> NodeState:
        """Move a node along its lifecycle; returns the state that it has now.

        Raises:
            ClusterError: its state does not allow the event.
        """
        with self._plain.writing() as connection:
            before = _lock(connection, name).state
            after = NodeState(follow(before, event))
            if after != before:
                connection.execute(node_sql.SET_STATE, [after, name])
        return after

    def join(self, name: str, *, again: bool = False) -> None:
        """Begin to add a node, or go on with it.

        Args:
            again: also one that was removed, or that is a node already.

        Raises:
            UserError: a node of this name belongs to the cluster, or did.
        """
        with self._plain.writing() as connection:
            is_new = connection.execute(node_sql.MAKE_NODE, [name]) == 1
            state = _lock(connection, name).state
            if state is NodeState.REMOVED and not again:
                raise UserError(
                    f"there was a node {name}, which was removed", remedy="name the new one otherwise, or give --again"
                )
            if not is_new and state in MEMBERS and not again:
                raise UserError(f"{name} is a node already", remedy="`skyshard nodes list` shows them")
            connection.execute(node_sql.SET_STATE, [NodeState.JOINING, name])
            if is_new or state is NodeState.REMOVED:
                connection.execute(node_sql.SET_MARK, ["", name])

    def end_drain(self, name: str) -> NodeState:
        """Say that a node is drained if it holds nothing, and no transaction may bring it anything; its state now."""
        with self._plain.writing() as connection:
            before = _lock(connection, name).state
            if before is not NodeState.DRAINING or not _is_empty(connection, name):
                return before
            after = NodeState(follow(before, NodeEvent.DRAINED))
            connection.execute(node_sql.SET_STATE, [after, name])
        return after

    def marks(self) -> dict[str, str]:
        """What the data folders of nodes have to hold; a node whose folder has been given no mark is left out."""
        with self._plain.reading() as connection:
            return {str(name): str(mark) for name, _, mark in connection.rows(node_sql.STATES) if mark}

    def set_mark(self, name: str, mark: str) -> None:
        """Keep what a node's data folder holds from now on."""
        with self._plain.writing() as connection:
            _lock(connection, name)
            connection.execute(node_sql.SET_MARK, [mark, name])

    def rows(self, names: Iterable[str] = ()) -> dict[str, NodeRow]:
        """What is known of the nodes of some names, and of all others that have a row."""
        with self._plain.reading() as connection:
            found = {
                str(name): NodeRow(
                    str(name), NodeState(state), str(mark), float(added_s), float(changed_s), float(seen_s),
                    float(started_s), float(down_s), int(outages),
                )
                for name, state, mark, added_s, changed_s, seen_s, started_s, down_s, outages
                in connection.rows(node_sql.NODES, [FLAPPING_S])
            }  # fmt: skip
        return {name: NodeRow(name, NodeState.ACTIVE) for name in names} | found

    def see(self, answers: Mapping[str, float | None]) -> None:
        """Keep what asking the servers of nodes has shown.

        Args:
            answers: node → when its server was started, in seconds since 1970 as it says itself; None: no answer.
        """
        if not answers:
            return
        with self._plain.writing() as connection:
            for name in sorted(answers):
                _see(connection, name, answers[name])
            connection.execute(node_sql.FORGET_OUTAGES, [OUTAGES_KEPT_S])

    def take_look(self, each_s: float) -> bool:
        """Whether the caller is to look at the nodes now: nobody else has in so many seconds."""
        with self._plain.writing() as connection:
            connection.execute(node_sql.BEGIN_LOOKS)
            return connection.execute(node_sql.TAKE_LOOK, [each_s]) == 1

    def outages(self, name: str) -> list[tuple[float, float | None]]:
        """When a node did not answer: began, ended, the second None while it lasts; in seconds since 1970."""
        with self._plain.reading() as connection:
            return [
                (float(began_s), None if ended_s is None else float(ended_s))
                for _, began_s, ended_s in connection.rows(node_sql.OUTAGES, [name])
            ]

    @property
    def down_after_s(self) -> float:
        """Seconds without an answer after which what a node holds is made again on others."""
        with self._plain.reading() as connection:
            rows = connection.rows(node_sql.POLICY, [_DOWN_AFTER])
        return float(rows[0][0]) if rows else DOWN_AFTER_S

    def set_down_after(self, seconds: float) -> None:
        """Choose the time for the whole cluster.

        Raises:
            UserError: less than 1 s, or more than a year.
        """
        if not 1 <= seconds <= 366 * 86_400:
            raise UserError(f"a node cannot be replaced after {seconds:g} s", remedy="use 1 to 31622400")
        with self._plain.writing() as connection:
            connection.execute(node_sql.SET_POLICY, [_DOWN_AFTER, seconds])

    def require_settled(self) -> None:
        """Make sure that no transaction is under way, or waits to be gone on with.

        Raises:
            ClusterError: one is.
        """
        with self._plain.reading() as connection:
            rows = connection.rows(node_sql.UNFINISHED)
        if rows:
            number, shown, _ = rows[0]
            raise ClusterError(
                f"transaction {number} of {shown} has not ended",
                remedy=f"wait for its ingest, run it again, or run `skyshard transactions abort {number}`",
                retryable=True,
            )

    def require_no_job(self, name: str) -> None:
        """Make sure that no job that has not ended is to move something to a node, or from it.

        Raises:
            UserError: one is.
        """
        with self._plain.reading() as connection:
            _require_no_job(connection.rows(node_sql.JOBS_ON, [name] * 3), name)

    def chunks_on(self, name: str) -> int:
        """Chunks of which the registry has a replica on a node, whatever transaction brought it."""
        with self._plain.reading() as connection:
            return int(connection.value(node_sql.CHUNKS_ON, [name]))

    def families(self) -> list[str]:
        """The families that have chunks."""
        with self._plain.reading() as connection:
            return [str(family) for (family,) in connection.rows(node_sql.FAMILIES)]

    def remove(self, name: str) -> None:
        """Say that a node which holds no chunk is removed; its copies of regular tables do not count any more.

        Raises:
            UserError: it holds a chunk, or the last good copy of a regular table; a job has something to do with it.
            ClusterError: its state does not allow it.
        """
        with self._writer.begin() as connection:

            def ask(sql: str, *arguments: object) -> list[Any]:
                return list(connection.exec_driver_sql(sql, arguments or (name,)).fetchall())

            connection.exec_driver_sql(node_sql.MAKE_NODE, (name,))
            before = NodeState(ask(node_sql.LOCK_NODE)[0][0])
            _require_no_job(ask(node_sql.JOBS_ON, name, name, name), name)
            if before is NodeState.DRAINING:
                before = NodeState(follow(before, NodeEvent.DRAINED))
            after = follow(before, NodeEvent.REMOVE)
            if count := ask(node_sql.CHUNKS_ON)[0][0]:
                raise UserError(f"{name} holds {count} chunks", remedy=f"run `skyshard replicas drain {name}` first")
            if last := ask(node_sql.LAST_COPIES):
                raise UserError(
                    f"{name} has the last good copy of {last[0][0]}.{last[0][1]}",
                    remedy="run `skyshard replicas repair` first",
                )
            tables: dict[str, set[str]] = {}
            for database, table in ask(node_sql.TABLES_ON):
                tables.setdefault(str(database), set()).add(str(table))
            for forget in (node_sql.FORGET_REPLICAS, node_sql.FORGET_RETIRED):
                connection.exec_driver_sql(forget, (name,))
            for gap in ask(node_sql.GAPS):
                for close in (node_sql.FORGET_PLACE, node_sql.CLOSE_GAP):
                    connection.exec_driver_sql(close, tuple(gap))
            from skyshard.registry.stored import generation  # it needs SQLAlchemy, which a query does not import

            connection.exec_driver_sql(node_sql.SET_STATE, (str(after), name))
            for database in sorted(tables):
                chunk_entries.renew(connection, database, tables[database], _BRINGS_NOTHING)
            generation.advance(connection)


def _require_no_job(rows: Sequence[Sequence[Any]], node: str) -> None:
    if rows:
        number, kind, subject = rows[0]
        raise UserError(
            f"job {number} ({f'{kind} {subject}'.strip()}) has not ended, and has to do with {node}",
            remedy=f"let it end, or run `skyshard jobs resume {number}` if nobody works on it, or "
            f"`skyshard jobs cancel {number}`",
        )


def _lock(connection: Connection, name: str) -> NodeRow:
    """The row of a node, made where there is none, locked to the end of the transaction."""
    connection.execute(node_sql.MAKE_NODE, [name])
    [(state, mark, seen_s, started_s, down_s)] = connection.rows(node_sql.LOCK_NODE, [name])
    return NodeRow(
        name, NodeState(state), str(mark), seen_s=float(seen_s), started_s=float(started_s), down_s=float(down_s)
    )


def _is_empty(connection: Connection, name: str) -> bool:
    """Whether a node holds nothing, and no transaction that has not ended may have brought it anything."""
    if connection.value(node_sql.REPLICAS_ON, [name]):
        return False
    begun_on = [json.loads(servers or "{}") for _, _, servers in connection.rows(node_sql.UNFINISHED)]
    return all(servers and name not in servers for servers in begun_on)


def _see(connection: Connection, name: str, started_s: float | None) -> None:
    before = _lock(connection, name)
    if started_s is None:
        if not before.down_s:
            connection.execute(node_sql.DOWN, [name])
            connection.execute(node_sql.BEGIN_OUTAGE, [name])
        return
    if before.down_s:
        connection.execute(node_sql.END_OUTAGE, [name])
    elif before.started_s and started_s > before.started_s + RESTART_S:
        connection.execute(node_sql.MISSED_OUTAGE, [name, before.seen_s, started_s])
    connection.execute(node_sql.SEEN, [started_s, name])
