"""Asks a server whether it makes the tables of a plan; its refusals are told by table and column.

The rules that are known in advance are in ``storable``; a server knows all of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from skyshard.basics.errors import UserError
from skyshard.catalog.ddl import create_table
from skyshard.catalog.schema import Table
from skyshard.cluster.accounts import SCRATCH_DATABASE
from skyshard.db.connection import Account, Connection, Endpoint, connect, quote_name
from skyshard.db.server_errors import server_words
from skyshard.ingest.plan.ingest_plan import PlannedTable, prototypes

_CREATE = "CREATE TABLE"


def require_makeable(endpoint: Endpoint, tables: Iterable[PlannedTable], engine: str) -> None:
    """Make every stored table as a temporary one, which is gone at once.

    Raises:
        UserError: the server refuses one.
        ClusterError: no server answers.
    """
    with connect(endpoint, Account.ADMIN, SCRATCH_DATABASE) as connection:
        for table in tables:
            for stored in prototypes(table.source):
                _try(connection, stored, engine)


def make_table(connection: Connection, table: Table, engine: str = "MyISAM") -> None:
    """Create a stored table under its own name.

    Raises:
        UserError: the server refuses it; names the table, and the column if it is one's.
    """
    try:
        connection.execute(create_table(table, table.name, engine=engine))
    except UserError as error:
        raise _refused(connection, table, engine, error) from None


def _try(connection: Connection, table: Table, engine: str) -> None:
    try:
        _make_temporary(connection, table, engine)
    except UserError as error:
        raise _refused(connection, table, engine, error) from None


def _make_temporary(connection: Connection, table: Table, engine: str) -> None:
    connection.execute(create_table(table, table.name, engine=engine).replace(_CREATE, "CREATE TEMPORARY TABLE", 1))
    connection.execute(f"DROP TEMPORARY TABLE {quote_name(table.name)}")


def _refused(connection: Connection, table: Table, engine: str, error: UserError) -> UserError:
    """The server's words, with the first column that it would not have alone either."""
    where, words = f"table '{table.name}'", server_words(error)
    for column in table:
        try:
            _make_temporary(connection, replace(table, columns=(column,), primary_key=(), keys=()), engine)
        except UserError as alone:
            where, words = f"{where}, column '{column.name}'", server_words(alone)
            break
    return UserError(f"{where}: the server does not make it: {words}", remedy="fix the definition")
