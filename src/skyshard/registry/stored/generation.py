"""The generation: one number that changes whenever what queries see changes, so that catalogs may be kept.

Rules: it is raised as the last step of the SQL transaction that changes something, so that whoever reads a number and
then a catalog sees that number's state or a later one, never an earlier one. ``plain_sql.GENERATION`` reads it.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import insert as upsert

from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import TransactionState


def advance(connection: sa.Connection, *, if_finished: int | None = None) -> None:
    """Raise the number; with ``if_finished`` only when that transaction is one that queries see."""
    if if_finished is not None and not is_seen(connection, if_finished):
        return
    raised = upsert(t.generation).values(id=1, number=1)
    connection.execute(raised.on_duplicate_key_update(number=t.generation.c.number + 1))


def is_seen(connection: sa.Connection, transaction: int) -> bool:
    """Whether queries see what a transaction brought."""
    state = connection.scalar(sa.select(t.transactions.c.state).where(t.transactions.c.id == transaction))
    return bool(state == TransactionState.FINISHED)
