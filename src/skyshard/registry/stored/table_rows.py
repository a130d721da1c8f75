"""All rows that the registry has of one table, and who follows it."""

from __future__ import annotations

from collections.abc import Iterator

import sqlalchemy as sa

from skyshard.basics.errors import UserError
from skyshard.catalog.layout import TableLayout, split_director
from skyshard.registry.stored import sql_tables as t
from skyshard.registry.stored.lifecycle import DatabaseState

Director = tuple[str, str]
"""Stored name of a database, and a table."""


def followers(connection: sa.Connection, database: str) -> list[tuple[str, str, Director]]:
    """Tables of databases that stay whose rows follow a director of one: database and table by shown names, director.

    Those of the database itself are among them.
    """
    return [one for one in _follow(connection) if one[2][0] == database]


def require_no_followers(connection: sa.Connection, database: str, table: str) -> None:
    """Raises UserError where the rows of a table follow this one."""
    for other, name, director in followers(connection, database):
        if director == (database, table):
            raise UserError(f"table '{other}.{name}' follows it", remedy=f"drop '{other}.{name}' first")


def forget(connection: sa.Connection, database: str, table: str) -> None:
    """Delete the rows of a table, and of all that transactions brought to it."""
    theirs = sa.select(t.transactions.c.id).where(t.transactions.c.database == database)
    for own, column in ((t.replicas, "table"), (t.strays, "table"), (t.index_parts, "director"), (t.tables, "name")):
        connection.execute(sa.delete(own).where(own.c.database == database, own.c[column] == table))
    for brought in (t.contributions, t.input_files):
        connection.execute(sa.delete(brought).where(brought.c.table == table, brought.c.transaction_id.in_(theirs)))


def _follow(connection: sa.Connection) -> Iterator[tuple[str, str, Director]]:
    c, d = t.tables.c, t.databases.c
    query = (
        sa.select(c.database, d.shown, c.name, c.layout)
        .join(t.databases, d.name == c.database)
        .where(d.state != DatabaseState.DROPPING)
        .order_by(d.shown, c.name)
    )
    for database, shown, table, text in connection.execute(query):
        layout = TableLayout.model_validate(text)
        for director in filter(None, (layout.director, layout.director2)):
            yield str(shown), str(table), split_director(director, database)
