"""The steps of an ingest transaction, each within one SQL transaction of the caller.

A transaction belongs to the ingest that took it last: every take-over raises its attempt, and a step under an older
attempt is refused, so that an ingest which lost its place (its server died, its lock with it) can not finish what
another one is working on.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from skyshard.basics.errors import Bug, ClusterError, UserError
from skyshard.catalog.layout import Layout, TableLayout
from skyshard.registry.stored import node_locks
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import (
    HOLDING,
    ContributionState,
    DatabaseState,
    Event,
    TransactionState,
    follow,
)
from skyshard.registry.stored.records import OpenTransaction
from skyshard.registry.stored.server_clock import now_s
from skyshard.registry.transactions.transaction_report import TransactionReport

_OPEN = (TransactionState.STARTED, TransactionState.COMMITTING, TransactionState.ABORTING)
_ENDS = (TransactionState.FINISHED, TransactionState.ABORTED)


def find_open(connection: sa.Connection, database: str) -> OpenTransaction | None:
    """The transaction of a database that has not come to its end; there is one at most."""
    query = sa.select(t.transactions).where(
        t.transactions.c.database == database, t.transactions.c.state.in_(_OPEN)
    )  # fmt: skip
    row = connection.execute(query).mappings().first()
    if row is None:
        return None
    state = TransactionState(row["state"])
    return OpenTransaction(int(row["id"]), state, row["plan"], int(row["attempt"]), row["servers"] or {})


def begin(
    connection: sa.Connection,
    database: str,
    layout: Layout,
    source: str,
    plan: str,
    servers: Mapping[str, float],
    *,
    shown: str = "",
) -> OpenTransaction:
    """Register the database, if it is new, and start a transaction.

    Args:
        servers: node → when its server was started, as it says.

    Raises:
        UserError: the database is published with another striping.
        ClusterError: a node was drained or removed since the nodes were chosen (retryable).
    """
    _require_holding(connection, servers)
    row = (
        connection.execute(sa.select(t.databases).where(t.databases.c.name == database).with_for_update())
        .mappings()
        .first()
    )
    values = {"family": layout.striping.family, "layout": layout.model_dump(mode="json"), "source": source}
    if row is None:
        state = DatabaseState.INGESTING
        made = sa.insert(t.databases).values(name=database, shown=shown or database, state=state, **values)
        now = now_s(connection)
        connection.execute(made.values(created_s=now, changed_s=now))
    elif row["state"] == DatabaseState.INGESTING:
        connection.execute(sa.update(t.databases).where(t.databases.c.name == database).values(**values))
    elif row["family"] != values["family"]:
        raise UserError(
            f"database '{row['shown']}' has striping {row['family']}, the source {values['family']}",
            remedy="ingest under another --database",
        )
    mine = OpenTransaction(0, TransactionState.STARTED, plan, 1, dict(servers))
    begun = connection.execute(
        sa.insert(t.transactions).values(
            database=database, source=source, state=mine.state, plan=plan, attempt=1, begun_s=now_s(connection),
            servers=mine.servers,
        )
    )  # fmt: skip
    return replace(mine, id=int(begun.lastrowid))


def _require_holding(connection: sa.Connection, nodes: Collection[str]) -> None:
    """Refuse nodes that are to hold nothing; those that hold rows now are not drained before this transaction ends."""
    for node, state in node_locks.locked_states(connection, nodes).items():
        if state not in HOLDING:
            raise ClusterError(f"node '{node}' is {state} since a moment ago", remedy="run it again", retryable=True)


def take_over(connection: sa.Connection, found: OpenTransaction, nodes: Collection[str] = ()) -> OpenTransaction:
    """Take an interrupted transaction over: its former owner can do no more with it.

    Args:
        nodes: that it may write on from now on, besides those that it began on.

    Raises:
        ClusterError: one of them was drained or removed since they were chosen (retryable).
    """
    _require_holding(connection, nodes)
    servers = dict.fromkeys(nodes, 0.0) | dict(found.servers)  # nothing is recorded of a new one
    mine = replace(found, attempt=found.attempt + 1, servers=servers)
    _lock(connection, found)
    connection.execute(
        sa.update(t.transactions)
        .where(t.transactions.c.id == found.id)
        .values(attempt=mine.attempt, servers=mine.servers)
    )
    return mine


def move(connection: sa.Connection, mine: OpenTransaction, event: Event, **values: Any) -> None:
    """Follow the lifecycle, and set the columns that come with the step.

    Raises:
        ClusterError: another ingest has taken the transaction over, or the step is not allowed.
    """
    after = follow(_lock(connection, mine), event)
    if not isinstance(after, TransactionState):
        raise Bug(f"transaction {mine.id} becomes a {type(after).__name__}")
    if after in _ENDS:
        values["ended_s"] = now_s(connection)
    connection.execute(sa.update(t.transactions).where(t.transactions.c.id == mine.id).values(state=after, **values))


def publish(connection: sa.Connection, database: str, mine: OpenTransaction, report: TransactionReport) -> None:
    """Make a transaction and its database visible to queries."""
    move(connection, mine, Event.COMMITTED, report=report.dump())
    _move_contributions(connection, mine, Event.BUILT)
    where = t.databases.c.name == database
    state = DatabaseState(str(connection.scalar(sa.select(t.databases.c.state).where(where))))
    connection.execute(sa.update(t.databases).where(where).values(state=follow(state, Event.COMMITTED)))


def set_layouts(connection: sa.Connection, database: str, layouts: Mapping[str, TableLayout]) -> None:
    """Change the layouts of tables, by name, to those that their chunk tables have now."""
    for name, layout in layouts.items():
        where = (t.tables.c.database == database) & (t.tables.c.name == name)
        connection.execute(sa.update(t.tables).where(where).values(layout=layout.model_dump(mode="json")))


def take_back(connection: sa.Connection, database: str, mine: OpenTransaction) -> None:
    """End an aborted transaction: nothing of it is left but its own entry; of a database never published, nothing."""
    move(connection, mine, Event.ABORTED)
    _move_contributions(connection, mine, Event.ABORT)
    for table in (t.replicas, t.index_parts, t.tables):
        connection.execute(sa.delete(table).where(table.c.database == database, table.c.transaction_id == mine.id))
    for records in (t.strays, t.input_files):
        connection.execute(sa.delete(records).where(records.c.transaction_id == mine.id))
    where = (t.databases.c.name == database) & (t.databases.c.state != DatabaseState.PUBLISHED)
    connection.execute(sa.delete(t.databases).where(where))


def _lock(connection: sa.Connection, mine: OpenTransaction) -> TransactionState:
    """The state of a transaction that this ingest still owns; its row is locked until the SQL transaction ends."""
    query = sa.select(t.transactions.c.state, t.transactions.c.attempt).where(t.transactions.c.id == mine.id)
    row = connection.execute(query.with_for_update()).first()
    if row is None or int(row.attempt) != mine.attempt:
        raise ClusterError(f"transaction {mine.id} was taken over by another ingest", remedy="let that one end")
    return TransactionState(row.state)


def _move_contributions(connection: sa.Connection, mine: OpenTransaction, event: Event) -> None:
    where = t.contributions.c.transaction_id == mine.id
    states = connection.scalars(sa.select(t.contributions.c.state).where(where).distinct()).all()
    for before in map(ContributionState, states):
        update = sa.update(t.contributions).where(where, t.contributions.c.state == before)
        connection.execute(update.values(state=follow(before, event)))
