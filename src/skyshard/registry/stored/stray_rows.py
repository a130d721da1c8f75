"""Orphans and strays: dependent rows that came before their director, and those whose director then came elsewhere.

A row without director is in the chunk of its own position. A later transaction that brings the director in another
chunk, of this database or of another one of the family, makes it a stray; that counts from its publication on.
"""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import TransactionState

Stray = tuple[str, str, int]
"""Database, table, chunk."""


def add(connection: sa.Connection, transaction: int, found: Iterable[Stray]) -> None:
    """Note what a transaction makes strays of; the same again changes nothing."""
    rows = [
        {"transaction_id": transaction, "database": database, "table": table, "chunk": chunk}
        for database, table, chunk in found
    ]
    if rows:
        connection.execute(sa.insert(t.strays).prefix_with("IGNORE"), rows)


def forget(connection: sa.Connection, transaction: int, looked_at: Iterable[Stray]) -> None:
    """Forget what transactions before this one noted of chunks; it has noted itself what there is of them now."""
    for database, table, chunk in looked_at:
        where = (t.strays.c.database == database) & (t.strays.c.table == table) & (t.strays.c.chunk == chunk)
        connection.execute(sa.delete(t.strays).where(where, t.strays.c.transaction_id != transaction))


def read_orphans(connection: sa.Connection) -> list[tuple[str, str, int]]:
    """Database, table and transaction of all rows of finished transactions that had no director when they came."""
    query = (
        sa.select(t.transactions.c.database, t.contributions.c.table, t.transactions.c.id)
        .join(t.transactions, t.transactions.c.id == t.contributions.c.transaction_id)
        .where(t.transactions.c.state == TransactionState.FINISHED, t.contributions.c.orphans > 0)
        .distinct()
    )
    return [(str(database), str(table), int(number)) for database, table, number in connection.execute(query)]
